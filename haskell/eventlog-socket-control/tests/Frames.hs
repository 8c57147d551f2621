{-# LANGUAGE OverloadedStrings #-}

-- | The frames, byte for byte.
module Main (main) where

import Control.Exception (Exception, evaluate, try)
import Control.Monad (unless)
import Data.Binary (decodeOrFail)
import qualified Data.ByteString as Strict
import qualified Data.ByteString.Lazy as Lazy
import Data.IORef (IORef, modifyIORef', newIORef, readIORef)
import Data.Text (Text)
import qualified Data.Text as Text
import Data.Word (Word8)
import System.Exit (exitFailure)

import GHC.Eventlog.Socket.Control
import GHC.Eventlog.Socket.Control.Legacy
import GHC.Eventlog.Socket.Control.Rts

main :: IO ()
main = do
  failures <- newIORef (0 :: Int)
  written failures
  readBack failures
  refused failures
  names failures
  count <- readIORef failures
  unless (count == 0) exitFailure

-- "eventlog-socket" in ASCII.
builtin :: [Word8]
builtin =
  [0x65, 0x76, 0x65, 0x6E, 0x74, 0x6C, 0x6F, 0x67]
    ++ [0x2D]
    ++ [0x73, 0x6F, 0x63, 0x6B, 0x65, 0x74]

start :: [Word8]
start = [0xF0, 0x9E, 0x97, 0x8C, 0x00]

written :: IORef Int -> IO ()
written failures = do
  let is label command bytes = do
        expect failures (label ++ ", strict") (Strict.unpack (encodeStrict command)) bytes
        expect failures (label ++ ", lazy") (Lazy.unpack (encodeLazy command)) bytes
  is "startProfiling" startProfiling (start ++ 0x0F : builtin ++ [1])
  is "stopProfiling" stopProfiling (start ++ 0x0F : builtin ++ [2])
  is "startHeapProfiling" startHeapProfiling (start ++ 0x0F : builtin ++ [3])
  is "stopHeapProfiling" stopHeapProfiling (start ++ 0x0F : builtin ++ [4])
  is "requestHeapCensus" requestHeapCensus (start ++ 0x0F : builtin ++ [5])
  let rts = builtin ++ [0x2D, 0x72, 0x74, 0x73]
  is "flush" flush (start ++ 0x13 : rts ++ [1])
  is "sync" sync (start ++ 0x13 : rts ++ [2])
  sequence_
    [ do
        is ("start " ++ show events) (startEvents events) (start ++ 0x13 : rts ++ [number])
        is ("stop " ++ show events) (stopEvents events) (start ++ 0x13 : rts ++ [number + 1])
    | (events, number) <-
        [ (Scheduler, 6)
        , (Gc, 8)
        , (NonmovingGc, 10)
        , (SparkSampled, 12)
        , (SparkFull, 14)
        , (User, 16)
        , (Capability, 18)
        ]
    ]
  is "a program's" (userCommand "ab" (CommandId 0xFE)) (start ++ [0x02, 0x61, 0x62, 0xFE])
  is "not ASCII" (userCommand "\xFC" (CommandId 0)) (start ++ [0x02, 0xC3, 0xBC, 0x00])
  let legacy command = Strict.unpack (encodeLegacy command)
  expect failures "the first generation" (map legacy [minBound ..]) $
    map ([0x47, 0x43, 0x54, 0x4C] ++) [[1], [2], [3]]

readBack :: IORef Int -> IO ()
readBack failures =
  sequence_
    [ expect failures (show command) (decoded (Lazy.unpack frame)) (Right (command, 0))
    | size <- [1, 2, 15, 254, 255]
    , number <- [0 .. 255]
    , let command = userCommand (userNamespace (Text.replicate size "n")) (CommandId number)
          frame = encodeLazy command
    ]

refused :: IORef Int -> IO ()
refused failures = do
  let fails label = expect failures label True . either (const True) (const False) . decoded
      frame = Lazy.unpack (encodeLazy requestHeapCensus)
  sequence_
    [ fails ("version " ++ show version) (take 4 frame ++ version : drop 5 frame)
    | version <- [1 .. 255]
    ]
  sequence_
    [ fails ("the first " ++ show size ++ " bytes") (take size frame)
    | size <- [0 .. length frame - 1]
    ]
  sequence_
    [ fails ("byte " ++ show at) (take at frame ++ (frame !! at + 1) : drop (at + 1) frame)
    | at <- [0 .. 3]
    ]
  fails "an empty namespace" (start ++ [0x00, 0x01])
  expect failures "more than a frame" (decoded (frame ++ [1, 2, 3])) (Right (requestHeapCensus, 3))

names :: IORef Int -> IO ()
names failures = do
  let throws label expected name = do
        result <- try (evaluate (userNamespace name))
        expect failures label (either Just (const Nothing) result) (Just expected)
      isFine label name = do
        result <- try (evaluate (userNamespace name)) :: IO (Either NamespaceTooLongError Namespace)
        expect failures label (either (const False) (const True) result) True
  isFine "255 bytes" (Text.replicate 255 "n")
  isFine "an extension of the library's name" "eventlog-socket-more"
  isFine "a prefix of the library's name" "eventlog"
  let tooLong (NamespaceTooLongError _) = ()
  throwsWith failures "256 bytes" (Text.replicate 256 "n") tooLong
  throwsWith failures "256 bytes of 128 letters" (Text.replicate 128 "\xFC") tooLong
  throwsWith failures "the library's name" "eventlog-socket" (\(NamespaceReservedError _) -> ())
  throws "no name" NamespaceEmptyError ""
  expect failures "a literal" ("ab" :: Namespace) (userNamespace "ab")
  expect failures "shown" (show (userNamespace "ab")) "\"ab\""
  expect failures "versions" [protocolVersion, minProtocolVersion] (replicate 2 (ProtocolVersion 0))

throwsWith :: Exception problem => IORef Int -> String -> Text -> (problem -> ()) -> IO ()
throwsWith failures label name seen = do
  result <- try (evaluate (userNamespace name))
  expect failures label (either (Just . seen) (const Nothing) result) (Just ())

-- The command and how many bytes are left.
decoded :: [Word8] -> Either String (Command, Int)
decoded bytes = case decodeOrFail (Lazy.pack bytes) of
  Left (_, _, reason) -> Left reason
  Right (rest, _, command) -> Right (command, fromIntegral (Lazy.length rest))

expect :: (Eq a, Show a) => IORef Int -> String -> a -> a -> IO ()
expect failures label got wanted =
  unless (got == wanted) $ do
    putStrLn (label ++ ":\n  got    " ++ show got ++ "\n  wanted " ++ show wanted)
    modifyIORef' failures (+ 1)
