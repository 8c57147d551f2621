-- | An event a millisecond, which contains the time at which it was logged.
module Stamps (stamps) where

import Control.Concurrent (threadDelay)
import Control.Monad
import Data.Word (Word64)
import Debug.Trace (traceEventIO)

foreign import ccall unsafe "bench_now" now :: IO Word64

stamps :: Int -> IO ()
stamps count = replicateM_ count $ do
  time <- now
  let digits = show time
  traceEventIO ("stamp:" ++ replicate (20 - length digits) '0' ++ digits)
  threadDelay 1000
