-- |
-- Commands of the namespace @eventlog-socket-rts@. Only this implementation of
-- @eventlog-socket@ (0.1.3.1 and later) understands them.
module GHC.Eventlog.Socket.Control.Rts
  ( flush
  , sync
  , EventClass (..)
  , startEvents
  , stopEvents
  ) where

import Data.Binary (Word8)
import Data.String (fromString)

import GHC.Eventlog.Socket.Control.Internal

-- | Flush the runtime's buffers now.
flush :: Command
flush = rts 1

-- | Flush, then log the user message @eventlog-socket: sync N@, with N counting from
-- 1. What was logged before the command arrived is before that message.
sync :: Command
sync = rts 2

-- | A class of events, as in @+RTS -l@.
data EventClass
  = -- | @s@: threads.
    Scheduler
  | -- | @g@: garbage collection and heap.
    Gc
  | -- | @n@: the non-moving collector.
    NonmovingGc
  | -- | @p@: sparks, sampled.
    SparkSampled
  | -- | @f@: sparks, each of them.
    SparkFull
  | -- | @u@: the program's own messages and markers.
    User
  | -- | Capabilities that are created, enabled and disabled.
    Capability
  deriving (Eq, Ord, Show, Enum, Bounded)

-- | Log events of this class from now on. Has no effect in programs linked with
-- @-dynamic@.
startEvents :: EventClass -> Command
startEvents = rts . classNumber

-- | Log no more events of this class. Has no effect in programs linked with @-dynamic@.
stopEvents :: EventClass -> Command
stopEvents = rts . (+ 1) . classNumber

classNumber :: EventClass -> Word8
classNumber events = 6 + 2 * fromIntegral (fromEnum events)

rts :: Word8 -> Command
rts = Command (fromString "eventlog-socket-rts") . CommandId
