-- | Spans of every kind. Run it with @+RTS -l -RTS@ and look at the log with @eventlog spans@.
module Main (main) where

import Control.Concurrent
import Control.Exception
import Control.Monad
import GHC.Eventlog.Span
import System.Timeout (timeout)

main :: IO ()
main = do
  -- Nested, also of one name.
  withSpan "outer" $ withSpan "inner" $ withSpan "inner" (pure ())

  -- Ended by an exception of its own thread, and by one of another thread.
  failed <- try (withSpan "fails" (throwIO (userError "no")))
  either (\e -> const (pure ()) (e :: IOException)) pure failed
  _ <- timeout 1000 (withSpan "times out" (threadDelay 60000000))
  killed <- newEmptyMVar
  started <- newEmptyMVar
  thread <- forkIO $
    withSpan "is killed" (putMVar started () >> threadDelay 60000000)
      `finally` putMVar killed ()
  takeMVar started
  killThread thread
  takeMVar killed

  -- Several threads at once.
  done <- forM [1 .. 4 :: Int] $ \number -> do
    end <- newEmptyMVar
    _ <- forkIO (withSpan "worker" (threadDelay (1000 * number)) >> putMVar end ())
    pure end
  mapM_ takeMVar done

  -- A pure value: once, though it is used twice. A value that is never needed: never.
  let total = traceSpan "sum" (sum [1 .. 100000 :: Integer])
      unused = traceSpan "unused" (product [1 .. 10 :: Integer])
  print (total, total)
  when (total < 0) (print unused)

  -- Odd names.
  withSpan "two\nlines\tand a tab" (pure ())
  withSpan "g\252n\8364 \128512" (pure ())
  withSpan "" (pure ())
  withSpan (error "no name") (pure ())
  withSpan (cycle "endless ") (pure ())
  withSpan (replicate 4095 'a' ++ "\8364") (pure ())
  withSpan "half \55357 a pair" (pure ())
