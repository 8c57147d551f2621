//! What a program's own compiler makes of the C sources.

use crate::support;

use std::process::Command;
use support::files::repository;
use support::ghc::ghc;
use support::skip::need;
use support::{TempDir, build};

/// The part that each program compiles with its own GHC: without a warning, so without
/// a function that is declared nowhere.
#[test]
fn the_rts_part_compiles_without_warnings() {
    let ghc = need!(ghc());
    let dir = TempDir::new();
    for file in [
        "include/eventlog_socket.h",
        "ffi/rts/eventlog_socket_rts.h",
        "ffi/rts/eventlog_socket_rts.c",
    ] {
        let name = file.rsplit('/').next().expect("a name");
        std::fs::copy(repository().join(file), dir.join(name)).expect("a copy");
    }
    for way in [&["-threaded"][..], &[], &["-threaded", "-dynamic"]] {
        let output = ghc
            .command("ghc")
            .args(["-v0", "-optc-Wall", "-optc-Werror"])
            .args(["-optc-Wimplicit-function-declaration", "-I."])
            .args(way)
            .args(["-c", "eventlog_socket_rts.c"])
            .current_dir(dir.path())
            .output()
            .expect("ghc");
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{way:?}: {words}");
    }
}

/// The names of the header's parameters and types are no words of C++, and none of its
/// arrays has a length that is known at run time only: a C++ program registers hooks and
/// commands.
#[test]
fn handlers_in_cpp() {
    let dir = TempDir::new();
    let source = dir.join("handlers.cpp");
    let text = r#"
#define EVENTLOG_SOCKET_NO_RTS
#include "eventlog_socket.h"
#include <cstdio>
namespace program {
static void on_hook(const void *) {}
static void on_command(const EventlogSocketControlNamespace *,
                       EventlogSocketControlCommandId, const void *) {}
}
int main() {
  EventlogSocketControlNamespace *made = nullptr;
  EventlogSocketStatus status = eventlog_socket_control_register_namespace(3, "app", &made);
  if (status.ess_status_code != EVENTLOG_SOCKET_OK) return 1;
  status = eventlog_socket_control_register_command(made, 1, program::on_command, nullptr);
  if (status.ess_status_code != EVENTLOG_SOCKET_OK) return 2;
  status = eventlog_socket_register_hook(EVENTLOG_SOCKET_HOOK_POST_START_EVENT_LOGGING,
                                         program::on_hook, nullptr);
  if (status.ess_status_code != EVENTLOG_SOCKET_OK) return 3;
  std::puts(eventlog_socket_control_strnamespace(made));
}
"#;
    std::fs::write(&source, text).expect("a source");
    let flags = ["-std=c++17", "-Wall", "-Wextra", "-pedantic", "-Werror"];
    let program = build::c_program(&source, "g++", &flags);
    let output = Command::new(program).output().expect("the program");
    assert_eq!(output.stdout, b"app\n", "{}", output.status);
}

/// The loader for GHC's own linker, where the library cannot be loaded: every function says
/// so, and none asks for a thread or a call.
#[test]
fn a_loader_without_its_library() {
    let dir = TempDir::new();
    let source = dir.join("loader.c");
    std::fs::write(dir.join("junk"), "no library").expect("a file");
    let names = "FORWARD(eventlog_socket_signal_ghc_rts_ready)\n\
                 FORWARD(eventlog_socket_strerror)\n\
                 FORWARD(eventlog_socket_rts_attached)\n\
                 FORWARD(eventlog_socket_rts_needs_thread)\n\
                 FORWARD(eventlog_socket_rts_next_call)\n";
    std::fs::write(dir.join("eventlog_socket_forwards.h"), names).expect("a header");
    let text = r#"
#include "eventlog_socket_loader.c"
int main(void) {
  EventlogSocketStatus status = eventlog_socket_signal_ghc_rts_ready();
  EventlogSocketRtsCall call;
  printf("%d %d %d %d %d\n", (int)status.ess_status_code,
         eventlog_socket_strerror(status) != NULL, eventlog_socket_rts_attached(),
         eventlog_socket_rts_needs_thread(), eventlog_socket_rts_next_call(NULL, &call));
}
"#;
    std::fs::write(&source, text).expect("a source");
    let program = dir.join("loader");
    let compiled = Command::new("cc")
        .args(["-DEVENTLOG_SOCKET_NO_RTS", "-o"])
        .arg(&program)
        .arg(format!("-DLIBRARY=\"{}\"", dir.join("junk").display()))
        .arg(format!("-I{}", dir.path().display()))
        .args(
            ["haskell/eventlog-socket/cbits", "ffi/rts", "include"]
                .map(|folder| format!("-I{}", repository().join(folder).display())),
        )
        .arg(&source)
        .args(["-lpthread", "-ldl"])
        .status()
        .expect("cc");
    assert!(compiled.success());
    let output = Command::new(program).output().expect("the program");
    assert_eq!(output.stdout, b"1 0 0 0 0\n", "{}", output.status);
}

/// A status is a plain value: it can be kept in a variable, and changed.
#[test]
fn statuses_can_be_assigned() {
    let dir = TempDir::new();
    let source = dir.join("assign.c");
    let text = "#define EVENTLOG_SOCKET_NO_RTS\n#include \"eventlog_socket.h\"\n\
                int main(void) {\n  EventlogSocketStatus status = eventlog_socket_worker_status();\n  \
                status = eventlog_socket_control_status();\n  return (int)status.ess_status_code;\n}\n";
    std::fs::write(&source, text).expect("a source");
    let program = build::c_program(&source, "cc", &["-std=c11", "-Wall", "-Werror"]);
    assert!(Command::new(program).status().expect("it runs").success());
}
