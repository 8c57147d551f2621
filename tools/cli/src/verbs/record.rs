//! `eventlog record`.

use crate::errors::{self, Advise};
use crate::files::{self, Packed};
use crate::hints;
use crate::progress::Progress;
use crate::record::{Files, Piece, Rotation, Tee, earlier};
use crate::signals::Stop;
use crate::source::{self, FlushArgs, ProtocolArg};
use crate::units::Bytes;
use crate::verbs::control::frames;
use clap::ValueEnum;
use eventlog_source::control::Command;
use eventlog_source::{Connecting, Connection, Source, Wait};
use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// How often the clock and the stop flag are read.
const TICK: Duration = Duration::from_millis(100);
/// The pause between connections that bring nothing.
const REST: Duration = Duration::from_millis(200);

/// Record a stream into files
///
/// What has arrived is written at once, so that the file is a readable log whatever happens. A log that starts again, a new connection and a rotation each begin a new file:
/// FILE, then FILE with a number before its extension. Each file can be read for itself: it begins
/// with the header and everything that was defined before. Ctrl-C ends the recording.
///
/// A packed recording (FILE.zst) can be read up to the last second, whatever happens.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  eventlog record unix:/tmp/app.sock -o app.eventlog
  eventlog record unix:/tmp/app.sock -o app.eventlog.zst --flush 1s
  eventlog record unix:/tmp/app.sock -o - | eventlog stats -
  eventlog record tcp:db1:4242 -o db1.eventlog --rotate-size 256M --keep 20
  eventlog record unix:/tmp/app.sock -o app.eventlog --reconnect always --wait forever
  eventlog record unix:/tmp/app.sock -o heap.eventlog --for 30s --control start-heap-profiling
  mkfifo /tmp/log; eventlog record /tmp/log -o app.eventlog & ./app +RTS -l -ol/tmp/log")]
pub struct Args {
    /// unix:PATH, tcp:HOST:PORT, the NAME of a program that `eventlog list` shows, a FIFO, FILE, or
    /// - for standard input; without it, the one program that runs
    #[arg(value_name = "SOURCE", value_parser = source::parser())]
    given: Option<Source>,

    /// What is recorded, once it is found.
    #[arg(skip = Source::Stdin)]
    source: Source,

    /// The file to write, packed if its name ends in .zst; - for standard output
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,

    /// Replace files that exist, and remove the numbered ones of an earlier recording
    #[arg(long)]
    force: bool,

    /// Begin a new file when the present one has this size: 256M, 1G
    #[arg(long, value_name = "SIZE", value_parser = crate::units::some_bytes)]
    rotate_size: Option<u64>,

    /// Begin a new file after this time: 10m, 1h
    #[arg(long, value_name = "TIME", value_parser = crate::units::some_time)]
    rotate_time: Option<Duration>,

    /// Keep only this many files: the oldest ones of this recording are deleted
    #[arg(long, value_name = "COUNT")]
    keep: Option<usize>,

    /// When to connect again after the stream has ended
    #[arg(long, value_enum, value_name = "WHEN", default_value = "lost")]
    reconnect: Reconnect,

    /// How long to wait for a program that is not up yet, or not up again: 10s, 2m, forever
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = crate::units::wait)]
    wait: Wait,

    /// Stop after this time
    #[arg(long = "for", value_name = "TIME", value_parser = crate::units::duration)]
    limit: Option<Duration>,

    /// Force the file onto the disk this often: survives a crash of the whole machine
    #[arg(long, value_name = "TIME", value_parser = crate::units::some_time)]
    sync: Option<Duration>,

    /// Send this command to the program on each connection, as `eventlog control` does
    #[arg(long, value_name = "COMMAND")]
    control: Vec<Command>,

    #[command(flatten)]
    flush: FlushArgs,

    /// The wire protocol of commands
    #[arg(long, value_enum, default_value = "v0")]
    protocol: ProtocolArg,

    /// Say nothing unless something is wrong
    #[arg(long, short)]
    quiet: bool,
}

/// When to connect again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Reconnect {
    /// If the stream broke off without its end mark
    Lost,
    /// Always
    Always,
    /// Never
    Never,
}

