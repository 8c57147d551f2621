//! What collections, counters, profiles and definitions must be like.

use super::findings::{At, Findings, Severity};
use anyhow::Result;
use ghc_eventlog::{Event, EventBody, Header, ids};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// At most so many definitions of a kind are kept in mind.
const MOST: usize = 1 << 20;

#[derive(Debug, Default)]
struct Cap {
    /// Since when it collects, and where that is said.
    collecting: Option<(u64, At)>,
    collected_until: u64,
    /// What it did so far says whether it was collecting.
    known: bool,
    allocated: u64,
    sparks: [u64; 6],
}

/// Ticky counters. Their definitions come when the program exits, after all
/// that uses them.
#[derive(Debug, Default)]
struct Ticky {
    defined: HashSet<u64>,
    /// Those that are used, and where first.
    used: HashMap<u64, At>,
}

impl Ticky {
    fn define(&mut self, counter: u64) {
        if self.defined.len() < MOST {
            self.defined.insert(counter);
        }
    }

    fn uses(&mut self, counter: u64, at: At) {
        if self.used.len() < MOST {
            self.used.entry(counter).or_insert(at);
        }
    }

    /// The session is over.
    fn finish(&self, findings: &mut Findings) -> Result<()> {
        if self.defined.len() >= MOST {
            return Ok(());
        }
        let used = self.used.iter();
        let mut undefined: Vec<(u64, At)> = used
            .filter(|(counter, _)| !self.defined.contains(counter))
            .map(|(&counter, &at)| (counter, at))
            .collect();
        undefined.sort_by_key(|&(counter, at)| (at.offset, counter));
        let Some(&(_, first)) = undefined.first() else {
            return Ok(());
        };
        if self.defined.is_empty() {
            let count = undefined.len();
            let text = || {
                format!(
                    "{count} ticky counters have no names: a program writes the definitions when \
                     it exits"
                )
            };
            return findings.tell(Severity::Note, "no_ticky_definitions", first, text);
        }
        for (counter, at) in undefined {
            findings.tell(Severity::Warning, "undefined_ticky_counter", at, || {
                format!("ticky counter {counter} is used, but not defined anywhere")
            })?;
        }
        Ok(())
    }
}

/// The runtime system but for its threads.
#[derive(Debug, Default)]
pub struct Runtime {
    caps: BTreeMap<u16, Cap>,
    /// Those that are said to be there, in any way.
    announced: BTreeSet<u16>,
    created: BTreeSet<u16>,
    first_of: BTreeMap<u16, At>,
    capsets: BTreeSet<u32>,
    sample: Option<At>,
    cost_centres: HashSet<u32>,
    undefined: HashSet<u32>,
    ticky: Ticky,
    phases: [bool; 3],
    last_phase: Option<u16>,
    /// Whether samples have an end in this log; those before 8.6 have none.
    samples_end: bool,
    /// Whether the log begins at the start of the program.
    whole: bool,
    /// Or has all that was defined then, but not all that happened.
    pub partial: bool,
}

impl Runtime {
    pub fn new(header: &Header) -> Self {
        Self {
            samples_end: header.event_type(ids::HEAP_PROF_SAMPLE_END).is_some(),
            ..Self::default()
        }
    }

    #[inline]
    pub fn event(&mut self, event: &Event<'_>, late: bool, findings: &mut Findings) -> Result<()> {
        if let Some(cap) = event.cap
            && !self.first_of.contains_key(&cap)
        {
            self.first_of.insert(cap, At::event(event));
        }
        match event.body {
            EventBody::RunThread { .. }
            | EventBody::GcStart
            | EventBody::GcEnd
            | EventBody::GcIdle
            | EventBody::GcWork
            | EventBody::GcDone
                if !late =>
            {
                self.collection(event, findings)
            }
            EventBody::StopThread { .. }
            | EventBody::ThreadWakeup { .. }
            | EventBody::CreateThread { .. } => Ok(()),
            EventBody::HeapAllocated { .. } | EventBody::SparkCounters { .. } if !late => {
                self.counter(event, findings)
            }
            EventBody::HeapProfSampleBegin { .. }
            | EventBody::HeapBioProfSampleBegin { .. }
            | EventBody::HeapProfSampleEnd { .. }
            | EventBody::HeapProfSampleString { .. }
            | EventBody::HeapProfSampleCostCentre { .. }
            | EventBody::ProfSampleCostCentre { .. }
            | EventBody::HeapProfCostCentre { .. } => self.profile(event, findings),
            EventBody::ConcMarkBegin
            | EventBody::ConcMarkEnd { .. }
            | EventBody::ConcSyncBegin
            | EventBody::ConcSyncEnd
            | EventBody::ConcSweepBegin
            | EventBody::ConcSweepEnd => self.phase(event, findings),
            _ => self.definition(event, findings),
        }
    }

