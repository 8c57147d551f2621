-- Changes the number of capabilities while it runs.
module Main (main) where

import Control.Concurrent
import Control.Monad
import Debug.Trace (traceEventIO)

burst :: String -> IO ()
burst name = do
  done <- newEmptyMVar
  forM_ [1 .. 8 :: Int] $ \n -> forkOn n $ do
    forM_ [1 .. 50 :: Int] (\i -> traceEventIO (name ++ " " ++ show (n, i)) >> yield)
    putMVar done ()
  replicateM_ 8 (takeMVar done)

main :: IO ()
main = do
  forM_ [1, 4, 2, 3, 1] $ \n -> do
    setNumCapabilities n
    burst ("with " ++ show n)
