//! The header and the library for programs in C and C++.

use crate::support;

use std::path::Path;
use std::process::Command;
use support::build::{c_program, library};
use support::files::{repository, test_program};
use support::ghc::ghc;
use support::skip::need;
use support::stream::Stream;
use support::worker::Setup;
use support::{Address, Build, Collector, Expected, Main, Running, TempDir, Transport, ghc_events};

const STRICT: [&str; 4] = ["-Wall", "-Wextra", "-pedantic", "-Werror"];

/// Compile without linking; fails with what the compiler says.
#[track_caller]
fn compile(compiler: &str, standard: &str, language: &str, source: &Path) {
    let output = Command::new(compiler)
        .args(["-x", language, standard, "-fsyntax-only"])
        .args(STRICT)
        .arg("-I")
        .arg(repository().join("include"))
        .arg("-I")
        .arg(repository().join("ffi/rts"))
        .arg(source)
        .output()
        .unwrap_or_else(|error| panic!("{compiler}: {error}"));
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{compiler} {standard}: {words}");
}

/// The header is all that has to be included, with the macro or without.
#[test]
fn the_header_stands_alone() {
    let dir = TempDir::new();
    for (name, text) in [
        (
            "plain",
            "#include <eventlog_socket.h>\n#include <eventlog_socket.h>\n",
        ),
        (
            "no-rts",
            "#define EVENTLOG_SOCKET_NO_RTS\n#include <eventlog_socket.h>\n",
        ),
        ("for-the-rts", "#include <eventlog_socket_rts.h>\n"),
    ] {
        // ISO C does not allow an empty translation unit; this is not one.
        let source = dir.join(name);
        std::fs::write(&source, text).expect("a source");
        for standard in ["-std=c99", "-std=c11", "-std=c17", "-std=gnu11"] {
            compile("gcc", standard, "c", &source);
        }
        for standard in ["-std=c++11", "-std=c++17", "-std=c++20"] {
            compile("g++", standard, "c++", &source);
        }
    }
}

#[test]
fn layouts_and_values() {
    compile("gcc", "-std=c11", "c", &test_program("layout.c"));
}

/// The header as ghc sees it, with Rts.h.
#[test]
fn the_header_with_rts_headers() {
    let ghc = need!(ghc());
    let dir = TempDir::new();
    std::fs::copy(
        repository().join("include/eventlog_socket.h"),
        dir.join("eventlog_socket.h"),
    )
    .expect("a copy");
    let text = "#include \"eventlog_socket.h\"\n\
                #ifndef EVENTLOG_SOCKET_HAVE_RTS\n#error no RTS\n#endif\n\
                void *volatile refer[] = {(void *)eventlog_socket_wrap_hs_main, (void *)eventlog_socket_hs_main};\n";
    std::fs::write(dir.join("with_rts.c"), text).expect("a source");
    let output = ghc
        .command("ghc")
        .args([
            "-v0",
            "-optc-Wall",
            "-optc-Werror",
            "-I.",
            "-c",
            "with_rts.c",
        ])
        .current_dir(dir.path())
        .output()
        .expect("ghc");
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words}");
}

#[test]
fn every_function_links() {
    let program = c_program(&test_program("everything.cpp"), "g++", &["-std=c++17"]);
    let output = Command::new(program).output().expect("the program");
    assert!(output.status.success());
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.starts_with("23 "), "{said}");
    assert!(said.contains("No such file or directory"), "{said}");
}

/// Names that others see are ours, or Rust's own: nothing that a program, or
/// the RTS, could call the same.
#[test]
fn names_of_the_library() {
    let output = Command::new("readelf")
        .args(["--syms", "--wide"])
        .arg(library())
        .output();
    let output = output.expect("readelf");
    assert!(output.status.success());
    let table = String::from_utf8_lossy(&output.stdout);
    // Num: Value Size Type Bind Vis Ndx Name
    let names: Vec<&str> = table
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .filter(|fields| fields.len() == 8 && fields[4] == "GLOBAL" && fields[6] != "UND")
        .filter(|fields| fields[5] != "HIDDEN")
        .map(|fields| fields[7])
        .collect();
    let ours = |name: &str| {
        name.starts_with("eventlog_socket_")
            || ["EventLogSocketWriter", "SocketEventLogWriter"].contains(&name)
    };
    let count = names.iter().filter(|name| ours(name)).count();
    assert!(count >= 20, "{count} names of ours in {names:?}");
    let rust = |name: &str| {
        name.starts_with("_R") || name.starts_with("_ZN") || name == "rust_eh_personality"
    };
    let foreign: Vec<_> = names
        .iter()
        .filter(|name| !ours(name) && !rust(name))
        .collect();
    assert!(foreign.is_empty(), "{foreign:?}");
}

