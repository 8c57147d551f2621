-- |
-- The frames of the library's first generation: @GCTL@ and one byte. Programs with this
-- implementation of @eventlog-socket@ still understand them.
module GHC.Eventlog.Socket.Control.Legacy
  ( LegacyCommand (..)
  , encodeLegacy
  ) where

import Data.ByteString (ByteString)
import qualified Data.ByteString as ByteString

-- | A command of the first generation.
data LegacyCommand
  = -- | 'GHC.Eventlog.Socket.Control.startHeapProfiling'
    StartHeapProfiling
  | -- | 'GHC.Eventlog.Socket.Control.stopHeapProfiling'
    StopHeapProfiling
  | -- | 'GHC.Eventlog.Socket.Control.requestHeapCensus'
    RequestHeapProfile
  deriving (Eq, Ord, Show, Enum, Bounded)

-- | The frame to send.
encodeLegacy :: LegacyCommand -> ByteString
encodeLegacy command =
  ByteString.pack [0x47, 0x43, 0x54, 0x4C, 1 + fromIntegral (fromEnum command)]
