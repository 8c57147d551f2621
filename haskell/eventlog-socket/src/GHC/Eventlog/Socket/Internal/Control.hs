-- | Commands of a program's own, which clients send.
module GHC.Eventlog.Socket.Internal.Control
  ( Namespace
  , CommandId (..)
  , CommandHandler
  , namespaceName
  , registerNamespace
  , registerCommand
  , EventlogSocketControlError (..)
  ) where

import Control.Exception (Exception (..), throwIO)
import Data.Word (Word8)
import Foreign.Marshal (alloca)
import Foreign.Ptr (Ptr, nullPtr)
import Foreign.Storable (peek)
import qualified GHC.Foreign as Encoded
import System.IO (TextEncoding, mkTextEncoding)

import GHC.Eventlog.Socket.Internal.Foreign
import GHC.Eventlog.Socket.Internal.Handler
import GHC.Eventlog.Socket.Internal.Status

-- | A namespace of commands. It is never freed.
newtype Namespace = Namespace (Ptr RawNamespace)

-- | A command's number in its namespace. Every number may be used.
newtype CommandId = CommandId Word8
  deriving (Eq, Show)

-- | The action for a command. It is called as a
-- 'GHC.Eventlog.Socket.HookHandler' is, in the order in which commands arrived. An
-- exception that escapes it becomes the user event
-- @eventlog-socket: the handler of NAMESPACE\/ID failed: REASON@.
type CommandHandler = IO ()

-- | The name with which a namespace was made.
namespaceName :: Namespace -> IO String
namespaceName (Namespace pointer) = do
  name <- c_strnamespace pointer
  if name == nullPtr
    then throwStatus invalidArgument
    else utf8 >>= \encoding -> Encoded.peekCString encoding name

-- | Make a namespace. Its name has 1 to 255 bytes in UTF-8, and no NUL among them. Use the
-- name of the Haskell package that registers the commands.
--
-- Throws an 'EventlogSocketControlError': it is too long, there is one of this name
-- already (@eventlog-socket@ and @eventlog-socket-rts@ are the library's own), or the
-- program is not linked with @-threaded@. Throws a 'userError' if the name is not valid.
registerNamespace :: String -> IO Namespace
registerNamespace name = do
  encoding <- utf8
  Encoded.withCStringLen encoding name $ \(bytes, size) ->
    if size > longest
      then throwIO (EventlogSocketControlNamespaceTooLong name size longest)
      else alloca $ \out -> do
        ((), status) <-
          withStatus (c_register_namespace (fromIntegral size) bytes out)
        case statusCode status of
          Ok -> Namespace <$> peek out
          CtlNoSupport -> throwIO EventlogSocketControlUnsupported
          CtlExists -> throwIO (EventlogSocketControlNamespaceExists name)
          _ -> throwStatus status
  where
    longest = fromIntegral (maxBound :: Word8)

-- | Register the handler of a command. It cannot be removed again, and is never freed.
--
-- Throws an 'EventlogSocketControlError': the command is handled already, or the
-- program is not linked with @-threaded@.
registerCommand :: Namespace -> CommandId -> CommandHandler -> IO ()
registerCommand namespace@(Namespace pointer) command@(CommandId number) handler =
  registering
    (guarded called handler)
    (\stored -> withStatus (c_register_command pointer number commandHandler stored))
    $ \status -> case statusCode status of
      CtlNoSupport -> throwIO EventlogSocketControlUnsupported
      CtlExists -> do
        name <- namespaceName namespace
        throwIO (EventlogSocketControlCommandExists name command)
      _ -> throwStatus status
  where
    called = (++ "/" ++ show number) <$> namespaceName namespace

-- | Why a namespace or a command cannot be registered.
data EventlogSocketControlError
  = -- | The name, its bytes, and how many it may have.
    EventlogSocketControlNamespaceTooLong String Int Int
  | -- | The name.
    EventlogSocketControlNamespaceExists String
  | -- | The namespace's name, and the command.
    EventlogSocketControlCommandExists String CommandId
  | -- | The program is not linked with @-threaded@.
    EventlogSocketControlUnsupported
  deriving (Eq, Show)

instance Exception EventlogSocketControlError where
  displayException problem = case problem of
    EventlogSocketControlNamespaceTooLong name size longest ->
      "the namespace " ++ show name ++ " has " ++ show size ++ " bytes, of at most " ++ show longest
    EventlogSocketControlNamespaceExists name ->
      "there is a namespace " ++ show name ++ " already"
    EventlogSocketControlCommandExists name (CommandId number) ->
      "command " ++ show number ++ " of " ++ show name ++ " is handled already"
    EventlogSocketControlUnsupported ->
      "commands of its own need a program linked with -threaded"

-- Clients write names in UTF-8, whatever the locale of this program. Bytes that are not
-- valid UTF-8 are preserved, as in paths.
utf8 :: IO TextEncoding
utf8 = mkTextEncoding "UTF-8//ROUNDTRIP"
