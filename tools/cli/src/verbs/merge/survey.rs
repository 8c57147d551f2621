//! What must be known of a log before it can be merged with others.

use super::preface::Preface;
use crate::errors::{self, Advise};
use crate::hints;
use crate::printable::shell_word;
use crate::source;
use anyhow::Result;
use eventlog_source::{Connection, Source};
use ghc_eventlog::{EventBody, Header, Item, ReadError, Reader, WallClock};
use std::path::Path;
use std::sync::Arc;

/// The highest numbers of a log, and who wrote it.
pub struct Survey {
    pub header: Arc<Header>,
    pub clock: Option<WallClock>,
    pub pid: Option<u32>,
    /// How many capabilities, threads, sets and cost centres: one more than
    /// the highest number.
    pub caps: u32,
    pub threads: u32,
    pub capsets: u32,
    pub cost_centres: u32,
    /// Where that ends which repeats the files before this one.
    pub preface: Option<u64>,
}

/// Reads a log once.
pub fn survey(path: &Path) -> Result<Survey> {
    let shown = path.display();
    let file = match Connection::open(path) {
        Ok(file) => file,
        Err(error) => {
            let hint = source::hint(&Source::File(path.to_owned()), &error);
            return Err(error).advise(format_args!("cannot open {shown}"), hint);
        }
    };
    let about = file.as_file().and_then(|file| file.metadata().ok());
    if !about.is_some_and(|about| about.is_file()) {
        let typed = shell_word(&path.to_string_lossy()).into_owned();
        return Err(errors::usage(format_args!(
            "{shown} is not a regular file; record it first: eventlog record {typed} -o FILE"
        )));
    }
    let mut reader = Reader::new(file);
    let mut survey: Option<Survey> = None;
    let mut preface = Preface::default();
    loop {
        let item = reader.next_item();
        if let Ok(Some(item @ (Item::Block(_) | Item::Event(_)))) = &item {
            preface.item(item);
        }
        match item {
            Ok(Some(Item::Header)) => {
                // Only the first session counts.
                if survey.is_some() {
                    break;
                }
                survey = reader.header().map(|header| Survey {
                    header: Arc::clone(header),
                    clock: None,
                    pid: None,
                    caps: 0,
                    threads: 0,
                    capsets: 0,
                    cost_centres: 0,
                    preface: None,
                });
            }
            Ok(Some(Item::Event(event))) => {
                if let Some(survey) = &mut survey {
                    survey.event(&event);
                }
            }
            Ok(Some(_)) => {}
            Ok(None) => break,
            // Told when the log is merged.
            Err(ReadError::Format(fault)) if survey.is_none() => {
                let hint = hints::fault(fault.kind, &shown.to_string());
                return Err(fault).advise(format_args!("cannot merge {shown}"), hint);
            }
            Err(ReadError::Format(_)) => break,
            Err(ReadError::Io(error)) => {
                return Err(error).advise(format_args!("cannot read {shown}"), "");
            }
        }
    }
    let mut survey =
        survey.ok_or_else(|| errors::input(format_args!("{shown} has no complete header")))?;
    survey.preface = preface.end();
    Ok(survey)
}

impl Survey {
    #[inline]
    fn event(&mut self, event: &ghc_eventlog::Event<'_>) {
        if let Some(cap) = event.cap {
            self.caps = self.caps.max(u32::from(cap) + 1);
        }
        match event.body {
            EventBody::CreateThread { thread } | EventBody::RunThread { thread } => {
                self.threads = self.threads.max(thread.saturating_add(1));
            }
            EventBody::CapCreate { created_cap } => {
                self.caps = self.caps.max(u32::from(created_cap) + 1);
            }
            EventBody::CapsetCreate { capset, .. } => {
                self.capsets = self.capsets.max(capset.saturating_add(1));
            }
            EventBody::HeapProfCostCentre { cost_centre, .. } => {
                self.cost_centres = self.cost_centres.max(cost_centre.saturating_add(1));
            }
            EventBody::OsprocessPid { pid, .. } => self.pid = Some(pid),
            EventBody::WallClockTime { .. } => self.clock = WallClock::from_event(event),
            _ => {}
        }
    }
}

/// Whether the logs are parts of one recording: because they say so, or
/// because they come from one process (same number, same start).
pub fn one_recording(surveys: &[Survey]) -> bool {
    if surveys[1..].iter().all(|survey| survey.preface.is_some()) {
        return true;
    }
    const TOLERANCE: i128 = 50_000_000;
    let starts = |survey: &Survey| Some((survey.pid?, survey.clock?.at(0).unix_nanos()));
    let Some((pid, start)) = surveys.first().and_then(starts) else {
        return false;
    };
    surveys.iter().all(|survey| {
        starts(survey).is_some_and(|(other, at)| other == pid && (at - start).abs() < TOLERANCE)
    })
}
