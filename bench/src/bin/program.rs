//! The cost of streaming for a Haskell program, beside no eventlog, one that is discarded, one
//! written to a file, and the peer.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use bench::build::{Built, Library};
use bench::client::{Address, Client, Manner, Seen};
use bench::ghc::Ghc;
use bench::process::{Figures, Running, Scratch};
use bench::report::{Results, Text, experiment, human, markdown};
use bench::scale::{Rounds, Scale};
use bench::stats::Quantiles;

const LIMIT: Duration = Duration::from_secs(60);
const CLIENTS: [Manner; 4] = [Manner::Fast, Manner::Slow, Manner::Stalled, Manner::None];

/// The destination of the eventlog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// No eventlog.
    Off,
    /// The RTS makes it and discards it.
    Null,
    /// A file.
    File,
    Socket(Library, Manner),
    /// A ring file, and no socket.
    RingFile,
}

impl Mode {
    fn name(self) -> String {
        match self {
            Mode::Off => "off".into(),
            Mode::Null => "null".into(),
            Mode::File => "file".into(),
            Mode::Socket(library, client) => format!("{} {}", library.name(), client.name()),
            Mode::RingFile => "ours ring file".into(),
        }
    }

    fn library(self) -> Library {
        match self {
            Mode::Socket(library, _) => library,
            _ => Library::Ours,
        }
    }
}

/// A run of one of the programs.
#[derive(Debug, Clone)]
struct Case {
    mode: Mode,
    capabilities: u32,
    what: &'static str,
    number: u64,
    /// Seconds between flushes.
    flush: Option<f64>,
}

/// The programs that a GHC has built.
struct Programs {
    ghc: Ghc,
    ours: PathBuf,
    peer: Option<PathBuf>,
}

impl Programs {
    fn new(built: &Built) -> Result<Programs, String> {
        let ghc = Ghc::find()?;
        if !ghc.at_least(9, 4) {
            return Err(format!("GHC {} has no null writer", ghc.version));
        }
        eprintln!("program: GHC {}", ghc.version);
        let ours = built.haskell(Library::Ours, &ghc)?;
        let peer = match built.among(&[Library::Peer]).is_empty() {
            true => None,
            false => Some(built.haskell(Library::Peer, &ghc)?),
        };
        Ok(Programs { ghc, ours, peer })
    }

    fn run(&self, case: &Case) -> Result<(Figures, Vec<u64>, Seen), String> {
        let scratch = Scratch::new().map_err(|error| error.to_string())?;
        let samples = scratch.join("samples");
        let socket = scratch.join("socket");
        let program = match case.mode.library() {
            Library::Peer => self.peer.as_ref().ok_or("there is no peer")?,
            _ => &self.ours,
        };
        let line = [self.ghc.prefix.clone(), vec![program.display().to_string()]].concat();
        let mut command = Command::new(&line[0]);
        command
            .args(&line[1..])
            .args([case.what, &case.number.to_string()]);
        command.arg(&samples).arg("+RTS");
        command.arg(format!("-N{}", case.capabilities));
        if let Some(seconds) = case.flush {
            command.arg(format!("--eventlog-flush-interval={seconds}"));
        }
        let mut settings = Vec::new();
        match case.mode {
            Mode::Off => {}
            Mode::Null => drop(command.args(["-l", "--null-eventlog-writer"])),
            Mode::File => {
                let file = scratch.join("eventlog");
                command.args(["-l".into(), format!("-ol{}", file.display())]);
            }
            Mode::Socket(_, client) => {
                command.arg("-l");
                settings.push(("GHC_EVENTLOG_UNIX_PATH", socket.display().to_string()));
                if client != Manner::None {
                    settings.push(("GHC_EVENTLOG_WAIT", "1".into()));
                }
            }
            Mode::RingFile => {
                command.arg("-l");
                settings.push((
                    "GHC_EVENTLOG_RING_FILE",
                    scratch.join("ring").display().to_string(),
                ));
            }
        }
        let running = Running::start(&mut command, &settings)?;
        let client = match case.mode {
            Mode::Socket(_, manner) if manner != Manner::None => Some(
                Client::start(
                    &Address::Unix(socket),
                    manner,
                    u64::MAX,
                    case.what == "stamps",
                )
                .map_err(|error| format!("connecting: {error}"))?,
            ),
            _ => None,
        };
        let figures = running.result(LIMIT)?;
        if let Some(seconds) = case.flush {
            std::thread::sleep(Duration::from_secs_f64(seconds * 3.0));
        }
        drop(running);
        let seen = client.map(|client| client.stop().unwrap_or_default());
        // Only `pause` writes one.
        let words = fs::read(&samples).unwrap_or_default();
        let words = words.as_chunks().0.iter();
        let samples = words.map(|word| u64::from_ne_bytes(*word)).collect();
        Ok((figures, samples, seen.unwrap_or_default()))
    }