/// Records a stream.
pub fn run(mut args: Args) -> anyhow::Result<ExitCode> {
    args.source = source::source(args.given.take())?;
    let frames = frames(&args.control, args.protocol)?;
    check_output(&args)?;
    let rotation = Rotation {
        size: args.rotate_size,
        time: args.rotate_time,
        keep: args.keep,
    };
    let mut recording = Recording {
        over: StopCondition {
            stop: Stop::install()?,
            until: args
                .limit
                .and_then(|limit| Instant::now().checked_add(limit)),
        },
        files: Files::new(args.output.clone(), args.force, rotation, args.sync),
        progress: if args.quiet {
            Progress::none()
        } else {
            Progress::always("recording", None)
        },
        frames,
        args,
        events: 0,
        until: 0,
    };
    let code = recording.run()?;
    let Recording {
        files,
        progress,
        args,
        events,
        until,
        ..
    } = recording;
    drop(progress);
    if files.count == 0 {
        errors::warn(format_args!(
            "nothing came from {}; no file was written",
            args.source
        ));
        return Ok(ExitCode::from(errors::INPUT));
    }
    if !args.quiet {
        tell(&files, events, until);
    }
    Ok(code)
}

/// An output that cannot be written is reported before anything is recorded.
fn check_output(args: &Args) -> anyhow::Result<()> {
    let rotates = args.rotate_size.is_some() || args.rotate_time.is_some();
    if files::is_standard_output(&args.output) {
        if rotates || args.keep.is_some() {
            return Err(errors::usage(
                "standard output is one file: no --rotate-size, --rotate-time or --keep",
            ));
        }
        if io::stdout().is_terminal() {
            return Err(errors::usage(
                "an eventlog is not for the terminal; write it to a file with -o FILE",
            ));
        }
    }
    check_packing(&args.output)?;
    if files::is_standard_output(&args.output) {
        return Ok(());
    }
    let output = &args.output;
    // Those of an earlier recording are removed.
    for path in std::iter::once(output.clone()).chain(earlier(output)?) {
        if args.source.is_file(&path) {
            return Err(errors::input_is_output(&path));
        }
    }
    match std::fs::metadata(output) {
        Ok(about) if about.is_file() && !args.force => Err(errors::exists(output)),
        Ok(about) if about.is_dir() => Err(io::Error::from(io::ErrorKind::IsADirectory)).advise(
            format_args!("cannot write {}", output.display()),
            hints::cannot_write(output),
        ),
        _ => Ok(()),
    }
}

/// A file that is packed with gzip cannot be read up to the place where it breaks off.
pub fn check_packing(output: &Path) -> anyhow::Result<()> {
    match Packed::of(output) {
        Packed::Gzip => Err(errors::usage(format_args!(
            "recordings are packed with zstd, not gzip: name it {}",
            output.with_extension("zst").display()
        ))),
        Packed::No | Packed::Zstd => Ok(()),
    }
}

/// Reports what was recorded, and until when.
fn tell(files: &Files, events: u64, until: u64) {
    let (size, name) = (Bytes(files.total), files.name());
    let packed = match files.stored() {
        stored if stored == files.total => String::new(),
        stored => format!(", packed to {}", Bytes(stored)),
    };
    let place = match files.count {
        1 => name,
        count => format!("{count} files, the last is {name}"),
    };
    let until = match events {
        0 => String::new(),
        _ => format!(" until {:.3} s", until as f64 / 1e9),
    };
    errors::note(format_args!(
        "{size}{packed}, {events} events{until}, in {place}"
    ));
}

struct Recording {
    args: Args,
    frames: Vec<Vec<u8>>,
    files: Files,
    progress: Progress,
    over: StopCondition,
    /// Events that arrived, and the time of the last one in its log.
    events: u64,
    until: u64,
}

/// When the user, or the time limit, ends the recording.
#[derive(Clone)]
struct StopCondition {
    stop: Stop,
    until: Option<Instant>,
}

impl StopCondition {
    fn is_now(&self) -> bool {
        self.stop.is_set() || self.until.is_some_and(|until| Instant::now() >= until)
    }
}

/// How a connection ended.
enum End {
    /// With the end mark.
    Complete,
    /// In the middle.
    Lost(Option<io::Error>),
    /// Because the user asked for it.
    Stopped,
}

impl Recording {
    fn run(&mut self) -> anyhow::Result<ExitCode> {
        let mut code = ExitCode::SUCCESS;
        for round in 0u64.. {
            let mut connection = match self.connect() {
                Ok(connection) => connection,
                Err(_) if self.over.is_now() => break,
                // The program was connected once and does not come back: that is a normal end.
                Err(_) if round > 0 && self.args.reconnect == Reconnect::Lost => break,
                Err(error) => return Err(error),
            };
            if !self.frames.is_empty() {
                let sent = connection.send(&self.args.source, &self.frames);
                sent.map_err(source::failed)?;
            }
            let before = self.files.total;
            let mut tee = Tee::new(self.files.follows());
            let end = self.record(&mut connection, &mut tee)?;
            self.end(&mut tee)?;
            self.events += tee.events();
            if tee.events() > 0 {
                self.until = tee.until();
            }
            if let Some(fault) = tee.fault() {
                errors::fault(&self.args.source.to_string(), fault);
                errors::note("everything is recorded nevertheless, but no longer rotated");
                code = ExitCode::from(errors::INPUT);
            }
            if let Some(ending) = tee.ends_in_header() {
                code = errors::ending(&self.args.source.to_string(), &ending);
            }
            let program = connection.as_program();
            let other = program.is_some_and(|program| program.is_still_there());
            drop(connection);
            if !self.goes_on(&end, other) {
                break;
            }
            if self.files.total == before {
                std::thread::sleep(REST);
            }
        }
        Ok(code)
    }

