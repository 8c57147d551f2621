{-# OPTIONS_GHC -Wall -Werror -Wno-orphans #-}

-- | A program of 0.1.3 that puts commands into a set, and so has the instance for it that
-- the package did not have.
module DropIn.Instances (numbers) where

import qualified Data.Set as Set
import GHC.Eventlog.Socket

instance Ord CommandId where
  compare (CommandId one) (CommandId other) = compare one other

numbers :: [CommandId]
numbers = Set.toList (Set.fromList [CommandId 2, CommandId 1, CommandId 2])
