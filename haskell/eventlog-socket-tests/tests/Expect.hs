{-# LANGUAGE ScopedTypeVariables #-}

-- | What the suites share: expectations, a temporary directory, a client.
module Expect
  ( Failures
  , withFailures
  , expect
  , throws
  , failsWith
  , withDirectory
  , withConnection
  , sendCommand
  , readUntil
  , untilRun
  , contains
  ) where

import Control.Concurrent (threadDelay)
import Control.Exception (Exception, bracket, try)
import Control.Monad (unless, when)
import qualified Data.ByteString as ByteString
import qualified Data.ByteString.Char8 as Char8
import Data.IORef (IORef, modifyIORef', newIORef, readIORef)
import Data.Word (Word64, Word8)
import Foreign.C (CInt (..), CString, Errno (..))
import GHC.Eventlog.Socket.Tuning (EventlogSocketStats (essCommandsRun), stats)
import qualified GHC.Foreign as Encoded
import GHC.IO.Encoding (getFileSystemEncoding)
import GHC.IO.Exception (IOException (..))
import System.Directory (getTemporaryDirectory, removeDirectoryRecursive)
import System.Exit (die, exitFailure)
import System.FilePath ((</>))
import System.IO
  ( BufferMode (NoBuffering)
  , Handle
  , hClose
  , hPutStrLn
  , hSetBuffering
  , stderr
  )
import System.IO.Error (isUserError)
import System.Posix.IO (fdToHandle)
import System.Posix.Temp (mkdtemp)
import System.Timeout (timeout)

newtype Failures = Failures (IORef Int)

-- | Run the checks of a suite; fail at the end if any of them failed.
withFailures :: (Failures -> IO ()) -> IO ()
withFailures story = do
  count <- newIORef 0
  story (Failures count)
  failed <- readIORef count
  when (failed > 0) exitFailure

expect :: (Eq a, Show a) => Failures -> String -> a -> a -> IO ()
expect (Failures count) label got wanted =
  unless (got == wanted) $ do
    hPutStrLn stderr (label ++ ":\n  got    " ++ show got ++ "\n  wanted " ++ show wanted)
    modifyIORef' count (+ 1)

throws
  :: (Exception problem, Eq problem, Show problem)
  => Failures
  -> String
  -> IO a
  -> problem
  -> IO ()
throws failures label action wanted = do
  result <- try action
  expect failures label (either Just (const Nothing) result) (Just wanted)

-- | A 'userError' of the library, with this errno and some text.
failsWith :: Failures -> String -> IO a -> Maybe Errno -> IO ()
failsWith failures label action errno = do
  result <- try action
  case result of
    Right _ -> expect failures label "no exception" "an exception"
    Left (problem :: IOException) -> do
      expect failures (label ++ ", kind") (isUserError problem) True
      expect failures (label ++ ", errno") (ioe_errno problem) (number <$> errno)
      expect failures (label ++ ", text") (null (ioe_description problem)) False
  where
    number (Errno value) = value

withDirectory :: (FilePath -> IO a) -> IO a
withDirectory = bracket create removeDirectoryRecursive
  where
    create = do
      temporary <- getTemporaryDirectory
      mkdtemp (temporary </> "eventlog-socket-tests-")

foreign import ccall safe "connect_to" c_connect_to :: CString -> IO CInt

-- | With a client's connection, closed at the end and not by the garbage collector.
withConnection :: FilePath -> (Handle -> IO a) -> IO a
withConnection path = bracket open hClose
  where
    open = do
      encoding <- getFileSystemEncoding
      fd <- Encoded.withCString encoding path c_connect_to
      when (fd < 0) $ die ("cannot connect to " ++ show path)
      connection <- fdToHandle (fromIntegral fd)
      hSetBuffering connection NoBuffering
      pure connection

-- | Send a command of this namespace.
sendCommand :: Handle -> String -> Word8 -> IO ()
sendCommand connection namespace number =
  ByteString.hPut connection $
    ByteString.concat
      [ ByteString.pack [0xF0, 0x9E, 0x97, 0x8C, 0x00, fromIntegral (length namespace)]
      , Char8.pack namespace
      , ByteString.singleton number
      ]

-- | Reads the stream until there is enough of it, or it ends, or a generous time is over.
readUntil :: Handle -> (ByteString.ByteString -> Bool) -> IO ByteString.ByteString
readUntil connection enough = do
  collected <- newIORef ByteString.empty
  let go = do
        soFar <- readIORef collected
        unless (enough soFar) $ do
          more <- ByteString.hGetSome connection 65536
          unless (ByteString.null more) $ do
            modifyIORef' collected (<> more)
            go
  _ <- timeout 60000000 go
  readIORef collected

-- | The counters when so many commands have run: one is counted when its handler has returned.
untilRun :: Word64 -> IO EventlogSocketStats
untilRun count = do
  counters <- stats
  if essCommandsRun counters >= count
    then pure counters
    else threadDelay 10000 >> untilRun count

-- | Messages of a program are in the stream as they are.
contains :: ByteString.ByteString -> String -> Bool
contains stream text = Char8.pack text `ByteString.isInfixOf` stream
