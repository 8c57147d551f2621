{-# LANGUAGE CPP #-}

-- Setup - puts the Rust library into the Haskell library.
--
-- libeventlog_socket.a is found or built and made into one object, and that object goes
-- into libHSeventlog-socket, static and shared. A program that depends on the package
-- then needs nothing else, wherever the package is installed. No symbol of Rust's
-- standard library stays visible, so that another library written in Rust can be in the
-- same program. For GHCi the library is linked in other ways.
module Main (main) where

import Control.Monad (filterM, forM_, unless, when)
import Data.List (isInfixOf, isPrefixOf, isSuffixOf, stripPrefix)
import Data.Maybe (fromMaybe, listToMaybe, mapMaybe)
import Distribution.PackageDescription
import Distribution.Simple
import Distribution.Simple.LocalBuildInfo (LocalBuildInfo (..), buildDir)
import Distribution.Simple.Program
import Distribution.Simple.Setup (BuildFlags, ReplFlags)
import GHC.IO.Encoding (getFileSystemEncoding)
import System.Directory
import System.Environment (lookupEnv)
import System.Exit (ExitCode (..), die)
import System.FilePath
import System.IO (hGetContents, hSetEncoding)
import System.Info (os)
import System.Process
#if MIN_VERSION_Cabal(3,14,0)
import Distribution.Utils.Path (getSymbolicPath, makeSymbolicPath)
#else
getSymbolicPath, makeSymbolicPath :: FilePath -> FilePath
getSymbolicPath = id
makeSymbolicPath = id
#endif

main :: IO ()
main = defaultMainWithHooks simpleUserHooks {buildHook = build, replHook = repl}

build :: PackageDescription -> LocalBuildInfo -> UserHooks -> BuildFlags -> IO ()
build description info hooks flags = do
  let dir = getSymbolicPath (buildDir info)
  rustDir <- directoryOf info "rust"
  object <- findLibrary description info >>= makeObject info rustDir
  addTo (rustDir </> "lib" ++ objectName ++ ".a") object
  buildHook simpleUserHooks (linkedWith rustDir description) info hooks flags
  files <- listDirectory dir
  let called prefix suffix = filter (\file -> prefix `isPrefixOf` file && suffix `isSuffixOf` file) files
  -- With --enable-library-for-ghci one object for each way: HS....o, HS..._p.o.
  forM_ (called "HS" ".o") $ \file -> makeForGhci description info object (dir </> file)
  -- One archive: libHS...a, libHS..._p.a.
  forM_ (called "libHS" ".a") $ \file -> addTo (dir </> file) object
  where
    addTo archive object = run (tool arProgram "ar" info) ["r", archive, object]

-- -------------------------------------------------------------------- GHCi --

-- GHCi on this package does not load the package's library, but its modules and the objects
-- of its C sources; those need the Rust library as a shared one.
repl :: PackageDescription -> LocalBuildInfo -> UserHooks -> ReplFlags -> [String] -> IO ()
repl description info hooks flags arguments = do
  -- In a separate directory, because linkers prefer shared libraries.
  replDir <- directoryOf info "rust-repl"
  object <- findLibrary description info >>= makeObject info replDir
  makeShared info object (replDir </> "lib" ++ objectName ++ sharedSuffix)
  replHook simpleUserHooks (linkedWith replDir description) info hooks flags arguments

-- The library by itself. GHCi links objects with it without recording its path, so the path
-- is its soname.
makeShared :: LocalBuildInfo -> FilePath -> FilePath -> IO ()
makeShared info object shared = run (tool gccProgram "cc" info) flags
  where
    flags
      | isMac =
          -- The C part for the runtime is found when the library is loaded.
          ["-dynamiclib", "-install_name", shared, "-Wl,-undefined,dynamic_lookup"]
            ++ ["-o", shared, object]
      | otherwise =
          ["-shared", "-Xlinker", "-soname", "-Xlinker", shared, "-o", shared, object]
            ++ ["-lgcc_s", "-lpthread", "-ldl", "-lm"]

-- macOS has other object files, another linker, and C symbols that begin with an underscore.
isMac :: Bool
isMac = os == "darwin"

sharedSuffix, underscore :: String
sharedSuffix = if isMac then ".dylib" else ".so"
underscore = if isMac then "_" else ""

-- GHC's own linker, which statically linked GHCs and the external interpreter use, cannot
-- load the Rust library: it does not support thread-local variables. It prefers this one
-- object to the archive, if there is one, so the object contains the loader of
-- cbits/eventlog_socket_loader.c instead of the library, and the C part for the runtime
-- without its weak references, which that linker does not support either.
makeForGhci :: PackageDescription -> LocalBuildInfo -> FilePath -> FilePath -> IO ()
makeForGhci description info object merged = do
  let archive = takeDirectory merged </> "lib" ++ takeBaseName merged ++ ".a"
  there <- doesFileExist archive
  when there $ do
    ghciDir <- directoryOf info "rust-ghci"
    let shared = ghciDir </> "lib" ++ objectName ++ sharedSuffix
        [loader, rts, rest] = map (ghciDir </>) ["loader.o", "rts.o", "rest.a"]
    makeShared info object shared
    symbols <- findExecutable "nm" >>= maybe (failWith ["nm (of binutils) was not found."]) list
    writeFile (ghciDir </> "eventlog_socket_forwards.h") $
      unlines
        [ "FORWARD(" ++ name ++ ")"
        | [_, "T", symbol] <- map words (lines symbols)
        , Just name <- [stripPrefix underscore symbol]
        , name /= "eventlog_socket_rts_register"
        ]
    run (tool gccProgram "cc" info) $
      ["-O2", "-fPIC", "-Wall", "-DEVENTLOG_SOCKET_NO_RTS", "-DLIBRARY=" ++ show shared]
        ++ ["-I" ++ ghciDir, "-Iinclude", "-c", "cbits/eventlog_socket_loader.c", "-o", loader]
    run (tool ghcProgram "ghc" info) $
      ["-v0", "-package-env", "-", "-Iinclude", "-c", "cbits/eventlog_socket_rts.c", "-o", rts]
        ++ map ("-optc" ++) (["-fPIC", "-DEVENTLOG_SOCKET_FOR_GHCI"] ++ flags)
    copyFile archive rest
    run (tool arProgram "ar" info) ["d", rest, "eventlog_socket_rts.o", takeFileName object]
    run (tool gccProgram "cc" info) $
      ["-r", "-nostdlib", "-o", merged, loader, rts]
        ++ if isMac
          then ["-Wl,-force_load," ++ rest]
          else ["-Wl,--whole-archive", rest, "-Wl,--no-whole-archive"]
  where
    list nm = readProcess nm ["-g", "--defined-only", object] ""
    flags = maybe [] (ccOptions . libBuildInfo) (library description)

directoryOf :: LocalBuildInfo -> FilePath -> IO FilePath
directoryOf info name = do
  dir <- makeAbsolute (getSymbolicPath (buildDir info) </> name)
  createDirectoryIfMissing True dir
  pure dir

-- What the shared library is linked with; static ones get the object afterwards. This is
-- not part of what is registered, so dependents do not see it.
linkedWith :: FilePath -> PackageDescription -> PackageDescription
linkedWith dir description = description {library = fmap change (library description)}
  where
    change lib = lib {libBuildInfo = more (libBuildInfo lib)}
    more info =
      info
        { extraLibs = extraLibs info ++ [objectName]
        , extraLibDirs = extraLibDirs info ++ [makeSymbolicPath dir]
        }

objectName :: String
objectName = "eventlog_socket_rust"

-- ------------------------------------------------------------- the library --

findLibrary :: PackageDescription -> LocalBuildInfo -> IO FilePath
findLibrary description info = do
  given <- lookupEnv "EVENTLOG_SOCKET_LIBRARY"
  repository <- findRepository
  let prebuilt = lookupFlagAssignment (mkFlagName "prebuilt") (flagAssignment info)
  case (given, repository) of
    (Just file, _) | not (null file) -> do
      there <- doesFileExist file
      unless there $ failWith ["EVENTLOG_SOCKET_LIBRARY is " ++ file ++ ", which is not a file."]
      makeAbsolute file
    (_, Just root) | prebuilt /= Just True -> fromRepository root
    _ -> installed description info

-- The repository of the library, if this package is in it.
findRepository :: IO (Maybe FilePath)
findRepository = do
  here <- getCurrentDirectory >>= canonicalizePath
  let parents = takeWhile (not . isDrive) (iterate takeDirectory here)
      isRepository dir = and <$> mapM (doesFileExist . (dir </>)) known
      known = ["Cargo.toml", "ffi/Cargo.toml", "ffi/rts/eventlog_socket_rts.c"]
  listToMaybe <$> filterM isRepository parents

fromRepository :: FilePath -> IO FilePath
fromRepository root = findExecutable "cargo" >>= maybe withoutCargo withCargo
  where
    withoutCargo = do
      target <- fromMaybe "target" <$> lookupEnv "CARGO_TARGET_DIR"
      let file = root </> target </> "release" </> libraryName
      there <- doesFileExist file
      unless there $
        failWith
          [ "cargo was not found, and there is no " ++ file ++ "."
          , "Install Rust (https://rustup.rs), or set EVENTLOG_SOCKET_LIBRARY to a"
          , libraryName ++ " made elsewhere, or use -f prebuilt if one is installed."
          ]
      pure file
    withCargo cargo = do
      (_, Just out, _, process) <-
        createProcess (proc cargo arguments) {cwd = Just root, std_out = CreatePipe}
      -- The messages contain paths.
      getFileSystemEncoding >>= hSetEncoding out
      messages <- hGetContents out
      let made = mapMaybe libraryIn (lines messages)
      length messages `seq` waitForProcess process >>= \code ->
        unless (code == ExitSuccess) $
          failWith ["cargo could not build the Rust library in " ++ root ++ "."]
      case made of
        [] -> failWith ["cargo built no " ++ libraryName ++ " in " ++ root ++ "."]
        _ -> pure (last made)
    -- These messages contain the path of cargo's target directory.
    arguments =
      ["build", "--release", "--locked", "-p", "eventlog-socket"]
        ++ ["--message-format=json-render-diagnostics"]

-- The path in a message's list of file names.
libraryIn :: String -> Maybe FilePath
libraryIn message
  | "\"compiler-artifact\"" `isInfixOf` message =
      listToMaybe (filter (("/" ++ libraryName) `isSuffixOf`) (quoted message))
  | otherwise = Nothing
  where
    quoted text = case break (== '"') text of
      (word, _ : rest) -> word : quoted rest
      (word, []) -> [word]

installed :: PackageDescription -> LocalBuildInfo -> IO FilePath
installed description info = do
  let given = maybe [] (map getSymbolicPath . extraLibDirs . libBuildInfo) (library description)
  pkgConfig <- findExecutable "pkg-config"
  configured <- maybe (pure []) (`ask` ["--variable=libdir", "eventlog_socket"]) pkgConfig
  searched <- ask (tool gccProgram "cc" info) ["-print-file-name=" ++ libraryName]
  let candidates = map (</> libraryName) (given ++ configured) ++ filter isAbsolute searched
  found <- filterM doesFileExist candidates
  case found of
    file : _ -> pure file
    [] ->
      failWith
        [ "There is no installed " ++ libraryName ++ " (its repository is not used here)."
        , "Say where it is: --extra-lib-dirs=DIR, or EVENTLOG_SOCKET_LIBRARY=FILE."
        ]
  where
    ask program arguments = do
      (code, out, _) <- readProcessWithExitCode program arguments ""
      pure (if code == ExitSuccess then take 1 (filter (not . null) (lines out)) else [])

libraryName :: FilePath
libraryName = "libeventlog_socket.a"

-- -------------------------------------------------------------- the object --

-- One object of all that the C API needs, with no visible symbols but those of the
-- API. It refers to eventlog_socket_wrap_hs_main, so that a program that links the object
-- also links cbits/eventlog_socket_rts.o, through which the library calls the runtime.
makeObject :: LocalBuildInfo -> FilePath -> FilePath -> IO FilePath
makeObject info dir archive = do
  let object = dir </> objectName ++ ".o"
      whole = dir </> "whole.o"
      wanted = ["EventLogSocketWriter", "eventlog_socket_wrap_hs_main"]
      visible = ["eventlog_socket_*", "EventLogSocketWriter", "SocketEventLogWriter"]
  if isMac
    then
      -- What is not exported becomes local.
      run (tool gccProgram "cc" info) $
        ["-r", "-nostdlib", "-Wl,-S"]
          ++ ["-Wl,-u,_" ++ symbol | symbol <- wanted]
          ++ ["-Wl,-exported_symbol,_" ++ symbol | symbol <- visible]
          ++ ["-o", object, archive]
    else do
      run (tool gccProgram "cc" info) $
        ["-r", "-nostdlib", "-Wl,--force-group-allocation"]
          ++ ["-Wl,-u," ++ symbol | symbol <- wanted]
          ++ ["-o", whole, archive]
      hide whole visible object
  pure object

-- With nothing visible but these symbols.
hide :: FilePath -> [String] -> FilePath -> IO ()
hide whole visible object = do
  objcopy <- findExecutable "objcopy"
  case objcopy of
    Nothing -> failWith ["objcopy (of binutils) was not found."]
    Just program ->
      run program $
        ["--strip-debug", "--remove-section=.llvmbc", "--remove-section=.llvmcmd"]
          ++ ["--wildcard"]
          ++ ["--keep-global-symbol=" ++ symbol | symbol <- visible]
          ++ [whole, object]
  removeFile whole

-- ------------------------------------------------------------------- tools --

-- The path of a program as configured, or else its name.
tool :: Program -> FilePath -> LocalBuildInfo -> FilePath
tool program name info = maybe name programPath (lookupProgram program (withPrograms info))

run :: FilePath -> [String] -> IO ()
run program arguments = do
  (code, out, err) <- readProcessWithExitCode program arguments ""
  unless (code == ExitSuccess) $
    failWith [unwords (program : arguments), out ++ err]

failWith :: [String] -> IO a
failWith text = die (unlines ("eventlog-socket:" : text))