    fn modes(&self) -> Vec<Mode> {
        let mut modes = vec![Mode::Off, Mode::Null, Mode::File];
        modes.extend(CLIENTS.map(|client| Mode::Socket(Library::Ours, client)));
        modes.push(Mode::RingFile);
        if self.peer.is_some() {
            modes.extend(CLIENTS.map(|client| Mode::Socket(Library::Peer, client)));
        }
        modes
    }
}

fn main() -> Result<(), String> {
    let scale = Scale::from_args()?;
    let built = Built::new()?;
    let mut text = Text::default();
    text.add("### A Haskell program");
    match Programs::new(&built) {
        Ok(ghc) => measure(scale, &ghc, &mut text)?,
        Err(why) => text.add(format!("Not measured: {why}")),
    }
    text.publish("program")
}

fn measure(scale: Scale, ghc: &Programs, text: &mut Text) -> Result<(), String> {
    text.add(format!("Made by GHC {}.", ghc.ghc.version));
    let fire = loads(
        ghc,
        "fire",
        scale.choose(500_000, 10_000_000),
        scale.rounds(7, 110),
    )?;
    text.add(
        "**Nothing but events** (`fire`: 10 million of 44 bytes). The target is 1.12 times \
         `null` with a fast client, 1.03 with others, at `-N1`. `lost %`: of the log, \
         what found the ring full and was dropped.",
    );
    text.add(ratios(&fire));
    let mixed = loads(
        ghc,
        "mixed",
        scale.choose(10_000, 100_000),
        scale.rounds(7, 60),
    )?;
    text.add("**A program at work** (`mixed`: maps, garbage, a marker for each item).");
    text.add(ratios(&mixed));
    pauses(scale, ghc, text)?;
    delays(scale, ghc, text)
}

fn cases(ghc: &Programs, what: &'static str, number: u64) -> Vec<(Vec<String>, Case)> {
    let mut cases = Vec::new();
    for capabilities in [1, 2] {
        for mode in ghc.modes() {
            let case = Case {
                mode,
                capabilities,
                what,
                number,
                flush: None,
            };
            cases.push((vec![format!("-N{capabilities}"), mode.name()], case));
        }
    }
    cases
}

const LOADS: [&str; 4] = ["wall ms", "CPU ms", "lost %", "max RSS MiB"];

fn loads(
    ghc: &Programs,
    what: &'static str,
    number: u64,
    rounds: Rounds,
) -> Result<Results, String> {
    let results = experiment(
        what,
        &["RTS", "eventlog"],
        &LOADS,
        cases(ghc, what, number),
        rounds,
        |case| {
            let (figures, ..) = ghc.run(case)?;
            let figure = |name| figures.get(name).copied().unwrap_or(f64::NAN);
            Ok(vec![
                figure("wall_ns") / 1e6,
                figure("cpu_ns") / 1e6,
                // Of the whole log, whose size is nearly that of its events.
                figure("bytes_lost") / (number as f64 * 44.0) * 100.0,
                figure("max_rss_kib") / 1024.0,
            ])
        },
    );
    results.write_csv()?;
    Ok(results)
}

