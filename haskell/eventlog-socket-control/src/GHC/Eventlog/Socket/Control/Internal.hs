-- | The type of commands, for all modules of this package.
module GHC.Eventlog.Socket.Control.Internal
  ( Command (..)
  , CommandId (..)
  , Namespace (..)
  , builtin
  , reserved
  , userNamespace
  , longest
  , NamespaceReservedError (..)
  , NamespaceTooLongError (..)
  , NamespaceEmptyError (..)
  , ProtocolVersion (..)
  , protocolVersion
  , minProtocolVersion
  , ProtocolVersionNotSupportedError (..)
  ) where

import Control.Exception (Exception (..), throw)
import Control.Monad (unless, when)
import Data.Binary (Binary (..), Word8, getWord8, putWord8)
import Data.Binary.Get (getByteString)
import Data.Binary.Put (putByteString)
import Data.ByteString (ByteString)
import qualified Data.ByteString as ByteString
import Data.String (IsString (..))
import Data.Text (Text)
import qualified Data.Text as Text
import qualified Data.Text.Encoding as Text
import qualified Data.Text.Encoding.Error as Text

-- | A version of the protocol.
newtype ProtocolVersion = ProtocolVersion Word8
  deriving (Eq, Ord, Show)

-- | The version that is written: 0.
protocolVersion :: ProtocolVersion
protocolVersion = ProtocolVersion 0

-- | The oldest version that is read: 0.
minProtocolVersion :: ProtocolVersion
minProtocolVersion = ProtocolVersion 0

-- | A frame has a version that is not read. Decoding fails with its text.
newtype ProtocolVersionNotSupportedError = ProtocolVersionNotSupportedError ProtocolVersion
  deriving (Eq, Show)

instance Exception ProtocolVersionNotSupportedError where
  displayException (ProtocolVersionNotSupportedError (ProtocolVersion version)) =
    "control protocol version " ++ show version ++ " is not supported"

-- | A namespace of commands: 1 to 255 bytes. As a string literal it is made by
-- 'GHC.Eventlog.Socket.Control.userNamespace'.
newtype Namespace = Namespace ByteString
  deriving (Eq, Ord)

instance Show Namespace where
  show (Namespace bytes) = show (Text.decodeUtf8With Text.lenientDecode bytes)

instance IsString Namespace where
  fromString = userNamespace . Text.pack

-- | The namespace of the commands that every version of the library has.
reserved :: Namespace
reserved = Namespace (Text.encodeUtf8 (Text.pack "eventlog-socket"))

-- | The most bytes of a name.
longest :: Int
longest = fromIntegral (maxBound :: Word8)

-- | The namespace of this name, which is sent in UTF-8. Throws, when it is evaluated, a
-- t'NamespaceReservedError' for @eventlog-socket@, a t'NamespaceTooLongError', or a
-- t'NamespaceEmptyError'.
userNamespace :: Text -> Namespace
userNamespace name
  | namespace == reserved = throw (NamespaceReservedError namespace)
  | ByteString.length bytes > longest = throw (NamespaceTooLongError namespace)
  | ByteString.null bytes = throw NamespaceEmptyError
  | otherwise = namespace
  where
    bytes = Text.encodeUtf8 name
    namespace = Namespace bytes

-- | The name is the library's own.
newtype NamespaceReservedError = NamespaceReservedError Namespace
  deriving (Eq, Show)

instance Exception NamespaceReservedError where
  displayException (NamespaceReservedError namespace) =
    "the namespace " ++ show namespace ++ " is the library's own"

-- | The name has more than 255 bytes.
newtype NamespaceTooLongError = NamespaceTooLongError Namespace
  deriving (Eq, Show)

instance Exception NamespaceTooLongError where
  displayException (NamespaceTooLongError namespace@(Namespace bytes)) =
    "the namespace "
      ++ show namespace
      ++ " has "
      ++ show (ByteString.length bytes)
      ++ " bytes, of at most "
      ++ show longest

-- | The name is empty.
data NamespaceEmptyError = NamespaceEmptyError
  deriving (Eq, Show)

instance Exception NamespaceEmptyError where
  displayException NamespaceEmptyError = "a namespace cannot be empty"

-- | A command's number in its namespace.
newtype CommandId = CommandId Word8
  deriving (Eq, Ord, Show)

-- | A command. Its 'Binary' instance writes and reads one frame; reading fails if the bytes
-- are not a frame, or have a protocol version that is not supported.
data Command = Command Namespace CommandId
  deriving (Eq, Ord, Show)

-- | A command of the namespace that every version of the library has.
builtin :: Word8 -> Command
builtin = Command reserved . CommandId

instance Binary Command where
  put (Command (Namespace name) (CommandId number)) = do
    putByteString magic
    let ProtocolVersion version = protocolVersion
    putWord8 version
    putWord8 (fromIntegral (ByteString.length name))
    putByteString name
    putWord8 number

  get = do
    start <- getByteString (ByteString.length magic)
    unless (start == magic) $ fail "not a control command"
    version <- ProtocolVersion <$> getWord8
    unless (minProtocolVersion <= version && version <= protocolVersion) $
      fail (displayException (ProtocolVersionNotSupportedError version))
    size <- getWord8
    when (size == 0) $ fail "a control command with an empty namespace"
    name <- getByteString (fromIntegral size)
    Command (Namespace name) . CommandId <$> getWord8

magic :: ByteString
magic = ByteString.pack [0xF0, 0x9E, 0x97, 0x8C]
