-- fibber-tcp - Fibonacci numbers, watched over TCP. Started from Haskell, with an
-- address and options of its own.
--
-- Build, in the repository's root:
--
--   scripts/build-example fibber-tcp
--
-- Run (--forever begins again after the last number):
--
--   GHC_EVENTLOG_INET_PORT=4242 \
--     target/examples/fibber-tcp/fibber-tcp [--forever] 30 32 34 +RTS -l
--
-- It listens on 127.0.0.1 (GHC_EVENTLOG_INET_HOST) and waits for a client. Watch:
--
--   eventlog show tcp:127.0.0.1:4242
module Main (main) where

import Control.Exception (evaluate)
import Control.Monad (unless)
import Data.Foldable (for_)
import Data.Maybe (fromMaybe)
import Debug.Trace (traceMarkerIO)
import GHC.Eventlog.Socket
import System.Environment (getArgs, lookupEnv)

main :: IO ()
main = do
  host <- fromMaybe "127.0.0.1" <$> lookupEnv "GHC_EVENTLOG_INET_HOST"
  port <- lookupEnv "GHC_EVENTLOG_INET_PORT"
  for_ port $ \p ->
    startWith (EventlogSocketInetAddr host p) defaultEventlogSocketOpts {esoWait = True}

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
