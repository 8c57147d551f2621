//! `eventlog control`.

use crate::errors::{self, Advise};
use crate::printable::shell_word;
use crate::source::{self, ProtocolArg};
use eventlog_source::control::{Command, Delivery, InvalidCommand, Protocol, linger};
use eventlog_source::{Connecting, Source, Wait};
use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Duration;

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
/// and over TCP only if set to, for instance with GHC_EVENTLOG_CONTROL=on.
///
/// Commands to a program that `eventlog list` shows are passed on by the process that reads it at the
/// time. Any other program serves one client at a time: while one is connected, commands wait for
/// their turn, and what such a program logs while `control` is connected is discarded, also what
/// flush and sync make it send. To control one that is being recorded, use `record --control`.
#[derive(Debug, clap::Args)]
#[command(override_usage = "eventlog control [OPTIONS] [SOURCE] COMMAND...")]
#[command(after_long_help = "\
Examples:
  eventlog control unix:/tmp/app.sock request-heap-census
  eventlog control tcp:localhost:4242 start-heap-profiling --linger 10s
  eventlog control unix:/tmp/app.sock stop-scheduler stop-gc
  eventlog control app-1234 flush
  eventlog control unix:/tmp/app.sock my-namespace/3
  eventlog control --protocol gctl unix:/tmp/app.sock stop-heap-profiling
  eventlog record unix:/tmp/app.sock -o app.eventlog --control start-heap-profiling
  eventlog record unix:/tmp/app.sock -o app.eventlog --control sync")]
pub struct Args {
    /// unix:PATH, tcp:HOST:PORT, or the NAME of a program that `eventlog list` shows (without it: the
    /// one program that runs); then the commands, sent in this order
    #[arg(required = true, value_name = "COMMAND")]
    words: Vec<OsString>,

    /// The wire protocol
    #[arg(long, value_enum, default_value = "v0")]
    protocol: ProtocolArg,

    /// How long to stay connected afterwards: programs may forget commands of clients that are gone
    #[arg(long, value_name = "TIME", value_parser = crate::units::duration, default_value = "500ms")]
    linger: Duration,

    /// How long to wait for a program that is not up yet, and then for its first bytes
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = crate::units::wait)]
    wait: Wait,
}

/// Sends.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let (given, commands) = words(&args.words)?;
    // Nothing is sent unless everything can be.
    let frames = frames(&commands, args.protocol)?;
    let source = source::source(given)?;
    let how = Connecting::new().wait(args.wait).programs(source::visit);
    let mut connection = source::connect(&source, how)?;
    let sent = connection.send(&source, &frames);
    sent.map_err(source::failed)?;
    let delivery = linger(&mut connection, args.linger, args.wait)
        .advise(format_args!("lost {source}"), "")?;
    Ok(match delivery {
        Delivery::Served => ExitCode::SUCCESS,
        Delivery::Closed => {
            errors::warn("the program closed the connection before it sent anything");
            ExitCode::from(errors::IO)
        }
        Delivery::NotServed => {
            errors::warn(
                "connected, but the program sends no log: it is not ready, or another client is \
                 connected; the commands may be lost",
            );
            ExitCode::from(errors::IO)
        }
    })
}

/// A source, unless the first word is a command, and the commands.
fn words(words: &[OsString]) -> anyhow::Result<(Option<Source>, Vec<Command>)> {
    let command = |word: &OsString| {
        let text = word.to_string_lossy();
        text.parse::<Command>().map_err(|error| {
            errors::usage(format_args!("{} is no command: {error}", shell_word(&text)))
        })
    };
    let Some((first, rest)) = words.split_first() else {
        return Ok((None, Vec::new()));
    };
    let source = Source::try_from(first.clone()).map_err(errors::usage);
    // What has a slash may be a path, or a command of the program's own.
    let named = match &source {
        Ok(Source::File(path)) => path.exists(),
        Ok(_) | Err(_) => true,
    };
    if !named && command(first).is_ok() {
        let commands: anyhow::Result<_> = words.iter().map(command).collect();
        return Ok((None, commands?));
    }
    if rest.is_empty() {
        return Err(errors::usage(
            "say which command to send: `eventlog control --help` has them",
        ));
    }
    let commands: anyhow::Result<_> = rest.iter().map(command).collect();
    Ok((Some(source?), commands?))
}

/// The commands as they go over the wire.
pub fn frames(commands: &[Command], protocol: ProtocolArg) -> anyhow::Result<Vec<Vec<u8>>> {
    let protocol = Protocol::from(protocol);
    let frames = commands.iter().map(|command| command.frame(protocol));
    let frames: Result<_, InvalidCommand> = frames.collect();
    frames.map_err(errors::usage)
}
