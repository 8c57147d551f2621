-- | A program without -threaded: it streams, and its hooks are called at the start and
-- at the exit; it cannot register commands.
module Main (main) where

import Data.IORef (newIORef, readIORef, writeIORef)
import Debug.Trace (traceEventIO)
import GHC.Eventlog.Socket
import GHC.Eventlog.Socket.Legacy (EventlogSocketConfig (..), SocketMode (..), UnixSocket (..))
import qualified GHC.Eventlog.Socket.Legacy as Legacy
import GHC.Eventlog.Socket.Tuning (essConnected, essConnections, stats)
import System.Directory (doesPathExist)
import System.FilePath ((</>))

import Expect

main :: IO ()
main = withFailures $ \failures -> withDirectory $ \dir -> do
  throws failures "a namespace" (registerNamespace "mine") EventlogSocketControlUnsupported
  called <- newIORef False
  registerHook HookPostStartEventLogging (writeIORef called True)
  registerHook HookPostStartEventLogging (ioError (userError "a hook that fails"))

  let path = dir </> "socket"
  Legacy.startWith (EventlogSocketConfig (SocketUnix (UnixSocket path)) False)
  doesPathExist path >>= \there -> expect failures "the socket" there True
  readIORef called >>= \was -> expect failures "the hook" was True
  traceEventIO "after the hooks"
  testWorkerStatus

  withConnection path $ \connection -> do
    wait
    stream <- readUntil connection (`contains` "hdrb")
    expect failures "the header" (stream `contains` "hdrb") True
    counters <- stats
    expect failures "connected" (essConnected counters, essConnections counters) (True, 1)
