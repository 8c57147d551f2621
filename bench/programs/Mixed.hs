-- | A program that works, and logs a marker now and then; the events of the collector are
-- logged, too.
module Mixed (mixed) where

import Control.Exception (evaluate)
import Control.Monad
import Data.Bits (xor)
import qualified Data.IntMap.Strict as IntMap
import Debug.Trace (traceMarkerIO)

-- | Does this many items of work, on a capability.
mixed :: Int -> Int -> IO ()
mixed items capability = foldM_ item IntMap.empty [1 .. items]
  where
    item table number = do
      traceMarkerIO ("item " ++ show number ++ " of " ++ show capability)
      let keys = [(number * 7919 * k) `xor` 0x5555 | k <- [1 .. 4]]
          larger = foldr (\key -> IntMap.insertWith (+) (key `mod` 20011) key) table keys
      evaluate larger