/// With ratios to `null` and `off`, of wall-clock time and of CPU.
fn ratios(results: &Results) -> String {
    let mut body = Vec::new();
    for row in &results.rows {
        let rts = row.labels[0].as_str();
        let own = |metric: &str| row.median(results.metric(metric));
        let to = |mode, metric| own(metric) / results.median(&[rts, mode], metric);
        let ends = row.runs.iter().map(|run| run[0]);
        let (low, high) = ends.fold((f64::MAX, 0.0), |(low, high), value| {
            (f64::min(low, value), f64::max(high, value))
        });
        body.push(vec![
            rts.to_owned(),
            row.labels[1].clone(),
            human(own("wall ms")),
            format!("{}-{}", human(low), human(high)),
            format!("{:.2}", to("null", "wall ms")),
            format!("{:.2}", to("off", "wall ms")),
            human(own("CPU ms")),
            format!("{:.2}", to("null", "CPU ms")),
            human(own("lost %")),
            human(own("max RSS MiB")),
        ]);
    }
    let head = [
        "RTS",
        "eventlog",
        "wall ms",
        "range",
        "to null",
        "to off",
        "CPU ms",
        "CPU to null",
        "lost %",
        "max RSS MiB",
    ];
    markdown(&head, 2, body)
}

fn pauses(scale: Scale, ghc: &Programs, text: &mut Text) -> Result<(), String> {
    let columns = &["p50", "p99", "p99.9", "max", "lost %"];
    let number = scale.choose(1_000, 10_000);
    let results = experiment(
        "pause",
        &["RTS", "eventlog"],
        columns,
        cases(ghc, "pause", number),
        scale.rounds(5, 100),
        |case| {
            let (figures, samples, _) = ghc.run(case)?;
            let q = Quantiles::of(&samples);
            let lost = figures.get("bytes_lost").copied().unwrap_or(f64::NAN);
            let lost = lost / (case.number as f64 * 4400.0) * 100.0;
            Ok(vec![q.p50, q.p99, q.p999, q.max, lost])
        },
    );
    results.write_csv()?;
    text.add(
        "**Pauses** (`pause`): nanoseconds of a batch of 100 events, 100 us of spinning between \
         batches. One batch in about 477 hands a buffer over. The target: p99.9 of 250 k.",
    );
    text.add(results.table(&[], columns));
    Ok(())
}

/// From an event to the client, when buffers are flushed every 10 ms.
fn delays(scale: Scale, ghc: &Programs, text: &mut Text) -> Result<(), String> {
    let columns = &["p50", "p99", "max", "arrived %"];
    let modes = ghc.modes().into_iter();
    let modes = modes.filter(|mode| matches!(mode, Mode::Socket(_, Manner::Fast)));
    let cases = modes.map(|mode| {
        let case = Case {
            mode,
            capabilities: 1,
            what: "stamps",
            number: scale.choose(200, 2_000),
            flush: Some(0.01),
        };
        (vec![mode.library().name().into()], case)
    });
    let results = experiment(
        "flushed",
        &["lib"],
        columns,
        cases.collect(),
        scale.rounds(3, 20),
        |case| {
            let (_, _, seen) = ghc.run(case)?;
            let q = Quantiles::of(&seen.delays);
            let arrived = seen.delays.len() as f64 / case.number as f64 * 100.0;
            Ok(vec![q.p50, q.p99, q.max, arrived])
        },
    );
    results.write_csv()?;
    text.add(
        "**Delay** from an event to the client, in nanoseconds, with \
         `--eventlog-flush-interval=0.01`.",
    );
    text.add(results.table(&[], columns));
    Ok(())
}
