-- | Addresses, options, and the start of streaming.
module GHC.Eventlog.Socket.Internal.Start
  ( EventlogSocketAddr (..)
  , EventlogSocketOpts (..)
  , defaultEventlogSocketOpts
  , peekOpts
  , startWith
  , startRingFile
  , start
  , startWait
  , wait
  , testWorkerStatus
  , testControlStatus
  , remember
  , withText
  , peekText
  ) where

import Control.Concurrent (yield)
import Control.Exception (SomeException, allowInterrupt, throwIO)
import Control.Monad (when)
import Data.IORef (IORef, newIORef, readIORef, writeIORef)
import Data.Int (Int32)
import Data.Maybe (fromMaybe)
import Foreign.C (CInt, CString, Errno (..), eTIMEDOUT)
import Foreign.Marshal (allocaArray, with, withArray)
import Foreign.Ptr (Ptr, nullPtr)
import Foreign.Storable (peekElemOff)
import qualified GHC.Foreign as Encoded
import GHC.IO.Encoding (getFileSystemEncoding)
import System.IO.Unsafe (unsafePerformIO)

import GHC.Eventlog.Socket.Internal.Foreign
import GHC.Eventlog.Socket.Internal.Handler (lendThread)
import GHC.Eventlog.Socket.Internal.Status

-- | Where clients connect.
--
-- Strings are passed on in the file system's encoding ('getFileSystemEncoding'), so
-- that every 'FilePath' names the same file as elsewhere in a program. A path with a NUL
-- character is not valid, and starting with it fails.
data EventlogSocketAddr
  = -- | A Unix socket. It has mode 0600.
    EventlogSocketUnixAddr
      { esaUnixPath :: FilePath
      -- ^ At most 107 bytes (on Linux).
      }
  | -- | A TCP socket. Everybody who can reach it can connect: prefer @127.0.0.1@.
    EventlogSocketInetAddr
      { esaInetHost :: String
      -- ^ Name or numeric address; @""@ listens on every interface.
      , esaInetPort :: String
      -- ^ Number or name of a service; with @"0"@ the system chooses one, which is then in
      -- 'GHC.Eventlog.Socket.Tuning.essInetPort'.
      }
  deriving (Eq, Show)

-- | Options of a start. Derive them from 'defaultEventlogSocketOpts'.
data EventlogSocketOpts = EventlogSocketOpts
  { esoWait :: Bool
  -- ^ Wait for a client before the start returns.
  , esoSndbuf :: Maybe Int32
  -- ^ @SO_SNDBUF@ of a client's socket, in bytes. 'Nothing', like every value below 1,
  -- leaves the system's.
  , esoLinger :: Maybe Int32
  -- ^ @SO_LINGER@ of a client's socket for the close that ends a complete stream,
  -- in seconds. 'Nothing', like every value below 1, leaves the system's.
  }
  deriving (Eq, Show)

