//! Programs that are found by themselves: `eventlog list`, and sources that are named in short or
//! not at all.

use crate::common::{Log, dead_socket, done};
use crate::found::Machine;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::thread::JoinHandle;

/// A program that serves clients one after the other, with a log that ends.
fn serve(listener: UnixListener, clients: usize) -> JoinHandle<()> {
    std::thread::spawn(move || {
        for _ in 0..clients {
            let (mut client, _) = listener.accept().expect("a client");
            let log = Log::new().messages(0, &[(1, "hello")]).end();
            client.write_all(&log).expect("sent");
            client.shutdown(Shutdown::Write).expect("it is open");
            // Data that is not read would reset the connection.
            let _ = client.read_to_end(&mut Vec::new());
        }
    })
}

#[test]
fn nobody_is_there() {
    let machine = Machine::new();
    let place = machine.place().display().to_string();
    let list = machine.eventlog(&["list"]).exits(0);
    assert_eq!(list.stdout, "");
    let list = list.says(&place).says("GHC_EVENTLOG_UNIX_PATH=");
    assert!(list.stderr.contains("/eventlog/%n-%p.sock"), "{list:?}");
    let mode = std::fs::metadata(machine.place()).expect("it was made");
    assert_eq!(mode.permissions().mode() & 0o7777, 0o700);
    assert_eq!(machine.eventlog(&["list", "--json"]).exits(0).stdout, "");
    for verb in ["show", "stats", "spans", "validate", "doctor"] {
        machine
            .eventlog(&[verb])
            .exits(3)
            .says("no program that can be watched runs here")
            .says("GHC_EVENTLOG_UNIX_PATH=");
    }
    machine.eventlog(&["record", "-o", "x"]).exits(3);
    machine.eventlog(&["control", "flush"]).exits(3);
    machine.eventlog(&["export", "csv"]).exits(3);
}

#[test]
fn a_directory_that_is_not_to_be_trusted_is_named() {
    let machine = Machine::new();
    let place = machine.place().display().to_string();
    symlink(machine.dir.path(), machine.place()).expect("a link");
    for args in [&["list"][..], &["show"], &["stats"]] {
        machine
            .eventlog(args)
            .exits(3)
            .says(&place)
            .says("links are not followed");
    }
    std::fs::remove_file(machine.place()).expect("a link");
    std::fs::create_dir(machine.place()).expect("a directory");
    let open = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(machine.place(), open).expect("a mode");
    machine
        .eventlog(&["list"])
        .exits(3)
        .says(&format!("chmod 700 {place}"));
    // A source that is named in full does not need the directory.
    let log = machine.dir.with("log", &Log::new().end());
    machine.eventlog(&["show", &log]).exits(0);
    let missing = machine.eventlog(&["show", "missing"]).exits(3);
    missing.says("chmod 700").says("cannot open missing");
    let nowhere = machine.dir.file("nowhere");
    let mut list = machine.command(&["list"]);
    done(list.env("XDG_RUNTIME_DIR", &nowhere))
        .exits(3)
        .says(&nowhere)
        .says("unset XDG_RUNTIME_DIR");
}

#[test]
fn names_and_what_is_dead_are_listed() {
    let machine = Machine::new();
    let odd = "a b\u{1b}[31m";
    let _alive = [machine.listen("app-1"), machine.listen(odd)];
    dead_socket(machine.file("dead-2.sock"));
    let list = machine.eventlog(&["list"]).exits(0);
    let lines = list.lines();
    assert_eq!(lines.len(), 4, "{list:?}");
    assert!(lines[0].starts_with("NAME"), "{list:?}");
    let has = |line: &str, words: &[&str]| words.iter().all(|word| line.contains(word));
    let own = std::process::id().to_string();
    assert!(has(lines[1], &["a b\\u{1b}[31m", &own]), "{list:?}");
    assert!(has(lines[2], &["app-1", &own]), "{list:?}");
    assert!(has(lines[3], &["dead-2", "dead"]), "{list:?}");
    assert!(list.stderr.contains("--clean"), "{list:?}");

    let list = machine.eventlog(&["list", "--json"]).exits(0).json();
    let of = |name: &str| {
        let found = list.iter().find(|it| it["name"] == name);
        found.unwrap_or_else(|| panic!("{name} in {list:?}"))
    };
    assert_eq!(of(odd)["state"], "alive");
    assert_eq!(of("app-1")["pid"], std::process::id());
    let socket = machine.file("app-1.sock").display().to_string();
    assert_eq!(of("app-1")["socket"], socket);
    assert_eq!(of("app-1")["has_client"], false);
    assert!(of("app-1")["served_by"].is_null());
    assert_eq!(of("dead-2")["state"], "dead");
    assert!(of("dead-2")["pid"].is_null());

    let cleaned = machine.eventlog(&["list", "--clean"]).exits(0);
    assert_eq!(cleaned.lines().len(), 3, "{cleaned:?}");
    assert!(cleaned.stderr.contains("dead-2.sock"), "{cleaned:?}");
    assert_eq!(machine.names(), [&format!("{odd}.sock"), "app-1.sock"]);
}

