//! What ThreadScope makes of a log that somebody gets who comes late.
//!
//! In the long form only (`EVENTLOG_TEST_LONG`): it needs `threadscope`, an X server without a
//! screen (`Xvfb`), `xdotool` and `import` of ImageMagick.
//!
//! ThreadScope drops what comes after something that it cannot follow, without a word. What it
//! says is how many events it has and how long they last, and that in pixels only. So the same
//! name, number and time are shown to it in a log in which nothing can be dropped: both have to
//! look alike.

use crate::common::logs::real_logs;
use crate::common::*;
use eventlog_relay::Options;
use ghc_eventlog::{BlockBuilder, EventBody, Header, Item, Reader, StopStatus};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What nothing takes longer than, on however busy a machine.
const LIMIT: Duration = Duration::from_secs(120);
const NAME: &str = "joined.eventlog";

/// A process that is killed when it is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// An X server that shows nothing to anybody.
struct Screen {
    _server: Running,
    display: String,
    dir: Dir,
}

impl Screen {
    /// `None`, which is said, where there is not all that is needed.
    fn new() -> Option<Self> {
        if std::env::var_os("EVENTLOG_TEST_LONG").is_none() {
            eprintln!("SKIPPED: ThreadScope is asked in the long form only");
            return None;
        }
        for program in ["threadscope", "Xvfb", "xdotool", "import"] {
            // Whatever it says to this, it is there.
            if let Err(error) = Command::new(program).arg("-version").output() {
                eprintln!("SKIPPED: {program}: {error}");
                return None;
            }
        }
        let mut server = Command::new("Xvfb")
            .args(["-displayfd", "1", "-screen", "0", "1000x700x24"])
            .args(["-nolisten", "tcp"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut display = String::new();
        let mut told = BufReader::new(server.stdout.take().unwrap());
        told.read_line(&mut display).unwrap();
        Some(Self {
            _server: Running(server),
            display: format!(":{}", display.trim()),
            dir: Dir::new(),
        })
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env("DISPLAY", &self.display)
            .env("HOME", &self.dir.0)
            .stderr(Stdio::null());
        command
    }

    /// The line at the lower edge of the window, in pixels, as soon as it does not change any
    /// more.
    fn shows(&self, log: &[u8]) -> Vec<u8> {
        let path = self.dir.0.join(NAME);
        std::fs::write(&path, log).unwrap();
        // The title has the path as it was given.
        let mut threadscope = self.command("threadscope");
        let begun = threadscope.current_dir(&self.dir.0).arg(NAME).spawn();
        let _threadscope = Running(begun.unwrap());
        let since = Instant::now();
        let (mut last, mut same) = (Vec::new(), 0);
        // It has that title when the log is loaded.
        let title = format!("^{NAME} - ThreadScope$");
        while same < 8 {
            assert!(since.elapsed() < LIMIT, "it takes too long");
            std::thread::sleep(Duration::from_millis(250));
            let mut search = self.command("xdotool");
            search.args(["search", "--onlyvisible", "--name", &title]);
            if search.output().unwrap().stdout.is_empty() {
                continue;
            }
            let mut import = self.command("import");
            import.args(["-window", "root", "-crop", "1000x20+0+580", "ppm:-"]);
            let shown = import.output().unwrap().stdout;
            same = if shown == last { same + 1 } else { 0 };
            last = shown;
        }
        assert!(last.len() > 1000 * 20 * 3, "{} bytes", last.len());
        last
    }
}

/// How many events a log has, and the latest time of one.
fn extent(log: &[u8]) -> (usize, u64) {
    let mut reader = Reader::new(log);
    let (mut count, mut last) = (0, 0);
    while let Some(item) = reader.next_item().unwrap() {
        if let Item::Event(event) = item {
            (count, last) = (count + 1, event.time.max(last));
        }
    }
    (count, last)
}

/// So many events, up to this time, in which there is nothing to stumble over.
fn plain((count, last): (usize, u64)) -> Vec<u8> {
    let header = Header::standard();
    let thread = 1;
    let stop = EventBody::StopThread {
        thread,
        status: StopStatus::FINISHED,
        info: Some(0),
    };
    let mut global = BlockBuilder::new(None);
    let create = EventBody::CapCreate { created_cap: 0 };
    global.push_body(&header, 0, &create).unwrap();
    let mut block = BlockBuilder::new(Some(0));
    let mut push = |time, body: &EventBody<'_>| block.push_body(&header, time, body).unwrap();
    push(1, &EventBody::CreateThread { thread });
    push(2, &EventBody::RunThread { thread });
    for _ in 0..count - 4 {
        let message = "m".into();
        push(3, &EventBody::UserMsg { message });
    }
    push(last, &stop);
    let blocks = [global.finish(), block.finish()].concat();
    [header.as_bytes(), &blocks, &[0xff, 0xff]].concat()
}

/// What a client gets that comes when half of a log is over.
fn joined(log: &[u8]) -> Vec<u8> {
    let log = without_end(log);
    let (header, ends) = boundaries(log);
    let half = ends[ends.len() / 2];
    let mut test = TestRelay::new(Options::default());
    test.begin(&header);
    test.give(&log[header.len()..half]);
    test.settle();
    let (client, mut got) = test.join(&header);
    test.give(&log[half..]);
    test.source.send(SourceStep::End).unwrap();
    got.extend(client.read_all());
    got
}

#[test]
fn it_opens_joined_logs_whole() {
    let Some(screen) = Screen::new() else { return };
    // One that was seen: another number is another picture.
    let control = screen.shows(&plain((20_000, 30_000_000)));
    assert!(control == screen.shows(&plain((20_000, 30_000_000))));
    assert!(control != screen.shows(&plain((19_999, 30_000_000))));
    assert!(control != screen.shows(&plain((20_000, 29_000_000))));
    let wanted = ["9.0.2-mix", "9.10.3-mix", "9.6.6-nonmoving", "9.0.2-caps"];
    let logs = real_logs();
    let mut count = 0;
    for (name, log) in &logs {
        if logs.len() > wanted.len() && !wanted.contains(&name.as_str()) {
            continue;
        }
        let late = joined(log);
        let shown = screen.shows(&late);
        let extent = extent(&late);
        let expected = screen.shows(&plain(extent));
        assert!(shown == expected, "{name}: not {extent:?}");
        count += 1;
    }
    assert!(count > 0, "no logs");
}
