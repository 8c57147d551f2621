-- | Events at a steady rate of 10 MB/s, while a number of threads are alive.
module Paced (paced, crowded) where

import Control.Concurrent
import Control.Monad
import Data.Word (Word64)

import Fire (fire)

foreign import ccall unsafe "bench_now" now :: IO Word64

-- | Runs for this many hundredths of a second.
paced :: Int -> IO ()
paced ticks = do
  start <- now
  forM_ [1 .. ticks] $ \tick -> do
    -- 2273 events of 44 bytes.
    fire 2273
    time <- now
    -- After a late tick the next ones follow without a pause.
    let due = fromIntegral tick * 10000000
        gone = fromIntegral (time - start)
    when (gone < due) $ threadDelay ((due - gone) `div` 1000)

-- | The same for a minute, with this many threads that wait for something.
crowded :: Int -> IO ()
crowded threads = do
  never <- newEmptyMVar
  forM_ [1 .. threads] $ \_ -> forkIO (takeMVar never)
  paced 6000
  putMVar never ()
