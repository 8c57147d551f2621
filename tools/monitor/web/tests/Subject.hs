{-# LANGUAGE CPP #-}
-- | The test program for the pages: threads with names, waits of several kinds, spans, messages,
-- markers, sparks, collections, a heap that grows.
module Main (main) where

import Control.Concurrent
import Control.Monad
import Data.IORef
import Debug.Trace
import GHC.Conc (labelThread, par, pseq)
import System.Directory (doesFileExist)
import System.Environment (getArgs)
import System.IO
import System.Mem (performMajorGC)
#ifdef WITH_SOCKET
import GHC.Eventlog.Socket (startFromEnv)
#endif

nfib :: Int -> Int
nfib n = if n < 2 then 1 else nfib (n - 1) + nfib (n - 2) + 1

pfib :: Int -> Int
pfib n
  | n < 12 = nfib n
  | otherwise = let a = pfib (n - 1); b = pfib (n - 2) in a `par` (b `pseq` (a + b + 1))

spanned :: String -> IO a -> IO a
spanned name action = traceEventIO ("START " ++ name) *> action <* traceEventIO ("STOP " ++ name)

untilStopped :: IO Bool -> [a] -> (a -> IO ()) -> IO ()
untilStopped stops (n : more) action = do
  action n
  stopped <- stops
  unless stopped (untilStopped stops more action)
untilStopped _ [] _ = pure ()

main :: IO ()
main = do
  hSetBuffering stdout LineBuffering
  arguments <- getArgs
  let rounds = case arguments of { n : _ -> read n; [] -> 20 } :: Int
      name = case arguments of { _ : n : _ -> n; _ -> "first" }
      -- It ends early once this file exists.
      stops = case arguments of { _ : _ : file : _ -> doesFileExist file; _ -> pure False }
#ifdef WITH_SOCKET
  startFromEnv
#endif
  self <- myThreadId
  labelThread self "main loop"
  ping <- newEmptyMVar
  pong <- newEmptyMVar
  answering <- forkIO (forever (takeMVar ping >>= putMVar pong . (+ (1 :: Int))))
  labelThread answering "answering thread"
  hostile <- forkIO (forever (threadDelay 1000))
  labelThread hostile "<img src=x onerror=document.title='broken'> \8238 & \"quoted\""
  workers <- forM [1 .. 4 :: Int] $ \n -> do
    worker <- forkIO (forever (threadDelay (500 * n) >> yield))
    labelThread worker ("worker number " ++ show n)
    pure worker
  -- Rows of spans for many threads.
  when (name == "crowd") $ do
    dones <- forM [1 .. 40 :: Int] $ \n -> do
      done <- newEmptyMVar
      worker <- forkIO $ do
        spanned ("job " ++ show n) (spanned "part of it" (threadDelay 2000))
        putMVar done ()
      labelThread worker ("job " ++ show n)
      pure done
    mapM_ takeMVar dones
  -- More threads than a page loads at once.
  when (name == "many") (replicateM_ 300 (forkIO (pure ()) >> yield))
  kept <- newIORef []
  traceMarkerIO ("phase one of " ++ name)
  untilStopped stops [1 .. rounds] $ \n -> do
    spanned "request" $ do
      forM_ [1 .. 300 :: Int] $ \k -> putMVar ping k >> takeMVar pong
      spanned "render" (pfib (18 + n `mod` 5) `seq` pure ())
    modifyIORef' kept (take 300 . ([n .. n + 2000] :))
    total <- sum . map length <$> readIORef kept
    when (n `mod` 10 == 0) performMajorGC
    traceEventIO ("round " ++ show n ++ " of " ++ name ++ " keeps " ++ show total)
    when (n == 7) $ traceEventIO "a needle <b>in</b> the log"
    when (n == rounds `div` 2) $ traceMarkerIO "phase two"
    threadDelay 10000
  mapM_ killThread (answering : hostile : workers)
  traceEventIO ("the last words of " ++ name)
  putStrLn "done"
