//! What must be known about a log before it can be merged with others.

use crate::errors::{self, Advise};
use crate::hints;
use crate::printable::shell_word;
use crate::source;
use anyhow::Result;
use eventlog_source::{Connection, Source};
use eventlog_state::{Prologue, PrologueSearch};
use ghc_eventlog::{DATA_END, Error, EventBody, Header, Item, ReadError, Reader, WallClock};
use std::path::Path;
use std::sync::Arc;

/// The highest numbers in a log, and the program that wrote it.
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
    /// The repeated part of this file, if it says what it repeats of the files before it.
    pub prologue: Option<Prologue>,
    /// Where its header ends, and where its last event or marker does.
    pub body: u64,
    pub end: u64,
    /// Where its last block ends, according to its marker.
    pub block_end: u64,
    /// Another session follows it.
    pub goes_on: bool,
    /// The fault that ended it, if any did.
    pub fault: Option<Error>,
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
    let mut search = PrologueSearch::default();
    loop {
        match reader.next_item() {
            Ok(Some(Item::Header)) => {
                // Only the first session counts.
                if let Some(survey) = &mut survey {
                    survey.goes_on = true;
                    break;
                }
                let body = reader.decoder().offset();
                survey = reader.header().map(|header| Survey {
                    header: Arc::clone(header),
                    clock: None,
                    pid: None,
                    caps: 0,
                    threads: 0,
                    capsets: 0,
                    cost_centres: 0,
                    prologue: None,
                    body,
                    end: body,
                    block_end: body,
                    goes_on: false,
                    fault: None,
                });
            }
            Ok(Some(Item::Event(event))) => {
                if let Some(survey) = &mut survey {
                    survey.event(&event);
                    survey.end = event.offset + event.raw.len() as u64;
                    if let Some(prologue) = search.event(&event) {
                        survey.prologue = Some(prologue);
                    }
                }
            }
            Ok(Some(Item::Block(block))) => {
                if let Some(survey) = &mut survey {
                    survey.end = block.offset + block.raw.len() as u64;
                    survey.block_end = block.offset + u64::from(block.size);
                }
            }
            Ok(Some(Item::End)) => {
                // Some runtime systems count the mark as a part of the last block.
                if let Some(survey) = &mut survey
                    && survey.block_end == survey.end + DATA_END.to_be_bytes().len() as u64
                {
                    survey.block_end = survey.end;
                }
            }
            Ok(Some(_)) => {}
            Ok(None) => break,
            // Reported when the log is merged.
            Err(ReadError::Format(fault)) if survey.is_none() => {
                let hint = hints::fault(fault.kind, &shown.to_string());
                return Err(fault).advise(format_args!("cannot merge {shown}"), hint);
            }
            Err(ReadError::Format(fault)) => {
                if let Some(survey) = &mut survey {
                    survey.fault = Some(fault);
                }
                break;
            }
            Err(ReadError::Io(error)) => {
                return Err(error).advise(format_args!("cannot read {shown}"), "");
            }
        }
    }
    survey.ok_or_else(|| errors::input(format_args!("{shown} has no complete header")))
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

/// Whether the logs are parts of one recording: because they say so, or because they are from one
/// process (same number, same start).
pub fn one_recording(surveys: &[Survey]) -> bool {
    if surveys[1..].iter().all(|survey| survey.prologue.is_some()) {
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
