-- | Programs that were written for 0.1.3. Most of the test is that they compile.
module Main (main) where

import GHC.Eventlog.Socket

import DropIn.Cases
import DropIn.Instances
import DropIn.Own
import Expect

main :: IO ()
main = withFailures $ \failures -> do
  own >>= expect failures "names of its own" ["n=3", "n=4", "set", "start"] . take 4
  found >>= expect failures "no address" "False"
  expect failures "errors" (refused (Right EventlogSocketControlUnsupported)) "unsupported"
  expect failures "hooks" (called HookPreEndEventLogging) "end"
  expect failures "commands" numbers [CommandId 1, CommandId 2]
