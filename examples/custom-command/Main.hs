{-# LANGUAGE CPP #-}

-- custom-command - a program with commands of its own.
--
-- Build, in the repository's root:
--
--   scripts/build-example custom-command
--
-- Run (for ten seconds, or --forever; GHC 9.0 cannot flush from Haskell, so with it set
-- GHC_EVENTLOG_FLUSH_INTERVAL=500ms):
--
--   GHC_EVENTLOG_UNIX_PATH=/tmp/custom.sock GHC_EVENTLOG_WAIT=1 \
--     target/examples/custom-command/custom-command [--forever] +RTS -l
--
-- Send command 1 (ping) or 2 (pong), and see "handled ping" or "handled pong":
--
--   eventlog record unix:/tmp/custom.sock -o custom.eventlog --control custom-command/1
module Main (main) where

import Control.Concurrent (threadDelay)
import Data.Foldable (for_)
import Debug.Trace (traceEventIO, traceMarkerIO)
#if MIN_VERSION_base(4,16,0)
import Debug.Trace (flushEventLog)
#endif
import GHC.Eventlog.Socket
import System.Environment (getArgs)
import System.Exit (die)

main :: IO ()
main = do
  arguments <- getArgs
  iterations <- case arguments of
    [] -> pure [1 .. 20]
    ["--forever"] -> pure [1 ..]
    _ -> die "usage: custom-command [--forever]"

  namespace <- registerNamespace "custom-command"
  registerCommand namespace (CommandId 1) (traceEventIO "handled ping")
  registerCommand namespace (CommandId 2) (traceEventIO "handled pong")
  startFromEnv

  for_ iterations $ \n -> do
    traceMarkerIO ("custom workload iteration " ++ show (n :: Int))
#if MIN_VERSION_base(4,16,0)
    flushEventLog
#endif
    threadDelay 500000
