-- | Addresses, options and the start, from the environment.
module GHC.Eventlog.Socket.Internal.Environment
  ( fromEnv
  , startFromEnv
  , EventlogSocketAddrError (..)
  ) where

import Control.Exception
  ( Exception (..)
  , IOException
  , SomeException (..)
  , bracket
  , catch
  , throwIO
  , tryJust
  )
import Control.Monad (unless)
import Data.Char (showLitChar)
import Data.Maybe (isJust)
import Foreign.C (Errno (..), eALREADY)
import Foreign.Marshal (alloca, allocaArray, withArray)
import Foreign.Ptr (nullPtr)
import Foreign.Storable (peek, peekElemOff)
import GHC.IO.Exception (IOException (..))
import System.Environment (lookupEnv)
import System.IO (hPutStrLn, stderr)
import System.IO.Error (isUserError)

import GHC.Eventlog.Socket.Internal.Foreign
import GHC.Eventlog.Socket.Internal.Start
import GHC.Eventlog.Socket.Internal.Status

-- | Start what the environment says: 'startWith' what 'fromEnv' finds, or record into
-- @GHC_EVENTLOG_RING_FILE@ if that is all there is. If there is nothing, it does nothing.
--
-- The user who runs the program chooses this, not its author. So a start that fails does
-- not end the program: it prints one line on 'stderr', the program continues without
-- streaming, and 'GHC.Eventlog.Socket.testWorkerStatus' throws the error. With
-- @GHC_EVENTLOG_STRICT=1@ this function throws it.
--
-- In a child of 'System.Posix.Process.forkProcess' it starts a separate stream, whether or
-- not the parent streams. There, @%p@ in a path is the child's process id.
startFromEnv :: IO ()
startFromEnv = do
  strict <- isStrict <$> lookupEnv "GHC_EVENTLOG_STRICT"
  let orGoOn action go
        | strict = action >>= go
        | otherwise = tryJust foreseen action >>= either goOnWithout go
  orGoOn wanted $ \found -> case found of
    Nothing -> pure ()
    Just (Socket addr, opts) -> orGoOn (startWith addr opts) pure
    Just (OnlyRingFile, _) -> orGoOn startRingFile pure
  where
    isStrict = maybe False (`notElem` ["", "0"])

-- Not asynchronous exceptions, which are meant to interrupt this thread.
foreseen :: SomeException -> Maybe SomeException
foreseen problem
  | isJust (fromException problem :: Maybe IOException) = Just problem
  | isJust (fromException problem :: Maybe EventlogSocketAddrError) = Just problem
  | otherwise = Nothing

goOnWithout :: SomeException -> IO ()
goOnWithout problem@(SomeException cause) = do
  -- An earlier start is still in use, so there is no error to remember.
  unless (fmap Errno errno == Just eALREADY) $ remember problem
  hPutStrLn stderr (concatMap visible line) `catch` ignore
  where
    line = "eventlog-socket: running without streaming: " ++ reason
    (reason, errno) = case fromException problem of
      Just failed | isUserError failed -> (ioe_description failed, ioe_errno failed)
      Just failed -> (displayException failed, ioe_errno failed)
      -- The cause alone: GHC 9.10 adds to SomeException where it was thrown.
      Nothing -> (displayException cause, Nothing)
    -- One line, even if a path contains line feeds, in characters that every locale has.
    visible character
      | character >= ' ' && character <= '~' = [character]
      | otherwise = showLitChar character ""
    -- Standard error is closed, so the line cannot be shown.
    ignore :: IOException -> IO ()
    ignore _ = pure ()

data Wanted
  = Socket EventlogSocketAddr
  | OnlyRingFile

-- | Address and options from the environment.
--
-- [@GHC_EVENTLOG_UNIX_PATH@] Path of a Unix socket. It overrides the next two. In it @%p@
--   is the process id, @%n@ the name of the executable, @%h@ the name of the host, @%%@ a
--   percent sign; any other @%@ stays. Directories that are missing are made when it
--   starts, below one that belongs to this user.
-- [@GHC_EVENTLOG_INET_HOST@, @GHC_EVENTLOG_INET_PORT@] Address of a TCP socket.
--   Both are needed. With port @0@ the system chooses one, which is then written to the
--   file that @GHC_EVENTLOG_PORT_FILE@ names.
-- [@GHC_EVENTLOG_WAIT@] If set, even to an empty value: wait for a client.
--
-- 'Nothing' if there is no address. Throws an 'EventlogSocketAddrError'.
--
-- Other variables, which tune the library, are read when it starts; see
-- t'GHC.Eventlog.Socket.Tuning.EventlogSocketTuning'.
fromEnv :: IO (Maybe (EventlogSocketAddr, EventlogSocketOpts))
fromEnv = do
  found <- wanted
  pure $ case found of
    Just (Socket addr, opts) -> Just (addr, opts)
    _ -> Nothing

wanted :: IO (Maybe (Wanted, EventlogSocketOpts))
wanted =
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
          let target
                | tag == 0 = Socket (EventlogSocketUnixAddr first)
                | tag == 1 = Socket (EventlogSocketInetAddr first second)
                | otherwise = OnlyRingFile
          case statusCode status of
            Ok -> pure (Just (target, opts))
            EnvNoAddr -> pure Nothing
            EnvTooLong -> throwIO (EventlogSocketAddrUnixPathTooLong first)
            EnvNoHost -> throwIO (EventlogSocketAddrInetHostMissing second)
            EnvNoPort -> throwIO (EventlogSocketAddrInetPortMissing first)
            _ -> throwStatus status

-- | What is wrong with the address in the environment.
data EventlogSocketAddrError
  = -- | The path of the Unix socket, which is longer than such an address can be.
    EventlogSocketAddrUnixPathTooLong FilePath
  | -- | The port, which is set without a host.
    EventlogSocketAddrInetHostMissing String
  | -- | The host, which is set without a port.
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
