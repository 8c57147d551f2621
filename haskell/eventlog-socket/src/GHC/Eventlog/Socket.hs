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
-- not read is dropped, chunk by chunk, and a message in the stream says so. This can be
-- changed, and there are counters: see "GHC.Eventlog.Socket.Tuning".
--
-- GHCi and TemplateHaskell load the package as they are. A GHC that is linked statically,
-- and @-fexternal-interpreter@, need @-dynamic@ or cabal's @library-for-ghci@.
--
-- Every function may be called from any thread. Types that have fields but no
-- constructor here may get more fields.
--
-- This module has the names of @eventlog-socket@ 0.1.3 and no others, so that a program
-- which was written for that version needs no change. Older names are in
-- "GHC.Eventlog.Socket.Legacy".
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
    -- @eventlog-socket-control@ encodes them. Commands for the runtime (heap profiles,
    -- flushing, event classes) need nothing here. A program registers its own.
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

    -- * Unix sockets by their path
  , start
  , startWait
  , wait
  ) where

import GHC.Eventlog.Socket.Internal.Control
import GHC.Eventlog.Socket.Internal.Environment
import GHC.Eventlog.Socket.Internal.Hook
import GHC.Eventlog.Socket.Internal.Start
