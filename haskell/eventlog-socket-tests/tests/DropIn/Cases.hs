{-# OPTIONS_GHC -Wall -Werror #-}

-- | A program of 0.1.3 that matches on every constructor there was.
module DropIn.Cases (found, refused, called) where

import GHC.Eventlog.Socket
  ( EventlogSocketAddr (..)
  , EventlogSocketAddrError (..)
  , EventlogSocketControlError (..)
  , EventlogSocketOpts (..)
  , Hook (..)
  , defaultEventlogSocketOpts
  , fromEnv
  )
import GHC.Eventlog.Socket (CommandId (..))

found :: IO String
found = do
  address <- fromEnv
  pure $ case address of
    Just (EventlogSocketUnixAddr path, _) -> path
    Just (EventlogSocketInetAddr host port, _) -> host ++ ":" ++ port
    Nothing -> show (esoWait defaultEventlogSocketOpts)

refused :: Either EventlogSocketAddrError EventlogSocketControlError -> String
refused problem = case problem of
  Left (EventlogSocketAddrUnixPathTooLong path) -> path
  Left (EventlogSocketAddrInetHostMissing port) -> port
  Left (EventlogSocketAddrInetPortMissing host) -> host
  Right (EventlogSocketControlNamespaceTooLong name size longest) -> name ++ show (size, longest)
  Right (EventlogSocketControlNamespaceExists name) -> name
  Right (EventlogSocketControlCommandExists name (CommandId number)) -> name ++ show number
  Right EventlogSocketControlUnsupported -> "unsupported"

called :: Hook -> String
called hook = case hook of
  HookPostStartEventLogging -> "start"
  HookPreEndEventLogging -> "end"