/// The example without GHC sends a log that GHC's reader reads.
#[test]
fn the_example_without_ghc() {
    let dir = TempDir::new();
    let program = c_program(
        &repository().join("examples/c-main/main.c"),
        "cc",
        &["-std=c11", "-Wall", "-Wextra", "-pedantic", "-Werror"],
    );
    let mut command = Command::new(program);
    let path = dir.join("socket");
    command
        .args(["4", "50"])
        .env("GHC_EVENTLOG_UNIX_PATH", &path)
        .env("GHC_EVENTLOG_WAIT", "1");
    let mut example = Running::spawn(command);
    let collector = Collector::connect(&Address::Unix(path.clone()));
    let status = example.wait();
    assert!(status.success(), "{status}: {}", example.stderr());
    let bytes = collector.finish();
    let stream = Stream::complete(&bytes);
    assert_eq!(stream.messages.len(), 4 * 50 * 100);
    for cap in 0..4 {
        let of_cap = stream.messages.iter().filter(|event| event.cap == cap);
        let in_order = of_cap
            .enumerate()
            .all(|(number, event)| event.text() == format!("capability {cap}, message {number}"));
        assert!(in_order, "capability {cap}");
    }
    assert!(example.stderr().contains("lost 0"), "{}", example.stderr());
    assert!(!path.exists(), "the socket file is left");
    if ghc_events::available().is_ok() {
        let shown = ghc_events::show(&bytes);
        assert!(shown.contains("capability 3, message 4999"));
    }
}

/// A C main that takes the steps itself, and hs_exit at the end.
#[test]
fn steps_in_a_c_main() {
    let ghc = need!(ghc());
    for transport in [Transport::Unix, Transport::Tcp] {
        let setup = Setup::of(Build::new(Main::Steps), transport).rts("-N2");
        let mut worker = setup.env("GHC_EVENTLOG_WAIT", "1").spawn(ghc);
        let collector = Collector::connect(&worker.address);
        worker.ready();
        worker.command("log 2 20000 100");
        worker.command("message by steps");
        let expected = Expected::of(&worker, ghc).capabilities(2);
        let status = worker.finish();
        assert!(status.success(), "{status}: {}", worker.process.stderr());
        assert_eq!(worker.process.stderr(), "");
        let bytes = collector.finish();
        let stream = Stream::complete(&bytes);
        expected.check(&stream, "the client");
        assert!(stream.has_message("by steps"));
        assert_eq!(stream.numbers(1).len(), 20000);
    }
}

/// The names of the first generation in a C main, waiting before hs_init.
#[test]
fn older_names_in_a_c_main() {
    let ghc = need!(ghc());
    for (transport, wait) in [
        (Transport::Unix, true),
        (Transport::Unix, false),
        (Transport::Tcp, true),
    ] {
        let mut setup = Setup::of(Build::new(Main::Older), transport).rts("-N2");
        if wait {
            setup = setup.env("GHC_EVENTLOG_WAIT", "1");
        }
        let mut worker = setup.command("marker the first of all").spawn(ghc);
        let collector = Collector::connect(&worker.address);
        worker.ready();
        worker.command("log 2 20000 100");
        worker.command("message by older names");
        let expected = Expected::of(&worker, ghc).capabilities(2);
        let status = worker.finish();
        assert!(status.success(), "{status}: {}", worker.process.stderr());
        assert_eq!(worker.process.stderr(), "");
        let bytes = collector.finish();
        let stream = Stream::complete(&bytes);
        expected.check(&stream, "the client");
        assert!(stream.has_message("the first of all"));
        assert!(stream.has_message("by older names"));
        if transport == Transport::Unix {
            assert!(!worker.socket_path().exists(), "the socket file is left");
        }
    }
}

/// The names of the first generation from Haskell.
#[test]
fn older_names_from_haskell() {
    let ghc = need!(ghc());
    let dir = TempDir::new();
    let path = dir.join("older");
    let port = support::files::free_port();
    let unix = format!("start-unix {} wait", path.display());
    let tcp = format!("start-tcp 127.0.0.1 {port} wait");
    for (address, command) in [(Address::Unix(path), unix), (Address::Tcp(port), tcp)] {
        let setup = Setup::of(Build::new(Main::Haskell), Transport::Unix);
        let setup = setup
            .start_with(&command)
            .command("marker right after the wait");
        let mut worker = setup.spawn(ghc);
        let collector = Collector::connect(&address);
        worker.ready();
        let expected = Expected::of(&worker, ghc);
        let status = worker.finish();
        assert!(status.success(), "{status}: {}", worker.process.stderr());
        let bytes = collector.finish();
        let stream = Stream::complete(&bytes);
        expected.check(&stream, "the client");
        assert!(stream.has_message("right after the wait"));
    }
}
