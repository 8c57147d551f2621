//! The flight recorder: what a program logged is there when it is gone, however it went.

use crate::chance::{Chance, Seeded, first_seed, rounds};
use crate::support;

use std::path::{Path, PathBuf};
use std::time::Duration;
use support::commands::{RTS, frame};
use support::ghc::{Ghc, ghc};
use support::process::ending;
use support::recovery::{Recovered, recovered, recovered_by, shown_by_ghc_events};
use support::skip::need;
use support::worker::Setup;
use support::{
    Build, Collector, Expected, FLUSH_LIMIT, LIMIT, Main, Stream, TempDir, Transport, Worker,
    alone, eventually,
};

/// Of the namespace of the RTS: flush into the file.
const DUMP: u8 = 3;

/// A program with a ring file in `dir` and no socket.
fn recorded(main: Main, dir: &TempDir) -> Setup {
    Setup::of(Build::new(main), Transport::Unix)
        .without_flushes()
        .rts("-N2")
        .without_socket()
        .env(
            "GHC_EVENTLOG_RING_FILE",
            file_in(dir).to_str().expect("a plain path"),
        )
        .env("GHC_EVENTLOG_RING_FILE_SIZE", "32M")
}

fn file_in(dir: &TempDir) -> PathBuf {
    dir.join("app.ring")
}

fn kill(worker: &mut Worker) {
    worker.process.signal(libc::SIGKILL);
    assert_eq!(ending(worker.process.wait()), "signal 9");
}

/// A log that has begun with all that a reader must know, and has these messages of each logger, one at least: none missing
/// between the first and the last.
#[track_caller]
fn check(log: &[u8], loggers: u16) -> Vec<(u64, u64)> {
    let spans = spans(log, loggers);
    let missing = spans.iter().position(Option::is_none);
    assert_eq!(missing, None, "a logger without messages");
    spans.into_iter().flatten().collect()
}

/// The same, where those of a logger may have been overwritten.
#[track_caller]
fn spans(log: &[u8], loggers: u16) -> Vec<Option<(u64, u64)>> {
    let stream = Stream::complete(log);
    let spans = (0..loggers).map(|logger| {
        let numbers = stream.numbers(logger);
        let whole = numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]);
        assert!(whole, "messages of logger {logger} are missing");
        Some((*numbers.first()?, *numbers.last()?))
    });
    spans.collect()
}

/// What was flushed is there after a SIGKILL: every message, and what defines the program. No socket, no client.
#[test]
fn a_program_that_is_killed_leaves_all_that_was_flushed() {
    let ghc = need!(ghc());
    need!(can_flush(ghc));
    for main in [Main::Wrap, Main::Steps, Main::Haskell] {
        let dir = TempDir::new();
        let mut worker = recorded(main, &dir).spawn(ghc);
        worker.ready();
        worker.command("log 2 3000 100");
        worker.command("control flush");
        kill(&mut worker);
        let Recovered { log, said } = recovered(&file_in(&dir));
        let stream = Stream::complete(&log);
        Expected::of(&worker, ghc)
            .capabilities(2)
            .check(&stream, "a recovered log");
        assert_eq!(check(&log, 2), [(0, 2999), (0, 2999)], "{main:?}: {said}");
        shown_by_ghc_events(&log);
    }
}

/// GHC 9.0 cannot flush when it is told to by the program.
fn can_flush(ghc: &Ghc) -> Result<(), String> {
    if ghc.at_least(9, 2) {
        Ok(())
    } else {
        Err(format!("GHC {} has no flushEventLog", ghc.version()))
    }
}

/// An exit in order leaves the whole log, also that of a small one.
#[test]
fn a_program_that_ends_leaves_its_log() {
    let ghc = need!(ghc());
    for main in [Main::Wrap, Main::Steps, Main::Haskell] {
        let dir = TempDir::new();
        let mut worker = recorded(main, &dir).spawn(ghc);
        worker.ready();
        worker.command("log 2 100 100");
        assert_eq!(ending(worker.finish()), "status 0");
        assert_eq!(worker.process.stderr(), "");
        let Recovered { log, said } = recovered(&file_in(&dir));
        assert_eq!(check(&log, 2), [(0, 99), (0, 99)], "{main:?}: {said}");
        Expected::of(&worker, ghc)
            .capabilities(2)
            .check(&Stream::complete(&log), "a recovered log");
    }
}

