-- fibber-c-main - the Haskell half: see main.c, also for how to build and run it.
module Main (main) where

import Control.Exception (evaluate)
import Control.Monad (unless)
import Data.Foldable (for_)
import Debug.Trace (traceMarkerIO)
import Foreign.C (CString, peekCString)
import System.Environment (getArgs)

-- For the hooks in main.c: the RTS has no public C function for markers.
foreign export ccall "fibber_marker" marker :: CString -> IO ()

marker :: CString -> IO ()
marker text = peekCString text >>= traceMarkerIO

main :: IO ()
main = do
  traceMarkerIO "Initialising fibber"
  arguments <- getArgs
  let forever = take 1 arguments == ["--forever"]
      numbers = map read (if forever then drop 1 arguments else arguments)
  for_ (if forever then cycle numbers else numbers) $ \n -> do
    traceMarkerIO ("Starting fib " ++ show n)
    result <- evaluate (fib n)
    traceMarkerIO ("Finished fib " ++ show n)
    unless forever $ print result

fib :: Int -> Integer
fib n
  | n < 2 = toInteger n
  | otherwise = fib (n - 1) + fib (n - 2)
