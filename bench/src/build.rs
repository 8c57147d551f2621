//! Building what is measured: our library, and small programs with it and with another one.

use std::collections::hash_map::DefaultHasher;
use std::env;
use std::ffi::OsStr;
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::ghc::Ghc;

/// What a program is linked with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Library {
    /// This repository's.
    Ours,
    /// Another one with the same header, given by path: `EVENTLOG_PEER_LIBRARY`.
    Peer,
    /// `reference_memcpy.c`: a copy, and nothing else.
    Memcpy,
    /// `reference_write.c`: the caller writes to the socket.
    Write,
}

impl Library {
    /// For tables.
    pub fn name(self) -> &'static str {
        match self {
            Library::Ours => "ours",
            Library::Peer => "peer",
            Library::Memcpy => "memcpy",
            Library::Write => "write(2)",
        }
    }
}

/// The root of the repository.
pub fn repository() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package)
}

/// The target directory, derived from the path of this program: `TARGET/release/NAME`.
fn target() -> PathBuf {
    let program = env::current_exe().unwrap_or_default();
    let target = program.ancestors().nth(2);
    target.map_or_else(|| repository().join("target"), Path::to_path_buf)
}

/// Where results and programs are written: `TARGET/bench`.
pub fn output() -> PathBuf {
    target().join("bench")
}

/// The libraries, built.
#[derive(Debug)]
pub struct Built {
    ours: PathBuf,
    peer: Option<Peer>,
}

/// Another library with the header `eventlog_socket.h`, built by the user.
#[derive(Debug)]
struct Peer {
    /// `EVENTLOG_PEER_LIBRARY`: the static library.
    library: PathBuf,
    /// `EVENTLOG_PEER_INCLUDE`: the directory with its header.
    include: PathBuf,
}

impl Peer {
    /// `None` if neither variable is set.
    fn from_environment() -> Result<Option<Peer>, String> {
        let path = |name| env::var_os(name).map(PathBuf::from);
        let (library, include) =
            match (path("EVENTLOG_PEER_LIBRARY"), path("EVENTLOG_PEER_INCLUDE")) {
                (None, None) => return Ok(None),
                (Some(library), Some(include)) => (library, include),
                _ => {
                    let both = "EVENTLOG_PEER_LIBRARY and EVENTLOG_PEER_INCLUDE";
                    return Err(format!("one of {both} is set: set both or none"));
                }
            };
        let header = include.join("eventlog_socket.h");
        for file in [&library, &header] {
            if !file.is_file() {
                return Err(format!("the peer: there is no file {}", file.display()));
            }
        }
        Ok(Some(Peer { library, include }))
    }

    fn put_into(&self, making: &mut Making) -> Result<(), String> {
        making.file(&self.include.join("eventlog_socket.h"), "eventlog_socket.h")?;
        making.file(&self.library, "libpeer.a")?;
        making.args(["libpeer.a"]);
        Ok(())
    }
}

impl Built {
    /// Builds our library, and finds the peer. If there is no peer, that is reported on stderr and
    /// the others are measured.
    ///
    /// # Errors
    /// Our library cannot be built, or the peer is not where the variables say.
    pub fn new() -> Result<Built, String> {
        let out = output();
        fs::create_dir_all(&out).map_err(|error| format!("{}: {error}", out.display()))?;
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut build = Command::new(cargo);
        build.args(["build", "--quiet", "--release", "-p", "eventlog-socket"]);
        build.arg("--target-dir").arg(target());
        run(build.current_dir(repository()))?;

        let peer = Peer::from_environment()?;
        if peer.is_none() {
            eprintln!("without a peer: EVENTLOG_PEER_LIBRARY is not set");
        }
        Ok(Built {
            ours: target().join("release/libeventlog_socket.a"),
            peer,
        })
    }

    /// Those of `wanted` that are available.
    pub fn among(&self, wanted: &[Library]) -> Vec<Library> {
        let there = |library: &&Library| **library != Library::Peer || self.peer.is_some();
        wanted.iter().filter(there).copied().collect()
    }

    /// `writer.c` with this library.
    ///
    /// # Errors
    /// The output of the compiler.
    pub fn writer(&self, library: Library) -> Result<PathBuf, String> {
        let bench = repository().join("bench");
        let mut making = Making::default();
        making.file(&bench.join("programs/writer.c"), "writer.c")?;
        making.args([
            "-std=c11",
            "-D_GNU_SOURCE",
            "-O2",
            "-pthread",
            "-Wall",
            "-Wextra",
            "-I.",
            "-o",
            "program",
            "writer.c",
        ]);
        let ours = repository().join("include/eventlog_socket.h");
        match library {
            Library::Peer => {
                let peer = self.peer.as_ref().ok_or("there is no peer")?;
                // The functions that it calls of an RTS.
                making.file(&bench.join("stub/rts.c"), "rts.c")?;
                making.file(&bench.join("stub/Rts.h"), "Rts.h")?;
                making.file(
                    &bench.join("stub/rts/EventLogWriter.h"),
                    "rts/EventLogWriter.h",
                )?;
                making.args(["rts.c"]);
                peer.put_into(&mut making)?;
            }
            Library::Ours => {
                making.file(&ours, "eventlog_socket.h")?;
                making.file(&self.ours, "libeventlog_socket.a")?;
                making.args([
                    "-DEVENTLOG_SOCKET_NO_RTS",
                    "-DBENCH_HAS_STATS",
                    "libeventlog_socket.a",
                ]);
            }
            Library::Memcpy | Library::Write => {
                let name = match library {
                    Library::Memcpy => "reference_memcpy.c",
                    _ => "reference_write.c",
                };
                making.file(&ours, "eventlog_socket.h")?;
                making.file(&bench.join("programs").join(name), name)?;
                making.args(["-DEVENTLOG_SOCKET_NO_RTS", name]);
            }
        }
        making.args(
            ["write", "writev", "send", "sendmsg", "syscall"]
                .map(|call| format!("-Wl,--wrap={call}")),
        );
        making.args(["-ldl", "-lm"]);
        making.make(&[env::var("CC").unwrap_or_else(|_| "cc".into())])
    }

