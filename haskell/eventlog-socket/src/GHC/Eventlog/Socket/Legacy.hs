-- | The Haskell API of the library's first generation. Programs that used it import
-- this module instead of "GHC.Eventlog.Socket", where 'startWith' is another function.
--
-- Unlike then, a start that fails throws a 'userError' with the reason; it does not
-- end the program.
module GHC.Eventlog.Socket.Legacy
  ( EventlogSocketConfig (..)
  , SocketMode (..)
  , UnixSocket (..)
  , TcpSocket (..)
  , startWith
  , startUnix
  , startUnixWait
  , startTcp
  , startWait
  , start
  , wait
  ) where

import Data.Word (Word16)

import GHC.Eventlog.Socket.Internal.Start
  ( EventlogSocketAddr (..)
  , EventlogSocketOpts (..)
  , defaultEventlogSocketOpts
  , start
  , startWait
  , wait
  )
import qualified GHC.Eventlog.Socket.Internal.Start as Current

-- | Where clients connect, and whether to wait for one.
data EventlogSocketConfig = EventlogSocketConfig
  { escMode :: SocketMode
  , escWait :: Bool
  }
  deriving (Eq, Show)

-- | Which kind of socket.
data SocketMode
  = SocketUnix UnixSocket
  | SocketTCP TcpSocket
  deriving (Eq, Show)

-- | A Unix socket.
newtype UnixSocket = UnixSocket {unixSocketPath :: FilePath}
  deriving (Eq, Show)

-- | A TCP socket.
data TcpSocket = TcpSocket
  { tcpHost :: String
  -- ^ Name or numeric address.
  , tcpPort :: Word16
  }
  deriving (Eq, Show)

-- | Start streaming. At most once in a process.
startWith :: EventlogSocketConfig -> IO ()
startWith config =
  Current.startWith addr defaultEventlogSocketOpts {esoWait = escWait config}
  where
    addr = case escMode config of
      SocketUnix socket -> EventlogSocketUnixAddr (unixSocketPath socket)
      SocketTCP socket -> EventlogSocketInetAddr (tcpHost socket) (show (tcpPort socket))

-- | Start without waiting for a client.
startUnix :: UnixSocket -> IO ()
startUnix socket = startWith (EventlogSocketConfig (SocketUnix socket) False)

-- | Start, and wait for a client.
startUnixWait :: UnixSocket -> IO ()
startUnixWait socket = startWith (EventlogSocketConfig (SocketUnix socket) True)

-- | Start without waiting for a client.
startTcp :: TcpSocket -> IO ()
startTcp socket = startWith (EventlogSocketConfig (SocketTCP socket) False)
