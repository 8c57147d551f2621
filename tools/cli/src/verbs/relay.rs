//! `eventlog relay`.

pub mod names;
mod news;
mod recording;
mod serving;
mod sources;
mod status;
mod teller;
mod view;
mod waking;
mod watch;

use crate::errors::{self, Advise};
use crate::launch::{self, RtsArgs};
use crate::source::{self, FlushArgs};
use crate::units;
use clap::ValueEnum;
use eventlog_relay::{Address, Event, Intake, OnLag, Options, Relay};
use eventlog_source::program::{Prepared, Program, heeded};
use eventlog_source::{Speed, Wait};
use names::{Named, Target};
use news::News;
use recording::{Orders, RecordArgs, Recorders};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use sources::{Gate, ReadOptions, StopReading};
use status::Answering;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::process::{ExitCode, ExitStatus};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;
use teller::{Manner, MessageSender, MessageThread};
use waking::Wake;
use watch::Watch;

/// Serve the log of one program to any number of clients, whenever they connect
///
/// A program serves one client at a time: that is the relay, and it serves all others. A client that
/// connects late gets the header, then the present state, then every byte from there on: a log that
/// is valid for every tool. Clients do not slow down the program or each other; one that is too slow
/// gets a message about what it missed, and the present state.
///
/// Prints the addresses that it serves, one a line, in the order of --to, when they can be connected
/// to. With port 0 the system chooses one. A Unix socket is for our own user only; everybody who can
/// reach a TCP port can read the log there.
///
/// Several sources are several sessions, each with a name: that of its socket or file, or NAME of
/// NAME=SOURCE. With more than one, --to ADDRESS=NAME says which one is served there. A file is
/// followed as it grows, or with --speed replayed, from when its first client is there.
///
/// Ends when all sources have ended, or with Ctrl-C or SIGTERM: every client then gets what is left,
/// and the end mark. A second signal ends it at once. Exits with the status of the program that it runs.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Args {
    /// unix:PATH, tcp:HOST:PORT, a FIFO, FILE, - for standard input, or the name of a program that
    /// `eventlog list` shows; NAME=SOURCE names it. Without any, the one program that runs
    #[arg(value_name = "SOURCE", value_parser = names::named())]
    sources: Vec<Named>,

    /// Where to serve: unix:PATH or tcp:HOST:PORT, with =NAME behind it if there are several sources
    #[arg(long, value_name = "ADDRESS", value_parser = names::target())]
    to: Vec<Target>,

    /// Replay files at this speed: 1x, 2.5x, max
    #[arg(long, value_name = "SPEED")]
    speed: Option<Speed>,

    /// What to do with a client that is too slow
    #[arg(long, value_enum, value_name = "WHAT", default_value = "resync")]
    on_lag: Lag,

    /// Keep clients when a program starts again: they get its new log in the same connection
    #[arg(long)]
    follow_restarts: bool,

    /// How much of each session to keep for clients that are slow
    #[arg(long, value_name = "SIZE", default_value = "64M", value_parser = ring_size)]
    ring: u64,

    /// How many clients there may be
    #[arg(long, value_name = "COUNT", default_value_t = Options::default().max_clients)]
    max_clients: usize,

    /// How long to wait for a source that is not there: 10s, 2m, forever
    #[arg(long, value_name = "TIME", default_value = "forever", value_parser = units::wait)]
    wait: Wait,

    /// How long clients may take to get the rest in the end
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = units::duration)]
    drain: Duration,

    #[command(flatten)]
    recording: RecordArgs,

    #[command(flatten)]
    flush: FlushArgs,

    #[command(flatten)]
    rts: RtsArgs,

    /// Print what happens as JSON, one object a line, on standard error; with --status the state
    #[arg(long)]
    json: bool,

    /// Say nothing unless something is wrong
    #[arg(long, short, conflicts_with = "json")]
    quiet: bool,

    /// Print the state of the relays that run, or of the one that serves ADDRESS
    #[arg(
        long,
        value_name = "ADDRESS",
        num_args = 0..=1,
        conflicts_with_all = ["sources", "to", "speed", "command", "quiet"]
    )]
    status: Option<Option<String>>,

    /// A program to run, and its arguments
    #[arg(last = true, value_name = "PROGRAM")]
    command: Vec<OsString>,
}

