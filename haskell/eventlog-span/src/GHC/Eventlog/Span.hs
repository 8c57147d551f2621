{-# LANGUAGE MagicHash #-}
{-# LANGUAGE UnboxedTuples #-}

-- |
-- Module      : GHC.Eventlog.Span
-- Description : Mark how long something takes, in the eventlog
-- Copyright   : (c) The authors of eventlog-socket
-- License     : BSD-3-Clause
-- Stability   : stable
-- Portability : GHC
--
-- Marks in the eventlog that say when something began and when it ended:
--
-- > main = do
-- >   config <- withSpan "read the configuration" readConfig
-- >   withSpan "serve" (serve config)
--
-- A span is two user messages, @START name@ and @STOP name@, as @ghc-events-analyze@
-- defined them; @eventlog spans@ pairs them, per thread, and shows how often and how long.
--
-- == What they cost
--
-- While user events are not logged (no @+RTS -l@, or @-l-u@), a span costs one read of a flag
-- of the runtime: the name is not even evaluated. Otherwise the name is encoded once, and
-- each of the two messages is one event in the log.
--
-- Whether user events are logged is checked when a span begins, and remembered: a span whose
-- beginning was not logged has no end in the log, either.
--
-- == Names
--
-- Line feeds and other control characters become spaces, as each message is one line for
-- many tools. Halves of surrogate pairs become U+FFFD. A name is cut after 4096 bytes of
-- UTF-8, between two characters. An empty one becomes @(unnamed)@.
--
-- If the evaluation of a name throws, the span is called @(name failed)@ and the program
-- continues: its behaviour must not depend on whether events are logged.
--
-- A name that begins with a number and a space, as @\"3 request\"@, is a span @request@ with
-- the number 3, which distinguishes several of one name that are open in one thread.
--
-- All functions may be used by any number of threads at once.
module GHC.Eventlog.Span
  ( withSpan
  , traceSpan
  ) where

import Control.Concurrent (myThreadId, throwTo)
import Control.Exception
  ( SomeAsyncException (..)
  , SomeException
  , evaluate
  , fromException
  , mask
  , onException
  , throwIO
  , try
  )
import Control.Monad (zipWithM_)
import Data.Bits (shiftR, (.&.), (.|.))
import Data.Char (GeneralCategory (..), generalCategory, isControl, ord)
import Data.Word (Word8)
import Foreign.ForeignPtr (ForeignPtr, mallocForeignPtrBytes, withForeignPtr)
import Foreign.Marshal.Array (pokeArray)
import Foreign.Ptr (plusPtr)
import Foreign.Storable (pokeByteOff)
import GHC.Exts (Ptr (..), traceEvent#)
import GHC.IO (IO (..))
import GHC.RTS.Flags (getTraceFlags, user)
import System.IO.Unsafe (unsafePerformIO)

-- | Runs an action between the messages @START name@ and @STOP name@.
--
-- The second one is written however the action ends: also with an exception, also with one
-- that another thread throws to this one. Both are written by the thread that runs the
-- action, so spans nest as the calls do. (A thread that the action forks is not part of the
-- span.)
--
-- >>> withSpan "request" (pure 42)
-- 42
withSpan :: String -> IO a -> IO a
withSpan name action = do
  logged <- userEventsAreLogged
  if not logged
    then action
    else do
      message <- encode name
      -- Masked, so that no exception can separate the first message from the code that writes
      -- the second.
      mask $ \restore -> do
        start message
        result <- restore action `onException` stop message
        stop message
        pure result

-- | The same value, and the messages @START name@ and @STOP name@ around its evaluation to
-- weak head normal form: that is, to its outermost constructor. For all of a structure, force
-- it inside, as in @traceSpan "sort" (force (sort xs))@.
--
-- The messages are written when the value is needed, by the thread that evaluates it, and
-- once: a value that is evaluated already is not evaluated again. If it is never needed,
-- they are never written.
--
-- An evaluation that another thread interrupts (as 'System.Timeout.timeout' does) ends the
-- span. The next thread that needs the value resumes the evaluation, in a new span.
traceSpan :: String -> a -> a
traceSpan name value = unsafePerformIO evaluated
  where
    evaluated = do
      logged <- userEventsAreLogged
      if not logged
        then evaluate value
        else do
          message <- encode name
          result <- mask $ \restore -> do
            start message
            result <- try (restore (evaluate value))
            stop message
            pure result
          case result of
            Right evaluation -> pure evaluation
            Left exception
              | isAsynchronous exception -> interrupted exception >> evaluated
              | otherwise -> throwIO exception
{-# NOINLINE traceSpan #-}

isAsynchronous :: SomeException -> Bool
isAsynchronous exception = case fromException exception of
  Just (SomeAsyncException _) -> True
  Nothing -> False

-- | Throws an asynchronous exception again, in this thread.
--
-- With @throwIO@ inside a pure value, every later use of the value would throw the exception,
-- too. Thrown in this way it only interrupts the evaluation, which is resumed after this call.
interrupted :: SomeException -> IO ()
interrupted exception = do
  self <- myThreadId
  throwTo self exception

-- | According to @-l@, or to a later command through the eventlog's socket.
userEventsAreLogged :: IO Bool
userEventsAreLogged = user <$> getTraceFlags

-- | The bytes of @START name@, with a null at the end. @stop@ writes its own word over the
-- first one, so that the end of a span neither evaluates nor allocates anything.
newtype Message = Message (ForeignPtr Word8)

encode :: String -> IO Message
encode name = do
  -- Not masked: evaluating a name may never end.
  bytes <- evaluated
  let message = plain "START " ++ bytes ++ [0]
  place <- mallocForeignPtrBytes (length message)
  withForeignPtr place $ \at -> pokeArray at message
  pure (Message place)
  where
    plain = map (fromIntegral . ord)
    forced bytes = length bytes `seq` bytes
    evaluated = do
      encoded <- try (evaluate (forced (limited (concatMap encodeChar name))))
      case encoded of
        Right [] -> pure (plain "(unnamed)")
        Right bytes -> pure bytes
        Left exception
          | isAsynchronous exception -> interrupted exception >> evaluated
          | otherwise -> pure (plain "(name failed)")

start, stop :: Message -> IO ()
start (Message place) = withForeignPtr place traceEvent
stop (Message place) = withForeignPtr place $ \at -> do
  zipWithM_ (pokeByteOff at) [1 ..] ([0x53, 0x54, 0x4F, 0x50] :: [Word8]) -- STOP
  traceEvent (at `plusPtr` 1)

traceEvent :: Ptr Word8 -> IO ()
traceEvent (Ptr text) = IO $ \world -> case traceEvent# text world of
  after -> (# after, () #)

-- | The bytes of a character in UTF-8, never empty.
encodeChar :: Char -> [Word8]
encodeChar char
  | isControl char || separates = [0x20]
  | generalCategory char == Surrogate = [0xEF, 0xBF, 0xBD]
  | code < 0x80 = [fromIntegral code]
  | code < 0x800 = [0xC0 .|. bits 6, continued 0]
  | code < 0x10000 = [0xE0 .|. bits 12, continued 6, continued 0]
  | otherwise = [0xF0 .|. bits 18, continued 12, continued 6, continued 0]
  where
    code = ord char
    -- These characters also begin a new line.
    separates = generalCategory char `elem` [LineSeparator, ParagraphSeparator]
    bits by = fromIntegral (code `shiftR` by)
    continued by = 0x80 .|. (bits by .&. 0x3F)

-- | At most 4096 bytes, and no part of a character.
limited :: [Word8] -> [Word8]
limited bytes = case splitAt 4096 bytes of
  (whole, next : _) | continues next -> dropEnd whole
  (whole, _) -> whole
  where
    continues byte = byte .&. 0xC0 == 0x80
    dropEnd = reverse . drop 1 . dropWhile continues . reverse
