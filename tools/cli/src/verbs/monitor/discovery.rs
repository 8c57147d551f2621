//! Programs that are found by themselves, as they start and end.

use super::Inputs;
use crate::errors;
use eventlog_monitor::{Monitor, Reads};
use eventlog_source::programs::{Directory, Presence, Program};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// How often programs are looked for.
const OFTEN: Duration = Duration::from_millis(500);

/// Reads all programs that appear, until the monitor ends.
pub fn watch(directory: &Arc<Directory>, monitor: &Monitor, inputs: &Inputs) -> anyhow::Result<()> {
    let mut known: BTreeMap<(OsString, SystemTime), Reads> = BTreeMap::new();
    let mut told = false;
    while !inputs.stop.is_set() {
        match Program::all(directory) {
            Ok(programs) => {
                let here = |it: &Program| (it.name().to_owned(), it.since());
                let alive: Vec<&Program> = programs
                    .iter()
                    .filter(|it| matches!(it.presence(), Presence::Alive | Presence::Unknown(_)))
                    .collect();
                // A program that comes back is another one, unless only the connection was lost.
                known.retain(|_, reads| !reads.is_over());
                for program in alive {
                    if known.contains_key(&here(program)) {
                        continue;
                    }
                    let name = program.name().to_string_lossy();
                    let source = program.source();
                    let input = inputs.program(source.clone());
                    let reads = monitor.add(&name, &source.to_string(), true, input)?;
                    known.insert(here(program), reads);
                }
            }
            Err(error) if !std::mem::replace(&mut told, true) => {
                let path = directory.path().display();
                errors::warn(format_args!("cannot look for programs in {path}: {error}"));
            }
            Err(_) => {}
        }
        std::thread::sleep(OFTEN);
    }
    Ok(())
}
