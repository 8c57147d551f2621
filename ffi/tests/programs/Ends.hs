-- | A program with a hook in Haskell, which ends, or ends its log, in an unusual way.
-- Its argument says which; it goes on when a line comes.
module Ends (main) where

import Control.Concurrent (threadDelay)
import Control.Concurrent.MVar
import Control.Monad (forM_, forever, void)
import Debug.Trace (traceEventIO)
import Foreign (FunPtr, Ptr)
import Foreign.C (CInt (..))
import System.Environment (getArgs)
import System.IO

type Hook = Ptr () -> IO ()

foreign import ccall "wrapper" newHook :: Hook -> IO (FunPtr Hook)
foreign import ccall safe "worker_start" start :: IO ()
foreign import ccall safe "worker_hook" registerHook :: CInt -> FunPtr Hook -> IO ()
foreign import ccall safe "ends_exit_aside" exitAside :: CInt -> IO ()
foreign import ccall safe "ends_other_log" otherLog :: IO ()
foreign import ccall unsafe "exit" exitUnsafely :: CInt -> IO ()

main :: IO ()
main = do
  hSetBuffering stdout LineBuffering
  [way] <- getArgs
  called <- newEmptyMVar
  hook <- newHook $ \_ -> do
    traceEventIO "the log ends"
    putStrLn "hook"
    void (tryPutMVar called ())
  registerHook 1 hook
  start
  putStrLn "serving"
  _ <- getLine
  case way of
    "unsafe" -> exitUnsafely 5
    "aside" -> do
      exitAside 5
      forM_ [1 :: Integer ..] $ \n -> traceEventIO ("until it ends " ++ show n)
    "other-log" -> do
      otherLog
      takeMVar called
      forM_ [1 .. 10 :: Int] $ \n -> do
        traceEventIO ("in the other log " ++ show n)
        threadDelay 20000
    _ -> forever (threadDelay 1000000)
