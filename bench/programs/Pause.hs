-- | How long logging stops the program: batches of 100 events, with 100 microseconds
-- between them in which it does something else.
module Pause (pause) where

import Control.Monad
import Data.Word (Word64)
import Foreign.Marshal.Array (advancePtr)
import Foreign.Ptr (Ptr)
import Foreign.Storable (pokeElemOff)

import Fire (fire)

foreign import ccall unsafe "bench_now" now :: IO Word64
foreign import ccall unsafe "bench_samples" samples :: Int -> IO (Ptr Word64)

-- | Prepares this many batches for each capability; returns the action of each.
pause :: Int -> Int -> IO (Int -> IO ())
pause batches capabilities = do
  times <- samples (batches * capabilities)
  pure $ \capability -> do
    let own = times `advancePtr` (capability * batches)
    forM_ [0 .. batches - 1] $ \batch -> do
      before <- now
      fire 100
      after <- now
      pokeElemOff own batch (after - before)
      spin (after + 100000)

spin :: Word64 -> IO ()
spin end = do
  time <- now
  when (time < end) (spin end)
