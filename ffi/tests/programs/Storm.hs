-- | A service in a storm: two threads that compute what is known, and log meanwhile.
-- Commands come on stdin, one a line; it says "done" after each. At the end of stdin,
-- or when it is terminated, it ends.
module Storm (main) where

import Control.Concurrent
import Control.Exception (evaluate, throwTo)
import Control.Monad
import Data.IORef
import Debug.Trace (traceEventIO)
import System.Exit
import System.IO
import System.Mem (performMajorGC)
import System.Posix.Process (forkProcess, getProcessStatus)
import System.Posix.Signals (Handler (Catch), installHandler, sigTERM)

foreign import ccall safe "worker_start" start :: IO ()
foreign import ccall safe "worker_stats" stats :: IO ()

data World = World
  { limit :: IORef Int -- ^ primes up to here are counted
  , known :: Int -- ^ and so many there are
  , rounds, wrong :: IORef Int
  , stop :: IORef Bool
  }

main :: IO ()
main = do
  hSetBuffering stdout LineBuffering
  mainThread <- myThreadId
  let terminated = throwTo mainThread (ExitFailure 15)
  void (installHandler sigTERM (Catch terminated) Nothing)
  start
  world <- World <$> newIORef 2000 <*> pure 303 <*> new <*> new <*> newIORef False
  ends <- forM [0, 1] (serve world)
  putStrLn "serving"
  loop world
  writeIORef (stop world) True
  mapM_ takeMVar ends
  -- Nobody logs anything after that, however late this thread gets a processor.
  traceEventIO "the last words"
  report world
  failed <- readIORef (wrong world)
  when (failed > 0) (exitWith (ExitFailure 1))
 where
  new = newIORef 0

report :: World -> IO ()
report world = do
  [r, w] <- mapM readIORef [rounds world, wrong world]
  putStrLn ("rounds " ++ show r ++ " wrong " ++ show w)

loop :: World -> IO ()
loop world = do
  ended <- isEOF
  unless ended $ do
    line <- getLine
    run world (words line)
    putStrLn "done"
    loop world

run :: World -> [String] -> IO ()
run world command = case command of
  ["rounds"] -> report world
  ["stats"] -> stats
  ["start"] -> start
  ["gc"] -> performMajorGC
  "message" : text -> traceEventIO (unwords text)
  ["fork", status] -> do
    child <- forkProcess $ do
      traceEventIO "said in the child"
      right <- count world
      exitWith (ExitFailure (if right then read status else 99))
    getProcessStatus True False child >>= putStrLn . ("child: " ++) . show
  _ -> putStrLn "no command"

-- | Counting that is right.
count :: World -> IO Bool
count world = do
  up <- readIORef (limit world)
  found <- evaluate (length (filter prime [2 .. up]))
  pure (found == known world)
 where
  prime n = all (\k -> n `rem` k /= 0) (takeWhile (\k -> k * k <= n) [2 ..])

-- | A thread that works, and numbers its messages as the loggers of the worker do.
serve :: World -> Int -> IO (MVar ())
serve world k = do
  ended <- newEmptyMVar
  void $ forkOn k $ do
    mine <- newIORef (0 :: Int)
    let go = do
          right <- count world
          bump (if right then rounds world else wrong world)
          replicateM_ 100 $ do
            n <- readIORef mine
            traceEventIO ("c" ++ show k ++ " " ++ padded n ++ filling)
            writeIORef mine $! n + 1
          -- So that commands need not wait for the timer.
          yield
          stopped <- readIORef (stop world)
          unless stopped go
    go
    putMVar ended ()
  pure ended
 where
  bump counter = atomicModifyIORef' counter (\n -> (n + 1, ()))
  padded n = let digits = show n in replicate (10 - length digits) '0' ++ digits
  filling = replicate 80 '.'
