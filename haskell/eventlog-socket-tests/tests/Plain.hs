-- | A program as its author runs it first: without any option of the runtime. Each story
-- runs in a process of its own, started from this program, because the library starts at
-- most once in a process.
module Main (main) where

import Control.Concurrent
import Control.Exception
import Control.Monad (unless)
import Data.List (isInfixOf, tails)
import Debug.Trace (traceEventIO)
import Foreign.C (eALREADY, eNOENT, eNOTCONN)
import GHC.Eventlog.Socket
import GHC.Eventlog.Socket.Tuning
import GHC.IO.Encoding (setFileSystemEncoding)
import System.Directory (doesPathExist, listDirectory)
import System.Environment
import System.Exit (ExitCode (..), die)
import System.FilePath ((</>))
import System.IO (hClose, mkTextEncoding, stderr)
import System.Posix.Signals (raiseSignal, sigINT)
import System.Process (CreateProcess (..), proc, readCreateProcessWithExitCode)
import System.Timeout (timeout)

import Expect

main :: IO ()
main = do
  -- Paths of any bytes, whatever the locale that the test runs in.
  mkTextEncoding "UTF-8//ROUNDTRIP" >>= setFileSystemEncoding
  arguments <- getArgs
  case arguments of
    [] -> withFailures tellAll
    [name, dir] | Just story <- lookup name stories -> withFailures (`story` dir)
    _ -> die ("no story " ++ show arguments)

stories :: [(String, Failures -> FilePath -> IO ())]
stories =
  [ ("streams", streams)
  , ("interrupted", interrupted)
  , ("interrupted by a signal", interruptedBySignal)
  , ("goes on", goesOn)
  , ("closed stderr", \failures dir -> hClose stderr >> goesOn failures dir)
  , ("strict", strict)
  , ("recovers", recovers)
  , ("twice", twice)
  , ("ring file", ringFile)
  , ("capabilities", capabilities)
  ]

-- | The environment, and the lines that are expected on stderr. @DIR@ stands for a
-- directory of its own, and in the lines @*@ for any text.
tellAll :: Failures -> IO ()
tellAll failures = do
  let missing = ("GHC_EVENTLOG_UNIX_PATH", "/proc/missing/socket")
      goingOn = "eventlog-socket: running without streaming: "
      noFile = goingOn ++ "socket /proc/missing/socket (GHC_EVENTLOG_UNIX_PATH): No such file or directory*"
      long = "/" ++ replicate 200 'x'
      tell name settings lines' = tellOne failures name settings lines'
  tell "streams" [] []
  tell "interrupted" [] []
  tell "interrupted by a signal" [] []
  tell "goes on" [missing] [noFile]
  tell "goes on" [missing, ("GHC_EVENTLOG_WAIT", "1")] [noFile]
  tell "goes on" [missing, ("GHC_EVENTLOG_STRICT", "0")] [noFile]
  tell "goes on" [missing, ("GHC_EVENTLOG_STRICT", "")] [noFile]
  tell "closed stderr" [missing] []
  tell
    "goes on"
    [("GHC_EVENTLOG_UNIX_PATH", "/proc/a\nb/\xE9")]
    [goingOn ++ "socket /proc/a\\nb/\\233 (GHC_EVENTLOG_UNIX_PATH): No such file or directory*"]
  tell
    "goes on"
    [("GHC_EVENTLOG_UNIX_PATH", long)]
    [goingOn ++ "GHC_EVENTLOG_UNIX_PATH is too long for a Unix socket: " ++ show long]
  tell
    "goes on"
    [("GHC_EVENTLOG_INET_PORT", "4242")]
    [goingOn ++ "GHC_EVENTLOG_INET_PORT is \"4242\", but there is no GHC_EVENTLOG_INET_HOST"]
  tell
    "goes on"
    [("GHC_EVENTLOG_UNIX_PATH", "DIR/socket"), ("GHC_EVENTLOG_BUFFER_SIZE", "lots")]
    [goingOn ++ "GHC_EVENTLOG_BUFFER_SIZE: *\"lots\"*"]
  tell
    "goes on"
    [("GHC_EVENTLOG_INET_HOST", "127.0.0.1"), ("GHC_EVENTLOG_INET_PORT", "99999")]
    [goingOn ++ "port 99999 (GHC_EVENTLOG_INET_PORT): neither a number*"]
  tell "strict" [missing, ("GHC_EVENTLOG_STRICT", "1")] []
  tell "strict" [("GHC_EVENTLOG_INET_HOST", "x"), ("GHC_EVENTLOG_STRICT", "1")] []
  tell "recovers" [missing] [noFile]
  tell
    "twice"
    [("GHC_EVENTLOG_UNIX_PATH", "DIR/socket")]
    [goingOn ++ "*already*"]
  tell "ring file" [("GHC_EVENTLOG_RING_FILE", "DIR/ring"), ("GHC_EVENTLOG_RING_FILE_SIZE", "1M")] []
  tell "capabilities" [] []

