//! Programs that are started for their log: here small scripts, which use the FIFO as the RTS does.
//! This program is its own keeper, so it has a `main` of its own.

mod common;

use common::{Dir, wait_until};
use eventlog_source::program::{
    self, ForwardSignals, PrepareError, Prepared, ProgramLog, RtsOptions,
};
use rustix::process::{Signal, getpid, kill_process};
use std::io::{ErrorKind, Read, Write};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

const KEEP: &str = "--keep";
/// More than a FIFO holds.
const MUCH: usize = 1_000_000;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let first = arguments.next();
    if first.as_deref() == Some(KEEP) {
        return match program::keep() {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        };
    }
    let tests: [(&str, fn()); 6] = [
        (
            "the_fifo_is_drained_and_the_log_ends_with_the_program",
            drained,
        ),
        ("a_program_that_writes_no_log_has_an_empty_one", no_log),
        (
            "a_program_that_cannot_be_started_leaves_nothing",
            not_started,
        ),
        ("one_that_ends_leaves_the_rest_to_the_keeper", left),
        ("signals_go_on_to_the_program", signals),
        ("without_a_keeper_there_is_no_fifo", no_keeper),
    ];
    let listed = std::env::args().any(|argument| argument == "--list");
    let filter = first
        .filter(|filter| !filter.starts_with('-'))
        .unwrap_or_default();
    for (name, test) in tests.iter().filter(|(name, _)| name.contains(&filter)) {
        match listed {
            true => println!("{name}: test"),
            false => {
                println!("test {name} ...");
                test();
            }
        }
    }
    ExitCode::SUCCESS
}

/// A FIFO in a directory.
fn prepared(dir: &Dir) -> Prepared {
    let own = program::own_executable().expect("this program");
    let mut keeper = Command::new(own);
    // The keeper makes the FIFO there.
    keeper.arg(KEEP).env("TMPDIR", dir.path());
    let prepared = Prepared::new(&mut keeper).expect("a FIFO");
    assert!(prepared.path().starts_with(dir.path()), "{prepared:?}");
    prepared
}

/// Does what the RTS does: opens the FIFO for reading and writing, as descriptor 3.
fn script(dir: &Dir, rest: &str) -> Command {
    let mut command = Command::new("sh");
    let text = format!("echo \"$GHCRTS\" >options; exec 3<>\"${{GHCRTS##*-ol}}\"; {rest}");
    command
        .args(["-c", &text])
        .current_dir(dir.path())
        .stdin(Stdio::piped());
    command
}

fn much() -> String {
    format!("head -c {MUCH} /dev/zero >&3")
}

fn count(mut log: ProgramLog) -> usize {
    let (mut total, mut buffer) = (0, vec![0; 64 << 10]);
    while let count @ 1.. = log.read(&mut buffer).expect("read") {
        total += count;
    }
    total
}

/// Checks that nothing is left of the FIFO: its directory was the only other one there.
fn nothing_left(dir: &Dir) {
    wait_until("the end of the keeper", || {
        let entries = std::fs::read_dir(dir.path()).expect("a directory");
        entries.flatten().all(|entry| !entry.path().is_dir())
    });
}

fn drained() {
    let dir = Dir::new();
    let prepared = prepared(&dir);
    let fifo = prepared.path().to_owned();
    let options = RtsOptions {
        classes: "-au".to_owned(),
        more: Some("-hT -i0.1".into()),
    };
    let mut command = script(&dir, &format!("{}; exit 7", much()));
    let (mut running, log) = prepared.start(&mut command, &options).expect("started");
    assert_ne!(running.id(), 0);
    let reader = std::thread::spawn(move || count(log));
    let status = running.wait().expect("its end");
    assert_eq!(status.code(), Some(7));
    assert_eq!(reader.join().expect("no panic"), MUCH);
    // The option for the log's path is the last one: it must take precedence.
    let told = std::fs::read_to_string(dir.file("options")).expect("told");
    let told = told.trim_end();
    assert!(
        told.starts_with("-l-au ") && told.contains(" -hT -i0.1 "),
        "{told}"
    );
    assert!(told.ends_with(&format!(" -ol{}", fifo.display())), "{told}");
    drop(running);
    assert!(!fifo.exists());
    nothing_left(&dir);
}

fn no_log() {
    let dir = Dir::new();
    let mut command = Command::new("true");
    let options = RtsOptions::default();
    let (mut running, log) = prepared(&dir)
        .start(&mut command, &options)
        .expect("started");
    let reader = std::thread::spawn(move || count(log));
    assert!(running.wait().expect("its end").success());
    assert_eq!(reader.join().expect("no panic"), 0);
}

fn not_started() {
    let dir = Dir::new();
    let mut command = Command::new(dir.file("none"));
    let error = prepared(&dir)
        .start(&mut command, &RtsOptions::default())
        .expect_err("none");
    assert_eq!(error.kind(), ErrorKind::NotFound);
    nothing_left(&dir);
}

/// The script gets to its end only if the FIFO is read.
fn left() {
    let dir = Dir::new();
    let rest = format!("touch opened; read line; {}; touch done", much());
    let mut command = script(&dir, &rest);
    // Its input is written by this test, and does not end with the program that started it.
    let (input, mut ours) = std::io::pipe().expect("a pipe");
    command.stdin(input);
    let options = RtsOptions::default();
    let (running, log) = prepared(&dir)
        .start(&mut command, &options)
        .expect("started");
    wait_until("a program", || dir.file("opened").exists());
    drop((running, log));
    ours.write_all(b"\n").expect("written");
    wait_until("the end of the program", || dir.file("done").exists());
    nothing_left(&dir);
}

fn signals() {
    let dir = Dir::new();
    let mut command = script(
        &dir,
        "trap 'exit 3' TERM; touch ready; while :; do sleep 0.01; done",
    );
    let forward = ForwardSignals::catch().expect("caught");
    let prepared = prepared(&dir).forward(forward);
    let (mut running, log) = prepared
        .start(&mut command, &RtsOptions::default())
        .expect("started");
    let reader = std::thread::spawn(move || count(log));
    wait_until("a program", || dir.file("ready").exists());
    kill_process(getpid(), Signal::TERM).expect("sent");
    assert_eq!(running.wait().expect("its end").code(), Some(3));
    assert_eq!(reader.join().expect("no panic"), 0);
}

fn no_keeper() {
    // A keeper that ends silently, one that gives a reason, and one that does not exist.
    let makes = |program: &str, arguments: &[&str]| {
        Prepared::new(Command::new(program).args(arguments)).expect_err("no FIFO")
    };
    let quiet = makes("true", &[]);
    assert!(
        matches!(&quiet, PrepareError::Make { cause } if cause.kind() == ErrorKind::UnexpectedEof)
    );
    let said = makes("printf", &[r"fno room\000"]);
    assert!(
        matches!(&said, PrepareError::Make { cause } if cause.to_string() == "no room"),
        "{said:?}"
    );
    assert!(
        said.to_string()
            .starts_with("cannot make a FIFO; set TMPDIR"),
        "{said}"
    );
    assert!(matches!(
        makes("/no/such/program", &[]),
        PrepareError::Make { .. }
    ));
    let gone = makes("printf", &[r"m/no/such/fifo\000"]);
    assert!(matches!(&gone, PrepareError::Open { path, .. } if path == Path::new("/no/such/fifo")));
    assert_eq!(
        gone.to_string(),
        "cannot open the FIFO /no/such/fifo; was it removed?"
    );
}
