//! `eventlog recover`: an eventlog from what a flight recorder has kept.

mod chunk;
mod copy;
mod definitions;
mod spool;
mod summary;

use crate::analysis::target::TargetArgs;
use crate::errors::{self, Advise};
use anyhow::Result;
use copy::Copied;
use eventlog_ring_file::{OpenError, RingReader};
use eventlog_source::Source;
use ghc_eventlog::DATA_END;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Make an eventlog of the ring file that a program has left, or is writing
///
/// A ring file has the newest part of a program's eventlog, however the program
/// ended. The result is a log that every tool can read: definitions first, then
/// messages that say what is missing, then what was recorded. The program may
/// still run; it is neither stopped nor disturbed.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Args {
    /// The ring file
    #[arg(value_name = "RING_FILE")]
    file: PathBuf,

    #[command(flatten)]
    target: TargetArgs,
}

const EXAMPLES: &str = "\
Examples:
  eventlog recover app.ring -o app.eventlog
  eventlog recover app.ring -o - | eventlog show -

Exit codes: 0 there is a log now (messages in it say what is missing), 1 there was nothing to
recover, 3 cannot read or write.";

/// Recovers a log.
pub fn run(args: Args) -> Result<ExitCode> {
    let name = args.file.display().to_string();
    let file = open(&args.file, &name)?;
    recover(file, &name, &args.file, &args.target)
}

/// Opens a file, if it can be a ring file.
pub fn open(path: &Path, name: &str) -> Result<File> {
    let advice = "name the file that the program was set to record to";
    // Opening a FIFO would wait for a writer.
    let about = std::fs::metadata(path).advise(format_args!("cannot read {name}"), advice)?;
    if !about.is_file() {
        return Err(errors::input(format_args!(
            "{name} is no ring file: not a regular file"
        )));
    }
    File::open(path).advise(format_args!("cannot read {name}"), "")
}

/// Makes the log of an open ring file. `path` is what the output must not be.
pub fn recover(file: File, name: &str, path: &Path, target: &TargetArgs) -> Result<ExitCode> {
    let reader = match RingReader::open(file) {
        Ok(reader) => reader,
        Err(OpenError::Io(error)) => {
            return Err(error).advise(format_args!("cannot read {name}"), "");
        }
        Err(OpenError::Layout(error)) => {
            return Err(errors::input(format_args!(
                "cannot recover {name}: {error}"
            )));
        }
    };
    let mut out = target.open(&[&Source::File(path.to_owned())])?;
    let copied = Copied::of(&reader, name, &out.directory())?;
    let told = copied.write(&reader, name, &mut out)?;
    out.write_all(&DATA_END.to_be_bytes())?;
    out.finish()?;
    told.tell(name);
    Ok(ExitCode::SUCCESS)
}