const EXAMPLES: &str = "\
Examples:
  eventlog relay unix:/run/app.sock --to unix:/run/fan.sock --to tcp:127.0.0.1:4242
  eventlog relay --to tcp:127.0.0.1:4242 -- ./program +RTS -l
  eventlog relay a=unix:/run/a.sock b=unix:/run/b.sock --to unix:/run/1=a --to unix:/run/2=b
  eventlog relay program.eventlog --speed 1x --to unix:/tmp/replay.sock
  eventlog relay unix:/run/app.sock --record logs --rotate-size 256M --max-bytes 10G
  eventlog relay --status
  eventlog show unix:/run/fan.sock";

/// What to do with a client that is too slow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Lag {
    /// Tell it what it missed, and bring it up to date
    Resync,
    /// Tell it what it missed, and close the connection
    Disconnect,
}

/// A smaller one would lag behind all the time.
const LEAST_RING: u64 = 64 << 10;

fn ring_size(text: &str) -> Result<u64, String> {
    match units::bytes(text)? {
        LEAST_RING.. => units::bytes(text),
        _ => Err("it must be 64K at least".to_owned()),
    }
}

/// Relays.
pub fn run(mut args: Args) -> anyhow::Result<ExitCode> {
    if let Some(of) = &args.status {
        return status::print(of.as_deref(), args.json);
    }
    if args.command.is_empty() || !args.sources.is_empty() {
        args.sources = names::found(args.sources)?;
    }
    let sessions = names::sessions(&args.sources, args.command.first().map(|it| it.as_os_str()))?;
    if sessions.is_empty() {
        return Err(errors::usage(
            "what is to be relayed? Name a SOURCE, or a program to run behind --",
        ));
    }
    if args.to.is_empty() && args.recording.record.is_none() {
        return Err(errors::usage(
            "where is it to be served? Say --to unix:PATH or --to tcp:HOST:PORT (or --record DIR)",
        ));
    }
    names::check_targets(&args.to, &sessions)?;
    names::check_circles(&args.sources, &args.to)?;
    let addresses = serving::addresses(&args.to)?;
    if args.rts.is_given() && args.command.is_empty() {
        return Err(errors::usage(
            "--events and --rts are for a program that is run: name it behind --",
        ));
    }
    // Everything that can fail should fail before the program is started.
    let prepared = match args.command.is_empty() {
        true => None,
        false => match launch::prepare() {
            Ok(prepared) => Some(prepared),
            Err(error) => {
                errors::report(&error);
                return Ok(ExitCode::from(launch::NOT_RUN));
            }
        },
    };
    relay(args, &sessions, &addresses, prepared)
}

