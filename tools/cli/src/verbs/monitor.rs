//! `eventlog monitor`: what programs do, in the browser.

mod discovery;
mod listening;

use crate::errors::{self, Advise};
use crate::launch::{self, RtsArgs};
use crate::output;
use crate::printable;
use crate::signals::Stop;
use crate::source::{self, FlushArgs};
use crate::units;
use crate::verbs::relay::names::{name_of_file, usual_name};
use anyhow::Result;
use eventlog_monitor::{Input, Listen, Monitor, Options, Token};
use eventlog_source::program::{Prepared, Program};
use eventlog_source::programs::Place;
use eventlog_source::{Connecting, Error, Reconnecting, Source, Wait};
use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::SIGTERM;
use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// What programs do, live and from their logs, in the browser
///
/// Prints the address to open, and serves it until Ctrl-C: what capabilities and threads do, from
/// the whole run to single events, collections, heap, sparks, spans and messages. Files are read
/// while they grow; heap profiles (.hp), too, which have a heap page only. Without a source, all
/// programs of your own that run here are shown as they start and end.
///
/// Nobody else can read it: the address has a token, and only this machine can reach the port. The
/// newest part of the log of each program (--keep) is kept in files without a name in
/// $XDG_CACHE_HOME/eventlog, which are gone at the end.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Args {
    /// FILE (.eventlog or .hp), a FIFO, - for standard input, unix:PATH, tcp:HOST:PORT, or the name
    /// of a program that `eventlog list` shows. Without any, all programs of your own
    #[arg(value_name = "SOURCE", value_parser = source::parser())]
    sources: Vec<Source>,

    /// Where to serve: ADDRESS:PORT (port 0: any) or unix:PATH. Without it, the first free port of
    /// 127.0.0.1 from 4280 on
    #[arg(long, value_name = "ADDRESS", value_parser = listening::parse)]
    listen: Option<Listen>,

    /// Serve without a token: everybody who can reach the address can read the logs
    #[arg(long)]
    no_token: bool,

    /// How much of the log of each program to keep; of older parts only the series are kept
    #[arg(long, value_name = "SIZE", default_value = "1G", value_parser = keep)]
    keep: u64,

    /// How long to wait for a program that is not there: 10s, 2m, forever
    #[arg(long, value_name = "TIME", default_value = "forever", value_parser = units::wait)]
    wait: Wait,

    #[command(flatten)]
    flush: FlushArgs,

    #[command(flatten)]
    rts: RtsArgs,

    /// A program to run, and its arguments
    #[arg(last = true, value_name = "PROGRAM")]
    command: Vec<OsString>,
}

const EXAMPLES: &str = "\
Examples:
  eventlog monitor                              all programs of your own that run here
  eventlog monitor unix:/run/app.sock           one of them
  eventlog monitor program.eventlog             a log, also while it grows
  eventlog monitor program.eventlog heap.hp     and a heap profile as text
  eventlog monitor -- ./program +RTS -l -hT     runs it
  eventlog monitor --listen unix:/tmp/m.sock    for `ssh -L 8080:/tmp/m.sock HOST`
  curl -H \"Authorization: Bearer $TOKEN\" http://127.0.0.1:4280/api/sessions

Exits with the status of the program that it runs, once that has ended and Ctrl-C was pressed.";

/// Less would not hold a block.
const LEAST: u64 = 8 << 20;
/// How soon a request to stop is noticed.
const TICK: Duration = Duration::from_millis(100);
/// How long a program that was found may be away before it counts as ended.
const AWAY: Duration = Duration::from_secs(2);

fn keep(text: &str) -> Result<u64, String> {
    match units::bytes(text)? {
        LEAST.. => units::bytes(text),
        _ => Err("it must be 8M at least".to_owned()),
    }
}

/// How sources are read.
#[derive(Clone, Debug)]
struct Inputs {
    wait: Wait,
    flush: Option<Duration>,
    stop: Stop,
}

impl Inputs {
    fn connecting(&self) -> Connecting {
        let stop = self.stop.clone();
        Connecting::new()
            .programs(source::attach)
            .tick(Some(TICK))
            .stop(move || stop.is_set())
            .notices(|notice| source::tell(notice, true))
    }

    /// A source that was named.
    fn named(&self, source: &Source) -> Input {
        // Only sockets can be asked.
        let flush = self.flush.filter(|_| source.is_socket());
        let how = self.connecting().wait(self.wait).flush(flush);
        Input::source(Reconnecting::new(source.clone(), how))
    }

    /// A program that was found.
    fn program(&self, source: Source) -> Input {
        let how = self.connecting().wait(AWAY).flush(self.flush);
        Input::source(Reconnecting::new(source, how))
    }
}

