-- oddball - allocates in rounds forever: an example for heap profiles.
--
-- Build, in the repository's root:
--
--   scripts/build-example oddball
--
-- Run (the heap profile is part of the eventlog, its interval is -i; rounds are 3 s
-- apart, or --pause milliseconds):
--
--   GHC_EVENTLOG_UNIX_PATH=/tmp/oddball.sock \
--     target/examples/oddball/oddball [--pause 500] +RTS -l -hT -i0.5
--
-- Watch:
--
--   eventlog show unix:/tmp/oddball.sock
module Main (main) where

import Control.Concurrent (threadDelay)
import Control.Exception (evaluate)
import Control.Monad (when)
import Data.Bits (shiftR, xor)
import qualified Data.List as List
import Data.Word (Word64)
import Debug.Trace (traceMarkerIO)
import GHC.Eventlog.Socket
import System.Environment (getArgs)
import System.Exit (die)
import System.Mem (performMajorGC)

main :: IO ()
main = do
  arguments <- getArgs
  pause <- case arguments of
    [] -> pure 3000
    ["--pause", milliseconds] | [(n, "")] <- reads milliseconds -> pure n
    _ -> die "usage: oddball [--pause MILLISECONDS]"
  registerHook HookPostStartEventLogging $
    traceMarkerIO "HookPostStartEventLogging fired."
  registerHook HookPreEndEventLogging $
    traceMarkerIO "HookPreEndEventLogging fired."
  startFromEnv
  rounds (pause * 1000) 2026

rounds :: Int -> Word64 -> IO ()
rounds pause seed = do
  threadDelay pause
  let (count, seed') = (fromIntegral (output seed `mod` 400000) + 100000, next seed)
      numbers = take count (map output (iterate next seed'))
  traceMarkerIO ("Summing " ++ show count ++ " numbers")
  total <- evaluate (List.foldl' (+) 0 numbers)
  -- The list is used again, so all of it is in the heap at once.
  when (total == last numbers) $ traceMarkerIO "What are the odds?"
  performMajorGC
  rounds pause (total `xor` seed')

-- A linear congruential generator; its high bits are the better ones.
next :: Word64 -> Word64
next x = x * 6364136223846793005 + 1442695040888963407

output :: Word64 -> Word64
output x = x `shiftR` 33
