//! Sums up the facts of a state.

use crate::collected::Attribute;
use crate::counts::{Counts, REASONS, record};
use crate::record::{LogRecord, Records, Severity, SpanKey, SpanRecord, loss};
use eventlog_state::{
    Collection, Fact, HeapKind, PhaseKind, Sample, Span, ThreadInterval, ThreadState,
};
use ghc_eventlog::StopStatus;

/// Counts facts, and keeps those that can only be handled with the state.
#[derive(Debug)]
pub(crate) struct Tally {
    pub(crate) counts: Counts,
    records: Records,
    most: usize,
    /// A heap sample that is complete.
    pub(crate) sample: Option<Sample>,
    /// Fragmentation and slop after the last collection.
    pub(crate) last: Option<(u64, u64)>,
    pub(crate) ended: Vec<Span>,
    pub(crate) collections: Vec<Collection>,
    pub(crate) spans: Vec<SpanRecord>,
    pub(crate) logs: Vec<LogRecord>,
    more: bool,
}

/// Intervals of a thread are in one trace for this long, so that no trace grows without
/// limit.
const WINDOW: u64 = 60_000_000_000;

impl Tally {
    pub(crate) fn new(records: Records, most: usize) -> Self {
        Self {
            counts: Counts::default(),
            records,
            most,
            sample: None,
            last: None,
            ended: Vec::new(),
            collections: Vec::new(),
            spans: Vec::new(),
            logs: Vec::new(),
            more: false,
        }
    }

    /// Whether something was kept since the last call.
    #[inline]
    pub(crate) fn has_more(&mut self) -> bool {
        std::mem::take(&mut self.more)
    }

    #[inline]
    pub(crate) fn stop(&mut self, status: StopStatus) {
        self.counts.stops[usize::from(status.0).min(REASONS - 1)] += 1;
        self.counts.finished += u64::from(status == StopStatus::FINISHED);
    }

    /// Handles a fact. `started`: the thread that its event starts.
    #[inline]
    pub(crate) fn see(&mut self, fact: &Fact<'_>, started: Option<u32>) {
        match fact {
            Fact::Thread(interval) => self.thread(interval, started),
            Fact::Cap(interval) => {
                let took = interval.to - interval.from;
                self.counts.cap(interval.cap).time[interval.state as usize] += took;
            }
            Fact::Migration(_) => self.counts.migrations += 1,
            Fact::Wakeup(_) | Fact::Gone { .. } | Fact::Part(_) => {}
            _ => self.rare(fact),
        }
    }

    fn rare(&mut self, fact: &Fact<'_>) {
        match fact {
            Fact::Collection(collection) => {
                self.counts.collection(collection);
                if let Some(stats) = collection.stats {
                    self.last = Some((stats.fragmentation, stats.slop));
                }
                if self.records.traces {
                    self.collections.push(**collection);
                    self.more = true;
                }
            }
            Fact::Phase(phase) => {
                let took = phase.to - phase.from;
                match phase.kind {
                    PhaseKind::Mark => record(&mut self.counts.mark, took),
                    PhaseKind::Sync => record(&mut self.counts.final_sync, took),
                    PhaseKind::Sweep => {}
                }
            }
            Fact::Heap(value) => {
                if let (HeapKind::Allocated, Some(cap)) = (value.kind, value.cap) {
                    self.counts.cap(cap).allocated = Some(value.bytes);
                }
            }
            Fact::Sample(sample) => {
                self.sample = Some((*sample).clone());
                self.more = true;
            }
            Fact::Span(span) => {
                let took = span.end - span.start;
                self.counts.spans.record(&span.name, took, self.most);
                if self.records.traces {
                    self.ended.push((*span).clone());
                    self.more = true;
                }
            }
            Fact::Loss(lost) => {
                self.counts.loss(lost);
                if self.records.logs {
                    self.logs.push(LogRecord {
                        time: lost.time,
                        severity: Severity::Warn,
                        event: "ghc.eventlog.loss",
                        body: loss(&lost.lost),
                        attributes: Vec::new(),
                    });
                    self.more = true;
                }
            }
            _ => {}
        }
    }

    #[inline]
    fn thread(&mut self, interval: &ThreadInterval, started: Option<u32>) {
        let took = interval.to - interval.from;
        match interval.state {
            ThreadState::Runnable if started == Some(interval.thread) => {
                self.counts.schedule.record(took);
            }
            ThreadState::Blocked { why, .. } => {
                let of = self.counts.blocked.entry(reason(why)).or_default();
                of.record(took);
            }
            _ => {}
        }
        if self.records.threads {
            self.interval(interval);
        }
    }

    fn interval(&mut self, interval: &ThreadInterval) {
        let window = interval.from / WINDOW * WINDOW;
        let key = |name: &str, start| SpanKey {
            kind: "thread",
            name: name.into(),
            start,
            numbers: (Some(interval.thread), None),
        };
        let number = Attribute::Int(interval.thread.into());
        let mut attributes = vec![("thread.id", number)];
        match interval.state {
            ThreadState::Running { cap } => attributes.push(("ghc.capability.id", cap.into())),
            ThreadState::Blocked { why, .. } => {
                let why = why.name().unwrap_or("other");
                attributes.push(("ghc.thread.block.reason", why.into()));
            }
            _ => {}
        }
        self.spans.push(SpanRecord {
            key: key(interval.state.name(), interval.from),
            end: interval.to,
            parent: None,
            root: key("", window),
            attributes,
        });
        self.more = true;
    }
}

/// Reasons without a name are counted as one.
pub(crate) fn reason(why: StopStatus) -> u16 {
    match why.name() {
        Some(_) => why.0,
        None => u16::MAX,
    }
}
