//! `eventlog run`.

use crate::errors::{self, Advise};
use crate::files;
use crate::hints;
use crate::launch::{self, RtsArgs};
use crate::output;
use crate::record::{Files, Queue, Rotation, Spool, Taken, Tee};
use crate::units::Bytes;
use crate::verbs::record::check_packing;
use eventlog_source::program::{self, ForwardSignals, Prepared, ProgramLog};
use std::ffi::{OsStr, OsString};
use std::fs::OpenOptions;
use std::io::{self, IsTerminal, Read};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long the output may accept nothing after the end of the program.
const STALLED: Duration = Duration::from_secs(5);

/// How long nothing may arrive before packed data is made readable.
const IDLE: Duration = Duration::from_millis(100);

/// Run a program and record its eventlog
///
/// The program needs no changes: it is started with GHCRTS set so that its eventlog goes into a FIFO,
/// from which it is recorded. The log is drained whatever happens to the output; if that cannot keep
/// up, whole blocks are left out, and the log says so. Before GHC 9.4 the program must be linked with
/// -eventlog.
///
/// A program that forks, or starts its log again, leaves several files: FILE, then FILE with a number
/// before its extension. All of them are named in the end; those of an earlier run are removed.
///
/// If `eventlog run` itself is killed, the program goes on, and what was recorded until then can be
/// read.
///
/// Exits with the status of the program (128 + N if signal N killed it); 127 if there is no such
/// program, 126 if it cannot be run, 125 if it was not run because nothing could be recorded.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  eventlog run -- ./program
  eventlog run -o run1.eventlog -- ./program --input data +RTS -N4
  eventlog run --events=-au -- ./program
  eventlog run -o run1.eventlog.zst -- ./program
  eventlog run -o - -- ./program | eventlog stats -
  eventlog run --rts '-hT -i0.1' -- ./program")]
pub struct Args {
    /// The file to write; it is replaced if it exists [default: PROGRAM.eventlog]. Packed if its
    /// name ends in .zst; - for standard output, where the program's own then goes to standard error
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,

    #[command(flatten)]
    rts: RtsArgs,

    /// Memory for what the output has not taken yet
    #[arg(long, value_name = "SIZE", value_parser = crate::units::bytes, default_value = "64M")]
    buffer: u64,

    /// Internal: run as the second process, which keeps the FIFO open
    #[arg(long, hide = true, exclusive = true)]
    keep_reading: bool,

    /// The program and its arguments
    #[arg(
        last = true,
        required_unless_present = "keep_reading",
        value_name = "PROGRAM"
    )]
    command: Vec<OsString>,
}

/// Runs a program.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    if args.keep_reading {
        program::keep()?;
        return Ok(ExitCode::SUCCESS);
    }
    let Some((program, arguments)) = args.command.split_first() else {
        return Err(errors::usage("no program"));
    };
    let output = args
        .output
        .clone()
        .unwrap_or_else(|| default_output(program));
    let prepared = match prepare(&output) {
        Ok(prepared) => prepared,
        Err(error) => {
            errors::report(&error);
            return Ok(ExitCode::from(launch::NOT_RUN));
        }
    };
    let mut command = Command::new(program);
    command.args(arguments);
    if files::is_standard_output(&output) {
        command.stdout(io::stderr().as_fd().try_clone_to_owned()?);
    }
    let prepared = prepared.forward(ForwardSignals::catch()?);
    let started = launch::start(prepared, program, &mut command, &args.rts.into());
    let (mut running, log) = match started {
        Ok(started) => started,
        Err(code) => return Ok(code),
    };
    let queue = Arc::new(Queue::new(
        usize::try_from(args.buffer).unwrap_or(usize::MAX).max(1),
    ));
    let drain = {
        let queue = Arc::clone(&queue);
        std::thread::spawn(move || drain(log, &queue))
    };
    let progress = Arc::new(AtomicU64::new(0));
    let writer = {
        let (queue, progress) = (Arc::clone(&queue), Arc::clone(&progress));
        std::thread::spawn(move || write(&queue, output, &progress))
    };
    let status = running.wait();
    let lost = drain.join();
    let files = join_while_alive(writer, &progress);
    drop(running);
    match (lost, files) {
        (Ok(lost), Some(files)) => tell(&program.to_string_lossy(), lost, &files),
        _ => errors::warn("the output does not take the rest of the log; it is not complete"),
    }
    Ok(launch::exit_code(status.advise("lost the program", "")?))
}

