{-# LANGUAGE PatternSynonyms #-}

-- | Statuses of the C library, and the exceptions they become.
module GHC.Eventlog.Socket.Internal.Status
  ( Status (..)
  , Code
      ( Ok
      , EnvNoAddr
      , EnvTooLong
      , EnvNoHost
      , EnvNoPort
      , CtlNoSupport
      , CtlExists
      , Sys
      )
  , invalidArgument
  , withStatus
  , check
  , throwStatus
  ) where

import Control.Exception (throwIO)
import Control.Monad (unless)
import Foreign.C (CInt, Errno (..), eINVAL)
import Foreign.Marshal (allocaArray, free)
import Foreign.Ptr (Ptr, nullPtr)
import Foreign.Storable (peekElemOff)
import qualified GHC.Foreign as Encoded
import GHC.IO.Encoding (getFileSystemEncoding)
import GHC.IO.Exception (IOErrorType (UserError), IOException (..))

import GHC.Eventlog.Socket.Internal.Foreign (c_strerror)

-- | @EventlogSocketStatusCode@. Codes that need no distinction here have no name.
newtype Code = Code CInt
  deriving (Eq)

pattern Ok, EnvNoAddr, EnvTooLong, EnvNoHost, EnvNoPort :: Code
pattern Ok = Code 0
pattern EnvNoAddr = Code 3
pattern EnvTooLong = Code 4
pattern EnvNoHost = Code 5
pattern EnvNoPort = Code 6

pattern CtlNoSupport, CtlExists, Sys :: Code
pattern CtlNoSupport = Code 7
pattern CtlExists = Code 8
pattern Sys = Code 10

-- | @EventlogSocketStatus@.
data Status = Status
  { statusCode :: Code
  , statusError :: CInt
  -- ^ Its meaning depends on the code; with 'Sys', errno.
  }

-- | The status that C would return for an argument that cannot be passed to it.
invalidArgument :: Status
invalidArgument = let Errno number = eINVAL in Status Sys number

-- | Call a function that stores its status.
withStatus :: (Ptr CInt -> IO a) -> IO (a, Status)
withStatus call =
  allocaArray 2 $ \out -> do
    result <- call out
    status <- Status . Code <$> peekElemOff out 0 <*> peekElemOff out 1
    pure (result, status)

-- | The same, with an exception for everything but success.
check :: (Ptr CInt -> IO a) -> IO a
check call = do
  (result, status) <- withStatus call
  unless (statusCode status == Ok) $ throwStatus status
  pure result

-- | A 'userError' with the text of @eventlog_socket_strerror@. If a system call
-- failed, 'ioe_errno' is its errno.
throwStatus :: Status -> IO a
throwStatus (Status code@(Code number) detail) = do
  text <- c_strerror number detail
  description <-
    if text == nullPtr
      then pure "out of memory"
      else do
        encoding <- getFileSystemEncoding
        Encoded.peekCString encoding text <* free text
  throwIO
    IOError
      { ioe_handle = Nothing
      , ioe_type = UserError
      , ioe_location = ""
      , ioe_description = description
      , ioe_errno = if code == Sys then Just detail else Nothing
      , ioe_filename = Nothing
      }
