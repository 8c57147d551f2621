//! `eventlog list`: the programs of this machine that can be watched.

use super::doctor::program::ghc_version;
use crate::analysis::table::Table;
use crate::errors::{self, Advise};
use crate::output;
use crate::printable;
use anyhow::Result;
use eventlog_source::programs::{
    Directory, Holder, Place, Presence, Processes, Program, clean, sweep,
};
use serde::Serialize;
use std::ffi::OsStr;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// List the programs that run here and can be watched
///
/// All that listen in $XDG_RUNTIME_DIR/eventlog (or /tmp/eventlog-UID, if that variable is not set)
/// are found. With GHC_EVENTLOG_UNIX_PATH=$XDG_RUNTIME_DIR/eventlog/%n-%p.sock in the environment
/// every program with the library does that. No program is disturbed by being listed.
///
/// Every verb that watches a program takes its NAME, or an unambiguous beginning of it, and needs none
/// if there is only one program. A program serves one client: the first verb that
/// watches it serves all others.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Args {
    /// Remove the sockets of programs that were killed
    #[arg(long)]
    clean: bool,

    /// Print one JSON object per program
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  eventlog list
  eventlog list --json | jq -r 'select(.state == \"alive\") | .name'
  eventlog show app-1234
  eventlog stats --follow app

A program is `dead` if no process has its socket open any more: it was killed, and left it behind.
Exit codes: 0 done (also if there is none), 3 the directory cannot be used.";

/// Lists.
pub fn run(args: Args) -> Result<ExitCode> {
    let directory = Place::own().make()?;
    let mut programs = programs(&directory)?;
    if args.clean {
        programs = cleaned(programs)?;
        sweep(&directory).advise(cannot_clean(&directory), "")?;
    }
    let processes = Processes::look();
    let found = programs.iter().map(|it| Found::of(it, &processes));
    let found: Vec<Found> = found.collect();
    let mut out = output::out();
    if args.json {
        for program in &found {
            printable::write_json(&mut out, program)?;
            writeln!(out)?;
        }
    } else if found.is_empty() {
        let path = directory.path().join("%n-%p.sock");
        errors::note(format_args!(
            "no program has a socket in {}",
            directory.path().display()
        ));
        errors::hint(format_args!(
            "programs with the library make one when started with GHC_EVENTLOG_UNIX_PATH={}",
            printable::shell_word(&path.to_string_lossy())
        ));
    } else {
        table(&found).write(&mut out, 0)?;
        out.flush()?;
        tell_of_dead(&found);
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn programs(directory: &Arc<Directory>) -> Result<Vec<Program>> {
    let programs = Program::all(directory);
    programs.advise(
        format_args!("cannot read {}", directory.path().display()),
        "",
    )
}

fn cannot_clean(directory: &Directory) -> String {
    format!("cannot clean {}", directory.path().display())
}

/// Removes those that are dead; the others.
fn cleaned(programs: Vec<Program>) -> Result<Vec<Program>> {
    let mut kept = Vec::new();
    for program in programs {
        let dead = matches!(program.presence(), Presence::Dead);
        if dead && clean(&program).advise(cannot_clean(program.directory()), "")? {
            errors::note(format_args!("removed {}", program.socket().display()));
        } else {
            kept.push(program);
        }
    }
    Ok(kept)
}

fn tell_of_dead(found: &[Found]) {
    let dead = found.iter().filter(|it| it.state == "dead").count();
    if dead > 0 {
        errors::hint("`eventlog list --clean` removes the sockets of programs that are dead");
    }
}

/// What is known of a program. The names of fields are stable.
#[derive(Debug, Serialize)]
struct Found {
    name: String,
    socket: String,
    /// `alive`, `dead` or `unknown`.
    state: &'static str,
    pid: Option<u32>,
    executable: Option<String>,
    ghc: Option<String>,
    /// When the socket was created, in seconds since 1970.
    since_unix_s: f64,
    served_by: Option<ServedBy>,
    /// Whether a client is connected to the program, of whatever kind.
    has_client: Option<bool>,
    #[serde(skip)]
    age: Duration,
}

#[derive(Debug, Serialize)]
struct ServedBy {
    pid: Option<u32>,
    verb: Option<String>,
    since_unix_s: f64,
    /// The socket at which other clients are served.
    relay: String,
}

impl Found {
    fn of(program: &Program, processes: &Processes) -> Self {
        let state = match program.presence() {
            Presence::Alive => "alive",
            Presence::Dead | Presence::Gone => "dead",
            Presence::Unknown(_) => "unknown",
        };
        let process = processes.of(program).filter(|_| state == "alive");
        let image = process.as_ref().map(|it| it.image());
        let executable = process.as_ref().and_then(|it| it.executable.as_deref());
        // Where this cannot be found out, no holder is shown.
        let holder = Holder::of(program).ok().flatten();
        Self {
            name: text(program.name()),
            socket: text(program.socket().as_os_str()),
            state,
            pid: process.as_ref().map(|it| it.pid),
            executable: executable.map(|path| text(path.as_os_str())),
            ghc: image.and_then(|path| ghc_version(&path)),
            since_unix_s: unix(program.since()),
            served_by: holder.map(|holder| ServedBy::of(holder, program)),
            has_client: process.as_ref().map(|it| it.has_client),
            age: program.since().elapsed().unwrap_or_default(),
        }
    }

    fn runs(&self) -> &str {
        let path = self.executable.as_deref().map(Path::new);
        let name = path.and_then(Path::file_name).and_then(OsStr::to_str);
        name.unwrap_or("-")
    }

    fn served(&self) -> String {
        match (&self.served_by, self.has_client) {
            _ if self.state == "dead" => "dead".to_owned(),
            (Some(ServedBy { pid, verb, .. }), _) => {
                let verb = verb.as_deref().unwrap_or("?");
                let pid = pid.map_or("?".to_owned(), |pid| pid.to_string());
                format!("{verb} ({pid})")
            }
            (None, Some(true)) => "unknown client".to_owned(),
            (None, _) => "-".to_owned(),
        }
    }
}

impl ServedBy {
    fn of(holder: Holder, program: &Program) -> Self {
        Self {
            pid: holder.pid,
            verb: holder.verb,
            since_unix_s: unix(holder.since),
            relay: text(program.relay().as_os_str()),
        }
    }
}

fn table(found: &[Found]) -> Table {
    let heading = ["NAME", "PROGRAM", "READ BY", "PID", "GHC", "AGE"];
    let mut table = Table::new(3, &heading);
    let unknown = || "-".to_owned();
    for of in found {
        table.row(&[
            of.name.clone(),
            of.runs().to_owned(),
            of.served(),
            of.pid.map_or_else(unknown, |pid| pid.to_string()),
            of.ghc.clone().unwrap_or_else(unknown),
            age(of.age),
        ]);
    }
    table
}

/// In the two largest units.
fn age(of: Duration) -> String {
    let seconds = of.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m{:02}s", seconds % 60),
        (0, _, _) => format!("{hours}h{:02}m", minutes % 60),
        _ => format!("{days}d{:02}h", hours % 24),
    }
}

fn text(name: &OsStr) -> String {
    name.to_string_lossy().into_owned()
}

fn unix(time: SystemTime) -> f64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or_default().as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_short() {
        let text = |seconds| age(Duration::from_secs(seconds));
        assert_eq!(text(59), "59s");
        assert_eq!(text(61), "1m01s");
        assert_eq!(text(3600 + 120), "1h02m");
        assert_eq!(text(86400 * 400 + 3600), "400d01h");
    }
}