-- | Do not wait; the system's sizes and times.
defaultEventlogSocketOpts :: EventlogSocketOpts
defaultEventlogSocketOpts =
  unsafePerformIO $ allocaArray 3 $ \out -> c_opts_defaults out >> peekOpts out
{-# NOINLINE defaultEventlogSocketOpts #-}

-- | Open the socket, take over the eventlog, and, with 'esoWait', wait for a client.
-- When it returns, clients can connect. At most once in a process; a child of
-- 'System.Posix.Process.forkProcess' is a process of its own, in which hooks and commands
-- have to be registered again.
--
-- What the runtime logged before goes to its own writer (with @-l@ the file
-- @PROGRAM.eventlog@). For a client that is to get everything, start from a C
-- @main@ with @eventlog_socket_wrap_hs_main@.
--
-- It works with and without @-threaded@. Without it, other threads hardly run while it
-- waits, and clients get what was logged only when the runtime hands it over: flush from
-- Haskell ('Debug.Trace.flushEventLog', base 4.16).
--
-- Throws a 'userError' with the reason: the runtime cannot log events (before GHC
-- 9.4 link with @-eventlog@), the address cannot be used, something was started
-- before, or a variable of the environment has a value that cannot be used. If a
-- system call failed, the error's 'GHC.IO.Exception.ioe_errno' is set.
--
-- If the wait is interrupted, streaming continues.
startWith :: EventlogSocketAddr -> EventlogSocketOpts -> IO ()
startWith addr opts = do
  case addr of
    EventlogSocketUnixAddr path ->
      withText path $ \cPath -> startAt 0 cPath nullPtr opts
    EventlogSocketInetAddr host port ->
      withText host $ \cHost ->
        withText port $ \cPort -> startAt 1 cHost cPort opts
  when (esoWait opts) wait

-- | Start without a socket, for a program that only records into a ring file: the one
-- that 'GHC.Eventlog.Socket.Tuning.setRingFile' or @GHC_EVENTLOG_RING_FILE@ names. At
-- most once in a process, like 'startWith', and with the same exceptions.
startRingFile :: IO ()
startRingFile = startAt 2 nullPtr nullPtr defaultEventlogSocketOpts

-- Without the wait, which can be interrupted in Haskell, but not in C.
startAt :: CInt -> CString -> CString -> EventlogSocketOpts -> IO ()
startAt tag first second opts = do
  lendThread
  withArray (optsToC opts {esoWait = False}) $ \cOpts ->
    check (c_start tag first second cOpts)
  writeIORef failure Nothing

-- | 'startWith' a Unix socket and the default options.
start :: FilePath -> IO ()
start path = startWith (EventlogSocketUnixAddr path) defaultEventlogSocketOpts

-- | The same, and wait for a client.
startWait :: FilePath -> IO ()
startWait path =
  startWith (EventlogSocketUnixAddr path) defaultEventlogSocketOpts {esoWait = True}

-- | Wait until a client is connected and its stream has begun: everything that is logged
-- after the return is part of it. Throws a 'userError' if nothing was started or no
-- client can ever connect.
--
-- An exception from another thread ('System.Timeout.timeout',
-- 'Control.Concurrent.killThread', Ctrl-C) interrupts it, within a tenth of a second.
wait :: IO ()
wait = with 0 go
  where
    go seen = do
      ((), status) <- withStatus (c_wait seen 100)
      case statusCode status of
        Ok -> pure ()
        Sys | Errno (statusError status) == eTIMEDOUT -> do
          -- It blocks, so it can be interrupted even if exceptions are masked. Without
          -- -threaded, other threads and signal handlers can only run here.
          allowInterrupt
          yield
          go seen
        _ -> throwStatus status

-- The error because of which 'GHC.Eventlog.Socket.startFromEnv' continued without streaming.
failure :: IORef (Maybe SomeException)
failure = unsafePerformIO (newIORef Nothing)
{-# NOINLINE failure #-}

-- | Make 'testWorkerStatus' throw this until a start succeeds.
remember :: SomeException -> IO ()
remember = writeIORef failure . Just

-- | Throws the error that made 'GHC.Eventlog.Socket.startFromEnv' fail, or a 'userError'
-- with the reason if the thread that serves clients has stopped.
testWorkerStatus :: IO ()
testWorkerStatus = readIORef failure >>= maybe (check c_worker_status) throwIO

-- | Throws a 'userError' with the reason if no commands are run.
testControlStatus :: IO ()
testControlStatus = check c_control_status

-- In the order of the C struct.
optsToC :: EventlogSocketOpts -> [CInt]
optsToC opts =
  [ if esoWait opts then 1 else 0
  , fromIntegral (fromMaybe 0 (esoSndbuf opts))
  , fromIntegral (fromMaybe 0 (esoLinger opts))
  ]

peekOpts :: Ptr CInt -> IO EventlogSocketOpts
peekOpts opts = do
  wanted <- peekElemOff opts 0
  sndbuf <- peekElemOff opts 1
  linger <- peekElemOff opts 2
  pure
    EventlogSocketOpts
      { esoWait = wanted /= 0
      , esoSndbuf = positive sndbuf
      , esoLinger = positive linger
      }
  where
    positive number
      | number > 0 = Just (fromIntegral number)
      | otherwise = Nothing

withText :: String -> (CString -> IO a) -> IO a
withText text action
  -- C would read only the part before the NUL.
  | '\0' `elem` text = throwStatus invalidArgument
  | otherwise = do
      encoding <- getFileSystemEncoding
      Encoded.withCString encoding text action

-- "" for NULL.
peekText :: CString -> IO String
peekText text
  | text == nullPtr = pure ""
  | otherwise = do
      encoding <- getFileSystemEncoding
      Encoded.peekCString encoding text
