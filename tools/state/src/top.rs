//! The threads that ran longest, of those that have ended and those alive.

use crate::report::TopThread;
use crate::state::State;
use crate::thread::Thread;
use std::cmp::Reverse;

/// The largest number of threads, whatever was asked for.
const MOST: usize = 1 << 16;

/// Threads that have ended: the longest so far, and some more.
#[derive(Clone, Debug)]
pub(crate) struct Top {
    count: usize,
    over: Vec<TopThread>,
    /// A thread that ran no longer than this is not among the longest.
    least: Option<u64>,
}

impl Top {
    pub(crate) fn new(count: usize) -> Self {
        Self {
            count: count.min(MOST),
            over: Vec::new(),
            least: None,
        }
    }

    /// Takes a thread that has ended.
    pub(crate) fn gone(&mut self, id: u32, thread: &Thread) {
        if self.least.is_some_and(|least| thread.running() <= least) {
            return;
        }
        self.over.push(row(id, thread));
        if self.over.len() > 2 * self.count + 64 {
            longest(&mut self.over, self.count);
            self.least = self.over.last().map(|last| last.running_ns);
        }
    }

    /// The longest so far, including those that the state still has.
    pub(crate) fn report(&self, state: &State) -> Vec<TopThread> {
        let mut all = self.over.clone();
        longest(&mut all, self.count);
        for (id, thread) in state.threads() {
            all.push(row(id, thread));
            if all.len() > 2 * self.count + 64 {
                longest(&mut all, self.count);
            }
        }
        longest(&mut all, self.count);
        all
    }
}

fn longest(threads: &mut Vec<TopThread>, count: usize) {
    threads.sort_by_key(|thread| Reverse(thread.running_ns));
    threads.truncate(count);
}

fn row(id: u32, thread: &Thread) -> TopThread {
    TopThread {
        thread: id,
        label: thread.label().map(str::to_owned),
        running_ns: thread.running(),
        runnable_ns: thread.runnable(),
        blocked_ns: thread.blocked(),
        foreign_ns: thread.foreign(),
        runs: thread.runs(),
        migrations: thread.migrations(),
        state: thread.state().name(),
    }
}
