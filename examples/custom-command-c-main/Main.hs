{-# LANGUAGE CPP #-}

-- custom-command-c-main - the Haskell half: see main.c, also for how to build and run it.
module Main (main) where

import Control.Concurrent (threadDelay)
import Data.Foldable (for_)
import Debug.Trace (traceEventIO, traceMarkerIO)
#if MIN_VERSION_base(4,16,0)
import Debug.Trace (flushEventLog)
#endif
import Foreign.C (CString, peekCString)
import System.Environment (getArgs)
import System.Exit (die)

-- For the handlers in main.c: the RTS has no public C function for user messages.
foreign export ccall "custom_command_message" message :: CString -> IO ()

message :: CString -> IO ()
message text = peekCString text >>= traceEventIO

main :: IO ()
main = do
  arguments <- getArgs
  iterations <- case arguments of
    [] -> pure [1 .. 20]
    ["--forever"] -> pure [1 ..]
    _ -> die "usage: custom-command-c-main [--forever]"
  for_ iterations $ \n -> do
    traceMarkerIO ("custom workload iteration " ++ show (n :: Int))
#if MIN_VERSION_base(4,16,0)
    flushEventLog
#endif
    threadDelay 500000
