//! `eventlog sessions export`.

use super::{failed, find};
use crate::analysis::target::TargetArgs;
use crate::errors;
use crate::units::{self, Bytes, Nanos};
use crate::verbs::cut;
use anyhow::Result;
use eventlog_sessions::{Joined, Range, State};
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// Write a session as one log: all of it, or a range of times
///
/// All of it is the stream, byte for byte, where nothing was lost; what was lost is said in the log.
/// Of a session that is being recorded, what is there so far.
///
/// A range begins with what holds there, as `eventlog cut` writes it. Only the parts that have to do
/// with it are read.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The directory that the relay records into
    dir: PathBuf,

    /// The session, or as much of its name as is needed
    session: String,

    /// Begin at this time of the log: 1.5s, 200ms, 2m
    #[arg(long, value_name = "TIME", value_parser = units::nanos)]
    from: Option<u64>,

    /// End before this time
    #[arg(long, value_name = "TIME", value_parser = units::nanos)]
    to: Option<u64>,

    /// Where to write the log; standard output if it is not said, and for -
    #[arg(
        long,
        short,
        value_name = "FILE",
        default_value = "-",
        hide_default_value = true
    )]
    output: PathBuf,

    /// Replace the output file if it exists
    #[arg(long)]
    force: bool,
}

pub fn run(args: Args) -> Result<ExitCode> {
    let Args { from, to, .. } = args;
    if from.zip(to).is_some_and(|(from, to)| from >= to) {
        return Err(errors::usage("--from must be earlier than --to"));
    }
    let session = find(&args.dir, &args.session)?;
    if let (Some(from), Some((begin, end))) = (from, session.times())
        && from > end
    {
        let (begin, end) = (Nanos(begin), Nanos(end));
        return Err(errors::usage(format_args!(
            "session {} reaches from {begin} to {end}: there is nothing from {} on",
            session.name(),
            Nanos(from)
        )));
    }
    let mut joined = Joined::of(&session, Range { from, to }).map_err(failed)?;
    let target = TargetArgs {
        output: args.output,
        force: args.force,
    };
    let mut out = target.open(&[])?;
    for missing in joined.missing() {
        let (since, until) = missing.between;
        errors::warn(format_args!(
            "{} could not be recorded, between {} and {}; the log says so",
            Bytes(missing.bytes),
            Nanos(since),
            Nanos(until)
        ));
    }
    let name = session.name();
    if from.is_some() || to.is_some() {
        let fault = cut::cut_times(joined, (from, to), out)?;
        return Ok(match fault {
            Some(fault) => {
                errors::fault(&format!("session {name}"), fault);
                ExitCode::from(errors::INPUT)
            }
            None => ExitCode::SUCCESS,
        });
    }
    let size = Bytes(joined.length());
    let mut buffer = vec![0; 256 << 10];
    loop {
        match joined.read(&mut buffer)? {
            0 => break,
            count => out.write_all(&buffer[..count])?,
        }
    }
    out.finish()?;
    let so_far = match session.state() {
        State::Recording => ", which goes on",
        _ => "",
    };
    let parts = session.parts().len();
    errors::note(format_args!("{size} of {parts} parts of {name}{so_far}"));
    Ok(ExitCode::SUCCESS)
}