    fn connect(&self) -> anyhow::Result<Connection> {
        let (over, quiet) = (self.over.clone(), self.args.quiet);
        let how = Connecting::new()
            .wait(self.args.wait)
            .tick(Some(TICK))
            .stop(move || over.is_now())
            .programs(source::attach)
            .notices(move |notice| source::tell(notice, !quiet));
        self.args.flush.connect(&self.args.source, &how)
    }

    /// Whether to connect again, after reporting why the stream ended: perhaps because the process
    /// `other`, through which the program was read, has ended.
    fn goes_on(&self, end: &End, other: bool) -> bool {
        let lasting = self.args.source.is_socket()
            || (self.args.reconnect == Reconnect::Always && self.args.source.size().is_none());
        let source = &self.args.source;
        match end {
            End::Stopped => false,
            End::Complete => lasting && self.args.reconnect == Reconnect::Always,
            End::Lost(_) if other && lasting && self.args.reconnect != Reconnect::Never => {
                errors::note(format_args!(
                    "the process that read {source} has ended; the next file goes on, without what \
                     was sent in between"
                ));
                true
            }
            End::Lost(error) => {
                let reason = error
                    .as_ref()
                    .map(|error| format!(" ({error})"))
                    .unwrap_or_default();
                let again = lasting && self.args.reconnect != Reconnect::Never;
                let next = if again {
                    "; waiting for it to come back, Ctrl-C to stop"
                } else {
                    ""
                };
                errors::warn(format_args!(
                    "{source} ended without an end mark{reason}{next}"
                ));
                again
            }
        }
    }

    fn record(&mut self, connection: &mut Connection, tee: &mut Tee) -> anyhow::Result<End> {
        let mut buffer = vec![0; 256 * 1024];
        loop {
            if self.over.is_now() {
                return Ok(End::Stopped);
            }
            let count = match connection.read(&mut buffer) {
                Ok(0) if tee.is_complete() => return Ok(End::Complete),
                Ok(0) => return Ok(End::Lost(None)),
                Ok(count) => count,
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => {
                        let result = self.files.idle();
                        self.check_write(result)?;
                        continue;
                    }
                    _ => return Ok(End::Lost(Some(error))),
                },
            };
            self.progress.add(count as u64);
            let files = &mut self.files;
            let result = tee.push(&buffer[..count], |piece| write_piece(files, piece));
            self.check_write(result)?;
            if let (Some(fault), false) = (tee.fault(), tee.has_header()) {
                return Err(anyhow::Error::new(fault).context(self.args.source.to_string()));
            }
        }
    }

    fn end(&mut self, tee: &mut Tee) -> anyhow::Result<()> {
        // What is left over is an incomplete item. It is kept: a recording is the stream, byte for
        // byte.
        let files = &mut self.files;
        let result = tee
            .finish(|piece| write_piece(files, piece))
            .and_then(|()| files.end());
        self.check_write(result)
    }

    fn check_write(&self, result: io::Result<()>) -> anyhow::Result<()> {
        use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
        let hint = match result.as_ref().map_err(io::Error::kind) {
            Ok(()) => return Ok(()),
            Err(FileTooLarge | QuotaExceeded | StorageFull) => {
                "is there room on the disk? What was recorded before is kept".to_owned()
            }
            Err(_) => hints::cannot_write(self.files.path()),
        };
        result.advise(format_args!("cannot write {}", self.files.name()), hint)
    }
}

/// Writes a piece, in a new file where one is due.
fn write_piece(files: &mut Files, piece: Piece<'_>) -> io::Result<()> {
    match piece {
        Piece::Session => files.end(),
        Piece::Boundary(cut) if files.is_due() && (cut.is_clean() || files.is_overdue()) => {
            match cut.prologue(&files.name()) {
                Some(prologue) => files.rotate(&prologue),
                None => Ok(()),
            }
        }
        Piece::Boundary(_) => Ok(()),
        Piece::Bytes(bytes) => files.write(bytes),
    }
}
