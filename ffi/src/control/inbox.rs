//! What waits for the control thread.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use eventlog_control::Item;

use crate::clock::monotonic;
use crate::lock::{Changes, Held, Lock};
use crate::memory::OutOfMemory;
use crate::renewable::Renewable;

/// Bytes of commands that may wait: almost three thousand of the built-in ones.
const ROOM: usize = 64 * 1024;
/// With more than this nothing more is read: it takes a while until those are run.
const CROWD: usize = 4 * 1024;
/// The longest namespace.
const NAME: usize = 255;

pub(crate) static INBOX: Renewable<Inbox> = Renewable::new(EMPTY);

#[allow(clippy::declare_interior_mutable_const, reason = "what it begins with")]
const EMPTY: Inbox = Inbox {
    state: Lock::new(State {
        log: 0,
        runs: false,
        told: 0,
        told_end: true,
        newcomers: false,
        finishing: false,
        finished: false,
        working: false,
        starting: false,
        hooks_elsewhere: false,
        commands: VecDeque::new(),
        crowded: false,
    }),
    something: Changes::new(),
    done: Changes::new(),
    counters: Counters {
        received: AtomicU64::new(0),
        run: AtomicU64::new(0),
        unknown: AtomicU64::new(0),
        refused: AtomicU64::new(0),
        denied: AtomicU64::new(0),
        dropped: AtomicU64::new(0),
        garbage: AtomicU64::new(0),
    },
    spent: AtomicU64::new(0),
};

/// In a child, with the locks of its parent.
///
/// # Safety
/// As for [`Renewable::renew`].
pub(crate) unsafe fn renew() {
    // SAFETY: the contract is the same.
    unsafe { INBOX.renew(EMPTY) };
}

/// Statistics, all of them Relaxed.
#[derive(Debug)]
pub(crate) struct Counters {
    pub received: AtomicU64,
    pub run: AtomicU64,
    pub unknown: AtomicU64,
    pub refused: AtomicU64,
    pub denied: AtomicU64,
    pub dropped: AtomicU64,
    pub garbage: AtomicU64,
}

#[derive(Debug)]
pub(crate) struct Inbox {
    state: Lock<State>,
    /// For the control thread.
    something: Changes,
    /// For those who wait for it.
    done: Changes,
    pub counters: Counters,
    /// Nanoseconds of processor time that a crowd of commands took, not yet asked for.
    spent: AtomicU64,
}

#[derive(Debug)]
struct State {
    /// The log of the present or last client, counted from 1.
    log: u64,
    /// It has not ended.
    runs: bool,
    /// The log whose start the hooks were told last, and whether its end was.
    told: u64,
    told_end: bool,
    /// A hook was registered since, while it ran.
    newcomers: bool,
    /// The program exits: the end of the log is the last thing to be told.
    finishing: bool,
    finished: bool,
    /// There is a control thread.
    working: bool,
    /// It is telling hooks of a start.
    starting: bool,
    /// Hooks are called on other threads than that.
    hooks_elsewhere: bool,
    /// Each is its kind, the length of its namespace, the namespace, its number.
    commands: VecDeque<u8>,
    /// There were more of them than are run soon, and they are not all run yet.
    crowded: bool,
}

/// A command that has waited.
#[derive(Debug)]
pub(crate) struct Command {
    /// It came by the older protocol, which has no names.
    pub older: bool,
    pub id: u8,
    /// It came in a crowd.
    pub crowded: bool,
    name: [u8; NAME],
    len: usize,
}

impl Command {
    pub(crate) const fn empty() -> Command {
        Command {
            older: false,
            id: 0,
            crowded: false,
            name: [0; NAME],
            len: 0,
        }
    }

    /// Of its namespace.
    pub(crate) fn name(&self) -> &[u8] {
        &self.name[..self.len]
    }
}

/// What the control thread does next.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Next {
    /// Tell the hooks that the log has begun.
    Start(u64),
    /// Tell them that it ends.
    End(u64),
    /// Run the command that was taken.
    Command,
    /// The program exits; nothing comes any more.
    Finish,
}

