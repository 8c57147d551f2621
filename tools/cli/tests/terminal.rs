//! What is drawn on a terminal fits it, and leaves it as it was.

use crate::common::{Dir, Log, command, eventlog, wait_until};
use crate::program::{at, create, everything, message, run, stop};
use ghc_eventlog::EventBody;
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// A pseudo-terminal that keeps everything that is written to it.
struct Terminal {
    ours: OwnedFd,
    theirs: File,
    written: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl Terminal {
    fn new(rows: u16, columns: u16) -> Self {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&ours).expect("granted");
        unlockpt(&ours).expect("unlocked");
        let name = ptsname(&ours, Vec::new()).expect("a name");
        let theirs = File::options()
            .read(true)
            .write(true)
            .open(name.to_str().expect("UTF-8"))
            .expect("the other side");
        let written = Arc::default();
        let mut reader = File::from(ours.try_clone().expect("a descriptor"));
        let into: Arc<Mutex<Vec<u8>>> = Arc::clone(&written);
        let reader = std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            // Fails when the other side is closed, and everything was read.
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                into.lock()
                    .expect("whole")
                    .extend_from_slice(&buffer[..count]);
            }
        });
        let terminal = Self {
            ours,
            theirs,
            written,
            reader,
        };
        terminal.resize(rows, columns);
        terminal
    }

    fn resize(&self, rows: u16, columns: u16) {
        let size = Winsize {
            ws_row: rows,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&self.ours, size).expect("a size");
    }

    fn stdio(&self) -> Stdio {
        self.theirs.try_clone().expect("a descriptor").into()
    }

    /// What was written so far. It may be a moment behind.
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.written.lock().expect("whole")).into_owned()
    }

    /// All that was written by processes that have ended.
    #[track_caller]
    fn all(self) -> String {
        let Self {
            ours,
            theirs,
            written,
            reader,
        } = self;
        drop(theirs);
        wait_until("the terminal is closed", || reader.is_finished());
        drop(ours);
        String::from_utf8_lossy(&written.lock().expect("whole")).into_owned()
    }
}

/// The number of columns of a line: all texts here are ASCII, except for codes.
fn columns(line: &str) -> usize {
    let mut rest = line.chars();
    let mut count = 0;
    while let Some(c) = rest.next() {
        match c {
            '\x1b' => _ = rest.by_ref().find(char::is_ascii_alphabetic),
            '\r' => {}
            _ => count += 1,
        }
    }
    count
}

/// The complete frames that were drawn, each as its lines.
fn frames(text: &str) -> Vec<Vec<String>> {
    let frames = text.split("\x1b[H").skip(1);
    let whole = frames.filter_map(|frame| Some(frame.split_once("\x1b[J")?.0));
    whole
        .map(|frame| frame.split("\r\n").map(str::to_owned).collect())
        .collect()
}

const ENTER: &str = "\x1b[?1049h";
const LEAVE: &str = "\x1b[?1049l";

/// A run of the program, which is ended with the test at the latest.
struct Running(Child);

impl Running {
    fn start(command: &mut Command) -> Self {
        Self(command.spawn().expect("the program starts"))
    }

