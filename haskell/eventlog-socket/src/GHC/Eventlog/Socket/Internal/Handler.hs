-- | Haskell handlers of hooks and commands.
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
      -- The text can be of any length, and its evaluation can fail.
      reason <- try (evaluate (forced (take 1000 (displayException problem))))
      traceEventIO $
        "eventlog-socket: the handler of " ++ called ++ " failed: " ++ either unknown id reason
    forced text = foldr seq text text
    unknown :: SomeException -> String
    unknown _ = "an exception that cannot be shown"
    ignore :: SomeException -> IO ()
    ignore _ = pure ()

-- | Register a handler, as data of 'hookHandler' or 'commandHandler'. If that succeeds, C
-- keeps it until the process ends, so exceptions are masked between the call and the check
-- of its status.
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

-- | The function that C calls for a hook. Its data is the handler.
hookHandler :: FunPtr RawHookHandler
hookHandler = unsafePerformIO (newHookHandler runStored)
{-# NOINLINE hookHandler #-}

-- | The function that C calls for a command.
commandHandler :: FunPtr RawCommandHandler
commandHandler = unsafePerformIO (newCommandHandler (\_ _ stored -> runStored stored))
{-# NOINLINE commandHandler #-}

runStored :: Ptr () -> IO ()
runStored stored = join (deRefStablePtr (castPtrToStablePtr stored))

-- | If no thread of the C library may enter this runtime, start a Haskell thread that
-- fetches the handlers that are due. It calls Haskell handlers directly, so that it is ended
-- in them like any other thread when the program exits. Handlers run with exceptions
-- unmasked, as on a thread of the C library, even if the caller has masked them.
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

-- The process that has started such a thread.
lent :: MVar (Maybe CInt)
lent = unsafePerformIO (newMVar Nothing)
{-# NOINLINE lent #-}
