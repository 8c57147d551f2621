//! Building the programs under test. A program is kept in a cache under the
//! temporary directory, which every GHC of the matrix sees, by a hash of
//! everything that went into it.

use super::files::{repository, test_program};
use super::ghc::{Ghc, ghc};
use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

/// Who has `main`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Main {
    /// GHC; the program starts streaming from Haskell.
    Haskell,
    /// C, with `eventlog_socket_wrap_hs_main`.
    Wrap,
    /// C, with the steps of that in the program.
    Steps,
    /// C, with the names of the first generation.
    Older,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Way {
    Vanilla,
    Profiling,
    Dynamic,
    Debug,
}

/// What to build from `Worker.hs`.
#[derive(Debug, Clone, Hash)]
pub struct Build {
    pub main: Main,
    pub threaded: bool,
    pub way: Way,
    /// Modules (name and source) that are linked as well.
    pub modules: Vec<(String, String)>,
    /// Test programs in C that are linked as well.
    pub parts: Vec<&'static str>,
    pub flags: Vec<String>,
}

impl Build {
    pub fn new(main: Main) -> Self {
        Self {
            main,
            threaded: true,
            way: Way::Vanilla,
            modules: Vec::new(),
            parts: Vec::new(),
            flags: Vec::new(),
        }
    }

    pub fn way(mut self, way: Way) -> Self {
        self.way = way;
        self
    }

    pub fn non_threaded(mut self) -> Self {
        self.threaded = false;
        self
    }

    /// The program, built if it is not in the cache.
    pub fn program(&self, ghc: &Ghc) -> PathBuf {
        let mut sources = vec![
            test_program("Worker.hs"),
            test_program("Spin.hs"),
            test_program("worker.c"),
            test_program("control.c"),
            test_program("control.h"),
            repository().join("include/eventlog_socket.h"),
            repository().join("ffi/rts/eventlog_socket_rts.c"),
            repository().join("ffi/rts/eventlog_socket_rts.h"),
            library().to_path_buf(),
        ];
        let mut arguments: Vec<String> = way_flags(ghc, self.threaded, self.way);
        let fixed = "-v0 -O -fno-omit-yields -rtsopts -I. -outputdir objects -o program";
        arguments.extend(fixed.split(' ').map(String::from));
        arguments.extend(self.flags.iter().cloned());
        arguments.extend(self.modules.iter().map(|(name, _)| format!("{name}.hs")));
        arguments.push("Worker.hs".into());
        if let Some(main) = self.main.source() {
            sources.push(test_program(main));
            arguments.extend(["-no-hs-main".into(), main.into()]);
        }
        for part in &self.parts {
            sources.push(test_program(part));
            arguments.push((*part).into());
        }
        for last in [
            "worker.c",
            "control.c",
            "eventlog_socket_rts.c",
            "libeventlog_socket.a",
        ] {
            arguments.push(last.into());
        }
        let mut compiler = ghc.command("ghc");
        compiler.args(&arguments);
        cached(&ghc.id(), &sources, &self.modules, &arguments, compiler)
    }
}

impl Main {
    fn source(self) -> Option<&'static str> {
        match self {
            Self::Haskell => None,
            Self::Wrap => Some("main_wrap.c"),
            Self::Steps => Some("main_steps.c"),
            Self::Older => Some("main_older.c"),
        }
    }
}

fn way_flags(ghc: &Ghc, threaded: bool, way: Way) -> Vec<String> {
    let mut flags = Vec::new();
    if threaded {
        flags.push("-threaded");
    }
    // The profiling and debugging ways can log events anyhow; from 9.4 on, all.
    let needs_eventlog = !ghc.at_least(9, 4);
    match way {
        Way::Vanilla if needs_eventlog => flags.push("-eventlog"),
        Way::Vanilla => {}
        Way::Dynamic if needs_eventlog => flags.extend(["-dynamic", "-eventlog"]),
        Way::Dynamic => flags.push("-dynamic"),
        Way::Profiling => flags.push("-prof"),
        Way::Debug => flags.push("-debug"),
    }
    flags.into_iter().map(String::from).collect()
}

/// Whether this GHC has the libraries of a way; the error says what is missing.
pub fn way_available(ghc: &Ghc, way: Way) -> Result<(), String> {
    static KNOWN: Mutex<Vec<(Way, Result<(), String>)>> = Mutex::new(Vec::new());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, answer)) = known.iter().find(|(of, _)| *of == way) {
        return answer.clone();
    }
    let dir = super::TempDir::new();
    fs::write(dir.join("Empty.hs"), "main :: IO ()\nmain = pure ()\n").expect("a source");
    let output = ghc
        .command("ghc")
        .args(way_flags(ghc, true, way))
        .args(["-v0", "-outputdir", "objects", "-o", "empty", "Empty.hs"])
        .current_dir(dir.path())
        .output()
        .expect("ghc");
    let answer = if output.status.success() {
        Ok(())
    } else {
        let words = String::from_utf8_lossy(&output.stderr);
        let words: Vec<&str> = words.split_whitespace().take(20).collect();
        let words = words.join(" ");
        Err(format!(
            "GHC {} cannot build {way:?}: {words}",
            ghc.version()
        ))
    };
    known.push((way, answer.clone()));
    answer
}

