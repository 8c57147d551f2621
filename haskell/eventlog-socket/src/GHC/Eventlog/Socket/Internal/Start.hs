-- | Addresses, options, and the start of streaming.
module GHC.Eventlog.Socket.Internal.Start
  ( EventlogSocketAddr (..)
  , EventlogSocketOpts (..)
  , defaultEventlogSocketOpts
  , startWith
  , startFromEnv
  , fromEnv
  , EventlogSocketAddrError (..)
  , start
  , startWait
  , wait
  , testWorkerStatus
  , testControlStatus
  , withText
  ) where

import Control.Exception (Exception (..), bracket, throwIO)
import Data.Foldable (traverse_)
import Data.Int (Int32)
import Data.Maybe (fromMaybe)
import Foreign.C (CInt, CString)
import Foreign.Marshal (alloca, allocaArray, withArray)
import Foreign.Ptr (Ptr, nullPtr)
import Foreign.Storable (peek, peekElemOff)
import qualified GHC.Foreign as Encoded
import GHC.IO.Encoding (getFileSystemEncoding)
import System.IO.Unsafe (unsafePerformIO)

import GHC.Eventlog.Socket.Internal.Foreign
import GHC.Eventlog.Socket.Internal.Status

-- | Where clients connect.
--
-- Strings are passed on in the file system's encoding ('getFileSystemEncoding'), so
-- that every 'FilePath' names the file that it names elsewhere in a program. One
-- with a NUL character names none, and starting with it fails.
data EventlogSocketAddr
  = -- | A Unix socket. It has mode 0600.
    EventlogSocketUnixAddr
      { esaUnixPath :: FilePath
      -- ^ At most 107 bytes (on Linux).
      }
  | -- | A TCP socket. Whoever reaches it may connect: prefer @127.0.0.1@.
    EventlogSocketInetAddr
      { esaInetHost :: String
      -- ^ Name or numeric address; @""@ listens on every interface.
      , esaInetPort :: String
      -- ^ Number or name of a service; with @"0"@ the system chooses
      -- ('GHC.Eventlog.Socket.essInetPort' tells).
      }
  | -- | No socket, for a program that only records into a ring file
    -- ('GHC.Eventlog.Socket.setRingFile'). 'esoWait' does nothing then.
    EventlogSocketNone
  deriving (Eq, Show)

-- | Options of a start. Make them out of 'defaultEventlogSocketOpts'.
data EventlogSocketOpts = EventlogSocketOpts
  { esoWait :: Bool
  -- ^ Wait for a client before the start returns.
  , esoSndbuf :: Maybe Int32
  -- ^ @SO_SNDBUF@ of a client's socket, in bytes. 'Nothing', like everything not
  -- above 0, leaves the system's.
  , esoLinger :: Maybe Int32
  -- ^ @SO_LINGER@ of a client's socket for the close that ends a complete stream,
  -- in seconds. 'Nothing', like everything not above 0, leaves the system's.
  }
  deriving (Eq, Show)

