//! Compares the information of two readers.
//!
//! A reader that joined late knows the current state, but not its history: only
//! what is true now is compared. Since when, how long and how often are left
//! out.

use crate::cap::Cap;
use crate::collections::PhaseKind;
use crate::state::State;
use crate::thread::Thread;
use std::collections::BTreeMap;

impl State {
    /// The first thing in which the two differ now, in words; `None` if there
    /// is no difference.
    pub fn difference(&self, other: &Self) -> Option<String> {
        self.threads_differ(other)
            .or_else(|| self.caps_differ(other))
            .or_else(|| self.sizes_differ(other))
            .or_else(|| self.told_differs(other))
    }

    fn threads_differ(&self, other: &Self) -> Option<String> {
        let (mut ours, mut theirs) = (self.threads(), other.threads());
        loop {
            let (a, b) = (ours.next(), theirs.next());
            let same = match (&a, &b) {
                (None, None) => return None,
                (Some((id, a)), Some((other, b))) => id == other && now(a) == now(b),
                _ => false,
            };
            if !same {
                let words = |it: Option<(u32, &Thread)>| match it {
                    Some((id, thread)) => format!("thread {id} {:?}", now(thread)),
                    None => "no thread".to_owned(),
                };
                return Some(format!("{} here, {} there", words(a), words(b)));
            }
        }
    }

    fn caps_differ(&self, other: &Self) -> Option<String> {
        let most = self.scheduler.caps.len().max(other.scheduler.caps.len());
        let none = Cap::default();
        (0..most).find_map(|number| {
            let of = |state: &Self| {
                let cap = state.scheduler.caps.get(number).unwrap_or(&none);
                (
                    (cap.announced, cap.disabled),
                    cap.running.map(|(thread, _)| thread),
                    (
                        cap.requested.is_some(),
                        cap.collecting.map(|is| is.collector),
                    ),
                    cap.allocated(),
                    cap.sparks(),
                )
            };
            let (ours, theirs) = (of(self), of(other));
            (ours != theirs).then(|| format!("capability {number} {ours:?} here, {theirs:?} there"))
        })
    }

    /// Compares definitions, the heap sample that is open, ticky counters, open
    /// spans.
    fn told_differs(&self, other: &Self) -> Option<String> {
        if !self.definitions().same(other.definitions()) {
            return Some("the definitions are not the same".to_owned());
        }
        let sample = |state: &Self| {
            let sample = state.samples().open()?;
            let bands = sample
                .bands()
                .map(|(band, bytes)| format!("{band:?} {bytes}"));
            Some((sample.era(), bands.collect::<Vec<_>>()))
        };
        let (ours, theirs) = (sample(self), sample(other));
        if ours != theirs {
            return Some(format!("heap sample {ours:?} here, {theirs:?} there"));
        }
        let ticky = |state: &Self| -> BTreeMap<_, _> {
            let samples = state.ticky().samples();
            samples
                .map(|of| (of.counter, (of.entries, of.allocs, of.allocated)))
                .collect()
        };
        let (ours, theirs) = (ticky(self), ticky(other));
        if ours != theirs {
            return Some(format!("ticky counters {ours:?} here, {theirs:?} there"));
        }
        let spans = |state: &Self| {
            let spans = state.spans().open().map(|span| {
                let thread = state.thread_of(span).map(|(id, _)| id);
                (span.name.clone(), span.id, thread)
            });
            let mut spans: Vec<_> = spans.collect();
            spans.sort();
            spans
        };
        let (ours, theirs) = (spans(self), spans(other));
        (ours != theirs).then(|| format!("open spans {ours:?} here, {theirs:?} there"))
    }

    fn sizes_differ(&self, other: &Self) -> Option<String> {
        let phases = |state: &Self| PhaseKind::ALL.map(|kind| state.phase(kind).is_some());
        let (ours, theirs) = (phases(self), phases(other));
        if ours != theirs {
            return Some(format!("phases {ours:?} here, {theirs:?} there"));
        }
        let sizes = |state: &Self| -> Vec<_> {
            let of = state.heaps().map(|(capset, heap)| {
                let returned = heap
                    .returned()
                    .map(|told| (told.current, told.needed, told.returned));
                (capset, heap.size(), heap.live(), heap.blocks(), returned)
            });
            of.collect()
        };
        let (ours, theirs) = (sizes(self), sizes(other));
        (ours != theirs).then(|| format!("heaps {ours:?} here, {theirs:?} there"))
    }
}

/// The current state of a thread.
fn now(thread: &Thread) -> (crate::states::ThreadState, Option<u16>, Option<&str>) {
    (thread.state(), thread.cap(), thread.label())
}
