-- | Haskell code that is called when something has happened.
module GHC.Eventlog.Socket.Internal.Handler
  ( guarded
  , registering
  , hookHandler
  , commandHandler
  , lendThread
  ) where

import Control.Concurrent (MVar, forkIOWithUnmask, modifyMVar_, newMVar)
import Control.Exception
  ( SomeException (..)
  , catch
  , displayException
  , evaluate
  , mask_
  , try
  )
import Control.Monad (forever, join, unless, void, when)
import Debug.Trace (traceEventIO)
import Foreign.C (CInt (..))
import Foreign.Marshal (allocaArray)
import Foreign.Ptr (FunPtr, Ptr, castPtr, castPtrToFunPtr, nullPtr, ptrToIntPtr)
import Foreign.StablePtr (castPtrToStablePtr, castStablePtrToPtr, deRefStablePtr, freeStablePtr, newStablePtr)
import Foreign.Storable (peekElemOff)
import System.IO.Unsafe (unsafePerformIO)

import GHC.Eventlog.Socket.Internal.Foreign
import GHC.Eventlog.Socket.Internal.Status

-- | Run a handler. An exception that escaped into C would end the program, so it
-- becomes a user event.
guarded :: IO String -> IO () -> IO ()
guarded name handler = handler `catch` \problem -> report problem `catch` ignore
  where
    report (SomeException problem) = do
      called <- name
      -- It can be of any length, and fail itself.
      reason <- try (evaluate (forced (take 1000 (displayException problem))))
      traceEventIO $
        "eventlog-socket: the handler of " ++ called ++ " failed: " ++ either unknown id reason
    forced text = foldr seq text text
    unknown :: SomeException -> String
    unknown _ = "an exception that cannot be shown"
    ignore :: SomeException -> IO ()
    ignore _ = pure ()

-- | Hand over a handler, as data of 'hookHandler' or 'commandHandler'. C keeps it for as
-- long as the process lives if that succeeds, so nothing may come between the call and
-- the decision.
registering
  :: IO ()
  -> (Ptr () -> IO ((), Status))
  -> (Status -> IO ())
  -> IO ()
registering handler register failed = mask_ $ do
  lendThread
  stored <- newStablePtr handler
  ((), status) <- register (castStablePtrToPtr stored)
  unless (statusCode status == Ok) $ do
    freeStablePtr stored
    failed status

-- | What C calls for a hook. Its data is the handler.
hookHandler :: FunPtr RawHookHandler
hookHandler = unsafePerformIO (newHookHandler runStored)
{-# NOINLINE hookHandler #-}

-- | What C calls for a command.
commandHandler :: FunPtr RawCommandHandler
commandHandler = unsafePerformIO (newCommandHandler (\_ _ stored -> runStored stored))
{-# NOINLINE commandHandler #-}

runStored :: Ptr () -> IO ()
runStored stored = join (deRefStablePtr (castPtrToStablePtr stored))

-- | Where no thread of the C library may enter this runtime, have one of Haskell's fetch
-- the handlers that are due. Those of Haskell it calls itself: when the program exits, it
-- is ended in them as any thread is. They are called as on a thread of C's: whoever asks
-- for it may have exceptions masked, handlers do not.
lendThread :: IO ()
lendThread = c_getpid >>= \self -> modifyMVar_ lent $ \already ->
  -- In a child of forkProcess there is no such thread.
  if already == Just self
    then pure already
    else do
      needed <- (/= 0) <$> c_needs_thread
      when needed $ void $ forkIOWithUnmask $ \unmask -> allocaArray 4 $ \call -> forever $ unmask $ do
        c_next call
        handler <- peekElemOff call 0
        stored <- peekElemOff call 1
        namespace <- peekElemOff call 2
        number <- fromIntegral . ptrToIntPtr <$> peekElemOff call 3
        if castPtrToFunPtr handler == hookHandler || castPtrToFunPtr handler == commandHandler
          then runStored stored
          else
            if namespace == nullPtr
              then callHookHandler (castPtrToFunPtr handler) stored
              else callCommandHandler (castPtrToFunPtr handler) (castPtr namespace) number stored
      pure (if needed then Just self else Nothing)

foreign import ccall unsafe "getpid" c_getpid :: IO CInt

-- The process that has lent one.
lent :: MVar (Maybe CInt)
lent = unsafePerformIO (newMVar Nothing)
{-# NOINLINE lent #-}
