{-# LANGUAGE MagicHash #-}
-- The rest of the program yields wherever it is asked to.
{-# OPTIONS_GHC -fomit-yields #-}

-- | A loop that allocates nothing, and so stops for nobody.
module Spin (spin) where

import Control.Exception (evaluate)
import Control.Monad (void)
import GHC.Exts (Int (..), Int#, (-#))

spin :: Int -> IO ()
spin (I# count) = void (evaluate (I# (down count)))
{-# NOINLINE spin #-}

down :: Int# -> Int#
down 0# = 0#
down n = down (n -# 1#)
