-- | The programs that are measured with a real runtime:
-- PROGRAM fire|mixed|pause|stamps|paced|crowded NUMBER [FILE].
-- With N capabilities each does its part of NUMBER, on a thread of its own.
module Main (main) where

import Control.Concurrent
import Control.Monad
import Foreign.C.String (CString, withCString)
import System.Environment (getArgs)

import Fire (fire)
import Mixed (mixed)
import Paced (crowded, paced)
import Pause (pause)
import Stamps (stamps)

foreign import ccall unsafe "bench_begin" begin :: IO ()
foreign import ccall unsafe "bench_end" end :: CString -> IO ()

main :: IO ()
main = do
  what : number : file <- getArgs
  capabilities <- getNumCapabilities
  let part = read number `div` capabilities
  body <- case what of
    "fire" -> pure (const (fire part))
    "mixed" -> pure (mixed part)
    "pause" -> pause part capabilities
    "stamps" -> pure (const (stamps part))
    "paced" -> pure (const (paced part))
    "crowded" -> pure (const (crowded part))
    _ -> fail "fire, mixed, pause, stamps, paced or crowded"
  -- Otherwise the first thread could finish its part before the last one starts.
  go <- newEmptyMVar
  done <- forM [0 .. capabilities - 1] $ \capability -> do
    ended <- newEmptyMVar
    _ <- forkOn capability $ do
      readMVar go
      body capability
      putMVar ended ()
    pure ended
  yield
  begin
  putMVar go ()
  mapM_ takeMVar done
  withCString (concat file) end
