-- |
-- Commands for a program that streams its eventlog with @eventlog-socket@.
--
-- > hPut connection (encodeStrict requestHeapCensus)
--
-- A client writes them to the socket from which it reads the stream. The program never
-- answers, and it drops a command that it does not have, or may not run.
module GHC.Eventlog.Socket.Control
  ( -- * Commands
    Command
  , startProfiling
  , stopProfiling
  , startHeapProfiling
  , stopHeapProfiling
  , requestHeapCensus

    -- ** Of a program's own
  , Namespace
  , userNamespace
  , CommandId (..)
  , userCommand

    -- * Frames
  , encodeLazy
  , encodeStrict

    -- * Protocol version
  , ProtocolVersion (..)
  , protocolVersion
  , minProtocolVersion

    -- * Errors
  , ProtocolVersionNotSupportedError (..)
  , NamespaceReservedError (..)
  , NamespaceTooLongError (..)
  , NamespaceEmptyError (..)
  ) where

import Data.Binary (encode)
import qualified Data.ByteString as Strict
import qualified Data.ByteString.Lazy as Lazy

import GHC.Eventlog.Socket.Control.Internal

-- | Start the sampling of cost centres. The program must have been built with
-- profiling.
startProfiling :: Command
startProfiling = builtin 1

-- | Stop the sampling of cost centres.
stopProfiling :: Command
stopProfiling = builtin 2

-- | Start taking a heap census at intervals. The program must have been started with a
-- heap profile, for instance with @+RTS -hT --no-automatic-heap-samples@.
startHeapProfiling :: Command
startHeapProfiling = builtin 3

-- | Stop taking a heap census at intervals.
stopHeapProfiling :: Command
stopHeapProfiling = builtin 4

-- | Take one heap census. What 'startHeapProfiling' asks for holds here, too.
requestHeapCensus :: Command
requestHeapCensus = builtin 5

-- | A command that the program has registered.
userCommand :: Namespace -> CommandId -> Command
userCommand = Command

-- | The frame to send.
encodeLazy :: Command -> Lazy.ByteString
encodeLazy = encode

-- | The frame to send.
encodeStrict :: Command -> Strict.ByteString
encodeStrict = Lazy.toStrict . encodeLazy