/// Everything that can fail should fail before the program is started.
fn prepare(output: &Path) -> anyhow::Result<Prepared> {
    check_packing(output)?;
    if files::is_standard_output(output) && io::stdout().is_terminal() {
        return Err(errors::usage(
            "an eventlog is not for the terminal; write it to a file with -o FILE",
        ));
    }
    check_writable(output).advise(
        format_args!("cannot write {}", output.display()),
        format_args!(
            "{}; the program was not started",
            hints::missing_directory(output).unwrap_or("choose another --output".to_owned())
        ),
    )?;
    launch::prepare()
}

/// A log of an earlier run stays until this one has something to write.
fn check_writable(path: &Path) -> io::Result<()> {
    if files::is_standard_output(path) {
        return Ok(());
    }
    match std::fs::metadata(path) {
        Ok(about) if about.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        Ok(about) if about.is_file() => OpenOptions::new().write(true).open(path).map(drop),
        Ok(_) => Ok(()),
        // Nothing may be left of the attempt if this process is killed.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            files::unnamed(files::directory(&files::destination(path)?)).map(drop)
        }
        Err(error) => Err(error),
    }
}

fn default_output(program: &OsStr) -> PathBuf {
    let mut name = Path::new(program).file_name().unwrap_or(program).to_owned();
    name.push(".eventlog");
    name.into()
}

/// Takes everything that the program writes, without ever waiting for anything else. Returns how
/// many bytes did not fit into the queue.
fn drain(mut log: ProgramLog, queue: &Queue) -> u64 {
    let mut tee = Tee::new(None);
    let mut spool = Spool::new(queue);
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match log.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => {
                let faulty = tee.fault().is_some();
                let _ = tee.push(&buffer[..count], |piece| {
                    spool.piece(piece, faulty);
                    Ok(())
                });
                spool.hand_over();
            }
            Err(error) => {
                errors::warn(format_args!("cannot read the log: {error}"));
                break;
            }
        }
    }
    let faulty = tee.fault().is_some();
    let _ = tee.finish(|piece| {
        spool.piece(piece, faulty);
        Ok(())
    });
    spool.finish();
    queue.close();
    spool.lost()
}

/// Writes what is in the queue. If that fails, the program continues.
fn write(queue: &Queue, output: PathBuf, progress: &AtomicU64) -> Written {
    let mut files = Files::new(output, true, Rotation::default(), None);
    let mut failed = false;
    loop {
        let result = match queue.take(IDLE) {
            Taken::Bytes(_) | Taken::Idle if failed => Ok(()),
            Taken::Idle => files.idle(),
            Taken::Bytes(bytes) => files.write(&bytes),
            Taken::Session => files.end(),
            Taken::Closed => break,
        };
        progress.fetch_add(1, Ordering::Relaxed);
        if let Err(error) = result {
            failed = true;
            if output::is_closed() {
                // The reader of the log has closed its end.
                continue;
            }
            let name = files.name();
            errors::warn(format_args!(
                "cannot write {name}: {error}; the program goes on, but the rest of its log is lost"
            ));
        }
    }
    let _ = files.end();
    Written { files, failed }
}

/// The result of the writing thread.
struct Written {
    files: Files,
    failed: bool,
}

/// Waits for the writer as long as it makes progress.
fn join_while_alive(writer: JoinHandle<Written>, progress: &AtomicU64) -> Option<Written> {
    let mut seen = progress.load(Ordering::Relaxed);
    let mut since = Instant::now();
    while !writer.is_finished() {
        let now = progress.load(Ordering::Relaxed);
        if now != seen {
            (seen, since) = (now, Instant::now());
        } else if since.elapsed() > STALLED {
            return None;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    writer.join().ok()
}

fn tell(program: &str, lost: u64, written: &Written) {
    let files = &written.files;
    if written.failed {
        // That was reported when it happened.
        return;
    }
    if files.count == 0 {
        let [what, why] = launch::no_log(program);
        errors::warn(what);
        errors::hint(why);
        return;
    }
    if lost > 0 {
        errors::warn(format_args!(
            "{} of the log are lost: the output was too slow. A larger --buffer may help",
            Bytes(lost)
        ));
    }
    if files.count > 1 {
        let names: Vec<_> = files
            .paths()
            .map(|path| path.display().to_string())
            .collect();
        errors::note(format_args!(
            "{program} forked or started its log again; there are {} files: {}",
            files.count,
            names.join(", ")
        ));
    } else if io::stderr().is_terminal() {
        errors::note(format_args!("{} in {}", Bytes(files.total), files.name()));
    }
}