const OLDER: u8 = 0;
const NAMED: u8 = 1;

impl Inbox {
    fn state(&self) -> Held<'_, State> {
        self.state.lock()
    }

    /// A log begins, for a client that has come or will.
    pub(crate) fn log_begins(&self) {
        self.state().begin_log();
        self.something.tell();
    }

    /// A log begins, unless the one that was awaited has begun already.
    pub(crate) fn log_begins_if_none_runs(&self) {
        let mut state = self.state();
        if !state.runs {
            state.begin_log();
            self.something.tell();
        }
    }

    /// The log of this client ends.
    pub(crate) fn log_ends(&self) {
        self.state().runs = false;
        self.something.tell();
        self.done.tell();
    }

    /// Somebody has registered a hook.
    pub(crate) fn hook_registered(&self) {
        let mut state = self.state();
        // Not for a log that has ended, even if its end is still to be announced.
        state.newcomers |= state.runs;
        drop(state);
        self.something.tell();
    }

    /// What a client has sent. `may`: it is allowed to.
    pub(crate) fn receive(&self, item: Item<'_>, may: bool) {
        // Relaxed, here and below: statistics.
        let count = |counter: &AtomicU64| counter.fetch_add(1, Ordering::Relaxed);
        count(&self.counters.received);
        if !may {
            count(&self.counters.denied);
            return;
        }
        let (kind, name, id) = match item {
            Item::OtherVersion { .. } => {
                count(&self.counters.unknown);
                return;
            }
            Item::Older { id } => (OLDER, &[][..], id),
            Item::Command { namespace, id } => (NAMED, namespace, id),
        };
        if !self.push(kind, name, id) {
            count(&self.counters.dropped);
        }
    }

    /// Bytes from a client that belong to no command.
    pub(crate) fn count_garbage(&self, bytes: u64) {
        self.counters.garbage.fetch_add(bytes, Ordering::Relaxed);
    }

    fn push(&self, kind: u8, name: &[u8], id: u8) -> bool {
        let Ok(len) = u8::try_from(name.len()) else {
            return false;
        };
        let mut state = self.state();
        if state.finishing || state.commands.len() + name.len() + 3 > ROOM {
            return false;
        }
        if state.commands.try_reserve(name.len() + 3).is_err() {
            return false;
        }
        let was_empty = state.commands.is_empty();
        state.commands.extend([kind, len]);
        state.commands.extend(name);
        state.commands.push_back(id);
        state.crowded |= state.commands.len() > CROWD;
        // It takes all there is before it sleeps.
        if was_empty {
            self.something.tell();
        }
        true
    }

    /// Have room for all commands that may wait.
    pub(crate) fn make_room(&self) -> Result<(), OutOfMemory> {
        let mut state = self.state();
        let more = ROOM - state.commands.len();
        Ok(state.commands.try_reserve_exact(more)?)
    }

    /// The control thread has started, or has ended.
    pub(crate) fn thread_works(&self, working: bool) {
        self.state().working = working;
        self.done.tell();
    }

    /// Wait for something to do; a command goes into `command`. Each is taken as done
    /// when this is called again.
    pub(crate) fn next(&self, command: &mut Command) -> Next {
        let mut state = self.state();
        state.starting = false;
        self.done.tell();
        loop {
            if let Some(next) = state.take_hooks() {
                state.starting = matches!(next, Next::Start(_));
                return next;
            }
            if state.finishing {
                state.finished = true;
                self.done.tell();
                return Next::Finish;
            }
            if state.take_command(command).is_some() {
                return Next::Command;
            }
            state = self.something.wait(&self.state, state, None);
        }
    }

    /// A census is followed by another one: one collection does for both.
    pub(crate) fn has_commands(&self) -> bool {
        !self.state().commands.is_empty()
    }

    /// More commands wait than are run soon.
    pub(crate) fn is_crowded(&self) -> bool {
        self.state().commands.len() > CROWD
    }

    /// Commands that are done with.
    pub(crate) fn done(&self) -> u64 {
        let Counters {
            run,
            unknown,
            refused,
            ..
        } = &self.counters;
        // Relaxed: only whether it moves matters.
        let done = [run, unknown, refused].map(|counter| counter.load(Ordering::Relaxed));
        done.into_iter().sum()
    }

    /// Running a command of a crowd took so much of a processor.
    pub(crate) fn spend(&self, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        // Relaxed: a sum; nothing is ordered by it.
        self.spent.fetch_add(nanos, Ordering::Relaxed);
    }

    /// What they took since this was asked last.
    pub(crate) fn take_spent(&self) -> Duration {
        Duration::from_nanos(self.spent.swap(0, Ordering::Relaxed))
    }

    /// Wait until the hooks were told of the log that runs, if one does, or of one that
    /// has come in its place; not of those that come after that.
    pub(crate) fn await_start(&self) {
        let mut state = self.state();
        let log = state.log;
        while state.working && state.told < log && state.start_is_due() {
            state = self.done.wait(&self.state, state, None);
        }
        let told = state.told;
        while state.working && state.starting && state.told == told {
            state = self.done.wait(&self.state, state, None);
        }
    }

    /// Have the hooks told that the log ends, and nothing after that; wait until
    /// they were, or until the deadline.
    pub(crate) fn finish(&self, deadline: Duration) {
        let mut state = self.state();
        state.finishing = true;
        self.something.tell();
        while state.working && !state.finished {
            let left = deadline.saturating_sub(monotonic());
            if left.is_zero() {
                return;
            }
            state = self.done.wait(&self.state, state, Some(left));
        }
    }

    /// The program exits.
    pub(crate) fn is_finishing(&self) -> bool {
        self.state().finishing
    }

    /// The control thread has nothing to do with hooks, or has again.
    pub(crate) fn keep_hooks_elsewhere(&self, elsewhere: bool) {
        self.state().hooks_elsewhere = elsewhere;
        self.something.tell();
    }

    /// For hooks that are called by somebody else: the log to tell them of, now that the
    /// RTS is ready.
    pub(crate) fn take_start(&self) -> Option<u64> {
        let mut state = self.state();
        state.start_is_due().then(|| state.tell_start())
    }

    /// The same at its exit.
    pub(crate) fn take_end(&self) -> Option<u64> {
        let mut state = self.state();
        state.finishing = true;
        state.end_is_due().then(|| state.tell_end())
    }
}

