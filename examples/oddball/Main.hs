-- oddball - allocates in rounds for ever: something to look at for heap profiles.
--
-- Build, in the repository's root after `cargo build --release` (leave out
-- -eventlog from GHC 9.4 on), or with scripts/build-example oddball:
--
--   ghc -threaded -eventlog -rtsopts -Iinclude -outputdir build -o oddball \
--     examples/oddball/Main.hs ffi/rts/eventlog_socket_rts.c \
--     target/release/libeventlog_socket.a
--
-- Run (the heap profile is part of the eventlog; its interval is -i):
--
--   GHC_EVENTLOG_UNIX_PATH=/tmp/oddball.sock ./oddball +RTS -l -hT -i0.5
module Main (main) where

import Control.Concurrent (threadDelay)
import Control.Exception (evaluate)
import Control.Monad (when)
import Data.Bits (shiftR, xor)
import Data.Foldable (for_)
import qualified Data.List as List
import Data.Word (Word64)
import Debug.Trace (traceMarkerIO)
import Foreign.C (CBool (..), CString, withCString)
import System.Environment (lookupEnv)
import System.Mem (performMajorGC)

foreign import ccall safe "eventlog_socket_start_unix"
  startUnix :: CString -> CBool -> IO ()

main :: IO ()
main = do
  path <- lookupEnv "GHC_EVENTLOG_UNIX_PATH"
  for_ path $ \p -> withCString p $ \cPath -> startUnix cPath 0
  rounds 2026

rounds :: Word64 -> IO ()
rounds seed = do
  let (count, seed') = (fromIntegral (output seed `mod` 400000) + 100000, next seed)
      numbers = take count (map output (iterate next seed'))
  traceMarkerIO ("Summing " ++ show count ++ " numbers")
  total <- evaluate (List.foldl' (+) 0 numbers)
  -- The list is used again, so it was all in the heap.
  when (total == last numbers) $ traceMarkerIO "What are the odds?"
  performMajorGC
  threadDelay 200000
  rounds (total `xor` seed')

-- A linear congruential generator; its high bits are the better ones.
next :: Word64 -> Word64
next x = x * 6364136223846793005 + 1442695040888963407

output :: Word64 -> Word64
output x = x `shiftR` 33
