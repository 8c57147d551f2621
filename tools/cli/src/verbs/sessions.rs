//! `eventlog sessions`: what `eventlog relay --record` has recorded.

mod export;
mod list;
mod show;
mod summary;

use crate::errors::{self, Advise};
use crate::units::Bytes;
use anyhow::Result;
use eventlog_sessions::{Error, Session};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// List, show, export, note and remove the sessions that a relay has recorded
///
/// `eventlog relay --record DIR` records each run of a program as a session: a directory of
/// its own in DIR, with raw parts, each of which is a log for every tool. A session is named by
/// its name, or by an unambiguous part of it.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

const EXAMPLES: &str = "\
Examples:
  eventlog relay unix:/run/app.sock --record logs --rotate-size 256M --max-bytes 10G
  eventlog sessions list logs
  eventlog sessions show logs app-0003
  eventlog sessions export logs app-0003 -o whole.eventlog
  eventlog sessions export logs app-0003 --from 60s --to 90s -o minute.eventlog
  eventlog sessions note logs app-0003 'slow since the update'
  eventlog sessions rm logs app-0001 app-0002

Exit codes: 0 done, 1 a part is damaged, 2 the command line is wrong, 3 cannot read or write.";

#[derive(Debug, clap::Subcommand)]
enum What {
    List(list::Args),
    Show(show::Args),
    Export(export::Args),
    Note(NoteArgs),
    Rm(RemoveArgs),
}

/// Note something about a session
#[derive(Debug, clap::Args)]
struct NoteArgs {
    /// The directory that the relay records into
    dir: PathBuf,

    /// The session, or as much of its name as is needed
    session: String,

    /// What to note
    text: String,
}

/// Remove sessions
///
/// Asks nothing. One that is being recorded is not removed.
#[derive(Debug, clap::Args)]
struct RemoveArgs {
    /// The directory that the relay records into
    dir: PathBuf,

    /// The sessions, or as much of their names as is needed
    #[arg(required = true, num_args = 1.., value_name = "SESSION")]
    sessions: Vec<String>,
}

/// Runs the subcommand.
pub fn run(args: Args) -> Result<ExitCode> {
    match args.what {
        What::List(args) => list::run(&args),
        What::Show(args) => show::run(&args),
        What::Export(args) => export::run(args),
        What::Note(args) => note(&args),
        What::Rm(args) => remove(&args),
    }
}

/// The session that the name stands for.
fn find(dir: &Path, name: &str) -> Result<Session> {
    Session::find(dir, name).map_err(|error| match error {
        Error::NoSession { .. } | Error::SeveralSessions { .. } => errors::usage(error),
        other => failed(other),
    })
}

/// The error, with what to do about it.
fn failed(error: Error) -> anyhow::Error {
    match &error {
        Error::Io { cause, path, .. } if cause.kind() == std::io::ErrorKind::NotFound => {
            let hint = format!(
                "is {} what `eventlog relay --record` was given?",
                path.display()
            );
            let message = error.to_string();
            let Error::Io { cause, .. } = error else {
                return errors::io(message);
            };
            match Err::<(), _>(cause).advise(message, hint) {
                Err(error) => error,
                Ok(()) => anyhow::anyhow!("no error"),
            }
        }
        Error::IsRecorded { .. } => errors::usage(error),
        Error::NothingRecorded { .. } => errors::input(error),
        _ => error.into(),
    }
}

fn note(args: &NoteArgs) -> Result<ExitCode> {
    if args.text.trim().is_empty() {
        return Err(errors::usage("what is to be noted? The text is empty"));
    }
    let session = find(&args.dir, &args.session)?;
    session.note(&args.text).map_err(failed)?;
    errors::note(format_args!("noted about {}", session.name()));
    Ok(ExitCode::SUCCESS)
}

fn remove(args: &RemoveArgs) -> Result<ExitCode> {
    // Nothing is removed if any of the names is wrong.
    let sessions: Vec<Session> = args
        .sessions
        .iter()
        .map(|name| find(&args.dir, name))
        .collect::<Result<_>>()?;
    let mut code = ExitCode::SUCCESS;
    let mut removed: Vec<String> = Vec::new();
    for session in sessions {
        let name = session.name().to_owned();
        // The same one was named twice.
        if removed.contains(&name) {
            continue;
        }
        let parts = session.parts().len();
        match session.remove().map_err(failed) {
            Ok(bytes) => {
                let size = Bytes(bytes);
                errors::note(format_args!("removed {name}: {parts} parts, {size}"));
                removed.push(name);
            }
            Err(error) => {
                errors::report(&error);
                code = ExitCode::from(errors::IO);
            }
        }
    }
    Ok(code)
}
