//! `eventlog control`.

use crate::control::{Command, Protocol};
use crate::errors::{self, Advise};
use crate::source::{Connecting, Connection, SourceArg};
use crate::units::Wait;
use std::io::{self, Read};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Send commands to a running program
///
/// The commands go to the program's eventlog socket. It never answers: what a command did shows in
/// the log, if anywhere. They are:
///
/// start-profiling, stop-profiling, start-heap-profiling, stop-heap-profiling, request-heap-census:
/// known to nearly every program that takes commands. It must be built and run for that kind of
/// profiling.
///
/// start-CLASS and stop-CLASS for the classes of events scheduler, gc, nonmoving-gc, spark-sampled,
/// spark-full, user and capability; flush, which makes the program send what it has logged; sync,
/// which flushes and then puts a message into the log; dump, which does the same in the file of the
/// flight recorder (see `eventlog snapshot`): known to programs with libeventlog_socket.a.
///
/// NAMESPACE/ID: registered by the program itself. ID is a number from 0 to 255.
///
/// Programs with libeventlog_socket.a take commands over a Unix socket from their own user and root,
/// and over TCP only if told to, as with GHC_EVENTLOG_CONTROL=on.
///
/// A program serves one client at a time. While another one is connected, commands wait for their
/// turn. What the program logs while `control` is connected is thrown away, and that is where flush
/// and sync go: to control a program that is being recorded, use `record --control`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  eventlog control unix:/tmp/app.sock request-heap-census
  eventlog control tcp:localhost:4242 start-heap-profiling --linger 10s
  eventlog control unix:/tmp/app.sock stop-scheduler stop-gc
  eventlog control unix:/tmp/app.sock my-namespace/3
  eventlog control --protocol gctl unix:/tmp/app.sock stop-heap-profiling
  eventlog record unix:/tmp/app.sock -o app.eventlog --control start-heap-profiling
  eventlog record unix:/tmp/app.sock -o app.eventlog --control sync")]
pub struct Args {
    /// unix:PATH or tcp:HOST:PORT
    source: SourceArg,

    /// The commands, sent in this order
    #[arg(required = true)]
    commands: Vec<Command>,

    /// The wire protocol
    #[arg(long, value_enum, default_value = "v0")]
    protocol: Protocol,

    /// How long to stay connected afterwards: programs may forget commands of clients that are gone
    #[arg(long, value_name = "TIME", value_parser = crate::units::duration, default_value = "500ms")]
    linger: Duration,

    /// How long to wait for a program that is not up yet, and for its first sign of life
    #[arg(long, value_name = "TIME", default_value = "10s")]
    wait: Wait,
}

/// Sends.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    // Nothing is sent unless everything can be.
    let frames: Vec<_> = args
        .commands
        .iter()
        .map(|command| command.frame(args.protocol))
        .collect::<Result<_, _>>()?;
    let connecting = Connecting {
        wait: args.wait,
        ..Connecting::default()
    };
    let mut connection = args.source.connect(&connecting)?;
    send(&mut connection, &args.source, &frames)?;
    stay(&mut connection, &args)
}

/// Sends frames over a connection.
pub fn send(
    connection: &mut Connection,
    source: &SourceArg,
    frames: &[Vec<u8>],
) -> anyhow::Result<()> {
    let Some(writer) = connection.writer() else {
        return Err(errors::usage(format_args!(
            "{source} is no socket: commands go to unix:PATH or tcp:HOST:PORT"
        )));
    };
    for frame in frames {
        // Each in its own write: some programs choke on very long reads.
        writer
            .write_all(frame)
            .and_then(|()| writer.flush())
            .advise(
                format_args!("cannot send to {source}"),
                "the program closed the connection; is it still running?",
            )?;
    }
    Ok(())
}

/// Keeps the connection, and drains it, until the commands have surely been
/// read. A program that has not sent its header yet does not serve us yet.
fn stay(connection: &mut Connection, args: &Args) -> anyhow::Result<ExitCode> {
    connection.tick(Some(Duration::from_millis(50)));
    let sent = Instant::now();
    let mut served: Option<Instant> = None;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match connection.read(&mut buffer) {
            Ok(0) => {
                if served.is_none() {
                    errors::warn("the program closed the connection before it sent anything");
                    return Ok(ExitCode::from(errors::IO));
                }
                return Ok(ExitCode::SUCCESS);
            }
            Ok(_) => _ = served.get_or_insert_with(Instant::now),
            Err(error) if is_pause(&error) => {}
            Err(error) => return Err(error).advise(format_args!("lost {}", args.source), ""),
        }
        match (served, args.wait) {
            (Some(since), _) if since.elapsed() >= args.linger => return Ok(ExitCode::SUCCESS),
            (None, Wait::For(time)) if sent.elapsed() >= time.max(args.linger) => {
                errors::warn(
                    "connected, but the program sends no log: it is not ready, or another client is \
                     connected; the commands may be lost",
                );
                return Ok(ExitCode::from(errors::IO));
            }
            _ => {}
        }
    }
}

fn is_pause(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}