-- | Do not wait; the system's sizes and times.
defaultEventlogSocketOpts :: EventlogSocketOpts
defaultEventlogSocketOpts =
  unsafePerformIO $ allocaArray 3 $ \out -> c_opts_defaults out >> peekOpts out
{-# NOINLINE defaultEventlogSocketOpts #-}

-- | Open the socket, take over the eventlog, and, with 'esoWait', wait for a client.
-- When it returns, clients can connect. At most once in a process.
--
-- What the runtime logged before goes to its own writer (with @-l@ the file
-- @PROGRAM.eventlog@). For a client that is to get everything, start from a C
-- @main@ with @eventlog_socket_wrap_hs_main@.
--
-- It works with and without @-threaded@. Without, nothing else runs while it waits,
-- and clients get what was logged only when the runtime hands it over: flush from
-- Haskell ('Debug.Trace.flushEventLog', base 4.16).
--
-- Throws a 'userError' with the reason: the runtime cannot log events (before GHC
-- 9.4 link with @-eventlog@), the address cannot be used, something was started
-- before, or a variable of the environment has a value that cannot be used. If a
-- system call failed, the error's 'GHC.IO.Exception.ioe_errno' is set.
startWith :: EventlogSocketAddr -> EventlogSocketOpts -> IO ()
startWith addr opts =
  withArray (optsToC opts) $ \cOpts -> case addr of
    EventlogSocketUnixAddr path ->
      withText path $ \cPath -> check (c_start 0 cPath nullPtr cOpts)
    EventlogSocketInetAddr host port ->
      withText host $ \cHost ->
        withText port $ \cPort -> check (c_start 1 cHost cPort cOpts)
    EventlogSocketNone -> check (c_start 2 nullPtr nullPtr cOpts)

-- | 'startWith' what 'fromEnv' finds. Without an address in the environment it does
-- nothing.
startFromEnv :: IO ()
startFromEnv = fromEnv >>= traverse_ (uncurry startWith)

-- | Address and options from the environment.
--
-- [@GHC_EVENTLOG_UNIX_PATH@] Path of a Unix socket. It wins over the next two.
-- [@GHC_EVENTLOG_INET_HOST@, @GHC_EVENTLOG_INET_PORT@] Address of a TCP socket.
--   Both are needed.
-- [@GHC_EVENTLOG_RING_FILE@] Path of a ring file. If there is no address, it is
--   'EventlogSocketNone'.
-- [@GHC_EVENTLOG_WAIT@] Set to anything, also to nothing: wait for a client.
--
-- 'Nothing' if there is no address. Throws an 'EventlogSocketAddrError'.
--
-- Other variables, which tune the library, are read when it starts; see
-- t'GHC.Eventlog.Socket.EventlogSocketTuning'.
fromEnv :: IO (Maybe (EventlogSocketAddr, EventlogSocketOpts))
fromEnv =
  alloca $ \cTag ->
    withArray [nullPtr, nullPtr] $ \cStrings ->
      allocaArray 3 $ \cOpts -> do
        let get = snd <$> withStatus (c_from_env cTag cStrings cOpts)
            release _ = peek cTag >>= \tag -> c_addr_free tag cStrings
        bracket get release $ \status -> do
          tag <- peek cTag
          first <- peekElemOff cStrings 0 >>= peekText
          second <- peekElemOff cStrings 1 >>= peekText
          opts <- peekOpts cOpts
          let addr
                | tag == 0 = EventlogSocketUnixAddr first
                | tag == 1 = EventlogSocketInetAddr first second
                | otherwise = EventlogSocketNone
          case statusCode status of
            Ok -> pure (Just (addr, opts))
            EnvNoAddr -> pure Nothing
            EnvTooLong -> throwIO (EventlogSocketAddrUnixPathTooLong first)
            EnvNoHost -> throwIO (EventlogSocketAddrInetHostMissing second)
            EnvNoPort -> throwIO (EventlogSocketAddrInetPortMissing first)
            _ -> throwStatus status

-- | What is wrong with the address in the environment.
data EventlogSocketAddrError
  = -- | The path of the Unix socket, which is longer than such an address can be.
    EventlogSocketAddrUnixPathTooLong FilePath
  | -- | The port, which came without a host.
    EventlogSocketAddrInetHostMissing String
  | -- | The host, which came without a port.
    EventlogSocketAddrInetPortMissing String
  deriving (Eq, Show)

instance Exception EventlogSocketAddrError where
  displayException problem = case problem of
    EventlogSocketAddrUnixPathTooLong path ->
      "GHC_EVENTLOG_UNIX_PATH is too long for a Unix socket: " ++ show path
    EventlogSocketAddrInetHostMissing port ->
      "GHC_EVENTLOG_INET_PORT is " ++ show port ++ ", but there is no GHC_EVENTLOG_INET_HOST"
    EventlogSocketAddrInetPortMissing host ->
      "GHC_EVENTLOG_INET_HOST is " ++ show host ++ ", but there is no GHC_EVENTLOG_INET_PORT"

-- | 'startWith' a Unix socket and the default options.
start :: FilePath -> IO ()
start path = startWith (EventlogSocketUnixAddr path) defaultEventlogSocketOpts

-- | The same, and wait for a client.
startWait :: FilePath -> IO ()
startWait path =
  startWith (EventlogSocketUnixAddr path) defaultEventlogSocketOpts {esoWait = True}

-- | Wait until a client is connected and its stream has begun: whatever is logged
-- after the return is part of it. It cannot be interrupted. Throws a 'userError' if
-- nothing was started or no client can ever come.
wait :: IO ()
wait = check c_wait

-- | Throws a 'userError' with the reason if the thread that serves clients has
-- given up.
testWorkerStatus :: IO ()
testWorkerStatus = check c_worker_status

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
  -- C would see only what is before it.
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
