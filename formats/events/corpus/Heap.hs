-- Builds and drops data of several types, with named cost centres.
--
--   Heap ROUNDS SIZE
module Main (main) where

import Control.Exception (evaluate)
import Control.Monad
import qualified Data.IntMap.Strict as IM
import qualified Data.Set as S
import System.Environment (getArgs)

data Tree = Leaf | Node !Int Tree Tree

grow :: Int -> Int -> Tree
grow 0 _ = Leaf
grow d n = {-# SCC "grow" #-} Node n (grow (d - 1) (2 * n)) (grow (d - 1) (2 * n + 1))

total :: Tree -> Int
total Leaf = 0
total (Node n l r) = {-# SCC "total" #-} n + total l + total r

main :: IO ()
main = do
  [rounds, size] <- map read <$> getArgs
  let base = {-# SCC "base" #-} IM.fromList [(i, show i) | i <- [1 .. size]]
  _ <- evaluate (IM.size base)
  sums <- forM [1 .. rounds :: Int] $ \r -> do
    let set = {-# SCC "set" #-} S.fromList [i * r `mod` 7919 | i <- [1 .. size]]
        tree = grow 12 r
    evaluate (S.size set + total tree + maybe 0 length (IM.lookup r base))
  print (sum sums)
