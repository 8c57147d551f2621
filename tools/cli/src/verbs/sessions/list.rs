//! `eventlog sessions list`.

use super::failed;
use super::summary::{Summary, moment};
use crate::analysis::table::Table;
use crate::errors;
use crate::output;
use crate::printable;
use crate::units::{Bytes, Nanos};
use anyhow::Result;
use eventlog_sessions::Session;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::SystemTime;

/// List the sessions of a directory, the latest last
///
/// "from" is when the recording began, in UTC; "length" is of the log. "lost" is what could not be
/// recorded, and what the program's own log says is missing. A session is "running" while it is
/// recorded; then "complete" if the log came to its end mark, "lost" if it broke off (the program
/// was killed, or the connection broke), "stopped" if the relay was stopped, and "killed" if the
/// relay was.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The directory that the relay records into
    dir: PathBuf,

    /// Print one JSON object per session and line
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> Result<ExitCode> {
    let sessions = Session::all(&args.dir).map_err(failed)?;
    let mut out = output::out();
    let mut table = Table::new(
        2,
        &[
            "session", "program", "pid", "from", "length", "size", "parts", "lost", "state",
        ],
    );
    for session in &sessions {
        let summary = Summary::of(session).map_err(failed)?;
        if args.json {
            printable::write_json(&mut out, &summary)?;
            writeln!(out)?;
        } else {
            table.row(&row(&summary));
        }
    }
    if sessions.is_empty() {
        errors::note(format_args!("no sessions in {}", args.dir.display()));
    } else if !args.json {
        table.write(&mut out, 0)?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn row(summary: &Summary) -> [String; 9] {
    let unknown = || "-".to_owned();
    [
        summary.session.clone(),
        summary.program.clone().unwrap_or_else(unknown),
        summary.pid.map_or_else(unknown, |pid| pid.to_string()),
        from(summary.began_unix_ns),
        summary
            .length()
            .map_or_else(unknown, |length| Nanos(length).to_string()),
        Bytes(summary.bytes).to_string(),
        summary.parts.to_string(),
        match (summary.lost_bytes(), summary.stream_losses.notes) {
            (0, 0) => "0".to_owned(),
            (0, _) => "some".to_owned(),
            (bytes, _) => Bytes(bytes).to_string(),
        },
        summary.state.to_owned(),
    ]
}

/// A moment in few columns: with the year only if it was long ago.
fn from(unix_ns: u64) -> String {
    const LONG: u64 = 300 * 24 * 60 * 60 * 1_000_000_000;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = now.map_or(0, |now| u64::try_from(now.as_nanos()).unwrap_or(u64::MAX));
    let text = moment(unix_ns);
    let shown = match now.abs_diff(unix_ns) < LONG {
        true => text.get(5..16),
        false => text.get(..10),
    };
    shown.unwrap_or(&text).to_owned()
}
