//! Programs that are found by themselves, as they come and go.

use super::Sources;
use super::read::{Said, TICK};
use crate::errors;
use crate::source::{self, tell};
use anyhow::Result;
use eventlog_metrics::{Output, Program};
use eventlog_source::programs::{Place, Presence, Program as Found};
use eventlog_source::{Connecting, Error, Notice, Reconnecting, Wait};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::ErrorKind;
use std::process::ExitCode;
use std::sync::mpsc::SyncSender;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How often it is looked who has come.
const LOOK: Duration = Duration::from_millis(500);
/// A program that is gone for so long has ended.
const GONE: Duration = Duration::from_secs(2);
/// So many are read at a time; others wait until one of them has ended.
const MOST: usize = 256;

/// The names of those that are read now.
#[derive(Debug, Default)]
pub struct Reading {
    names: Mutex<BTreeSet<OsString>>,
    /// Those of whom was told that they cannot be read.
    failing: Mutex<BTreeSet<OsString>>,
}

fn lock<T>(what: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing is ever left half done under this lock.
    what.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Says who has come, until it is to stop.
pub fn watch(how: &Sources, reading: &Reading, sender: &SyncSender<Said>) {
    let mut trouble = String::new();
    let mut many = false;
    while !how.stop.is_set() {
        match look() {
            Ok(programs) => {
                trouble.clear();
                lock(&reading.failing).retain(|name| programs.iter().any(|it| it.name() == name));
                for program in programs {
                    let mut names = lock(&reading.names);
                    if names.contains(program.name()) {
                        continue;
                    }
                    if names.len() >= MOST {
                        if !std::mem::replace(&mut many, true) {
                            errors::warn(format_args!(
                                "more than {MOST} programs run: the others are read as these end"
                            ));
                        }
                        break;
                    }
                    names.insert(program.name().to_owned());
                    drop(names);
                    if sender.send(Said::Came(program)).is_err() {
                        return;
                    }
                }
            }
            Err(error) => {
                // Told once, and looked for again: it may be made right.
                let told = format!("{error:#}");
                if told != trouble {
                    errors::warn(&told);
                    trouble = told;
                }
            }
        }
        let mut left = LOOK;
        while !how.stop.is_set() && !left.is_zero() {
            let nap = left.min(TICK);
            std::thread::sleep(nap);
            left -= nap;
        }
    }
}

/// Those that run now.
fn look() -> Result<Vec<Found>> {
    // Made here, it is there for programs that cannot make it themselves.
    let directory = Place::own().make()?;
    let mut programs = Found::all(&directory)?;
    programs.retain(|it| matches!(it.presence(), Presence::Alive | Presence::Unknown(_)));
    Ok(programs)
}

/// Reads one until it has ended.
pub fn read(
    how: &Sources,
    reading: &Reading,
    found: &Found,
    program: &Program,
    sender: &SyncSender<Said>,
) -> Result<ExitCode> {
    let name = found.name().to_string_lossy();
    let stop = how.stop.clone();
    let connecting = Connecting::new()
        .wait(Wait::For(GONE))
        .tick(Some(TICK))
        .stop(move || stop.is_set())
        .flush(how.flush.every)
        .programs(source::attach)
        // That it is not there any more is told when it has ended.
        .notices(|notice| match notice {
            Notice::Waiting { .. } => {}
            _ => tell(notice, true),
        });
    let log = Reconnecting::new(found.source(), connecting);
    let mut out = |told: Output| {
        // Without anybody who takes it, the end is near.
        let _ = sender.send(Said::output(told, false));
    };
    match program.follow(log, false, &mut out) {
        Ok(()) => {}
        Err(Error::Open { cause, .. })
            if matches!(
                cause.kind(),
                ErrorKind::NotFound | ErrorKind::ConnectionRefused
            ) =>
        {
            errors::note(format_args!("{name} has ended"));
        }
        Err(error) => {
            // It is tried again for as long as it runs.
            if lock(&reading.failing).insert(found.name().to_owned()) {
                errors::report(&source::failed(error));
            }
        }
    }
    lock(&reading.names).remove(found.name());
    Ok(ExitCode::SUCCESS)
}
