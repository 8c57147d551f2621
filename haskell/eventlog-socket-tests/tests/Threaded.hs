-- | The documented behaviour of the package, in a program with -threaded.
module Main (main) where

import Control.Concurrent (newEmptyMVar, putMVar, takeMVar)
import Control.Exception (ErrorCall (..), throwIO)
import Control.Monad (forM_, void)
import Data.Foldable (for_)
import Debug.Trace (traceEventIO)
import Foreign.C (eALREADY, eINVAL, eNAMETOOLONG, eNOTCONN, eNOTSOCK)
import GHC.Eventlog.Socket
import GHC.Eventlog.Socket.Tuning
import GHC.IO.Encoding (setFileSystemEncoding)
import System.Directory (doesPathExist, listDirectory)
import System.Environment (setEnv, unsetEnv)
import System.Exit (exitFailure)
import System.FilePath ((</>))
import System.IO (mkTextEncoding)
import System.Timeout (timeout)

import Expect

main :: IO ()
main = withFailures $ \failures -> withDirectory $ \dir -> do
  -- Paths of any bytes, whatever the locale that the test runs in.
  mkTextEncoding "UTF-8//ROUNDTRIP" >>= setFileSystemEncoding
  environment failures
  nothingStarted failures
  cannotStart failures dir
  tuning failures
  namespaces failures
  streaming failures dir

