-- The smallest log that has every kind of block.
module Main (main) where

import Debug.Trace (traceEventIO, traceMarkerIO)

main :: IO ()
main = traceMarkerIO "begin" >> traceEventIO "hello" >> traceMarkerIO "end"
