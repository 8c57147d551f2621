-- Works until it is killed, so that its log has no end.
module Main (main) where

import Control.Concurrent
import Control.Monad
import Debug.Trace (traceEventIO)

main :: IO ()
main = do
  forM_ [1 .. 4 :: Int] $ \n -> forkIO . forM_ [1 :: Int ..] $ \i -> do
    traceEventIO ("worker " ++ show n ++ " step " ++ show i)
    when (i `mod` 100 == 0) yield
  threadDelay 60000000