/// After many laps there are the newest messages, without a gap, and the definitions of chunks that were overwritten long ago.
#[test]
fn the_newest_stays() {
    let ghc = need!(ghc());
    let _alone = alone();
    let dir = TempDir::new();
    let mut worker = recorded(Main::Haskell, &dir)
        .env("GHC_EVENTLOG_RING_FILE_SIZE", "32M")
        .spawn(ghc);
    worker.ready();
    // In turns: one that gets no processor would be overwritten by the other alone.
    for _ in 0..40 {
        worker.command("log 2 10000 100");
    }
    let stats = worker.stats();
    assert!(stats.get("ring_file_chunks_overwritten") > 3, "{stats:?}");
    assert!(
        stats.get("ring_file_bytes_overwritten") > 8 << 20,
        "{stats:?}"
    );
    assert_eq!(stats.get("ring_file_size"), 32 << 20);
    assert_eq!(stats.get("ring_file_chunks_refused"), 0);
    assert_eq!(stats.get("ring_file_definitions_left_out"), 0);
    assert_eq!(ending(worker.finish()), "status 0");
    let Recovered { log, said } = recovered(&file_in(&dir));
    let spans = check(&log, 2);
    for (first, last) in &spans {
        assert!(*first > 100_000 && *last == 399_999, "{spans:?}");
    }
    assert!(said.contains("overwritten"), "{said}");
    let stream = Stream::complete(&log);
    Expected::of(&worker, ghc)
        .capabilities(2)
        .check(&stream, "a recovered log");
    let told = stream
        .messages
        .iter()
        .any(|message| message.text().contains("overwritten"));
    assert!(told, "the log does not say what was overwritten");
    shown_by_ghc_events(&log);
}

/// Killed at any moment, idle, at work, or at full speed, when the ring goes round: what is recovered is a log, without a
/// gap in it, and has what was flushed, or the newest of what was logged.
#[test]
fn killed_at_any_moment() {
    let ghc = need!(ghc());
    let first = first_seed();
    for seed in first..first + rounds(4) {
        let _seeded = Seeded {
            seed,
            what: "a kill".into(),
        };
        let mut chance = Chance::new(seed);
        match seed % 4 {
            0 => kill_an_idle_one(ghc, &mut chance),
            1 => kill_one_that_goes_round(ghc, &mut chance),
            _ => kill_one_at_full_speed(ghc, &mut chance),
        }
    }
}

/// A program, to be killed.
struct Victim {
    worker: Worker,
    dir: TempDir,
    what: String,
}

impl Victim {
    fn new(ghc: &Ghc, chance: &mut Chance, interval: &str, size: &str) -> Self {
        let main = chance.of(&[Main::Wrap, Main::Steps, Main::Haskell]);
        let dir = TempDir::new();
        let mut worker = recorded(main, &dir)
            .env("GHC_EVENTLOG_FLUSH_INTERVAL", interval)
            .env("GHC_EVENTLOG_RING_FILE_SIZE", size)
            .spawn(ghc);
        worker.ready();
        let what = format!("{main:?}, {interval}, {size}");
        Self { worker, dir, what }
    }

    /// Each logger logs so much, and all of it is flushed.
    fn log(&mut self, count: u64) {
        self.worker.command(&format!("log 2 {count} 100"));
        // Each flush that begins after this brings all of it.
        let before = self.worker.stats().get("flushes");
        eventually(FLUSH_LIMIT, "two flushes", || {
            self.worker.stats().get("flushes") > before + 1
        });
    }

    fn overwritten(&mut self) -> u64 {
        self.worker.stats().get("ring_file_chunks_overwritten")
    }

    /// Kill it; what is in its file.
    fn kill(&mut self, ghc: &Ghc) -> Recovered {
        kill(&mut self.worker);
        let recovered = recovered(&file_in(&self.dir));
        Expected::of(&self.worker, ghc)
            .capabilities(2)
            .check(&Stream::complete(&recovered.log), "a recovered log");
        shown_by_ghc_events(&recovered.log);
        recovered
    }
}

