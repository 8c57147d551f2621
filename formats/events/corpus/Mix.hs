-- Threads, an MVar ping-pong, sparks, labels, spans, markers, a growing heap
-- and collections: a little of everything a concurrent program writes.
--
--   Mix ROUNDS WORKERS SWITCHES
module Main (main) where

import Control.Concurrent
import Control.Exception (evaluate)
import Control.Monad
import qualified Data.Map.Strict as M
import Debug.Trace (traceEventIO, traceMarkerIO)
import GHC.Conc (labelThread, par, pseq)
import System.Environment (getArgs)
import System.Mem (performMajorGC)

fib :: Int -> Integer
fib n = if n < 2 then toInteger n else fib (n - 1) + fib (n - 2)

sparks :: Int -> Integer
sparks 0 = 0
sparks n = a `par` (b `pseq` (a + b))
  where
    a = fib (8 + n `mod` 6)
    b = sparks (n - 1)

worker :: Int -> Int -> MVar () -> IO ()
worker switches n done = do
  me <- myThreadId
  labelThread me ("worker " ++ show n)
  ping <- newEmptyMVar
  pong <- newEmptyMVar
  _ <- forkIO (replicateM_ switches (takeMVar ping >>= putMVar pong))
  traceEventIO ("START worker " ++ show n)
  forM_ [1 .. switches] (\i -> putMVar ping i >> takeMVar pong)
  traceEventIO ("STOP worker " ++ show n)
  putMVar done ()

main :: IO ()
main = do
  [rounds, workers, switches] <- map read <$> getArgs
  store <- newMVar M.empty
  forM_ [1 .. rounds :: Int] $ \r -> do
    traceMarkerIO ("round " ++ show r)
    done <- newEmptyMVar
    forM_ [1 .. workers] (\n -> forkIO (worker switches n done))
    _ <- evaluate (sparks 40)
    replicateM_ workers (takeMVar done)
    modifyMVar_ store (\m -> evaluate (foldr (\k -> M.insertWith (+) k r) m [r .. r + 200]))
    when (r `mod` 8 == 0) performMajorGC
  readMVar store >>= print . M.size