fn relay(
    args: Args,
    sessions: &[String],
    addresses: &[Address],
    prepared: Option<Prepared>,
) -> anyhow::Result<ExitCode> {
    let (wake, woken) = channel();
    let (told, inbox) = teller::channel();
    let gates = gates(&args, sessions);
    let how = ReadOptions {
        wait: args.wait,
        flush: args.flush.every,
        over: StopReading::default(),
        told: told.clone(),
        relay: Arc::default(),
    };
    let store = args.recording.store(&told)?;
    let origins = origins(&args, sessions);
    let intakes = intakes(&args, sessions, &gates, &how)?;
    let relay = start(&args, told.clone(), gates, wake.clone())?;
    let _ = how.relay.set(relay.clone());
    for name in sessions {
        relay.reserve(name)?;
    }
    let recorders = match &store {
        Some(store) => Recorders::start(&relay, store, origins)?,
        None => Recorders::default(),
    };
    let signals = Signals::new(heeded(&[SIGINT, SIGTERM, SIGHUP]))?;
    serving::serve(&relay, &args.to, addresses, sessions, &told)
        .inspect_err(|_| relay.clone().drain(Duration::ZERO))?;
    let watch = Watch::new(&relay, recorders.recordings());
    let answering = Answering::start(&watch)
        .inspect_err(|error| {
            let message = format!("--status will not find this relay: {error:#}");
            told.tell(News::NoStatus { message });
        })
        .ok();
    let teller = MessageThread::start(inbox, manner(&args), watch);
    let outcome = run_to_end(
        &relay,
        (sessions, intakes),
        prepared.map(|prepared| (prepared, args.command, args.rts)),
        (signals, wake, &woken, recorders.orders()),
        &told,
    );
    if !matches!(&outcome, Ok(ended) if ended.reason == SOURCES_ENDED) {
        recorders.stop();
    }
    if let Ok(ended) = &outcome {
        let reason = ended.reason;
        told.tell(News::Draining { reason });
    }
    relay.drain(outcome.as_ref().map_or(Duration::ZERO, |_| args.drain));
    // Only then: for the relay, a source that ends was lost.
    how.over.set();
    if !recorders.finish(args.drain) {
        told.tell(News::RecordingUnfinished);
    }
    drop(answering);
    told.tell(News::Ended);
    teller.finish();
    let Ended { code, kept, .. } = outcome?;
    drop(kept);
    match code {
        Code::Ours(code) => Ok(code),
        Code::Of(status) => Ok(launch::exit_code(status.advise("lost the program", "")?)),
    }
}

fn manner(args: &Args) -> Manner {
    match args {
        Args { json: true, .. } => Manner::Json,
        Args { quiet: true, .. } => Manner::Quiet,
        _ if io::stderr().is_terminal() => Manner::Panel,
        _ => Manner::Words,
    }
}

/// The names of the sessions, and their origins, for people.
fn origins(args: &Args, sessions: &[String]) -> Vec<(String, String)> {
    let sources = args.sources.iter().map(|named| named.source.to_string());
    let program = args.command.iter().map(|word| word.to_string_lossy());
    let program = program.collect::<Vec<_>>().join(" ");
    let program = (!program.is_empty()).then_some(program);
    sessions
        .iter()
        .cloned()
        .zip(sources.chain(program))
        .collect()
}

/// The sources, by the names of the sessions.
fn intakes(
    args: &Args,
    sessions: &[String],
    gates: &BTreeMap<String, Gate>,
    how: &ReadOptions,
) -> anyhow::Result<Vec<Intake>> {
    let sources = args.sources.iter().zip(sessions);
    let intakes = sources.map(|(named, name)| match args.speed {
        Some(speed) if !named.source.is_socket() => {
            let gate = gates.get(name).cloned().unwrap_or_default();
            let intake = how.replay(name, &named.source, speed, gate);
            intake.map_err(source::failed)
        }
        _ => Ok(how.live(name, &named.source)),
    });
    intakes.collect()
}

/// Reads everything, until the sources have ended or the user stops the relay.
fn run_to_end(
    relay: &Relay,
    (sessions, intakes): (&[String], Vec<Intake>),
    program: Option<(Prepared, Vec<OsString>, RtsArgs)>,
    (signals, wake, woken, orders): (Signals, Sender<Wake>, &Receiver<Wake>, Option<Orders>),
    told: &MessageSender,
) -> anyhow::Result<Ended> {
    for (name, intake) in sessions.iter().zip(intakes) {
        relay.add(name, intake)?;
    }
    let mut pid = None;
    if let (Some((prepared, command, rts)), Some(name)) = (program, sessions.last()) {
        let (running, log) = match waking::start(command, rts, prepared) {
            Ok(started) => started,
            Err(code) => return Ok(Ended::with(code)),
        };
        relay.add(name, Intake::read(log))?;
        pid = Some(running.id());
        waking::watch(running, wake.clone());
    }
    waking::heed(signals, wake, pid, orders);
    Ok(wait(woken, sessions, pid.is_some(), relay, told))
}

