//! Arrows between tracks. One is written when both of its ends are known.

use eventlog_state::{Migration, Wakeup};
use rustc_hash::FxHashMap;

/// Arrows that have not arrived, at most; beyond that they are forgotten.
const MOST: usize = 1 << 16;

/// A wake-up of a thread that has not run since.
#[derive(Clone, Copy, Debug)]
pub struct Wake {
    /// The thread that woke it.
    pub by: Option<u32>,
    /// The capability that told it.
    pub cap: u16,
    pub time: u64,
}

/// A migration of a thread that has not run since.
#[derive(Clone, Copy, Debug)]
struct Move {
    from: u16,
    to: u16,
    time: u64,
}

/// What is under way, by thread.
#[derive(Debug, Default)]
pub struct Flows {
    wakes: FxHashMap<u32, Wake>,
    moves: FxHashMap<u32, Move>,
}

impl Flows {
    pub fn woken(&mut self, wakeup: &Wakeup) {
        if self.wakes.len() >= MOST {
            self.wakes.clear();
        }
        // Of several, the first one made it ready.
        self.wakes.entry(wakeup.thread).or_insert(Wake {
            by: wakeup.by,
            cap: wakeup.from,
            time: wakeup.time,
        });
    }

    pub fn migrated(&mut self, migration: &Migration) {
        if self.moves.len() >= MOST {
            self.moves.clear();
        }
        let &Migration {
            thread,
            from,
            to,
            time,
        } = migration;
        self.moves.insert(thread, Move { from, to, time });
    }

    /// The thread ran from this time on: what woke it before that. A wake-up that came while
    /// it ran had nothing to do.
    pub fn ran(&mut self, thread: u32, since: u64) -> Option<Wake> {
        let wake = self.wakes.remove(&thread)?;
        (wake.time <= since).then_some(wake)
    }

    /// The thread ran on the capability from this time on: when and from where it came.
    pub fn arrived(&mut self, thread: u32, cap: u16, since: u64) -> Option<(u64, u16)> {
        let Move { from, to, time } = *self.moves.get(&thread)?;
        if time > since {
            return None;
        }
        self.moves.remove(&thread);
        (to == cap && from != cap).then_some((time, from))
    }

    /// The thread is over. Where it ran last may be told after that: its migration stays.
    pub fn gone(&mut self, thread: u32) {
        self.wakes.remove(&thread);
    }
}
