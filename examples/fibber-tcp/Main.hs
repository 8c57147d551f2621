-- fibber-tcp - Fibonacci numbers, watched over TCP. Started from Haskell.
--
-- Build, in the repository's root after `cargo build --release` (leave out
-- -eventlog from GHC 9.4 on), or with scripts/build-example fibber-tcp:
--
--   ghc -threaded -eventlog -rtsopts -Iinclude -outputdir build -o fibber-tcp \
--     examples/fibber-tcp/Main.hs ffi/rts/eventlog_socket_rts.c \
--     target/release/libeventlog_socket.a
--
-- Run:
--
--   GHC_EVENTLOG_INET_PORT=4242 ./fibber-tcp 30 32 34 +RTS -l
--
-- It listens on 127.0.0.1 (GHC_EVENTLOG_INET_HOST) and waits for a client, for
-- instance `nc 127.0.0.1 4242 > fibber.eventlog`.
module Main (main) where

import Data.Foldable (for_)
import Data.Maybe (fromMaybe)
import Debug.Trace (traceMarkerIO)
import Foreign.C (CBool (..), CString, withCString)
import System.Environment (getArgs, lookupEnv)

foreign import ccall safe "eventlog_socket_start_tcp"
  startTcp :: CString -> CString -> CBool -> IO ()

main :: IO ()
main = do
  host <- fromMaybe "127.0.0.1" <$> lookupEnv "GHC_EVENTLOG_INET_HOST"
  port <- lookupEnv "GHC_EVENTLOG_INET_PORT"
  for_ port $ \p ->
    withCString host $ \cHost ->
      withCString p $ \cPort ->
        startTcp cHost cPort 1
  arguments <- getArgs
  for_ (map read arguments) $ \n -> do
    traceMarkerIO ("Starting fib " ++ show n)
    print (fib n)
    traceMarkerIO ("Finished fib " ++ show n)

fib :: Int -> Integer
fib n
  | n < 2 = toInteger n
  | otherwise = fib (n - 1) + fib (n - 2)
