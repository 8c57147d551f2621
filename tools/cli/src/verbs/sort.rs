//! `eventlog sort`: the events of a log in the order of time.

use crate::analysis::target::TargetArgs;
use crate::errors::{self, Advise};
use crate::progress::Progress;
use crate::source;
use crate::units;
use anyhow::Result;
use eventlog_source::{Connecting, Source, is_damage};
use ghc_eventlog::{ReadError, SortOptions, sort};
use std::path::PathBuf;
use std::process::ExitCode;

/// Sort a log by time, in bounded memory
///
/// The runtime system writes the events of each capability for themselves;
/// this brings all of them into one order. Nothing is lost or changed: the
/// result is a log with the same events. Equal times keep their order. Several
/// sessions in one log are sorted one by one.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Args {
    /// FILE, a FIFO, - for standard input, unix:PATH, or tcp:HOST:PORT
    #[arg(value_parser = source::parser())]
    source: Source,

    #[command(flatten)]
    target: TargetArgs,

    /// How much memory to use, about
    #[arg(long, value_name = "SIZE", default_value = "64M", value_parser = units::bytes)]
    memory: u64,

    /// Where temporary files go (twice the size of the log, if it exceeds the memory)
    #[arg(long, value_name = "DIR")]
    temp_dir: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  eventlog sort program.eventlog -o sorted.eventlog
  eventlog sort huge.eventlog -o sorted.eventlog --memory 1G --temp-dir /var/tmp

Exit codes: 0 done, 1 the log is faulty (what came before is sorted), 3 cannot read or write.";

/// The least memory that is useful.
const LEAST: u64 = 1 << 20;

/// Sorts.
pub fn run(args: Args) -> Result<ExitCode> {
    let mut connection = source::connect(&args.source, Connecting::new())?;
    let mut target = args.target.open(&[&args.source])?;
    Progress::always("sorting", args.source.log_size()).watch(&mut connection);
    let mut options = SortOptions::default();
    options.memory = usize::try_from(args.memory.max(LEAST)).unwrap_or(usize::MAX);
    options.temp_file = crate::files::unnamed;
    options.temp_dir = args.temp_dir.unwrap_or(options.temp_dir);
    let sorted = sort(connection, &mut target, &options);
    let name = args.source.to_string();
    match sorted {
        Ok(summary) if !summary.ending.header => {
            // Earlier sessions may be whole.
            target.finish_if_begun()?;
            Err(errors::no_header(&name))
        }
        Ok(summary) => {
            target.finish()?;
            Ok(errors::ending(&name, &summary.ending))
        }
        Err(ReadError::Format(fault)) => {
            target.finish_if_begun()?;
            errors::fault(&name, fault);
            Ok(ExitCode::from(errors::INPUT))
        }
        Err(ReadError::Io(damage)) if is_damage(&damage) => {
            target.finish_if_begun()?;
            errors::fail(format_args!("{name}: {damage}"));
            Ok(ExitCode::from(errors::INPUT))
        }
        // The error of the output names it already.
        Err(ReadError::Io(error)) if error.get_ref().is_some() => Err(error.into()),
        Err(ReadError::Io(error)) => Err(error).advise(
            format_args!("cannot sort {name}"),
            "temporary files need twice the size of the log: is there room? (--temp-dir DIR)",
        ),
    }
}