/// A C or C++ program of this machine, linked with the library alone.
pub fn c_program(source: &Path, compiler: &str, flags: &[&str]) -> PathBuf {
    c_program_of_parts(source, &[], compiler, flags)
}

/// The same of several sources and headers: test programs.
pub fn c_program_of_parts(
    source: &Path,
    parts: &[&str],
    compiler: &str,
    flags: &[&str],
) -> PathBuf {
    let mut sources = vec![
        source.to_path_buf(),
        repository().join("include/eventlog_socket.h"),
        library().to_path_buf(),
    ];
    sources.extend(parts.iter().map(|part| test_program(part)));
    let mut arguments: Vec<String> = flags.iter().map(|flag| flag.to_string()).collect();
    arguments.extend(["-I.", "-o", "program"].map(String::from));
    arguments.push(file_name(source));
    let compiled = parts.iter().filter(|part| part.ends_with(".c"));
    arguments.extend(compiled.map(|part| part.to_string()));
    arguments.extend(["libeventlog_socket.a", "-pthread", "-ldl", "-lm"].map(String::from));
    let mut command = Command::new(compiler);
    command.args(&arguments);
    cached(compiler, &sources, &[], &arguments, command)
}

/// The probe: a C program that calls the library as its arguments say.
pub fn probe() -> PathBuf {
    c_program(
        &test_program("probe.c"),
        "cc",
        &["-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror"],
    )
}

/// `libeventlog_socket.a`: `EVENTLOG_TEST_LIBRARY`, or the release build, made
/// now if it is not up to date.
pub fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        if let Some(given) = std::env::var_os("EVENTLOG_TEST_LIBRARY") {
            return given.into();
        }
        let target = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .parent()
            .expect("tmp/ is in the target directory");
        let output = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--release", "-p", "eventlog-socket"])
            .arg("--target-dir")
            .arg(target)
            .current_dir(repository())
            .output()
            .expect("cargo");
        assert!(
            output.status.success(),
            "{}",
            report("cargo build", &output)
        );
        target.join("release/libeventlog_socket.a")
    })
}

fn report(what: &str, output: &Output) -> String {
    format!(
        "{what} failed ({}):\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

fn file_name(path: &Path) -> String {
    let name = path.file_name().expect("a file");
    name.to_str().expect("a plain name").to_owned()
}

/// Run `compiler` in a directory with copies of `sources` (and `modules`), where
/// it is to make `program`; or find the program of an earlier, equal run.
fn cached(
    with: &str,
    sources: &[PathBuf],
    modules: &[(String, String)],
    arguments: &[String],
    mut compiler: Command,
) -> PathBuf {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);

    let mut hasher = DefaultHasher::new();
    (with, arguments, modules).hash(&mut hasher);
    for source in sources {
        let content = fs::read(source).unwrap_or_else(|error| panic!("{source:?}: {error}"));
        (file_name(source), content).hash(&mut hasher);
    }
    let cache = std::env::temp_dir().join("eventlog-socket-test-programs");
    let kept = cache.join(format!("{:016x}", hasher.finish()));
    let program = kept.join("program");
    if is_kept(&kept, &program) {
        return program;
    }

    fs::create_dir_all(&cache).expect("the cache");
    forget_old(&cache);
    let making = cache.join(format!("making-{}", std::process::id()));
    let _ = fs::remove_dir_all(&making);
    fs::create_dir(&making).expect("a build directory");
    for source in sources {
        fs::copy(source, making.join(file_name(source))).expect("a copy of a source");
    }
    for (name, source) in modules {
        fs::write(making.join(format!("{name}.hs")), source).expect("a module");
    }
    let output = compiler
        .current_dir(&making)
        .output()
        .unwrap_or_else(|error| panic!("{with}: {error}"));
    let call = format!("{with} {}", arguments.join(" "));
    assert!(output.status.success(), "{}", report(&call, &output));
    // Another test process may have been faster.
    if fs::rename(&making, &kept).is_err() {
        let _ = fs::remove_dir_all(&making);
    }
    assert!(program.exists(), "{program:?} was not made");
    program
}

/// Whether it is there, made as a whole. Another test process, which forgets old programs, does
/// not forget it then.
pub fn is_kept(kept: &Path, program: &Path) -> bool {
    let used = fs::File::open(kept).and_then(|kept| kept.set_modified(SystemTime::now()));
    used.is_ok() && program.exists()
}

/// Programs of yesterday were linked with a library of yesterday.
fn forget_old(cache: &Path) {
    let day = Duration::from_secs(24 * 3600);
    for entry in fs::read_dir(cache).into_iter().flatten().flatten() {
        let age = entry.metadata().and_then(|data| data.modified());
        let age = age.ok().and_then(|modified| modified.elapsed().ok());
        if age.is_some_and(|age| age > day) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
