-- | A program with -threaded -dynamic, whose exit the library cannot hook: hooks and
-- commands run on a Haskell thread.
module Main (main) where

import Control.Concurrent (forkIO, newEmptyMVar, putMVar, takeMVar, threadDelay)
import Control.Exception (MaskingState (..), getMaskingState)
import Control.Monad (void)
import Data.Foldable (for_)
import Debug.Trace (traceEventIO)
import GHC.Eventlog.Socket
import GHC.Eventlog.Socket.Tuning
import System.FilePath ((</>))
import System.Timeout (timeout)

import Expect

main :: IO ()
main = withFailures $ \failures -> withDirectory $ \dir -> do
  [early, late, ended, handled] <- sequence (replicate 4 newEmptyMVar)
  masking <- newEmptyMVar
  namespace <- registerNamespace "mine"
  registerHook HookPostStartEventLogging (traceEventIO "early" >> put early ())
  registerHook HookPreEndEventLogging (put ended ())
  registerCommand namespace (CommandId 4) (getMaskingState >>= put masking)
  let path = dir </> "socket"
      soon label = waitFor failures label
  start path
  soon "a hook that was registered before the start" early
  registerHook HookPostStartEventLogging (put late ())
  soon "a hook that was registered after the start" late
  registerCommand namespace (CommandId 1) (ioError (userError "fails"))
  registerCommand namespace (CommandId 2) (put handled ())
  testControlStatus
  withConnection path $ \connection -> do
    wait
    for_ [1, 2, 1, 2] (sendCommand connection "mine")
    soon "a command" handled
    soon "the same command" handled
  soon "the end of the first client" ended
  -- Hooks are called for each log.
  withConnection path $ \connection -> do
    soon "an early hook, of the next client" early
    soon "a late hook, of the next client" late
    sendCommand connection "mine" 2
    soon "a command of the next client" handled
  soon "the end of the next client" ended
  withConnection path $ \connection -> do
    sendCommand connection "mine" 4
    timeout 60000000 (takeMVar masking)
      >>= expect failures "exceptions in a handler" (Just Unmasked)
  -- The last is counted when its handler has returned.
  counters <- timeout 60000000 (untilRun 6) >>= maybe stats pure
  expect failures "commands" (essCommandsRun counters, essCommandsRefused counters) (6, 0)
  -- A handler that is running when the program ends does not delay the end.
  registerCommand namespace (CommandId 3) (put handled () >> threadDelay 100000000)
  withConnection path $ \connection -> do
    sendCommand connection "mine" 3
    soon "a command that does not end" handled
  where
    -- The next value may arrive before this one is taken.
    put box value = void (forkIO (putMVar box value))
    waitFor failures label box =
      timeout 60000000 (takeMVar box) >>= expect failures label (Just ())
