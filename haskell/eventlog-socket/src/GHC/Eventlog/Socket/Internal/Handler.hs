-- | Haskell code that C calls.
module GHC.Eventlog.Socket.Internal.Handler
  ( guarded
  , registering
  ) where

import Control.Exception
  ( SomeException (..)
  , catch
  , displayException
  , evaluate
  , mask_
  , try
  )
import Control.Monad (unless)
import Debug.Trace (traceEventIO)
import Foreign.Ptr (FunPtr, freeHaskellFunPtr)

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

-- | Make a function pointer and hand it over. C keeps it for as long as the process
-- lives if that succeeds, so nothing may come between the call and the decision.
registering
  :: IO (FunPtr handler)
  -> (FunPtr handler -> IO ((), Status))
  -> (Status -> IO ())
  -> IO ()
registering make register failed = mask_ $ do
  handler <- make
  ((), status) <- register handler
  unless (statusCode status == Ok) $ do
    freeHaskellFunPtr handler
    failed status