    /// Waits for its end, and returns its exit code.
    #[track_caller]
    fn end(&mut self) -> Option<i32> {
        let mut status = None;
        wait_until("the program ends", || {
            status = self.0.try_wait().expect("a child");
            status.is_some()
        });
        status.and_then(|status| status.code())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_summary_that_is_followed_fits_the_terminal() {
    let dir = Dir::new();
    let mut bytes = everything();
    // Not complete: it is followed until the test stops it.
    bytes.truncate(bytes.len() - 2);
    let log = dir.with("a.eventlog", &bytes);
    let terminal = Terminal::new(12, 40);
    let mut child = Running::start(
        command()
            .args([
                "stats",
                "--follow",
                "--interval",
                "200ms",
                "--color",
                "never",
                &log,
            ])
            .stdout(terminal.stdio())
            .stderr(Stdio::null()),
    );
    // On a busy machine it is time for the first frames before anything was read.
    wait_until("it draws the log", || {
        let frames = frames(&terminal.text());
        frames.iter().any(|frame| frame[0].contains("demo"))
    });
    // All of the log is there in one of them: it does not fit.
    wait_until("it fills the terminal", || {
        let frames = frames(&terminal.text());
        let last = frames.last().expect("there was one");
        last.len() == 12 && last[11].contains("more lines")
    });
    for small in frames(&terminal.text()) {
        assert!(small.len() <= 12, "{small:#?}");
        assert!(small.iter().all(|line| columns(line) <= 40), "{small:#?}");
    }
    // The next frames have the new size. All of it fits now.
    terminal.resize(60, 100);
    let large = |frame: &Vec<String>| frame.len() > 12;
    wait_until("it draws anew", || {
        frames(&terminal.text()).iter().any(large)
    });
    let large = frames(&terminal.text())
        .into_iter()
        .find(large)
        .expect("one");
    assert!(
        large.last().is_some_and(|line| line.contains("events")),
        "{large:#?}"
    );

    let pid = Pid::from_child(&child.0);
    kill_process(pid, Signal::INT).expect("it runs");
    assert_eq!(child.end(), Some(0));
    wait_until("all has come", || {
        terminal.text().trim_end().ends_with("markers")
    });
    let text = terminal.text();
    assert!(text.starts_with(ENTER), "{text:?}");
    let (drawn, after) = text.split_once(LEAVE).expect("it leaves the screen");
    assert_eq!(drawn.matches(ENTER).count(), 1);
    assert!(
        drawn.contains("\x1b[?25l") && drawn.contains("\x1b[?25h"),
        "the cursor"
    );
    // The summary stays on the terminal, once and whole.
    assert!(
        after.contains("demo, GHC-9.99") && !after.contains('\x1b'),
        "{after:?}"
    );
    assert_eq!(after.matches("elapsed").count(), 1);
}

#[test]
fn a_summary_that_ends_by_itself_leaves_the_terminal_too() {
    let dir = Dir::new();
    let log = dir.with("a.eventlog", &everything());
    let terminal = Terminal::new(24, 80);
    let mut child = Running::start(
        command()
            .args(["stats", "--follow", "--interval", "10ms", &log])
            .stdout(terminal.stdio())
            .stderr(Stdio::null()),
    );
    assert_eq!(child.end(), Some(0));
    wait_until("all has come", || {
        terminal.text().trim_end().ends_with("markers")
    });
    let text = terminal.text();
    assert_eq!(text.matches(ENTER).count(), text.matches(LEAVE).count());
    assert!(text.contains("demo, GHC-9.99"), "{text:?}");
}

/// A log of spans and threads with names longer than any terminal is wide.
fn long_names() -> Vec<u8> {
    let name = "long name ".repeat(30);
    let label = name.trim().to_owned();
    let texts: Vec<_> = (0..5)
        .map(|n| {
            (
                format!("START {n} {label}{n}"),
                format!("STOP {n} {label}{n}"),
            )
        })
        .collect();
    let mut events = vec![
        (1, create(1)),
        (
            1,
            EventBody::ThreadLabel {
                thread: 1,
                label: label.as_str().into(),
            },
        ),
        (2, run(1)),
    ];
    for (start, end) in &texts {
        events.extend([(3, message(start)), (4, message(end))]);
    }
    events.push((5, stop(1, ghc_eventlog::StopStatus::YIELDING)));
    Log::new().block(Some(0), &at(&events)).end()
}

#[test]
fn tables_fit_the_terminal_and_are_whole_elsewhere() {
    let dir = Dir::new();
    let log = dir.with("a.eventlog", &long_names());
    for way in [
        &["spans"][..],
        &["spans", "--per-thread"],
        &["stats", "--threads"],
    ] {
        let terminal = Terminal::new(24, 100);
        let args = [way, &["--color", "never", &log]].concat();
        let mut child = Running::start(
            command()
                .args(&args)
                .stdout(terminal.stdio())
                .stderr(Stdio::null()),
        );
        assert_eq!(child.end(), Some(0));
        let last = if way[0] == "stats" {
            "markers"
        } else {
            "outside all spans"
        };
        wait_until("all has come", || terminal.text().contains(last));
        let text = terminal.text();
        for line in text.lines() {
            let columns = line.trim_end().chars().count();
            assert!(columns <= 100, "{way:?}: {columns} in {line:?}");
        }
        assert!(text.contains('…'), "{way:?}: {text}");
        let whole = eventlog(&args).exits(0).stdout;
        assert!(
            !whole.contains('…') && whole.contains(&"long name ".repeat(29)),
            "{whole}"
        );
    }
}

#[test]
fn tables_have_as_many_rows_as_wanted() {
    let dir = Dir::new();
    let log = dir.with("a.eventlog", &long_names());
    let lines = |args: &[&str]| eventlog(&[args, &[&log]].concat()).exits(0);
    let table = lines(&["spans", "--limit", "2"]);
    let rows = table
        .lines()
        .iter()
        .filter(|line| line.starts_with("long"))
        .count();
    assert_eq!(rows, 2, "{}", table.stdout);
    assert!(table.stdout.contains("... 3 more rows"), "{}", table.stdout);
    // And a last row, which sums up the rest.
    assert_eq!(lines(&["spans", "--json", "--limit", "2"]).json().len(), 3);
    assert_eq!(lines(&["spans", "--list", "-n", "3"]).lines().len(), 3);
    assert_eq!(lines(&["spans", "--list", "--json"]).json().len(), 5);
    let whole = lines(&["spans", "--limit", "5"]).stdout;
    assert!(!whole.contains("more rows"), "{whole}");
}

#[test]
fn no_progress_is_left_when_the_reader_goes_away() {
    let terminal = Terminal::new(24, 80);
    let mut child = Running::start(
        command()
            .args(["show", "--sort", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(terminal.stdio()),
    );
    // More than fits into all pipes and buffers on the way.
    let text = "x".repeat(1000);
    let events: Vec<_> = (0..20_000).map(|n| (n, text.as_str())).collect();
    let mut log = Log::new();
    for part in events.chunks(100) {
        log = log.messages(0, part);
    }
    let log = log.end();
    let mut stdin = child.0.stdin.take().expect("a pipe");
    let (first, rest) = log.split_at(1000);
    stdin.write_all(first).expect("it reads");
    wait_until("it shows how far it is", || {
        terminal.text().contains("sorting")
    });
    drop(child.0.stdout.take());
    stdin.write_all(rest).expect("it reads");
    drop(stdin);
    assert_eq!(child.end(), Some(0));
    // Everything on the last line was cleared.
    let text = terminal.all();
    let line = text.rsplit('\n').next().unwrap_or_default();
    let wiped = line.rfind("\x1b[2K").map_or(0, |at| at + 4);
    assert_eq!(line[wiped..].trim(), "", "{text:?}");
}

/// Two signals at once: there is no time to notice the first one before the second.
#[test]
fn a_second_signal_leaves_the_terminal_as_it_was() {
    let dir = Dir::new();
    let mut bytes = everything();
    bytes.truncate(bytes.len() - 2);
    let log = dir.with("a.eventlog", &bytes);
    let terminal = Terminal::new(24, 80);
    let mut child = Running::start(
        command()
            .args(["stats", "--follow", "--interval", "10s", &log])
            .stdin(Stdio::null())
            .stdout(terminal.stdio())
            .stderr(terminal.stdio()),
    );
    // The first interval is long: wait for the screen, not for a summary of all.
    wait_until("the screen", || terminal.text().contains(ENTER));
    let pid = Pid::from_child(&child.0);
    kill_process(pid, Signal::INT).expect("sent");
    kill_process(pid, Signal::TERM).expect("sent");
    child.end();
    wait_until("the first screen", || terminal.text().contains(LEAVE));
}

/// Messages do not disturb what is drawn, and are printed afterwards.
#[test]
fn messages_do_not_disturb_what_is_drawn() {
    let dir = Dir::new();
    let mut bytes = everything();
    bytes.truncate(bytes.len() - 2);
    let log = dir.with("a.eventlog", &bytes);
    let terminal = Terminal::new(24, 200);
    let mut child = Running::start(
        command()
            .args(["stats", "--follow", "--interval", "50ms", &log])
            .stdin(Stdio::null())
            .stdout(terminal.stdio())
            .stderr(terminal.stdio()),
    );
    wait_until("the screen", || !frames(&terminal.text()).is_empty());
    // Another log replaces it, which is reported.
    let other = dir.with("b.eventlog", &bytes);
    std::fs::rename(other, &log).expect("renamed");
    let told = |frame: &Vec<String>| {
        frame
            .last()
            .is_some_and(|line| line.contains("started again"))
    };
    wait_until("the message", || frames(&terminal.text()).iter().any(told));
    let before = terminal.text();
    assert!(!before.contains("eventlog: "), "{before}");
    kill_process(Pid::from_child(&child.0), Signal::INT).expect("sent");
    assert_eq!(child.end(), Some(0));
    let after = || {
        let text = terminal.text();
        let after = text.split_once(LEAVE).map(|(_, after)| after.to_owned());
        after.is_some_and(|after| after.contains("started again"))
    };
    wait_until("the message, printed", after);
}

#[test]
fn the_state_of_a_relay_fits_the_terminal() {
    let dir = Dir::new();
    let program = UnixListener::bind(dir.file("app.sock")).expect("a socket");
    let terminal = Terminal::new(8, 40);
    let mut child = Running::start(
        command()
            .args(["relay", "unix:app.sock", "--to=unix:fan.sock"])
            .env("XDG_RUNTIME_DIR", dir.path())
            .env("NO_COLOR", "1")
            .current_dir(dir.path())
            .stdout(Stdio::null())
            .stderr(terminal.stdio()),
    );
    let mut stream = program.accept().expect("the relay").0;
    let log = everything();
    stream.write_all(&log[..log.len() - 2]).expect("sent");
    let clients: Vec<UnixStream> = (0..10)
        .map(|_| UnixStream::connect(dir.file("fan.sock")).expect("it listens"))
        .collect();
    // More lines than there is room for. It is as wide as the terminal, and cut.
    wait_until("it is drawn", || {
        let small = terminal.text();
        let parts = ["relay: up", "app: session 1", "more lines", "…"];
        parts.iter().all(|part| small.contains(part))
    });
    terminal.resize(30, 100);
    wait_until("all of it is drawn", || {
        terminal.text().contains("client 10: got")
    });
    // Messages that the state does not show are printed above it.
    drop(stream);
    wait_until("the loss is told", || {
        terminal.text().contains("the connection ended")
    });
    kill_process(Pid::from_child(&child.0), Signal::INT).expect("it runs");
    assert_eq!(child.end(), Some(0));
    drop(clients);
    let text = terminal.all();
    assert!(
        !text.contains("\x1b[1m") && !text.contains("\x1b[3"),
        "{text:?}"
    );
    // Nothing of the state is left.
    let wiped = text.rfind("\x1b[2K").map_or(0, |at| at + 4);
    assert!(!text[wiped..].contains("client"), "{text:?}");
}