/// A gate for each session that is replayed, which its first client opens.
fn gates(args: &Args, sessions: &[String]) -> BTreeMap<String, Gate> {
    let gates: BTreeMap<String, Gate> = match args.speed {
        Some(_) => sessions
            .iter()
            .map(|name| (name.clone(), Gate::default()))
            .collect(),
        None => BTreeMap::new(),
    };
    for (name, gate) in &gates {
        let serves = |to: &Target| to.of.as_ref().is_none_or(|of| of == name);
        if !args.to.iter().any(serves) {
            gate.open();
        }
    }
    gates
}

/// The relay, without sources.
fn start(
    args: &Args,
    told: MessageSender,
    gates: BTreeMap<String, Gate>,
    wake: Sender<Wake>,
) -> anyhow::Result<Relay> {
    let mut options = Options::default();
    options.ring_bytes = usize::try_from(args.ring).unwrap_or(usize::MAX);
    options.on_lag = match args.on_lag {
        Lag::Resync => OnLag::Resync,
        Lag::Disconnect => OnLag::Disconnect,
    };
    options.follow_restarts = args.follow_restarts;
    options.max_clients = args.max_clients;
    let options = options.notices(move |event| {
        match event {
            Event::ClientCame { source, .. } => {
                if let Some(gate) = gates.get(*source) {
                    gate.open();
                }
            }
            // If nothing waits for that any more, the relay is over already.
            Event::SourceEnded { source, error } => drop(wake.send(Wake::SourceEnded {
                name: (*source).to_owned(),
                failed: error.is_some(),
            })),
            Event::OwnStream { source } => drop(wake.send(Wake::SourceEnded {
                name: (*source).to_owned(),
                failed: true,
            })),
            _ => {}
        }
        if let Some(news) = News::of(event) {
            told.tell(news);
        }
    });
    Ok(Relay::start(options)?)
}

/// The reason if the user did not stop it.
const SOURCES_ENDED: &str = "all sources have ended";

/// How the relay ended.
struct Ended {
    reason: &'static str,
    code: Code,
    /// The program, as long as its log may grow.
    kept: Option<Program>,
}

/// The exit code.
enum Code {
    Ours(ExitCode),
    /// The status of the program.
    Of(io::Result<ExitStatus>),
}

impl Ended {
    fn with(code: ExitCode) -> Self {
        Self {
            reason: SOURCES_ENDED,
            code: Code::Ours(code),
            kept: None,
        }
    }
}

/// Waits for the end.
fn wait(
    woken: &Receiver<Wake>,
    sessions: &[String],
    runs_program: bool,
    relay: &Relay,
    told: &MessageSender,
) -> Ended {
    let mut left: BTreeSet<&str> = sessions.iter().map(String::as_str).collect();
    let mut ended = Ended::with(ExitCode::SUCCESS);
    let mut waits_for_program = runs_program;
    while !left.is_empty() || waits_for_program {
        match woken.recv() {
            // The program ends in its own time; a second signal ends the relay without waiting for
            // it.
            Ok(Wake::Stop(_)) if waits_for_program => {}
            Ok(Wake::Stop(reason)) => {
                ended.reason = reason;
                break;
            }
            Ok(Wake::SourceEnded { name, failed }) => {
                if let (true, Code::Ours(code)) = (failed, &mut ended.code) {
                    *code = ExitCode::from(errors::IO);
                }
                left.remove(name.as_str());
            }
            Ok(Wake::ProgramEnded(status, program)) => {
                ended.code = Code::Of(status);
                ended.kept = Some(program);
                waits_for_program = false;
            }
            Err(_) => break,
        }
    }
    if let (true, Some(name)) = (runs_program, sessions.last()) {
        let status = relay.status();
        let source = status.sources.iter().find(|source| source.name == *name);
        if source.is_some_and(|source| source.sessions == 0) {
            let [message, hint] = launch::no_log(name);
            told.tell(News::NoLog { message, hint });
        }
    }
    ended
}