/// All that was logged is flushed.
fn kill_an_idle_one(ghc: &Ghc, chance: &mut Chance) {
    let (interval, size) = (chance.of(&["1ms", "20ms"]), chance.of(&["2M", "32M"]));
    let mut victim = Victim::new(ghc, chance, interval, size);
    victim.log(200);
    std::thread::sleep(chance.millis(50));
    let Recovered { log, said } = victim.kill(ghc);
    assert_eq!(check(&log, 2), [(0, 199); 2], "{}: {said}", victim.what);
}

/// The smallest ring, with chunks that are small as they are flushed soon: the newest that were flushed are there, and
/// perhaps some that were logged after them.
fn kill_one_that_goes_round(ghc: &Ghc, chance: &mut Chance) {
    const SOME: u64 = 500;
    let mut victim = Victim::new(ghc, chance, "1ms", "1M");
    let mut flushed = 0;
    while victim.overwritten() == 0 {
        victim.log(SOME);
        flushed += SOME;
        assert!(flushed < 100 * SOME, "the ring does not go round");
    }
    // Far less than the ring holds.
    victim.worker.begin(&format!("log 2 {SOME} 100"));
    std::thread::sleep(chance.millis(30));
    let Recovered { log, said } = victim.kill(ghc);
    let spans = check(&log, 2);
    for (first, last) in &spans {
        let newest = first + SOME <= flushed && last + 1 >= flushed;
        assert!(newest, "{}: {flushed}, {spans:?}: {said}", victim.what);
    }
    let gone = spans.iter().any(|(first, _)| *first > 0);
    assert!(gone, "{spans:?}: {said}");
}

/// Chunks are as large as they can be. Those of a logger that is held up may all be overwritten by the other, but not
/// before the ring is full: what is there fills it, and is the newest.
fn kill_one_at_full_speed(ghc: &Ghc, chance: &mut Chance) {
    // What a capability may have that it has not handed over: 2 MiB of events, each of 112 bytes.
    const BUFFER: u64 = (2 << 20) / 112 + 1;
    let interval = chance.of(&["0", "1ms", "20ms"]);
    let (size, capacity) = chance.of(&[("16M", 16 << 20), ("32M", 32 << 20)]);
    let mut victim = Victim::new(ghc, chance, interval, size);
    victim.worker.command("load 2 100");
    eventually(LIMIT, "the ring goes round", || victim.overwritten() > 0);
    std::thread::sleep(chance.millis(300));
    let logged = victim.worker.counters();
    let Recovered { log, said } = victim.kill(ghc);
    let what = format!("{}: {logged:?}: {said}", victim.what);
    println!("{what}");
    assert!(said.contains("overwritten"), "{what}");
    // A copy that took the system a whole lap was in the way of others.
    if said.contains("not recorded") {
        return;
    }
    let spans = spans(&log, 2);
    assert!(spans.iter().any(Option::is_some), "{what}");
    for (span, logged) in spans.iter().zip(&logged) {
        let newest = span.is_none_or(|(_, last)| last + BUFFER >= *logged);
        assert!(newest, "{spans:?}, {what}");
    }
    // All but what was being copied, or was about to be, or did not fit.
    assert!(
        log.len() >= capacity - (8 << 20),
        "{} bytes, {what}",
        log.len()
    );
}

