//! Programs that are found by themselves, as they start and end.

use super::Sources;
use super::messages::{Said, TICK};
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

/// How often to look for new programs.
const LOOK: Duration = Duration::from_millis(500);
/// A program that is gone for this long has ended.
const GONE: Duration = Duration::from_secs(2);
/// The most programs that are read at a time; others wait until one of them has ended.
const MOST: usize = 256;

/// The names of those that are read now.
#[derive(Debug, Default)]
pub struct Reading {
    names: Mutex<BTreeSet<OsString>>,
    /// Programs for which it was reported that they cannot be read.
    failing: Mutex<BTreeSet<OsString>>,
}

fn lock<T>(what: &Mutex<T>) -> MutexGuard<'_, T> {
    // A poisoned lock is harmless: no update under it is ever left incomplete.
    what.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reports new programs, until it is to stop.
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
                // Reported once, and looked for again: the user may correct it.
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

/// The programs that run now.
fn look() -> Result<Vec<Found>> {
    // The directory is created here because programs may not be able to create it themselves.
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
        // That it has gone away is reported when it has ended.
        .notices(|notice| match notice {
            Notice::Waiting { .. } => {}
            _ => tell(notice, true),
        });
    let log = Reconnecting::new(found.source(), connecting);
    let mut out = |told: Output| {
        // If nothing receives it, the process is about to end.
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
            // It is tried again for as long as the program runs.
            if lock(&reading.failing).insert(found.name().to_owned()) {
                errors::report(&source::failed(error));
            }
        }
    }
    lock(&reading.names).remove(found.name());
    Ok(ExitCode::SUCCESS)
}
