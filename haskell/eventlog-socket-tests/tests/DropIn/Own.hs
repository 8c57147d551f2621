{-# OPTIONS_GHC -Wall -Werror #-}

-- | A program of 0.1.3 that imports all of it unqualified and has names of its own,
-- which are names of other modules of the package.
module DropIn.Own (own) where

import GHC.Eventlog.Socket

stats :: Int -> String
stats n = "n=" ++ show n

newtype EventlogSocketTuning = EventlogSocketTuning {estBufferSize :: Int}

setTuning :: EventlogSocketTuning -> String
setTuning = stats . estBufferSize

setRingFile, startRingFile :: String
setRingFile = "set"
startRingFile = "start"

data SocketMode = SocketUnix | SocketTCP | EventlogSocketNone
  deriving (Show)

startUnix, startUnixWait, startTcp :: SocketMode
startUnix = SocketUnix
startUnixWait = EventlogSocketNone
startTcp = SocketTCP

own :: IO [String]
own = do
  namespace <- registerNamespace "drop-in"
  registerCommand namespace (CommandId 1) (pure ())
  name <- namespaceName namespace
  let options = defaultEventlogSocketOpts {esoWait = False}
  pure
    [ stats 3
    , setTuning (EventlogSocketTuning 4)
    , setRingFile
    , startRingFile
    , show [startUnix, startUnixWait, startTcp]
    , name
    , show (EventlogSocketUnixAddr "x.sock", options)
    ]
