-- | Names and types of eventlog-socket 0.1.3, and of its first generation: a program
-- that was written for one of them must compile. If this one does not, the suite fails to
-- build.
module Surface (surface) where

import Control.Exception (Exception (..), SomeException)
import Data.Int (Int32)
import Data.Word (Word16, Word8)
import Foreign.Storable (Storable (..))
import GHC.Eventlog.Socket
  ( CommandHandler
  , CommandId (..)
  , EventlogSocketAddr (..)
  , EventlogSocketAddrError (..)
  , EventlogSocketControlError (..)
  , EventlogSocketOpts (esoLinger, esoSndbuf, esoWait)
  , Hook (HookPostStartEventLogging, HookPreEndEventLogging)
  , HookHandler
  , Namespace
  , defaultEventlogSocketOpts
  , fromEnv
  , namespaceName
  , registerCommand
  , registerHook
  , registerNamespace
  , start
  , startFromEnv
  , startWait
  , startWith
  , testControlStatus
  , testWorkerStatus
  , wait
  )
import GHC.Eventlog.Socket.Legacy
  ( EventlogSocketConfig (..)
  , SocketMode (..)
  , TcpSocket (..)
  , UnixSocket (..)
  , startTcp
  , startUnix
  , startUnixWait
  )
import qualified GHC.Eventlog.Socket.Legacy as Legacy

-- | Uses all of them.
surface :: Int
surface = length functions + length values + length errors + sum (map size [minBound .. maxBound])
  where
    functions =
      [ const () (startWith :: EventlogSocketAddr -> EventlogSocketOpts -> IO ())
      , const () (startFromEnv :: IO ())
      , const () (fromEnv :: IO (Maybe (EventlogSocketAddr, EventlogSocketOpts)))
      , const () (registerHook :: Hook -> HookHandler -> IO ())
      , const () (registerNamespace :: String -> IO Namespace)
      , const () (registerCommand :: Namespace -> CommandId -> CommandHandler -> IO ())
      , const () (namespaceName :: Namespace -> IO String)
      , const () [testWorkerStatus, testControlStatus, wait :: IO ()]
      , const () [start, startWait :: FilePath -> IO ()]
      , const () [startUnix, startUnixWait :: UnixSocket -> IO ()]
      , const () (startTcp :: TcpSocket -> IO ())
      , const () (Legacy.startWith :: EventlogSocketConfig -> IO ())
      ]
    values =
      [ show (EventlogSocketUnixAddr {esaUnixPath = "path"})
      , show (EventlogSocketInetAddr {esaInetHost = "host", esaInetPort = "1"})
      , show (options {esoWait = True, esoSndbuf = Just (1 :: Int32), esoLinger = Nothing})
      , show (CommandId (1 :: Word8))
      , show (sizeOf HookPostStartEventLogging)
      , show (EventlogSocketConfig {escMode = SocketUnix unix, escWait = True})
      , show (SocketTCP (TcpSocket {tcpHost = "host", tcpPort = 1 :: Word16}))
      ]
    options = defaultEventlogSocketOpts
    unix = UnixSocket {unixSocketPath = "path"}
    errors =
      [ toException (EventlogSocketAddrUnixPathTooLong "path")
      , toException (EventlogSocketAddrInetHostMissing "1")
      , toException (EventlogSocketAddrInetPortMissing "host")
      , toException (EventlogSocketControlNamespaceTooLong "name" (256 :: Int) (255 :: Int))
      , toException (EventlogSocketControlNamespaceExists "name")
      , toException (EventlogSocketControlCommandExists "name" (CommandId 1))
      , toException EventlogSocketControlUnsupported
      ]
        :: [SomeException]
    size isStart = hook (if isStart then HookPostStartEventLogging else HookPreEndEventLogging)
    -- No warning: the patterns are complete.
    hook :: Hook -> Int
    hook HookPostStartEventLogging = 1
    hook HookPreEndEventLogging = 1