tellOne :: Failures -> String -> [(String, String)] -> [String] -> IO ()
tellOne failures name settings wanted = withDirectory $ \dir -> do
  self <- getExecutablePath
  inherited <- filter (not . ours . fst) <$> getEnvironment
  let put = concatMap (\word -> if word == "DIR" then dir else word) . pieces
      given = [(variable, put value) | (variable, value) <- settings]
      command = (proc self [name, dir]) {env = Just (inherited ++ given)}
  (code, _, said) <- readCreateProcessWithExitCode command ""
  let label = name ++ " " ++ show settings
      expected = map put wanted
      alike = length (lines said) == length expected && and (zipWith like expected (lines said))
  expect failures label code ExitSuccess
  unless alike $ expect failures label (lines said) expected
  where
    ours variable = "GHC_EVENTLOG_" == take 13 variable

like :: String -> String -> Bool
like pattern' text = case (pattern', text) of
  ('*' : rest, _) -> any (like rest) (tails text)
  (wanted : rest, got : more) -> wanted == got && like rest more
  ([], []) -> True
  _ -> False

-- Split such that each DIR is a piece.
pieces :: String -> [String]
pieces text = case text of
  'D' : 'I' : 'R' : rest -> "DIR" : pieces rest
  character : rest -> [character] : pieces rest
  [] -> []

-- | Without @+RTS -l@ there is little in the log, but there is one.
streams :: Failures -> FilePath -> IO ()
streams failures dir = do
  let path = dir </> "socket"
  start path
  testWorkerStatus
  stream <- withConnection path $ \connection -> do
    wait
    traceEventIO "not logged"
    readUntil connection (`contains` "hdrb")
  expect failures "a header" (stream `contains` "hdrb") True

-- | A wait ends when its thread is interrupted, and streaming continues.
interrupted :: Failures -> FilePath -> IO ()
interrupted failures dir = do
  let path = dir </> "socket"
      -- On a busy machine the time may be over before it has begun.
      start' = do
        timeout 300000 (startWait path) >>= expect failures "startWait in time" Nothing
        started <- doesPathExist path
        unless started start'
  start'
  timeout 300000 (mask_ wait) >>= expect failures "a masked wait in time" Nothing
  -- Other threads run meanwhile, with -threaded or without.
  ran <- newEmptyMVar
  _ <- forkIO (putMVar ran ())
  thread <- forkIO wait
  timeout 60000000 (takeMVar ran) >>= expect failures "another thread" (Just ())
  timeout 60000000 (killThread thread) >>= expect failures "the kill in time" (Just ())
  testWorkerStatus
  failsWith failures "once" (startWait path) (Just eALREADY)
  withConnection path (const wait)

-- | Ctrl-C.
interruptedBySignal :: Failures -> FilePath -> IO ()
interruptedBySignal failures dir = do
  result <- mask $ \restore -> do
    _ <- forkIO (threadDelay 200000 >> raiseSignal sigINT)
    try (restore (timeout 60000000 (startWait (dir </> "socket"))))
  expect failures "Ctrl-C" result (Left UserInterrupt)

goesOn :: Failures -> FilePath -> IO ()
goesOn failures _ = do
  startFromEnv
  result <- try testWorkerStatus
  either (\problem -> const (pure ()) (problem :: SomeException)) (const (nothing failures)) result
  failsWith failures "nothing to wait for" wait (Just eNOTCONN)
  where
    nothing failed = expect failed "the worker's status" "fine" "an exception"

-- | If startFromEnv throws an error itself, testWorkerStatus does not throw it again.
strict :: Failures -> FilePath -> IO ()
strict failures _ = do
  result <- try startFromEnv
  expect failures "an exception" (either known (const False) result) True
  testWorkerStatus
  where
    known problem =
      any (`isInfixOf` show (problem :: SomeException)) ["No such file", "InetPortMissing"]

-- | testWorkerStatus throws the error until a start succeeds.
recovers :: Failures -> FilePath -> IO ()
recovers failures dir = do
  startFromEnv
  failsWith failures "the status" testWorkerStatus (Just eNOENT)
  failsWith failures "the status again" testWorkerStatus (Just eNOENT)
  failsWith failures "a start by the program" (start "/proc/missing/socket") (Just eNOENT)
  start (dir </> "socket")
  testWorkerStatus

-- | A second start fails; the first is not affected.
twice :: Failures -> FilePath -> IO ()
twice failures dir = do
  startFromEnv
  startFromEnv
  testWorkerStatus
  withConnection (dir </> "socket") (const wait)
  failsWith failures "a third" (start (dir </> "third")) (Just eALREADY)

-- | A ring file needs no socket; 'fromEnv' returns addresses of sockets only.
ringFile :: Failures -> FilePath -> IO ()
ringFile failures dir = do
  fromEnv >>= expect failures "no address" Nothing
  startFromEnv
  testWorkerStatus
  doesPathExist (dir </> "ring") >>= expect failures "the ring file" True
  counters <- stats
  expect failures "its size" (essRingFileSize counters) (1024 * 1024)

-- | While no log runs, this runtime has no buffers for capabilities that were added, and
-- starting a log would crash. So the start fails, and nothing is left behind.
capabilities :: Failures -> FilePath -> IO ()
capabilities failures dir = unless (not rtsSupportsBoundThreads) $ do
  setNumCapabilities 3
  let path = dir </> "socket"
  failsWith failures "a start" (start path) Nothing
  failsWith failures "another start" (start path) Nothing
  listDirectory dir >>= expect failures "what is left" []
  failsWith failures "stats" stats (Just eNOTCONN)
  setTuning defaultEventlogSocketTuning
  failsWith failures "wait" wait (Just eNOTCONN)
