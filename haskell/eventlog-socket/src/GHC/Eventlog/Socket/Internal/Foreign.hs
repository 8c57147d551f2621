-- | The C functions of @cbits/eventlog_socket_hs.c@, one import each.
--
-- Every import is @safe@: most of these functions wait, and some of them call back
-- into the runtime or into Haskell handlers.
module GHC.Eventlog.Socket.Internal.Foreign
  ( -- * Status
    c_strerror

    -- * Start
  , c_opts_defaults
  , c_start
  , c_from_env
  , c_addr_free
  , c_wait
  , c_worker_status
  , c_control_status

    -- * Hooks and commands
  , RawHookHandler
  , newHookHandler
  , callHookHandler
  , c_register_hook
  , RawNamespace
  , RawCommandHandler
  , newCommandHandler
  , callCommandHandler
  , c_strnamespace
  , c_register_namespace
  , c_register_command
  , c_needs_thread
  , c_next

    -- * Tuning and statistics
  , c_tuning_defaults
  , c_set_tuning
  , c_set_ring_file
  , c_stats
  ) where

import Data.Word (Word32, Word64, Word8)
import Foreign.C (CInt (..), CString)
import Foreign.Ptr (FunPtr, Ptr)

foreign import ccall safe "eventlog_socket_hs_strerror"
  c_strerror :: CInt -> CInt -> IO CString

foreign import ccall safe "eventlog_socket_hs_opts_defaults"
  c_opts_defaults :: Ptr CInt -> IO ()

foreign import ccall safe "eventlog_socket_hs_start"
  c_start :: CInt -> CString -> CString -> Ptr CInt -> Ptr CInt -> IO ()

foreign import ccall safe "eventlog_socket_hs_from_env"
  c_from_env :: Ptr CInt -> Ptr CString -> Ptr CInt -> Ptr CInt -> IO ()

foreign import ccall safe "eventlog_socket_hs_addr_free"
  c_addr_free :: CInt -> Ptr CString -> IO ()

foreign import ccall safe "eventlog_socket_hs_wait"
  c_wait :: Ptr Word64 -> Word32 -> Ptr CInt -> IO ()

foreign import ccall safe "eventlog_socket_hs_worker_status"
  c_worker_status :: Ptr CInt -> IO ()

foreign import ccall safe "eventlog_socket_hs_control_status"
  c_control_status :: Ptr CInt -> IO ()

-- | The argument is the @hook_data@ of C.
type RawHookHandler = Ptr () -> IO ()

foreign import ccall "wrapper"
  newHookHandler :: RawHookHandler -> IO (FunPtr RawHookHandler)

foreign import ccall safe "dynamic"
  callHookHandler :: FunPtr RawHookHandler -> RawHookHandler

foreign import ccall safe "eventlog_socket_hs_register_hook"
  c_register_hook :: Word32 -> FunPtr RawHookHandler -> Ptr () -> Ptr CInt -> IO ()

-- | @EventlogSocketControlNamespace@.
data RawNamespace

-- | Namespace, command, and the @command_data@ of C.
type RawCommandHandler = Ptr RawNamespace -> Word8 -> Ptr () -> IO ()

foreign import ccall "wrapper"
  newCommandHandler :: RawCommandHandler -> IO (FunPtr RawCommandHandler)

foreign import ccall safe "dynamic"
  callCommandHandler :: FunPtr RawCommandHandler -> RawCommandHandler

-- | The string belongs to the library.
foreign import ccall safe "eventlog_socket_control_strnamespace"
  c_strnamespace :: Ptr RawNamespace -> IO CString

foreign import ccall safe "eventlog_socket_hs_register_namespace"
  c_register_namespace
    :: Word8 -> CString -> Ptr (Ptr RawNamespace) -> Ptr CInt -> IO ()

foreign import ccall safe "eventlog_socket_hs_register_command"
  c_register_command
    :: Ptr RawNamespace -> Word8 -> FunPtr RawCommandHandler -> Ptr () -> Ptr CInt -> IO ()

foreign import ccall safe "eventlog_socket_hs_needs_thread"
  c_needs_thread :: IO CInt

-- | Handler, data, namespace, command.
foreign import ccall safe "eventlog_socket_hs_next"
  c_next :: Ptr (Ptr ()) -> IO ()

foreign import ccall safe "eventlog_socket_hs_tuning_defaults"
  c_tuning_defaults :: Ptr Word64 -> IO ()

foreign import ccall safe "eventlog_socket_hs_set_tuning"
  c_set_tuning :: Ptr Word64 -> Ptr CInt -> IO ()

foreign import ccall safe "eventlog_socket_hs_set_ring_file"
  c_set_ring_file :: CString -> Word64 -> Ptr CInt -> IO ()

foreign import ccall safe "eventlog_socket_hs_stats"
  c_stats :: Ptr Word64 -> Ptr CInt -> IO ()