#[test]
fn what_killed_tools_leave_is_cleaned_away() {
    let machine = Machine::new();
    let _alive = machine.listen("app-1");
    for name in ["gone-2.relay", ".gone-2.own", "app-1.relay"] {
        dead_socket(machine.file(name));
    }
    std::fs::write(machine.file("gone-2.lock"), "1 show\n").expect("a file");
    std::fs::write(machine.file("notes.txt"), "").expect("a file");
    machine.eventlog(&["list", "--clean"]).exits(0);
    let left = ["app-1.relay", "app-1.sock", "notes.txt"];
    assert_eq!(machine.names(), left);
}

#[test]
fn a_real_program_is_listed_and_not_disturbed() {
    let machine = Machine::new();
    // It waits for its first client; listing it does not count as one.
    let Some(program) = machine.program_with(&[("GHC_EVENTLOG_WAIT", "1")]) else {
        return;
    };
    let before = machine.eventlog(&["list", "--json"]).exits(0).json();
    for _ in 0..20 {
        machine.eventlog(&["list"]).exits(0);
    }
    let after = machine.eventlog(&["list", "--json"]).exits(0).json();
    assert_eq!(before, after);
    let [listed] = &after[..] else {
        panic!("{after:?}");
    };
    assert_eq!(listed["name"], program.name());
    assert_eq!(listed["pid"], program.pid());
    let version = done(std::process::Command::new("ghc").arg("--numeric-version"));
    assert_eq!(listed["ghc"], version.stdout.trim());
    let executable = listed["executable"].as_str().expect("a path");
    assert!(executable.ends_with("/numbers"), "{executable}");
    assert_eq!(listed["has_client"], false);
}

#[test]
fn the_only_program_needs_no_name() {
    let machine = Machine::new();
    let program = serve(machine.listen("app-12"), 1);
    dead_socket(machine.file("dead-1.sock"));
    let show = machine.eventlog(&["show"]).exits(0);
    assert!(show.stdout.contains("hello"), "{show:?}");
    let socket = machine.file("app-12.sock").display().to_string();
    show.says(&format!("note: app-12 is unix:{socket}"));
    program.join().expect("it ends");
}

#[test]
fn a_beginning_of_a_name_is_enough() {
    let machine = Machine::new();
    let apps = [machine.listen("app-12"), machine.listen("db-4")];
    let other = machine.listen("app-123");
    let ambiguous = machine.eventlog(&["show", "app"]).exits(2);
    ambiguous.says("app-12, app-123");
    let several = machine.eventlog(&["stats"]).exits(2);
    several.says("3 programs run").says("app-12, app-123, db-4");
    // A full name is not also the beginning of another.
    let [app, db] = apps;
    let programs = [serve(app, 1), serve(db, 1)];
    for (name, meant) in [("app-12", "app-12"), ("d", "db-4")] {
        let show = machine.eventlog(&["show", name]).exits(0);
        assert!(show.stdout.contains("hello"), "{show:?}");
        show.says(&format!("note: {meant} is unix:"));
    }
    drop(other);
    for program in programs {
        program.join().expect("it ends");
    }
    let nobody = machine
        .eventlog(&["show", "nobody", "--wait", "0s"])
        .exits(3);
    nobody.says("cannot open nobody").says("eventlog list");
}

#[test]
fn a_file_wins_over_a_program() {
    let machine = Machine::new();
    let _app = machine.listen("app-12");
    let log = Log::new().messages(0, &[(1, "from the file")]).end();
    for name in ["app", "app-12"] {
        machine.dir.with(name, &log);
        let show = machine.eventlog(&["show", name]).exits(0);
        assert!(show.stdout.contains("from the file"), "{show:?}");
        assert_eq!(show.stderr, "");
    }
}

#[test]
fn control_takes_a_command_for_one() {
    let machine = Machine::new();
    let program = serve(machine.listen("app-12"), 3);
    let quick = ["--linger", "50ms", "--wait", "2m"];
    for args in [&["app", "flush"][..], &["flush", "sync"], &["my-app/3"]] {
        let args = [&["control"], args, &quick].concat();
        machine.eventlog(&args).exits(0);
    }
    program.join().expect("it ends");
    machine.eventlog(&["control", "app"]).exits(2);
    let wrong = machine.eventlog(&["control", "app", "flesh"]).exits(2);
    wrong.says("flesh is no command");
}
