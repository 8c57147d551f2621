{-# LANGUAGE MagicHash, UnboxedTuples #-}
-- Floods the log with messages, some of them empty, some too long for the
-- runtime system, and, if asked for `raw`, some that are not UTF-8.
--
--   Messages COUNT utf8|raw
module Main (main) where

import Control.Monad
import Debug.Trace (traceEventIO, traceMarkerIO)
import GHC.Exts (traceEvent#)
import GHC.IO (IO (..))
import System.Environment (getArgs)

-- The bytes as they are, encoded in no way at all.
latin1 :: IO ()
latin1 = IO (\s -> case traceEvent# "caf\xe9"# s of s' -> (# s', () #))

main :: IO ()
main = do
  [number, how] <- getArgs
  let count = read number
  forM_ [1 .. count :: Int] $ \i -> do
    traceEventIO ("message " ++ show i)
    when (i `mod` 100 == 0) (traceMarkerIO ("marker " ++ show i))
    when (i `mod` 250 == 0) (traceEventIO "caf\233 \955 \128512" >> when (how == "raw") latin1)
    when (i `mod` 500 == 0) (traceEventIO "")
    when (i `mod` 999 == 0) (traceMarkerIO (replicate 60000 'x'))
    when (i == 2000) (traceMarkerIO (replicate 70000 'y'))
