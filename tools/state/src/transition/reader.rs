//! The state of a reader on the way from one moment to another.

use crate::cap::InCollection;
use crate::state::State;
use crate::states::ThreadState;
use rustc_hash::FxHashMap;

/// What the reader currently knows about a capability.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct KnownCap {
    pub(super) running: Option<u32>,
    pub(super) requested: Option<u64>,
    pub(super) collecting: Option<InCollection>,
}

/// What it knows about a thread.
#[derive(Clone, Copy, Debug)]
pub(super) struct KnownThread {
    pub(super) state: ThreadState,
    pub(super) cap: Option<u16>,
}

/// A reader that had the state `from`, and has received some events since.
pub(super) struct Reader<'a> {
    from: &'a State,
    pub(super) caps: Vec<KnownCap>,
    /// Threads about which it received something; `None`: they have ended.
    told: FxHashMap<u32, Option<KnownThread>>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(from: &'a State, to: &State) -> Self {
        let (from_caps, to_caps) = (&from.scheduler.caps, &to.scheduler.caps);
        let mut caps = vec![KnownCap::default(); from_caps.len().max(to_caps.len())];
        for (known, cap) in caps.iter_mut().zip(from_caps) {
            *known = KnownCap {
                running: cap.running.map(|(thread, _)| thread),
                requested: cap.requested,
                collecting: cap.collecting,
            };
        }
        Self {
            from,
            caps,
            told: FxHashMap::default(),
        }
    }

    pub(super) fn cap(&mut self, number: u16) -> &mut KnownCap {
        let index = usize::from(number);
        if self.caps.len() <= index {
            self.caps.resize_with(index + 1, KnownCap::default);
        }
        &mut self.caps[index]
    }

    /// A thread that is alive.
    pub(super) fn thread(&self, id: u32) -> Option<KnownThread> {
        self.told.get(&id).copied().unwrap_or_else(|| {
            let thread = self.from.thread(id)?;
            Some(KnownThread {
                state: thread.state,
                cap: thread.cap(),
            })
        })
    }

    /// The threads about which it received something.
    pub(super) fn told(&self) -> impl Iterator<Item = u32> {
        self.told.keys().copied()
    }

    /// Whether it knows that this thread has ended.
    pub(super) fn is_over(&self, id: u32) -> bool {
        self.told.get(&id).is_some_and(Option::is_none)
    }

    /// On how many capabilities the thread runs, according to each of them.
    pub(super) fn runs(&self, id: u32) -> usize {
        let runs = self.caps.iter().filter(|cap| cap.running == Some(id));
        runs.count()
    }

    pub(super) fn is_in(&mut self, id: u32, state: ThreadState, cap: Option<u16>) {
        let thread = (state != ThreadState::Finished).then_some(KnownThread { state, cap });
        self.told.insert(id, thread);
    }
}
