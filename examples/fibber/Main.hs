{-# LANGUAGE CPP #-}

-- fibber - Fibonacci numbers, watched over a socket. Started from Haskell.
--
-- Build, in the repository's root:
--
--   scripts/build-example fibber
--
-- Run (GHC_EVENTLOG_WAIT=1 makes it wait for a client; --forever begins again after the
-- last number):
--
--   GHC_EVENTLOG_UNIX_PATH=/tmp/fibber.sock GHC_EVENTLOG_WAIT=1 \
--     target/examples/fibber/fibber [--forever] 30 32 34 +RTS -l
--
-- Watch:
--
--   eventlog show unix:/tmp/fibber.sock
module Main (main) where

import Control.Exception (evaluate)
import Control.Monad (unless)
import Data.Foldable (for_)
import Debug.Trace (traceMarkerIO)
#if MIN_VERSION_base(4,16,0)
import Debug.Trace (flushEventLog)
#endif
import GHC.Eventlog.Socket
import System.Environment (getArgs)
import System.Mem (performMajorGC)

main :: IO ()
main = do
  -- Registered before the start, so that the first client gets their markers, too.
  registerHook HookPostStartEventLogging $
    traceMarkerIO "HookPostStartEventLogging fired."
  registerHook HookPreEndEventLogging $
    traceMarkerIO "HookPreEndEventLogging fired."
  startFromEnv

  arguments <- getArgs
  let forever = take 1 arguments == ["--forever"]
      numbers = map read (if forever then drop 1 arguments else arguments)
  for_ (if forever then cycle numbers else numbers) $ \n -> do
    traceMarkerIO ("Starting fib " ++ show n)
    result <- evaluate (fib n)
    traceMarkerIO ("Finished fib " ++ show n)
    unless forever $ print result
    performMajorGC
    testWorkerStatus
    testControlStatus
#if MIN_VERSION_base(4,16,0)
  flushEventLog
#endif

fib :: Int -> Integer
fib n
  | n < 2 = toInteger n
  | otherwise = fib (n - 1) + fib (n - 2)