/// Serves.
pub fn run(args: Args) -> Result<ExitCode> {
    if args.rts.is_given() && args.command.is_empty() {
        return Err(errors::usage(
            "--events and --rts are for a program that is run: name it behind --",
        ));
    }
    let sources = args.sources.into_iter().map(|it| source::source(Some(it)));
    let sources = sources.collect::<Result<Vec<_>>>()?;
    for source in &sources {
        readable(source)?;
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
    let all = sources.is_empty() && args.command.is_empty();
    // The directory is created here because programs may not be able to create it themselves.
    let directory = all.then(|| Place::own().make()).transpose()?;
    let monitor = Monitor::new(Options {
        keep: args.keep,
        directory: cache(),
    });
    let listen = args.listen.unwrap_or(Listen::Anywhere);
    let token = match args.no_token {
        true => None,
        false => Some(Token::random().advise("there are no random numbers for a token", "")?),
    };
    let stop = Stop::install()?;
    let server = monitor
        .serve(&listen, token.clone())
        .map_err(|error| listening::failed(&listen, &error))?;
    announce(&listening::line(server.address(), token.as_ref()))?;
    listening::tell(server.address(), token.as_ref());
    let inputs = Inputs {
        wait: args.wait,
        flush: args.flush.every,
        stop: stop.clone(),
    };
    for source in &sources {
        let live = source.size().is_none() && *source != Source::Stdin;
        let name = usual_name(source);
        monitor.add(&name, &source.to_string(), live, inputs.named(source))?;
    }
    if let Some(directory) = directory {
        discovery::watch(&directory, &monitor, &inputs)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut program = None;
    if let Some(prepared) = prepared {
        match start(&monitor, prepared, args.command, args.rts)? {
            Ok(started) => program = Some(started),
            Err(code) => return Ok(code),
        }
    }
    match program {
        None => {
            while !stop.is_set() {
                std::thread::sleep(TICK);
            }
            Ok(ExitCode::SUCCESS)
        }
        Some(program) => program.wait(&stop),
    }
}

/// Reports at once what cannot be read at all.
fn readable(source: &Source) -> Result<()> {
    let Source::File(path) = source else {
        return Ok(());
    };
    let about = std::fs::metadata(path).and_then(|about| match about.is_dir() {
        true => Err(std::io::ErrorKind::IsADirectory.into()),
        // A FIFO or a socket must not be opened only to see whether it can be.
        false if !about.is_file() => Ok(()),
        false => std::fs::File::open(path).map(drop),
    });
    about.map_err(|cause| {
        source::failed(Error::Open {
            from: source.clone(),
            waited: None,
            cause,
        })
    })
}

fn announce(line: &str) -> Result<()> {
    let mut out = output::out();
    writeln!(out, "{line}")?;
    out.flush()?;
    Ok(())
}

/// Where the logs of programs are kept: accessible to our own user only, on a disk.
fn cache() -> PathBuf {
    let absolute = |name: &str| {
        let path = std::env::var_os(name).map(PathBuf::from);
        path.filter(|path| path.is_absolute())
    };
    let home = || absolute("HOME").map(|home| home.join(".cache"));
    match absolute("XDG_CACHE_HOME").or_else(home) {
        Some(cache) => cache.join("eventlog"),
        // Files in it have no names, either.
        None => std::env::temp_dir(),
    }
}

/// The program that is run.
struct Started {
    name: String,
    pid: u32,
    ended: Receiver<(std::io::Result<ExitStatus>, Program)>,
    /// Set when the program is to be asked to end as well. Not for an interrupt, which the terminal
    /// sends to the program itself.
    terminated: Arc<AtomicBool>,
}

fn start(
    monitor: &Monitor,
    prepared: Prepared,
    command: Vec<OsString>,
    rts: RtsArgs,
) -> Result<Result<Started, ExitCode>> {
    let Some((path, arguments)) = command.split_first() else {
        return Ok(Err(ExitCode::from(errors::USAGE)));
    };
    let mut process = Command::new(path);
    process.args(arguments);
    let terminated = Arc::default();
    signal_hook::flag::register(SIGTERM, Arc::clone(&terminated))?;
    let started = launch::start(prepared, path, &mut process, &rts.into());
    let (mut program, log) = match started {
        Ok(started) => started,
        Err(code) => return Ok(Err(code)),
    };
    let name = name_of_file(Path::new(path));
    let words: Vec<_> = command.iter().map(|word| word.to_string_lossy()).collect();
    monitor.add(&name, &words.join(" "), true, Input::read(log))?;
    let pid = program.id();
    let (tell, ended) = channel();
    std::thread::spawn(move || {
        let status = program.wait();
        // If nothing waits for that any more, the command is ending.
        let _ = tell.send((status, program));
    });
    Ok(Ok(Started {
        name,
        pid,
        ended,
        terminated,
    }))
}

impl Started {
    /// Waits until the program has ended, and the user asks to stop.
    fn wait(self, stop: &Stop) -> Result<ExitCode> {
        let mut over = None;
        let mut asked = false;
        while over.is_none() || !stop.is_set() {
            if over.is_none()
                && let Ok(ended) = self.ended.try_recv()
            {
                if !stop.is_set() {
                    let name = printable::shell_word(&self.name);
                    errors::note(format_args!(
                        "{name} has ended; what it did can be looked at until Ctrl-C"
                    ));
                }
                // Kept until its log is read: without it, the process that holds the FIFO open
                // would take what is left.
                over = Some(ended);
            }
            if over.is_none() && self.terminated.load(Ordering::Relaxed) && !asked {
                asked = true;
                let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
                if let Some(pid) = pid {
                    // The process may be gone already.
                    let _ = kill_process(pid, Signal::TERM);
                }
            }
            std::thread::sleep(TICK);
        }
        match over {
            Some((status, _program)) => {
                Ok(launch::exit_code(status.advise("lost the program", "")?))
            }
            None => Ok(ExitCode::SUCCESS),
        }
    }
}
