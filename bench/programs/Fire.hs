{-# LANGUAGE MagicHash #-}
{-# LANGUAGE UnboxedTuples #-}

-- | Only events: the cost of an event.
module Fire (fire) where

import GHC.Exts
import GHC.IO (IO (..))

-- | Logs this many events of 44 bytes: type 2, time 8, length 2, text 32.
fire :: Int -> IO ()
fire (I# count) = IO (\state -> (# go count state, () #))
  where
    go 0# state = state
    go left state =
      go (left -# 1#) (traceEvent# "0123456789abcdef0123456789abcdef"# state)