environment :: Failures -> IO ()
environment failures = do
  let variables =
        [ "GHC_EVENTLOG_UNIX_PATH"
        , "GHC_EVENTLOG_INET_HOST"
        , "GHC_EVENTLOG_INET_PORT"
        , "GHC_EVENTLOG_WAIT"
        , "GHC_EVENTLOG_RING_FILE"
        ]
      given settings = do
        forM_ variables unsetEnv
        forM_ settings $ uncurry setEnv
        fromEnv
      options = defaultEventlogSocketOpts
      finds label settings wanted = do
        found <- given settings
        expect failures label found wanted
  finds "nothing" [] Nothing
  startFromEnv
  finds "only wait" [("GHC_EVENTLOG_WAIT", "1")] Nothing
  finds
    "a path, which wins, and wait"
    [ ("GHC_EVENTLOG_UNIX_PATH", "/some/where")
    , ("GHC_EVENTLOG_INET_HOST", "here")
    , ("GHC_EVENTLOG_WAIT", "0")
    ]
    (Just (EventlogSocketUnixAddr "/some/where", options {esoWait = True}))
  finds
    "a path of any bytes"
    [("GHC_EVENTLOG_UNIX_PATH", odd')]
    (Just (EventlogSocketUnixAddr odd', options))
  finds
    "host and port"
    [("GHC_EVENTLOG_INET_HOST", "::1"), ("GHC_EVENTLOG_INET_PORT", "4242")]
    (Just (EventlogSocketInetAddr "::1" "4242", options))
  finds "a ring file alone" [("GHC_EVENTLOG_RING_FILE", "/some/file")] Nothing
  finds
    "a ring file and a path"
    [("GHC_EVENTLOG_RING_FILE", "/some/file"), ("GHC_EVENTLOG_UNIX_PATH", "/some/where")]
    (Just (EventlogSocketUnixAddr "/some/where", options))
  throws failures "no port" (given [("GHC_EVENTLOG_INET_HOST", "here")]) $
    EventlogSocketAddrInetPortMissing "here"
  throws failures "no host" (given [("GHC_EVENTLOG_INET_PORT", "4242")]) $
    EventlogSocketAddrInetHostMissing "4242"
  let long = '/' : replicate 200 'x'
  throws failures "too long" (given [("GHC_EVENTLOG_UNIX_PATH", long)]) $
    EventlogSocketAddrUnixPathTooLong long
  forM_ variables unsetEnv

-- A name that is neither ASCII nor UTF-8: its last character stands for the byte 80.
odd' :: FilePath
odd' = "\xF6\xDC80"

nothingStarted :: Failures -> IO ()
nothingStarted failures = do
  failsWith failures "stats too early" stats (Just eNOTCONN)
  failsWith failures "wait too early" wait (Just eNOTCONN)

cannotStart :: Failures -> FilePath -> IO ()
cannotStart failures dir = do
  let file = dir </> "file"
  writeFile file "mine"
  failsWith failures "a file" (start file) (Just eNOTSOCK)
  content <- readFile file
  expect failures "the file" content "mine"
  failsWith failures "a long path" (start (dir </> replicate 200 'x')) (Just eNAMETOOLONG)
  failsWith failures "a path with NUL" (start (dir </> "a\0b")) (Just eINVAL)
  failsWith failures "neither socket nor file" startRingFile (Just eINVAL)
  failsWith failures "a ring file that is too small" (setRingFile (Just (dir </> "ring", 1))) (Just eINVAL)
  setRingFile (Just (file, 0))
  failsWith failures "what is no ring file" startRingFile Nothing
  setRingFile Nothing
  let noPort = EventlogSocketInetAddr "127.0.0.1" "no such service"
  failsWith failures "no port" (startWith noPort defaultEventlogSocketOpts) Nothing
  left <- listDirectory dir
  expect failures "what is left" left ["file"]

tuning :: Failures -> IO ()
tuning failures = do
  let defaults = defaultEventlogSocketTuning
  expect failures "the default ring" (estBufferSize defaults) (16 * 1024 * 1024)
  expect failures "the default overflow" (estOverflow defaults) OverflowDrop
  expect failures "the default control" (estControl defaults) ControlUnix
  failsWith failures "a ring of one byte" (setTuning defaults {estBufferSize = 1}) (Just eINVAL)
  setTuning
    defaults
      { estBufferSize = 1024 * 1024
      , estFlushInterval = 50
      , estOverflow = OverflowBlock (Just 10)
      , estExitTimeout = 1000
      , estControl = ControlOn
      }

namespaces :: Failures -> IO ()
namespaces failures = do
  let named name = do
        namespace <- registerNamespace name
        got <- namespaceName namespace
        expect failures ("the name " ++ show name) got name
  -- Each is distinguished from the others.
  mapM_ named ["a", "ab", "abc", "\xFC\x1D11E", "\xDC80", replicate 255 'n', replicate 254 'n']
  throws failures "the same again" (void (registerNamespace "ab")) $
    EventlogSocketControlNamespaceExists "ab"
  for_ ["eventlog-socket", "eventlog-socket-rts"] $ \own ->
    throws failures own (void (registerNamespace own)) (EventlogSocketControlNamespaceExists own)
  let long = replicate 256 'n'
      wide = replicate 128 '\xFC'
  throws failures "256 bytes" (void (registerNamespace long)) $
    EventlogSocketControlNamespaceTooLong long 256 255
  throws failures "128 letters of two bytes" (void (registerNamespace wide)) $
    EventlogSocketControlNamespaceTooLong wide 256 255
  failsWith failures "no name" (registerNamespace "") (Just eINVAL)
  failsWith failures "a name with NUL" (registerNamespace "a\0b") (Just eINVAL)

  namespace <- registerNamespace "full"
  for_ [minBound .. maxBound] $ \number ->
    registerCommand namespace (CommandId number) (pure ())
  for_ [0, 1, 2, 255] $ \number ->
    throws failures "a command twice" (registerCommand namespace (CommandId number) (pure ())) $
      EventlogSocketControlCommandExists "full" (CommandId number)

streaming :: Failures -> FilePath -> IO ()
streaming failures dir = do
  namespace <- registerNamespace "mine"
  done <- newEmptyMVar
  let handled number = registerCommand namespace (CommandId number)
  handled 0 (traceEventIO "handled 0")
  handled 1 (ioError (userError "out of order"))
  handled 2 exitFailure
  handled 3 (throwIO (ErrorCall (cycle "endless ")))
  handled 4 (throwIO (ErrorCall ("cut off" ++ error "while shown")))
  -- A handler may do what any other code may.
  handled 5 $ do
    handled 6 (traceEventIO "handled 6" >> putMVar done ())
    registerHook HookPostStartEventLogging (traceEventIO "a hook of a handler")
  registerHook HookPostStartEventLogging (traceEventIO "a hook that works")
  registerHook HookPostStartEventLogging (ioError (userError "a hook that fails"))
  registerHook HookPostStartEventLogging (traceEventIO "a hook after it")

  let path = dir </> odd'
  start path
  doesPathExist path >>= \there -> expect failures "the socket" there True
  failsWith failures "a second start" (start (dir </> "second")) (Just eALREADY)
  failsWith failures "tuning too late" (setTuning defaultEventlogSocketTuning) (Just eALREADY)

  withConnection path $ \connection -> do
    wait
    traceEventIO "after the wait"
    for_ [0 .. 6] (sendCommand connection "mine")
    finished <- timeout 60000000 (takeMVar done)
    expect failures "all commands" finished (Just ())
    traceEventIO "the end"
    stream <- readUntil connection (`contains` "the end")
    for_
      [ "a hook that works"
      , "the handler of HookPostStartEventLogging failed: user error (a hook that fails)"
      , "a hook after it"
      , "after the wait"
      , "handled 0"
      , "eventlog-socket: the handler of mine/1 failed: user error (out of order)"
      , "eventlog-socket: the handler of mine/2 failed: ExitFailure 1"
      , "eventlog-socket: the handler of mine/3 failed: endless endless endless"
      , "eventlog-socket: the handler of mine/4 failed: "
      , "a hook of a handler"
      , "handled 6"
      , "the end"
      ]
      $ \text -> expect failures ("the stream has " ++ text) (stream `contains` text) True

    -- The last is counted when its handler has returned.
    counters <- timeout 60000000 (untilRun 7) >>= maybe stats pure
    expect
      failures
      "counters"
      ( essRingSize counters
      , essConnected counters
      , essConnections counters
      , essInetPort counters
      , essCommandsRun counters
      , essBytesReceived counters
      )
      (1024 * 1024, True, 1, 0, 7, 7 * 11)
    testWorkerStatus
    testControlStatus
