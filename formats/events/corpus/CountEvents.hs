-- Counts the events of a log with the ghc-events library, incrementally. The
-- Rust decoder's counts and speed are compared with this. Block markers are not
-- counted. Prints the count, and the error that stopped it if there was one.
module Main (main) where

import qualified Data.ByteString as B
import GHC.RTS.Events (Event (..), EventInfo (..), Header)
import GHC.RTS.Events.Incremental
import System.Environment (getArgs)
import System.IO

readSize :: Int
readSize = 64 * 1024

header :: Handle -> Decoder Header -> IO (Either String (Header, B.ByteString))
header h d = case d of
  Consume k -> do
    bytes <- B.hGetSome h readSize
    if B.null bytes then pure (Left "header incomplete") else header h (k bytes)
  Produce x (Done rest) -> pure (Right (x, rest))
  Produce x (Error rest _) -> pure (Right (x, rest))
  Produce x (Consume _) -> pure (Right (x, B.empty))
  Produce x (Produce _ _) -> pure (Right (x, B.empty))
  Done _ -> pure (Left "no header")
  Error _ e -> pure (Left e)

events :: Handle -> Int -> Decoder Event -> IO (Int, Maybe String)
events h n d = n `seq` case d of
  Consume k -> do
    bytes <- B.hGetSome h readSize
    if B.null bytes then pure (n, Nothing) else events h n (k bytes)
  Produce e d' -> case evSpec e of
    EventBlock {} -> events h n d'
    _ -> evTime e `seq` events h (n + 1) d'
  Done _ -> pure (n, Nothing)
  Error _ e -> pure (n, Just e)

main :: IO ()
main = do
  [path] <- getArgs
  h <- openBinaryFile path ReadMode
  found <- header h decodeHeader
  case found of
    Left e -> putStrLn ("0 fault: " ++ e)
    Right (hdr, rest) -> do
      let start = case decodeEvents hdr of
            Consume k | not (B.null rest) -> k rest
            d -> d
      (n, fault) <- events h 0 start
      putStrLn (show n ++ maybe "" (" fault: " ++) fault)
