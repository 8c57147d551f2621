-- fibber-c-main - the Haskell half: see main.c.
module Main (main) where

import Data.Foldable (for_)
import Debug.Trace (traceMarkerIO)
import System.Environment (getArgs)

main :: IO ()
main = do
  arguments <- getArgs
  for_ (map read arguments) $ \n -> do
    traceMarkerIO ("Starting fib " ++ show n)
    print (fib n)
    traceMarkerIO ("Finished fib " ++ show n)

fib :: Int -> Integer
fib n
  | n < 2 = toInteger n
  | otherwise = fib (n - 1) + fib (n - 2)
