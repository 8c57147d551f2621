//! Arrows between tracks. An arrow is written when both of its ends are known.

use eventlog_state::{Migration, Wakeup};
use rustc_hash::FxHashMap;

/// The largest number of arrows without an end; more are dropped.
const MOST: usize = 1 << 16;

/// A wake-up of a thread that has not run since.
#[derive(Clone, Copy, Debug)]
pub struct Wake {
    /// The thread that woke it.
    pub by: Option<u32>,
    /// The capability that logged it.
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

/// Arrows that have begun, by thread.
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
        // Of several wake-ups, the first one made it ready.
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

    /// The thread ran from this time on: returns what woke it before that. A wake-up while it ran
    /// had no effect.
    pub fn ran(&mut self, thread: u32, since: u64) -> Option<Wake> {
        let wake = self.wakes.remove(&thread)?;
        (wake.time <= since).then_some(wake)
    }

    /// The thread ran on the capability from this time on: returns when and from where it migrated.
    pub fn arrived(&mut self, thread: u32, cap: u16, since: u64) -> Option<(u64, u16)> {
        let Move { from, to, time } = *self.moves.get(&thread)?;
        if time > since {
            return None;
        }
        self.moves.remove(&thread);
        (to == cap && from != cap).then_some((time, from))
    }

    /// The thread has ended. Its last run may be reported after that, so its migration is kept.
    pub fn gone(&mut self, thread: u32) {
        self.wakes.remove(&thread);
    }
}