    /// The Haskell programs with this library, by this GHC.
    ///
    /// # Errors
    /// The output of GHC.
    pub fn haskell(&self, library: Library, ghc: &Ghc) -> Result<PathBuf, String> {
        let bench = repository().join("bench/programs");
        let mut making = Making::default();
        for name in [
            "Main.hs",
            "Fire.hs",
            "Mixed.hs",
            "Paced.hs",
            "Pause.hs",
            "Stamps.hs",
            "program.c",
        ] {
            making.file(&bench.join(name), name)?;
        }
        // -fno-omit-yields: so that a loop which does not allocate stops for a collection.
        making.args([
            "-v0",
            "-O",
            "-threaded",
            "-fno-omit-yields",
            "-no-hs-main",
            "-I.",
            "-outputdir",
            "objects",
            "-o",
            "program",
            "Main.hs",
            "program.c",
        ]);
        match library {
            Library::Peer => {
                let peer = self.peer.as_ref().ok_or("there is no peer")?;
                peer.put_into(&mut making)?;
            }
            _ => {
                let header = "include/eventlog_socket.h";
                making.file(&repository().join(header), "eventlog_socket.h")?;
                for name in ["eventlog_socket_rts.c", "eventlog_socket_rts.h"] {
                    making.file(&repository().join("ffi/rts").join(name), name)?;
                }
                making.file(&self.ours, "libeventlog_socket.a")?;
                making.args([
                    "-optc-O2",
                    "-optc-DBENCH_HAS_STATS",
                    "eventlog_socket_rts.c",
                    "libeventlog_socket.a",
                ]);
            }
        }
        if !ghc.at_least(9, 4) {
            making.args(["-eventlog"]);
        }
        making.make(&ghc.call)
    }
}

/// The command line, `eventlog`, built.
///
/// # Errors
/// The output of cargo.
pub fn command_line() -> Result<PathBuf, String> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.args(["build", "--quiet", "--release", "-p", "eventlog-cli"]);
    build.arg("--target-dir").arg(target());
    run(build.current_dir(repository()))?;
    Ok(target().join("release/eventlog"))
}

/// A call of a compiler in a directory with copies of the sources, where it makes `program`. A call
/// that is equal to an earlier one is not made again.
#[derive(Debug, Default)]
struct Making {
    files: Vec<(String, Vec<u8>)>,
    args: Vec<String>,
}

impl Making {
    fn file(&mut self, from: &Path, name: &str) -> Result<(), String> {
        let content = fs::read(from).map_err(|error| format!("{}: {error}", from.display()))?;
        self.files.push((name.into(), content));
        Ok(())
    }

    fn args<S: Into<String>>(&mut self, args: impl IntoIterator<Item = S>) {
        self.args.extend(args.into_iter().map(Into::into));
    }

    fn make(self, compiler: &[String]) -> Result<PathBuf, String> {
        let mut hasher = DefaultHasher::new();
        (compiler, &self.args, &self.files).hash(&mut hasher);
        let programs = output().join("programs");
        let kept = programs.join(format!("{:016x}", hasher.finish()));
        if kept.join("program").exists() {
            return Ok(kept.join("program"));
        }
        let making = programs.join(format!("making-{}", std::process::id()));
        // There is one only if this process id has been used before.
        let _ = fs::remove_dir_all(&making);
        for (name, content) in &self.files {
            let path = making.join(name);
            let made = fs::create_dir_all(path.parent().unwrap_or(&making));
            made.and_then(|()| fs::write(&path, content))
                .map_err(|error| format!("{}: {error}", path.display()))?;
        }
        let (program, first) = compiler.split_first().ok_or("no compiler")?;
        let mut command = Command::new(program);
        run(command.args(first).args(&self.args).current_dir(&making))?;
        // Another process may have made an equal call meanwhile.
        if fs::rename(&making, &kept).is_err() {
            let _ = fs::remove_dir_all(&making);
        }
        Ok(kept.join("program"))
    }
}

/// Runs a command to its end; its output is the error.
///
/// # Errors
/// It cannot be run, or fails.
pub fn run(command: &mut Command) -> Result<String, String> {
    let name = command.get_program().to_owned();
    let name = Path::new(&name).file_name().unwrap_or(OsStr::new("?"));
    let name = name.to_string_lossy();
    let output = command
        .output()
        .map_err(|error| format!("{name}: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let words = String::from_utf8_lossy(&output.stderr);
    Err(format!("{name}: {}\n{words}", output.status))
}