impl State {
    fn begin_log(&mut self) {
        self.log += 1;
        self.runs = true;
    }

    fn start_is_due(&self) -> bool {
        self.runs && self.told != self.log && !self.finishing
    }

    fn end_is_due(&self) -> bool {
        !self.told_end && (!self.runs || self.told != self.log || self.finishing)
    }

    fn tell_start(&mut self) -> u64 {
        self.newcomers = false;
        self.told = self.log;
        self.told_end = false;
        self.told
    }

    fn tell_end(&mut self) -> u64 {
        self.told_end = true;
        self.told
    }

    fn take_hooks(&mut self) -> Option<Next> {
        if self.hooks_elsewhere {
            return None;
        }
        // Those who came later are told now, also when the program is about to exit, or
        // the client has left before we looked; the others have been.
        let late = self.newcomers && !self.told_end && self.told == self.log;
        if self.start_is_due() && self.told_end || late {
            return Some(Next::Start(self.tell_start()));
        }
        self.end_is_due().then(|| Next::End(self.tell_end()))
    }

    fn take_command(&mut self, command: &mut Command) -> Option<()> {
        command.older = self.commands.pop_front()? == OLDER;
        command.len = usize::from(self.commands.pop_front()?);
        let name = self.commands.drain(..command.len);
        for (to, byte) in command.name.iter_mut().zip(name) {
            *to = byte;
        }
        command.id = self.commands.pop_front()?;
        command.crowded = self.crowded;
        // A crowd until the last of it.
        self.crowded &= !self.commands.is_empty();
        Some(())
    }
}
