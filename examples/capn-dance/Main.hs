-- capn-dance - changes the number of its capabilities, forever.
--
-- Build, in the repository's root:
--
--   scripts/build-example capn-dance
--
-- Run (steps are 1 s apart, or --pause milliseconds):
--
--   GHC_EVENTLOG_UNIX_PATH=/tmp/dance.sock \
--     target/examples/capn-dance/capn-dance [--pause 300] +RTS -l
--
-- Watch:
--
--   eventlog show unix:/tmp/dance.sock
module Main (main) where

import Control.Concurrent (setNumCapabilities, threadDelay)
import Data.Foldable (for_)
import Debug.Trace (traceMarkerIO)
import GHC.Eventlog.Socket
import System.Environment (getArgs)
import System.Exit (die)

main :: IO ()
main = do
  arguments <- getArgs
  pause <- case arguments of
    [] -> pure 1000
    ["--pause", milliseconds] | [(n, "")] <- reads milliseconds -> pure n
    _ -> die "usage: capn-dance [--pause MILLISECONDS]"
  startFromEnv
  for_ (cycle [2, 3, 2, 1]) $ \n -> do
    traceMarkerIO ("Dancing on " ++ show n ++ " capabilities")
    setNumCapabilities n
    threadDelay (pause * 1000)
