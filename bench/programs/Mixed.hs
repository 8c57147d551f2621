-- | A program at its work, which says something now and then; the collector's events come
-- with it.
module Mixed (mixed) where

import Control.Exception (evaluate)
import Control.Monad
import Data.Bits (xor)
import qualified Data.IntMap.Strict as IntMap
import Debug.Trace (traceMarkerIO)

-- | So many items of work, of a capability.
mixed :: Int -> Int -> IO ()
mixed items capability = foldM_ item IntMap.empty [1 .. items]
  where
    item table number = do
      traceMarkerIO ("item " ++ show number ++ " of " ++ show capability)
      let keys = [(number * 7919 * k) `xor` 0x5555 | k <- [1 .. 4]]
          larger = foldr (\key -> IntMap.insertWith (+) (key `mod` 20011) key) table keys
      evaluate larger