    fn collection(&mut self, event: &Event<'_>, findings: &mut Findings) -> Result<()> {
        let at = At::event(event);
        let Some(number) = event.cap else {
            return Ok(());
        };
        let cap = self.caps.entry(number).or_default();
        let tells = matches!(
            event.body,
            EventBody::GcStart | EventBody::GcEnd | EventBody::RunThread { .. }
        );
        let known = cap.known;
        cap.known |= tells;
        match event.body {
            EventBody::GcStart => match cap.collecting.replace((event.time, at)) {
                Some((_, since)) => findings.tell(Severity::Error, "collection_twice", at, || {
                    format!(
                        "a collection starts, but that of byte {} is not over",
                        since.offset
                    )
                }),
                None => Ok(()),
            },
            EventBody::GcEnd => {
                cap.collected_until = event.time;
                match cap.collecting.take() {
                    Some(_) => Ok(()),
                    // The first one of a log may have begun before the log.
                    None if (self.partial || !self.whole) && !known => Ok(()),
                    None => findings.tell(Severity::Error, "collection_never_began", at, || {
                        "a collection ends that never began".to_owned()
                    }),
                }
            }
            EventBody::RunThread { thread } => match cap.collecting {
                Some((_, since)) if event.time > since.time.unwrap_or(0) => {
                    findings.tell(Severity::Error, "runs_while_collecting", at, || {
                        format!(
                            "thread {thread} starts in the collection of byte {}",
                            since.offset
                        )
                    })
                }
                _ => Ok(()),
            },
            // Work of a collector's thread: its end is dated back, so what
            // is written last may come just after it.
            _ if cap.collecting.is_none() && event.time > cap.collected_until + 10_000_000 => {
                findings.tell(
                    Severity::Warning,
                    "collector_outside_collection",
                    at,
                    || format!("{} outside any collection", event.name()),
                )
            }
            _ => Ok(()),
        }
    }

