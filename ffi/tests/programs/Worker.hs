{-# LANGUAGE MagicHash #-}
{-# LANGUAGE UnboxedTuples #-}

-- | The program under test. Its arguments are commands, run in order; `serve`
-- runs commands from stdin, one a line, and says "done" after each.
module Main (main) where

import Control.Concurrent
import Control.Exception (evaluate)
import Control.Monad (forM, forM_, replicateM, unless, void, when)
import Data.Char (ord)
import Data.IORef
import qualified Data.List as List
import Data.Word (Word64, Word8)
import Debug.Trace (traceEventIO, traceMarkerIO)
import Foreign (FunPtr, Ptr, mallocBytes, plusPtr, poke, pokeByteOff)
import Foreign.C (CBool (..), CInt (..), CString, peekCString, withCString)
import GHC.Conc (par)
import GHC.Exts (Ptr (..), traceEvent#)
import GHC.IO (IO (..))
import Spin (spin)
import System.Environment (getArgs)
import System.Exit (ExitCode (..), exitWith)
import System.IO
import System.Mem (performMajorGC)
import System.Posix.Process (forkProcess, getProcessStatus)

foreign import ccall safe "worker_start" cStart :: IO ()
foreign import ccall safe "worker_wait" cWait :: IO ()
foreign import ccall safe "worker_stats" cStats :: IO ()
foreign import ccall safe "worker_fork_and_exit" cForkAndExit :: IO ()
foreign import ccall safe "worker_fork_and_start" cForkAndStart :: IO ()
foreign import ccall safe "worker_descriptors_of_child" cDescriptorsOfChild :: IO ()
foreign import ccall safe "worker_exit" cExit :: CInt -> IO ()
foreign import ccall safe "worker_flush_ticks" cFlushTicks :: IO ()
foreign import ccall safe "worker_flush_interval" cFlushInterval :: CInt -> IO ()
foreign import ccall unsafe "worker_nap" cNapUnsafe :: CInt -> IO ()
foreign import ccall unsafe "worker_clock" cClock :: IO Word64
foreign import ccall safe "eventlog_socket_start_unix"
  cStartUnix :: CString -> CBool -> IO ()
foreign import ccall safe "eventlog_socket_start_tcp"
  cStartTcp :: CString -> CString -> CBool -> IO ()

foreign import ccall safe "control_run" cControl :: CString -> IO ()
foreign export ccall "worker_log" workerLog :: CString -> IO ()

type Hook = Ptr () -> IO ()
type Handler = Ptr () -> Word8 -> Ptr () -> IO ()

foreign import ccall "wrapper" newHook :: Hook -> IO (FunPtr Hook)
foreign import ccall "wrapper" newHandler :: Handler -> IO (FunPtr Handler)
foreign import ccall safe "worker_hook" cHook :: CInt -> FunPtr Hook -> IO ()
foreign import ccall safe "worker_command"
  cCommand :: CString -> CInt -> FunPtr Handler -> IO ()

data World = World
  { counters :: [IORef Int] -- ^ messages so far, of each logger
  , load :: IORef (Maybe (IORef Bool, [MVar ()])) -- ^ stop flag and loggers
  }

main :: IO ()
main = do
  hSetBuffering stdout LineBuffering
  world <- World <$> replicateM 8 (newIORef 0) <*> newIORef Nothing
  arguments <- getArgs
  mapM_ (run world) arguments

serve :: World -> IO ()
serve world = putStrLn "serving" >> loop
 where
  loop = do
    ended <- isEOF
    unless ended $ do
      getLine >>= run world
      putStrLn "done"
      loop

run :: World -> String -> IO ()
run world line = case words line of
  ["serve"] -> serve world
  -- starting
  ["start"] -> cStart
  ["start-unix", path, wait] -> withCString path $ \p -> cStartUnix p (flag wait)
  ["start-tcp", host, port, wait] ->
    withCString host $ \h -> withCString port $ \p -> cStartTcp h p (flag wait)
  ["wait"] -> cWait
  ["stats"] -> cStats
  -- logging
  "message" : text -> traceEventIO (unwords text)
  "marker" : text -> traceMarkerIO (unwords text)
  ["log", loggers, count, size] -> do
    never <- newIORef False
    finished <- startLoggers world (read loggers) (read size) never (read count)
    mapM_ takeMVar finished
  ["load", loggers, size] -> do
    stop <- newIORef False
    finished <- startLoggers world (read loggers) (read size) stop maxBound
    writeIORef (load world) (Just (stop, finished))
  ["unload"] -> do
    running <- readIORef (load world)
    forM_ running $ \(stop, finished) -> do
      writeIORef stop True
      mapM_ takeMVar finished
    writeIORef (load world) Nothing
  ["counters"] ->
    mapM readIORef (counters world) >>= putStrLn . unwords . ("counters" :) . map show
  -- working
  ["sleep", milliseconds] -> threadDelay (1000 * read milliseconds)
  ["print", text] -> putStrLn text
  ["gc"] -> performMajorGC
  ["allocate", rounds] -> forM_ [1 .. read rounds :: Int] $ \n -> do
    let numbers = [fromIntegral n .. fromIntegral n + 200000] :: [Integer]
    total <- evaluate (List.foldl' (+) 0 numbers)
    when (total == last numbers) $ putStrLn "impossible"
  ["capabilities", n] -> setNumCapabilities (read n)
  ["flush-ticks"] -> cFlushTicks
  ["flush-interval", milliseconds] -> cFlushInterval (read milliseconds)
  -- on the second capability: unsafe calls, and loops that allocate nothing
  ["naps", count, milliseconds] ->
    beside "napping" (read count) $ \_ -> cNapUnsafe (read milliseconds)
  ["spins", count, millions] ->
    beside "spinning" (read count) $ \n -> spin (1000000 * read millions + n)
  -- one message every so often, and the longest time between two
  ["tick", count, milliseconds] -> do
    begun <- cClock
    longest <- newIORef 0
    let loop before n = unless (n > read count) $ do
          traceEventIO ("tick " ++ show (n :: Int) ++ ".")
          threadDelay (1000 * read milliseconds)
          now <- cClock
          modifyIORef' longest (max (now - before))
          loop now (n + 1)
    loop begun 1
    ended <- cClock
    gap <- readIORef longest
    putStrLn ("ticked: longest " ++ show gap ++ " all " ++ show (ended - begun))
  ["sparks", n] -> forM_ [1 .. read n :: Integer] $ \k -> do
    let total = List.foldl' (+) k [1 .. 1000]
    total `par` threadDelay 100
    void (evaluate total)
  -- handling, with this program's own commands
  "control" : command -> withCString (unwords command) cControl
  "hook" : moment : script -> do
    hook <- newHook $ \_ -> run world (unwords script)
    cHook (if moment == "pre" then 1 else 0) hook
  "command" : name : number : script -> do
    handler <- newHandler $ \_ _ _ -> run world (unwords script)
    withCString name $ \n -> cCommand n (read number) handler
  -- leaving
  ["exit", code] -> exitWith (if code == "0" then ExitSuccess else ExitFailure (read code))
  ["c-exit", code] -> cExit (fromIntegral (read code :: Int))
  ["throw"] -> ioError (userError "thrown as told")
  -- forking
  ["fork-process"] -> do
    child <- forkProcess $ do
      traceEventIO "said in the child"
      threadDelay 20000
      traceEventIO "said in the child, later"
    getProcessStatus True False child >>= putStrLn . ("child: " ++) . show
  -- Several commands, each followed by a semicolon.
  "fork-script" : script -> do
    child <- forkProcess (mapM_ (run world) (sentences (unwords script)))
    getProcessStatus True False child >>= putStrLn . ("child: " ++) . show
  ["fork-and-start"] -> cForkAndStart
  "fork-process" : command -> do
    child <- forkProcess (run world (unwords command))
    getProcessStatus True False child >>= putStrLn . ("child: " ++) . show
  ["fork-and-exit"] -> cForkAndExit
  ["descriptors-of-child"] -> cDescriptorsOfChild
  _ -> hPutStrLn stderr ("worker: what is " ++ show line ++ "?") >> exitWith (ExitFailure 99)
 where
  sentences text = case break (== ';') text of
    (sentence, _ : rest) -> sentence : sentences (dropWhile (== ' ') rest)
    _ -> []
  flag text = if text == "wait" then 1 else 0

-- | So often, on another capability; told when the first begins.
beside :: String -> Int -> (Int -> IO ()) -> IO ()
beside what count action = do
  -- Not where this thread is, which would wait for each of them.
  (here, _) <- threadCapability =<< myThreadId
  void $ forkOn (here + 1) $ do
    -- Once: it must not come between the lines of a later command.
    putStrLn what
    forM_ [1 .. count] $ \n -> action n >> yield

-- | For handlers in C.
workerLog :: CString -> IO ()
workerLog text = peekCString text >>= traceEventIO

-- | Threads that log at full speed, one on each of the first capabilities:
-- "c<logger> <ten digits> ...", of the given size, numbered without a gap over
-- the life of the program.
startLoggers :: World -> Int -> Int -> IORef Bool -> Int -> IO [MVar ()]
startLoggers world loggers size stop count =
  forM (take loggers (zip [0 ..] (counters world))) $ \(logger, counter) -> do
    finished <- newEmptyMVar
    void $ forkOn logger $ do
      message <- newMessage logger (max 16 size)
      let loop left = do
            stopped <- readIORef stop
            unless (stopped || left == 0) $ do
              number <- readIORef counter
              putNumber message number
              traceMessage message
              writeIORef counter $! number + 1
              loop (left - 1)
      loop count
      putMVar finished ()
    pure finished

-- | Formatting a String for each message would be most of the work: the number
-- is written into a C string that is made once.
newMessage :: Int -> Int -> IO (Ptr Word8)
newMessage logger size = do
  message <- mallocBytes (size + 1)
  let start = "c" ++ show logger ++ " 0000000000 "
  forM_ (zip [0 ..] (take size (start ++ cycle "....:....|"))) $ \(i, c) ->
    pokeByteOff message i (fromIntegral (ord c) :: Word8)
  poke (message `plusPtr` size) (0 :: Word8)
  pure message

putNumber :: Ptr Word8 -> Int -> IO ()
putNumber message = go 12
 where
  go :: Int -> Int -> IO ()
  go 2 _ = pure ()
  go at n = do
    pokeByteOff message at (fromIntegral (ord '0' + n `rem` 10) :: Word8)
    go (at - 1) (n `quot` 10)

traceMessage :: Ptr Word8 -> IO ()
traceMessage (Ptr text) = IO $ \s -> case traceEvent# text s of s' -> (# s', () #)
