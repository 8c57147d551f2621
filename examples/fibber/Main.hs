-- fibber - Fibonacci numbers, watched over a Unix socket. Started from Haskell.
--
-- Build, in the repository's root after `cargo build --release` (leave out
-- -eventlog from GHC 9.4 on), or with scripts/build-example fibber:
--
--   ghc -threaded -eventlog -rtsopts -Iinclude -outputdir build -o fibber \
--     examples/fibber/Main.hs ffi/rts/eventlog_socket_rts.c \
--     target/release/libeventlog_socket.a
--
-- Run:
--
--   GHC_EVENTLOG_UNIX_PATH=/tmp/fibber.sock ./fibber 30 32 34 +RTS -l
--
-- It waits for a client, for instance `nc -U /tmp/fibber.sock > fibber.eventlog`.
module Main (main) where

import Data.Foldable (for_)
import Debug.Trace (traceMarkerIO)
import Foreign.C (CBool (..), CString, withCString)
import System.Environment (getArgs, lookupEnv)

foreign import ccall safe "eventlog_socket_start_unix"
  startUnix :: CString -> CBool -> IO ()

main :: IO ()
main = do
  path <- lookupEnv "GHC_EVENTLOG_UNIX_PATH"
  for_ path $ \p -> withCString p $ \cPath -> startUnix cPath 1
  arguments <- getArgs
  for_ (map read arguments) $ \n -> do
    traceMarkerIO ("Starting fib " ++ show n)
    print (fib n)
    traceMarkerIO ("Finished fib " ++ show n)

fib :: Int -> Integer
fib n
  | n < 2 = toInteger n
  | otherwise = fib (n - 1) + fib (n - 2)
