-- | The library's counters.
module GHC.Eventlog.Socket.Internal.Statistics
  ( EventlogSocketStats (..)
  , stats
  ) where

import Data.Word (Word16, Word64)
import Foreign.Marshal (allocaArray)
import Foreign.Storable (peekElemOff)

import GHC.Eventlog.Socket.Internal.Foreign
import GHC.Eventlog.Socket.Internal.Status

-- | Counters since the start. A chunk is what the runtime hands over in one call, mostly
-- one of its buffers.
data EventlogSocketStats = EventlogSocketStats
  { essChunksSent :: Word64
  -- ^ Chunks that were sent whole to a client.
  , essBytesSent :: Word64
  -- ^ Their bytes.
  , essChunksLost :: Word64
  -- ^ Chunks that did not fit into the ring and were dropped. Each is reported in the
  -- stream, if there is one.
  , essBytesLost :: Word64
  -- ^ Their bytes.
  , essChunksDiscarded :: Word64
  -- ^ Chunks that arrived while no client was connected, or were still in the ring when
  -- their client disconnected.
  , essBytesDiscarded :: Word64
  -- ^ Their bytes.
  , essRingSize :: Word64
  -- ^ Bytes of the ring.
  , essRingHighWater :: Word64
  -- ^ The most of them that were ever in use.
  , essDefinitionBytes :: Word64
  -- ^ Bytes kept for later clients: header and definitions.
  , essConnections :: Word64
  -- ^ Clients accepted.
  , essWakeups :: Word64
  -- ^ Times that a writer had to wake the thread that serves clients.
  , essFlushes :: Word64
  -- ^ Times that the library flushed the runtime's buffers.
  , essBytesReceived :: Word64
  -- ^ Bytes received from clients.
  , essCommandsReceived :: Word64
  -- ^ Whole commands received. Each is waiting, or is counted once below.
  , essCommandsRun :: Word64
  -- ^ Commands run.
  , essCommandsUnknown :: Word64
  -- ^ Commands with an unknown namespace or number, or of a later protocol.
  , essCommandsRefused :: Word64
  -- ^ Commands that this runtime, or the program as it was built and started, cannot
  -- run.
  , essCommandsDenied :: Word64
  -- ^ Commands of clients that may not send any.
  , essCommandsDropped :: Word64
  -- ^ Commands for which the queue had no room.
  , essBytesGarbage :: Word64
  -- ^ Bytes received that belong to no command.
  , essInetPort :: Word16
  -- ^ Port of the TCP socket; 0 for a Unix socket.
  , essConnected :: Bool
  -- ^ A client is connected.
  , essSleeps :: Word64
  -- ^ Times that the thread which serves clients slept until something happened.
  , essCallsInterrupted :: Word64
  -- ^ System calls that a signal interrupted.
  , essSendsPartial :: Word64
  -- ^ Sends of which the client's socket accepted only a part.
  , essSendsFull :: Word64
  -- ^ Sends that failed because the socket was full.
  , essSendsDeferred :: Word64
  -- ^ Sends put off for lack of memory.
  , essAcceptsAborted :: Word64
  -- ^ Connections that were gone before they were accepted.
  , essAcceptsDeferred :: Word64
  -- ^ Accepts put off for lack of descriptors or memory, or refused.
  , essPollsFailed :: Word64
  -- ^ Failures of @poll@.
  , essWakeupsPending :: Word64
  -- ^ Wake-ups that found the eventfd full: one was pending.
  , essWakeupsFailed :: Word64
  -- ^ Wake-ups that failed.
  , essOptionsFailed :: Word64
  -- ^ Options of a socket that could not be set.
  , essClientsBroken :: Word64
  -- ^ Connections that an error ended.
  , essClientsHalfClosed :: Word64
  -- ^ Clients that closed the half of the connection that they send on.
  , essClientsDisplaced :: Word64
  -- ^ Clients disconnected because they read nothing while another waited.
  , essRingFileSize :: Word64
  -- ^ Bytes of chunks that the ring file holds; 0 without one.
  , essRingFileChunksOverwritten :: Word64
  -- ^ Chunks in it that were overwritten by newer ones.
  , essRingFileBytesOverwritten :: Word64
  -- ^ Their bytes.
  , essRingFileChunksRefused :: Word64
  -- ^ Chunks that were not recorded: they were larger than the file, or their place was
  -- still occupied by a chunk whose writing had begun a whole lap earlier.
  , essRingFileBytesRefused :: Word64
  -- ^ Their bytes.
  , essRingFileDefinitionsLeftOut :: Word64
  -- ^ Bytes of definitions that the file has no room for, or that could not be written.
  , essRingFileLost :: Bool
  -- ^ The file was truncated while it was written, or its disk failed: nothing is
  -- recorded any more.
  , essSocketFilesRemoved :: Word64
  -- ^ Times that the file of the Unix socket was found to be removed or replaced.
  , essSocketFilesRemade :: Word64
  -- ^ Times that it was created again. While this is less than the count above, no client
  -- can connect.
  , essDefinitionsLeftOut :: Word64
  -- ^ Bytes of definitions that could not be kept, or could not be sent to a client, for
  -- lack of memory.
  , essClientsRefused :: Word64
  -- ^ Clients that were turned away for lack of memory.
  , essFlushLongest :: Word64
  -- ^ Nanoseconds that the longest flush took: the program, or a part of it, may have been
  -- stopped for this long.
  , essFlushTotal :: Word64
  -- ^ Nanoseconds that all flushes together took.
  }
  deriving (Eq, Show)

-- | The counters now. Throws a 'userError' if nothing was started.
stats :: IO EventlogSocketStats
stats = allocaArray 49 $ \out -> do
  check (c_stats out)
  let at = peekElemOff out
  EventlogSocketStats
    <$> at 0
    <*> at 1
    <*> at 2
    <*> at 3
    <*> at 4
    <*> at 5
    <*> at 6
    <*> at 7
    <*> at 8
    <*> at 9
    <*> at 10
    <*> at 11
    <*> at 12
    <*> at 13
    <*> at 14
    <*> at 15
    <*> at 16
    <*> at 17
    <*> at 18
    <*> at 19
    <*> (fromIntegral <$> at 20)
    <*> ((/= 0) <$> at 21)
    <*> at 22
    <*> at 23
    <*> at 24
    <*> at 25
    <*> at 26
    <*> at 27
    <*> at 28
    <*> at 29
    <*> at 30
    <*> at 31
    <*> at 32
    <*> at 33
    <*> at 34
    <*> at 35
    <*> at 36
    <*> at 37
    <*> at 38
    <*> at 39
    <*> at 40
    <*> at 41
    <*> ((/= 0) <$> at 42)
    <*> at 43
    <*> at 44
    <*> at 45
    <*> at 46
    <*> at 47
    <*> at 48
