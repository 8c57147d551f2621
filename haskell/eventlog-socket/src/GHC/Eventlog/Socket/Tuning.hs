-- | What is not in "GHC.Eventlog.Socket": counters, sizes, times and policies, and the
-- flight recorder.
--
-- > setTuning defaultEventlogSocketTuning {estFlushInterval = 1000}
-- > startFromEnv
module GHC.Eventlog.Socket.Tuning
  ( -- * Tuning
    EventlogSocketTuning
  , estBufferSize
  , estOverflow
  , estExitTimeout
  , estFlushInterval
  , estControl
  , EventlogSocketOverflow (..)
  , EventlogSocketControl (..)
  , defaultEventlogSocketTuning
  , setTuning

    -- * Flight recorder
  , setRingFile
  , startRingFile

    -- * Counters
  , EventlogSocketStats
  , stats
  , essChunksSent
  , essBytesSent
  , essChunksLost
  , essBytesLost
  , essChunksDiscarded
  , essBytesDiscarded
  , essRingSize
  , essRingHighWater
  , essDefinitionBytes
  , essConnections
  , essWakeups
  , essFlushes
  , essBytesReceived
  , essCommandsReceived
  , essCommandsRun
  , essCommandsUnknown
  , essCommandsRefused
  , essCommandsDenied
  , essCommandsDropped
  , essBytesGarbage
  , essInetPort
  , essConnected
  , essSleeps
  , essCallsInterrupted
  , essSendsPartial
  , essSendsFull
  , essSendsDeferred
  , essAcceptsAborted
  , essAcceptsDeferred
  , essPollsFailed
  , essWakeupsPending
  , essWakeupsFailed
  , essOptionsFailed
  , essClientsBroken
  , essClientsHalfClosed
  , essClientsDisplaced
  , essRingFileSize
  , essRingFileChunksOverwritten
  , essRingFileBytesOverwritten
  , essRingFileChunksRefused
  , essRingFileBytesRefused
  , essRingFileDefinitionsLeftOut
  , essRingFileLost
  , essSocketFilesRemoved
  , essSocketFilesRemade
  , essDefinitionsLeftOut
  , essClientsRefused
  ) where

import GHC.Eventlog.Socket.Internal.Start (startRingFile)
import GHC.Eventlog.Socket.Internal.Statistics
import GHC.Eventlog.Socket.Internal.Tuning
