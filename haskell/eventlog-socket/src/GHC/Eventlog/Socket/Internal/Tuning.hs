-- | Sizes, times and policies, for programs that set them themselves.
module GHC.Eventlog.Socket.Internal.Tuning
  ( EventlogSocketTuning (..)
  , EventlogSocketOverflow (..)
  , EventlogSocketControl (..)
  , defaultEventlogSocketTuning
  , setTuning
  , setRingFile
  ) where

import Data.Word (Word32, Word64)
import Foreign.Marshal (allocaArray, withArray)
import Foreign.Ptr (nullPtr)
import Foreign.Storable (peekElemOff)
import System.IO.Unsafe (unsafePerformIO)

import GHC.Eventlog.Socket.Internal.Foreign
import GHC.Eventlog.Socket.Internal.Start (withText)
import GHC.Eventlog.Socket.Internal.Status

-- | How the library works. Derive it from 'defaultEventlogSocketTuning'. For each field
-- there is an environment variable, which overrides it.
data EventlogSocketTuning = EventlogSocketTuning
  { estBufferSize :: Word64
  -- ^ Size of the ring between the runtime and the clients, in bytes; rounded up to
  -- a power of two, from 64 KiB to 4 GiB. The runtime has a buffer of 2 MiB for each
  -- capability and one more, and can hand over all of them at once.
  -- @GHC_EVENTLOG_BUFFER_SIZE@; room for all of them, but at least 16 MiB and at most
  -- 256 MiB.
  , estOverflow :: EventlogSocketOverflow
  -- ^ What happens to a chunk that does not fit. @GHC_EVENTLOG_OVERFLOW@,
  -- 'OverflowDrop'.
  , estExitTimeout :: Word32
  -- ^ How long the exit of the program may wait for the client to read the rest, in
  -- milliseconds. @GHC_EVENTLOG_EXIT_TIMEOUT@, 2000.
  , estFlushInterval :: Word32
  -- ^ While a client is connected, or a ring file is written, flush the runtime's buffers
  -- this often, in milliseconds; 0 never does. A flush stops the program, so a long one is
  -- followed by a pause a hundred times as long. @GHC_EVENTLOG_FLUSH_INTERVAL@, 1000; with
  -- GHC 9.0, and without @-threaded@, 0.
  , estControl :: EventlogSocketControl
  -- ^ Which clients' commands are run. @GHC_EVENTLOG_CONTROL@, 'ControlUnix'.
  }
  deriving (Eq, Show)

-- | What happens to a chunk of the log that does not fit into the ring.
data EventlogSocketOverflow
  = -- | It is dropped, and the stream says so. The program never waits.
    OverflowDrop
  | -- | The whole program waits for a connected client to make room, at most for this
    -- many milliseconds ('Nothing', like 0: for as long as it stays connected); then
    -- the chunk is dropped.
    OverflowBlock (Maybe Word32)
  deriving (Eq, Show)

-- | Which clients' commands are run.
data EventlogSocketControl
  = -- | Those of clients of a Unix socket.
    ControlUnix
  | -- | Those of every client.
    ControlOn
  | -- | None.
    ControlOff
  deriving (Eq, Show, Enum, Bounded)

-- | The defaults.
defaultEventlogSocketTuning :: EventlogSocketTuning
defaultEventlogSocketTuning =
  unsafePerformIO $ allocaArray 6 $ \out -> do
    c_tuning_defaults out
    size <- peekElemOff out 0
    overflow <- peekElemOff out 1
    blocking <- peekElemOff out 2
    exit <- peekElemOff out 3
    interval <- peekElemOff out 4
    control <- peekElemOff out 5
    pure
      EventlogSocketTuning
        { estBufferSize = size
        , estOverflow =
            if overflow == 0
              then OverflowDrop
              else OverflowBlock (if blocking == 0 then Nothing else Just (fromIntegral blocking))
        , estExitTimeout = fromIntegral exit
        , estFlushInterval = fromIntegral interval
        , estControl = case control of
            0 -> ControlUnix
            1 -> ControlOn
            _ -> ControlOff
        }
{-# NOINLINE defaultEventlogSocketTuning #-}

-- | Use this from the next start on. Throws a 'userError' if a value is out of range
-- or the library has started.
setTuning :: EventlogSocketTuning -> IO ()
setTuning tuning = withArray numbers (check . c_set_tuning)
  where
    numbers =
      [ estBufferSize tuning
      , overflow
      , blocking
      , fromIntegral (estExitTimeout tuning)
      , fromIntegral (estFlushInterval tuning)
      , control
      ]
    (overflow, blocking) = case estOverflow tuning of
      OverflowDrop -> (0, 0)
      OverflowBlock limit -> (1, maybe 0 fromIntegral limit)
    control = case estControl tuning of
      ControlUnix -> 0
      ControlOn -> 1
      ControlOff -> 2

-- | Record into a ring file from the next start on, or, with 'Nothing', do not: the
-- newest chunks of the eventlog, which survive the program however it ends.
-- @eventlog recover@ makes an eventlog of them.
--
-- The number is how many bytes of chunks it holds; rounded up to a power of two, from
-- 1 MiB to 4 GiB, and 0 is 64 MiB. The file that an ended process has left at this path is
-- kept as @PATH.1@. @GHC_EVENTLOG_RING_FILE@ and @GHC_EVENTLOG_RING_FILE_SIZE@ override
-- these values.
--
-- Throws a 'userError' if the size is out of range or the library has started. If the file
-- cannot be created, the start fails.
setRingFile :: Maybe (FilePath, Word64) -> IO ()
setRingFile Nothing = check (c_set_ring_file nullPtr 0)
setRingFile (Just (path, size)) =
  withText path $ \cPath -> check (c_set_ring_file cPath size)