/// A snapshot of a program that runs, by its number and by its file, while it logs and is flushed: each is a log, and the
/// program does not notice.
#[test]
fn snapshots_of_a_program_that_runs() {
    let ghc = need!(ghc());
    let dir = TempDir::new();
    let mut worker = recorded(Main::Haskell, &dir)
        .env("GHC_EVENTLOG_FLUSH_INTERVAL", "1ms")
        .env("GHC_EVENTLOG_RING_FILE_SIZE", "32M")
        .spawn(ghc);
    worker.ready();
    worker.command("log 1 200 100");
    worker.command("load 2 100");
    let flushes = worker.stats().get("flushes");
    // At this speed the file goes round before the pause after a long flush is over.
    eventually(FLUSH_LIMIT, "two flushes, or a full file", || {
        let stats = worker.stats();
        stats.get("flushes") > flushes + 1 || stats.get("ring_file_chunks_overwritten") > 0
    });
    let pid = worker.process.pid().to_string();
    let file = file_in(&dir);
    let path = file.to_str().expect("a plain path");
    for _ in 0..2 {
        let snapshots = [
            recovered_by("snapshot", &pid),
            recovered_by("snapshot", path),
            recovered(&file),
        ];
        for Recovered { log, said } in snapshots {
            // It may have been round the whole file while that was copied, which is told.
            let some = spans(&log, 2).iter().any(Option::is_some);
            assert!(some || said.contains(": 0 chunks, "), "{said}");
        }
    }
    worker.command("unload");
    // Nothing outruns these.
    for what in [pid.as_str(), path] {
        let Recovered { log, said } = recovered_by("snapshot", what);
        assert!(spans(&log, 2).iter().any(Option::is_some), "{said}");
    }
    assert_eq!(ending(worker.finish()), "status 0");
    assert_eq!(worker.process.stderr(), "");
}

/// With a socket, too: the client gets the whole log, and so does the file. The command `dump` brings what was logged so far
/// into the file, with a mark behind it.
#[test]
fn beside_a_client() {
    let ghc = need!(ghc());
    let dir = TempDir::new();
    let file = file_in(&dir);
    let mut worker = Setup::of(Build::new(Main::Wrap), Transport::Unix)
        .without_flushes()
        .rts("-N2")
        .env("GHC_EVENTLOG_RING_FILE", file.to_str().expect("plain"))
        .spawn(ghc);
    worker.ready();
    let mut client = worker.client();
    client.read_until_text("datb");
    worker.command("log 2 500 100");
    client.send(&frame(RTS, DUMP));
    eventually(LIMIT, "the dump", || {
        worker.stats().get("commands_run") == 1
    });
    // The program goes on.
    let dumped = recovered(&file);
    assert_eq!(check(&dumped.log, 2), [(0, 499), (0, 499)]);
    assert!(Stream::complete(&dumped.log).has_message("eventlog-socket: dump 1"));
    drop(client);
    let collector = Collector::connect(&worker.address);
    collector.wait_for_text("datb");
    worker.command("log 2 500 100");
    assert_eq!(ending(worker.finish()), "status 0");
    let streamed = collector.finish();
    let stream = Stream::complete(&streamed);
    assert!(!stream.has_message("eventlog-socket: dump 1"));
    assert_eq!(stream.numbers(0).last(), Some(&999));
    assert_eq!(check(&recovered(&file).log, 2), [(0, 999), (0, 999)]);
}

/// Without a ring file there is nothing to dump into.
#[test]
fn a_dump_without_a_file_is_refused() {
    let ghc = need!(ghc());
    let mut worker = Setup::of(Build::new(Main::Wrap), Transport::Unix)
        .without_flushes()
        .spawn(ghc);
    worker.ready();
    let mut client = worker.client();
    client.send(&frame(RTS, DUMP));
    eventually(LIMIT, "a refusal", || {
        worker.stats().get("commands_refused") == 1
    });
    assert_eq!(worker.stats().get("ring_file_size"), 0);
}

/// Where a program's functions come from is kept, all of it, also when the log has gone round many times.
#[test]
fn info_tables_are_kept() {
    let ghc = need!(ghc());
    need!(crate::ipe::require_tables(ghc));
    let dir = TempDir::new();
    let mut worker = recorded(Main::Wrap, &dir)
        .build(|_| crate::ipe::build(Main::Wrap))
        .env("GHC_EVENTLOG_RING_FILE_SIZE", "32M")
        .spawn(ghc);
    worker.ready();
    worker.command("log 2 200000 100");
    assert_eq!(worker.stats().get("ring_file_definitions_left_out"), 0);
    kill(&mut worker);
    let log = recovered(&file_in(&dir)).log;
    let stream = Stream::complete(&log);
    let count = stream.count(support::stream::IPE);
    assert!(count > 100, "{count}");
}

