-- | What the log does not show: that programs behave the same with spans as without.
module Main (main) where

import Control.Concurrent
import Control.Exception
import Control.Monad
import GHC.Eventlog.Span
import System.Exit (exitFailure)
import System.IO (hPutStrLn, stderr)
import System.IO.Unsafe (unsafePerformIO)

check :: String -> Bool -> IO ()
check what holds = unless holds (hPutStrLn stderr ("not so: " ++ what) >> exitFailure)

main :: IO ()
main = do
  value <- withSpan "value" (pure (7 :: Int))
  check "the result of an action is handed on" (value == 7)

  thrown <- try (withSpan "throws" (throwIO (userError "mine"))) :: IO (Either IOException ())
  check "an exception is handed on" (thrown == Left (userError "mine"))

  pureThrown <- try (evaluate (traceSpan "throws" (error "mine" :: Int)))
  check "so is one of a pure value" $
    either (\(ErrorCall message) -> message == "mine") (const False) pureThrown

  inside <- withSpan "not masked" getMaskingState
  check "an action is not masked" (inside == Unmasked)
  masked <- mask_ (withSpan "masked" getMaskingState)
  check "what is masked stays masked" (masked == MaskedInterruptible)

  -- An evaluation that was interrupted does not leave a broken value. This one waits for a
  -- signal to continue, so that it certainly is interrupted in the middle.
  go <- newEmptyMVar
  begun <- newEmptyMVar
  let slow = traceSpan "slow" (waits begun go (5 :: Int))
  interruptOnce begun slow
  value2 <- newEmptyMVar
  _ <- forkIO (evaluate slow >>= putMVar value2)
  putMVar go ()
  five <- takeMVar value2
  check "the value is there in the end" (five == 5)

  -- The same while another thread waits for the value.
  goShared <- newEmptyMVar
  begunShared <- newEmptyMVar
  let shared = traceSpan "shared" (waits begunShared goShared (6 :: Int))
  evaluating <- forkIO (void (evaluate shared))
  takeMVar begunShared
  result <- newEmptyMVar
  _ <- forkIO (evaluate shared >>= putMVar result)
  killThread evaluating
  putMVar goShared ()
  six <- takeMVar result
  check "the thread that waited gets it" (six == 6)

  -- A name whose evaluation is interrupted.
  goName <- newEmptyMVar
  begunName <- newEmptyMVar
  let named = traceSpan (waits begunName goName "late") 'x'
  interruptOnce begunName named
  putMVar goName ()
  check "a value whose name was interrupted is there" (named == 'x')

  unnamed <- withSpan (error "no name") (pure 'y')
  check "a name that throws does not make the program fail" (unnamed == 'y')

-- | A value that, when it is evaluated, signals that, and waits.
waits :: MVar () -> MVar () -> a -> a
waits begun go value = unsafePerformIO (putMVar begun () >> readMVar go) `seq` value
{-# NOINLINE waits #-}

-- | Evaluates the value in a thread that is killed once the evaluation has begun.
interruptOnce :: MVar () -> a -> IO ()
interruptOnce begun value = do
  ended <- newEmptyMVar
  thread <- forkIO ((void (evaluate value) >> pure False) `catch` killed >>= putMVar ended)
  takeMVar begun
  killThread thread
  wasKilled <- takeMVar ended
  check "it was interrupted" wasKilled
  where
    killed exception = pure (exception == ThreadKilled)
