{-# LANGUAGE PatternSynonyms #-}

-- |
-- The eventlog of this program, live, over a socket.
--
-- > import GHC.Eventlog.Socket (startFromEnv)
-- >
-- > main :: IO ()
-- > main = do
-- >   startFromEnv
-- >   ...
--
-- Link with @-threaded@ (and, before GHC 9.4, with @-eventlog@), run with
-- @GHC_EVENTLOG_UNIX_PATH=\/some\/where.sock PROGRAM +RTS -l@, and connect. Each client
-- gets a whole eventlog, in the format of eventlog files.
--
-- The program never waits for a client, and memory is fixed: what a slow client does
-- not take is dropped, chunk by chunk, and the stream says so. That can be changed: see
-- t'EventlogSocketTuning'.
--
-- Every function may be called from any thread. Types that have fields but no
-- constructor here may get more fields.
module GHC.Eventlog.Socket
  ( -- * Start
    startFromEnv
  , fromEnv
  , startWith
  , EventlogSocketAddr (..)
  , EventlogSocketOpts
  , esoWait
  , esoSndbuf
  , esoLinger
  , defaultEventlogSocketOpts
  , EventlogSocketAddrError (..)

    -- * Hooks
  , Hook (HookPostStartEventLogging, HookPreEndEventLogging)
  , HookHandler
  , registerHook

    -- * Commands

    -- | A client may send commands over its connection; package
    -- @eventlog-socket-control@ makes them. Those that the runtime obeys (heap profiles,
    -- flushing, event classes) need nothing here. A program registers those of its own.
  , Namespace
  , CommandId (..)
  , CommandHandler
  , namespaceName
  , registerNamespace
  , registerCommand
  , EventlogSocketControlError (..)

    -- * State
  , testWorkerStatus
  , testControlStatus
    -- ** Counters
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

    -- * Tuning
  , EventlogSocketTuning
  , estBufferSize
  , estOverflow
  , estExitTimeout
  , estFlushInterval
  , estControl
  , EventlogSocketOverflow (..)
  , EventlogSocketControl (..)
  , defaultEventlogSocketTuning
  , setTuning
  , setRingFile

    -- * Older names

    -- | Their 'GHC.Eventlog.Socket.Legacy.startWith' is in
    -- "GHC.Eventlog.Socket.Legacy".
  , start
  , startWait
  , wait
  , EventlogSocketConfig (..)
  , SocketMode (..)
  , UnixSocket (..)
  , TcpSocket (..)
  , startUnix
  , startUnixWait
  , startTcp
  ) where

import GHC.Eventlog.Socket.Internal.Control
import GHC.Eventlog.Socket.Internal.Hook
import GHC.Eventlog.Socket.Internal.Start
import GHC.Eventlog.Socket.Internal.Statistics
import GHC.Eventlog.Socket.Internal.Tuning
import GHC.Eventlog.Socket.Legacy
  ( EventlogSocketConfig (..)
  , SocketMode (..)
  , TcpSocket (..)
  , UnixSocket (..)
  , startTcp
  , startUnix
  , startUnixWait
  )