/// The file of the run before is kept, that of the one before it is not; each is readable for its owner alone.
#[test]
fn files_are_rotated() {
    let ghc = need!(ghc());
    let dir = TempDir::new();
    let file = file_in(&dir);
    let before = dir.join("app.ring.1");
    for run in 0..3 {
        let mut worker = recorded(Main::Haskell, &dir).spawn(ghc);
        worker.ready();
        worker.command(&format!("message run {run}"));
        assert_eq!(ending(worker.finish()), "status 0");
        assert_eq!(mode(&file), 0o600);
        let has = |file: &Path, run: usize| {
            let log = recovered(file).log;
            Stream::complete(&log).has_message(&format!("run {run}"))
        };
        assert!(has(&file, run));
        assert_eq!(before.exists(), run > 0);
        if run > 0 {
            assert!(has(&before, run - 1));
        }
    }
    assert!(!dir.join("app.ring.new").exists());
}

fn mode(file: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    let file = std::fs::metadata(file).expect("a file");
    file.permissions().mode() & 0o777
}

/// What forkProcess makes does not write into its parent's file, and the parent goes on.
#[test]
fn children_do_not_record() {
    let ghc = need!(ghc());
    let dir = TempDir::new();
    let mut worker = recorded(Main::Haskell, &dir).spawn(ghc);
    worker.ready();
    worker.command("message before");
    worker.command("fork-process");
    worker.command("message after");
    assert_eq!(ending(worker.finish()), "status 0");
    let log = recovered(&file_in(&dir)).log;
    let stream = Stream::complete(&log);
    assert!(stream.has_message("before") && stream.has_message("after"));
    assert!(!stream.has_message("said in the child"));
}

/// Nothing happens in an idle program: no thread wakes up for the recorder.
#[test]
fn an_idle_recorder_sleeps() {
    let ghc = need!(ghc());
    let _alone = alone();
    let dir = TempDir::new();
    let mut worker = recorded(Main::Haskell, &dir).spawn(ghc);
    worker.ready();
    worker.command("message something");
    let pid = worker.process.pid();
    // Pages are made first.
    let mut before = 0;
    eventually(LIMIT, "it has made them", || {
        std::thread::sleep(Duration::from_millis(1500));
        let now = switches(pid);
        std::mem::replace(&mut before, now) == now && worker.process.rests("eventlog-record")
    });
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(switches(pid), before);
}

/// How often the recorder's thread has slept.
fn switches(pid: u32) -> u64 {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).expect("its threads");
    let statuses =
        tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("status")).ok());
    let ours: Vec<String> = statuses
        .filter(|status| status.starts_with("Name:\teventlog-record\n"))
        .collect();
    assert_eq!(ours.len(), 1, "one thread is the recorder's");
    let line = |line: &str| {
        line.strip_prefix("voluntary_ctxt_switches:\t")?
            .parse()
            .ok()
    };
    ours[0].lines().find_map(line).expect("its switches")
}

/// Somebody truncates the file of a program that logs at full speed: the program goes on, and says so.
#[test]
fn a_file_that_is_truncated() {
    let ghc = need!(ghc());
    for (main, size) in [(Main::Wrap, 0), (Main::Haskell, 300_000)] {
        let dir = TempDir::new();
        let file = dir.join("ring");
        let mut worker = Setup::of(Build::new(main), Transport::Unix)
            .rts("-N2")
            .env("GHC_EVENTLOG_RING_FILE", file.to_str().expect("plain"))
            .env("GHC_EVENTLOG_RING_FILE_SIZE", "4M")
            .env("GHC_EVENTLOG_FLUSH_INTERVAL", "1ms")
            .spawn(ghc);
        worker.ready();
        worker.command("load 2 100");
        let opened = std::fs::File::options().write(true).open(&file);
        opened.and_then(|file| file.set_len(size)).expect("a file");
        eventually(LIMIT, "the loss is seen", || {
            worker.stats().get("ring_file_lost") == 1
        });
        eventually(LIMIT, "what is not recorded is counted", || {
            worker.stats().get("ring_file_chunks_refused") > 0
        });
        // Nothing more is written to it.
        let length = || std::fs::metadata(&file).expect("the file").len();
        let cut = length();
        // It streams as before.
        let mut client = worker.client();
        client.read_until_text("datb");
        worker.command("unload");
        assert_eq!(length(), cut);
        drop(client);
        assert_eq!(ending(worker.finish()), "status 0");
        assert_eq!(worker.process.stderr(), "");
    }
}
