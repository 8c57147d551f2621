//! `eventlog doctor`: what keeps a program from writing a useful log.

mod ask;
mod live;
pub mod program;
mod report;
mod runtime;

use crate::errors;
use crate::output;
use crate::source::{self, SourceArgs};
use crate::units;
use anyhow::Result;
use eventlog_source::{Source, Wait};
use report::Report;
use std::io::Write;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// Find what keeps a program from writing a useful log, and the flag to add
///
/// From the file of a program, reads how it was linked: its runtime system, the options that it
/// allows and has, whether the library is in it. The program is not run, except with --ask. From a
/// running program, reads the live stream for a while: which program it is, which events it sends,
/// and how they are flushed. If `eventlog list` does not show the program, this takes the place of
/// its client for that time.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Args {
    /// PROGRAM (a file, or a name in PATH), unix:PATH, tcp:HOST:PORT, or a NAME that
    /// `eventlog list` shows; without it, the one program that runs
    #[arg(value_name = "PROGRAM", value_parser = crate::source::parser())]
    target: Option<Source>,

    /// Run `PROGRAM +RTS --info` if the file does not show enough (it has been
    /// stripped). A program that ignores such options (-rtsopts=ignore) then
    /// runs as usual, for at most 10 s
    #[arg(long)]
    ask: bool,

    /// How long to listen to a program that runs
    #[arg(long = "for", value_name = "TIME", default_value = "2.5s", value_parser = units::duration)]
    listen: Duration,

    /// How long to wait for a program that is not up yet: 10s, 2m, forever
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = units::wait)]
    wait: Wait,

    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  eventlog doctor ./program
  eventlog doctor --ask ./stripped-program
  eventlog doctor unix:/tmp/program.sock
  eventlog doctor --json ./program | jq -r '.checks[] | select(.add) | .add'

Each line is one of:
  ok       nothing to do
  missing  keeps the program from writing a log
  advice   it works, and the flag on the next line makes more possible
  unknown  what was examined does not show it
Exit codes: 0 nothing is missing, 1 something is, or PROGRAM is not of GHC, 3 cannot read.";

/// Examines.
pub fn run(args: Args) -> Result<ExitCode> {
    let target = match args.target.clone() {
        // An installed program takes precedence over a running one.
        Some(Source::File(path)) if find(&path).is_file() => Source::File(path),
        given => source::source(given)?,
    };
    let report = match &target {
        Source::Stdin => return Err(errors::usage("name a program or a socket, not `-`")),
        Source::File(path) if is_socket(path) => listen(&target, &args)?,
        Source::File(path) => program::examine(&find(path), args.ask)?,
        _ => listen(&target, &args)?,
    };
    let mut out = output::out();
    match args.json {
        true => report.json(&mut out)?,
        false => report.text(&mut out)?,
    }
    out.flush()?;
    Ok(ExitCode::from(match report.is_missing_something() {
        true => errors::INPUT,
        false => 0,
    }))
}

fn listen(target: &Source, args: &Args) -> Result<Report> {
    let source = SourceArgs::of(target.clone(), args.wait);
    live::examine(&source, args.listen)
}

fn is_socket(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|about| about.file_type().is_socket())
}

/// The program of that name: in PATH, if it is a bare name and no file here.
fn find(name: &Path) -> PathBuf {
    let bare = name.components().count() == 1 && !name.exists();
    let paths = std::env::var_os("PATH").filter(|_| bare);
    let mut places = paths.iter().flat_map(std::env::split_paths);
    places
        .find_map(|place| Some(place.join(name)).filter(|path| path.is_file()))
        .unwrap_or_else(|| name.to_owned())
}