    fn counter(&mut self, event: &Event<'_>, findings: &mut Findings) -> Result<()> {
        let at = At::event(event);
        let Some(number) = event.cap else {
            return Ok(());
        };
        let cap = self.caps.entry(number).or_default();
        match event.body {
            EventBody::HeapAllocated { bytes, .. } => {
                let before = std::mem::replace(&mut cap.allocated, bytes);
                if bytes < before {
                    return findings.tell(Severity::Error, "allocation_shrinks", at, || {
                        format!(
                            "the running total of allocated bytes falls from {before} to {bytes}"
                        )
                    });
                }
            }
            EventBody::SparkCounters {
                created,
                dud,
                overflowed,
                converted,
                gcd,
                fizzled,
                ..
            } => {
                let now = [created, dud, overflowed, converted, gcd, fizzled];
                let before = std::mem::replace(&mut cap.sparks, now);
                if now.iter().zip(&before).any(|(now, before)| now < before) {
                    return findings.tell(Severity::Error, "spark_counters_shrink", at, || {
                        "a running total of sparks falls".to_owned()
                    });
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn profile(&mut self, event: &Event<'_>, findings: &mut Findings) -> Result<()> {
        let at = At::event(event);
        match event.body {
            EventBody::HeapProfSampleBegin { .. } | EventBody::HeapBioProfSampleBegin { .. } => {
                match self.sample.replace(at) {
                    Some(open) if self.samples_end => {
                        findings.tell(Severity::Warning, "sample_not_ended", at, || {
                            format!(
                                "a heap sample begins, but that of byte {} has not ended",
                                open.offset
                            )
                        })
                    }
                    _ => Ok(()),
                }
            }
            EventBody::HeapProfSampleEnd { .. } => match self.sample.take() {
                Some(_) => Ok(()),
                None => findings.tell(Severity::Error, "sample_never_began", at, || {
                    "a heap sample ends that never began".to_owned()
                }),
            },
            EventBody::HeapProfCostCentre { cost_centre, .. } => {
                if self.cost_centres.len() < MOST {
                    self.cost_centres.insert(cost_centre);
                }
                Ok(())
            }
            EventBody::ProfSampleCostCentre { stack, .. } => self.stack(at, stack, findings),
            body => {
                if self.sample.is_none() {
                    findings.tell(Severity::Error, "band_outside_sample", at, || {
                        "a band of a heap profile lies outside any sample".to_owned()
                    })?;
                }
                match body {
                    EventBody::HeapProfSampleCostCentre { stack, .. } => {
                        self.stack(at, stack, findings)
                    }
                    _ => Ok(()),
                }
            }
        }
    }

    fn stack(
        &mut self,
        at: At,
        stack: ghc_eventlog::Stack<'_>,
        findings: &mut Findings,
    ) -> Result<()> {
        for id in stack.iter() {
            let known = self.cost_centres.contains(&id) || self.cost_centres.len() >= MOST;
            if !known && self.undefined.len() < MOST && self.undefined.insert(id) {
                findings.tell(Severity::Warning, "undefined_cost_centre", at, || {
                    format!("cost centre {id} is used, but not defined before")
                })?;
            }
        }
        Ok(())
    }

    fn phase(&mut self, event: &Event<'_>, findings: &mut Findings) -> Result<()> {
        let (phase, begins) = match event.body {
            EventBody::ConcMarkBegin => (0, true),
            EventBody::ConcMarkEnd { .. } => (0, false),
            EventBody::ConcSyncBegin => (1, true),
            EventBody::ConcSyncEnd => (1, false),
            EventBody::ConcSweepBegin => (2, true),
            _ => (2, false),
        };
        let before = std::mem::replace(&mut self.phases[phase], begins);
        let repeated = self.last_phase.replace(event.id()) == Some(event.id());
        // The runtime system tells the final synchronisation twice.
        if before == begins && !(phase == 1 && repeated) {
            return findings.tell(
                Severity::Warning,
                "concurrent_phase",
                At::event(event),
                || {
                    let what = if begins {
                        "begins twice"
                    } else {
                        "ends without a beginning"
                    };
                    format!(
                        "a phase of the concurrent collector {what}: {}",
                        event.name()
                    )
                },
            );
        }
        Ok(())
    }

    fn definition(&mut self, event: &Event<'_>, findings: &mut Findings) -> Result<()> {
        let found = match event.body {
            EventBody::CapCreate { created_cap } => {
                // Systems before 8.0 give their number first (`startup`).
                self.announced.insert(created_cap);
                let twice = !self.created.insert(created_cap);
                twice.then_some(("cap_created_twice", "capability", u64::from(created_cap)))
            }
            EventBody::CapsetCreate { capset, .. } => {
                let twice = !self.capsets.insert(capset);
                twice.then_some(("capset_created_twice", "capability set", u64::from(capset)))
            }
            EventBody::CapDelete { deleted_cap } => {
                self.announced.remove(&deleted_cap);
                self.created.remove(&deleted_cap);
                self.first_of.remove(&deleted_cap);
                None
            }
            EventBody::CapsetDelete { capset } => {
                self.capsets.remove(&capset);
                None
            }
            EventBody::Startup { capabilities } => {
                self.announced.extend(0..capabilities);
                None
            }
            EventBody::RtsIdentifier { .. } => {
                self.whole = event.time < 1_000_000_000;
                None
            }
            EventBody::TickyCounterDef { counter, .. } => {
                self.ticky.define(counter);
                None
            }
            EventBody::TickyCounterSample { counter, .. } => {
                self.ticky.uses(counter, At::event(event));
                None
            }
            _ => None,
        };
        let Some((kind, what, number)) = found else {
            return Ok(());
        };
        findings.tell(Severity::Warning, kind, At::event(event), || {
            format!("{what} {number} is created, but exists already")
        })
    }

    /// The session is over.
    pub fn finish(&mut self, findings: &mut Findings) -> Result<()> {
        if let Some(at) = self.sample.take().filter(|_| self.samples_end) {
            findings.tell(Severity::Warning, "sample_not_ended", at, || {
                "this heap sample does not end".to_owned()
            })?;
        }
        self.ticky.finish(findings)?;
        // Capabilities are announced in the global block. Where that is
        // missing altogether, one note says so; where it is there, it must
        // name them all.
        let silent: Vec<_> = self
            .first_of
            .iter()
            .filter(|(cap, _)| !self.announced.contains(cap))
            .collect();
        if let Some(&(&cap, &at)) = silent.first() {
            let count = silent.len();
            let what = if self.announced.is_empty() {
                "capabilities are not announced anywhere: the log lacks its global block".to_owned()
            } else {
                format!("{count} capabilities, {cap} first, are not announced anywhere")
            };
            findings.tell(Severity::Note, "cap_not_announced", at, || what)?;
        }
        Ok(())
    }
}
