-- parfib - Fibonacci numbers in parallel, forever: an example for sparks.
--
-- Build, in the repository's root:
--
--   scripts/build-example parfib
--
-- Run (numbers up to CUTOFF make no sparks; rounds follow each other at once, or after
-- --pause milliseconds):
--
--   GHC_EVENTLOG_UNIX_PATH=/tmp/parfib.sock \
--     target/examples/parfib/parfib [--pause 300] CUTOFF N +RTS -l -N2
--
-- Watch every spark (-l alone shows samples of their numbers):
--
--   eventlog record unix:/tmp/parfib.sock -o parfib.eventlog \
--     --control eventlog-socket-rts/14
module Main (main) where

import Control.Concurrent (threadDelay)
import Control.Exception (evaluate)
import Data.Foldable (for_)
import Debug.Trace (traceMarkerIO)
import GHC.Conc (par, pseq)
import GHC.Eventlog.Socket
import System.Environment (getArgs)
import System.Exit (die)
import System.Mem (performMajorGC)

main :: IO ()
main = do
  arguments <- getArgs
  (pause, cutoff, n) <- case arguments of
    ["--pause", milliseconds, cutoff, n] -> pure (read milliseconds, read cutoff, read n)
    [cutoff, n] -> pure (0, read cutoff, read n)
    _ -> die "usage: parfib [--pause MILLISECONDS] CUTOFF N"
  startFromEnv
  -- Different numbers, so that no result of the last round is shared.
  for_ (cycle [n, n - 1]) $ \m -> do
    traceMarkerIO ("Fibbing " ++ show m)
    _ <- evaluate (parfib cutoff m)
    -- The numbers of sparks are sampled when the heap is collected.
    performMajorGC
    threadDelay (pause * 1000)

parfib :: Int -> Int -> Integer
parfib cutoff n
  | n <= cutoff = fib n
  | otherwise = left `par` (right `pseq` (left + right))
 where
  left = parfib cutoff (n - 1)
  right = parfib cutoff (n - 2)

fib :: Int -> Integer
fib n
  | n < 2 = toInteger n
  | otherwise = fib (n - 1) + fib (n - 2)
