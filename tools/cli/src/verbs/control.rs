//! `eventlog control`.

use crate::errors::{self, Advise};
use crate::source::{self, ProtocolArg};
use eventlog_source::control::{Command, Delivery, InvalidCommand, Protocol, linger};
use eventlog_source::{Connecting, Source, Wait};
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
    #[arg(value_parser = source::parser())]
    source: Source,

    /// The commands, sent in this order
    #[arg(required = true)]
    commands: Vec<Command>,

    /// The wire protocol
    #[arg(long, value_enum, default_value = "v0")]
    protocol: ProtocolArg,

    /// How long to stay connected afterwards: programs may forget commands of clients that are gone
    #[arg(long, value_name = "TIME", value_parser = crate::units::duration, default_value = "500ms")]
    linger: Duration,

    /// How long to wait for a program that is not up yet, and for its first sign of life
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = crate::units::wait)]
    wait: Wait,
}

/// Sends.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    // Nothing is sent unless everything can be.
    let frames = frames(&args.commands, args.protocol)?;
    let mut connection = source::connect(&args.source, Connecting::new().wait(args.wait))?;
    let sent = connection.send(&args.source, &frames);
    sent.map_err(source::failed)?;
    let delivery = linger(&mut connection, args.linger, args.wait)
        .advise(format_args!("lost {}", args.source), "")?;
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

/// The commands as they go over the wire.
pub fn frames(commands: &[Command], protocol: ProtocolArg) -> anyhow::Result<Vec<Vec<u8>>> {
    let protocol = Protocol::from(protocol);
    let frames = commands.iter().map(|command| command.frame(protocol));
    let frames: Result<_, InvalidCommand> = frames.collect();
    frames.map_err(errors::usage)
}
