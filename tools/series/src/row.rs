//! The rows of a timeline, and their states.

use eventlog_state::{CapState, ThreadState};
use ghc_eventlog::StopStatus;

/// A row of the timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Row {
    /// A capability.
    Cap(u16),
    /// A thread. If the number is reused, the row shows both threads.
    Thread(u32),
    /// All threads together. A share is one of the time of those that are alive,
    /// so all shares add up to 1 wherever there is a thread and nothing is unknown.
    Threads,
}

impl Row {
    /// The names of the states that this row can have, in the order in which
    /// tiles count them. The last one is `unknown`.
    pub fn states(self) -> Vec<&'static str> {
        match self {
            Self::Cap(_) => CapState::ALL.iter().map(|state| state.name()).collect(),
            Self::Thread(_) | Self::Threads => thread_states(),
        }
    }

    /// How many states there are, but for `unknown`.
    pub(crate) fn known_states(self) -> usize {
        match self {
            Self::Cap(_) => CapState::ALL.len() - 1,
            Self::Thread(_) | Self::Threads => BLOCKED + 1,
        }
    }
}

/// The index under which the time of a thread is summed.
pub(crate) const RUNNING: usize = 0;
pub(crate) const RUNNABLE: usize = 1;
pub(crate) const FOREIGN: usize = 2;
pub(crate) const BLOCKED: usize = 3;
pub(crate) const UNKNOWN: usize = 4;

fn thread_states() -> Vec<&'static str> {
    let why = StopStatus::BLOCKED;
    let states = [
        ThreadState::Running { cap: 0 },
        ThreadState::Runnable,
        ThreadState::Foreign,
        ThreadState::Blocked { why, by: None },
        ThreadState::Unknown,
    ];
    states.iter().map(|state| state.name()).collect()
}

/// The names of the reasons for which a thread is blocked, by the runtime system's
/// code; an empty text for unknown codes.
pub fn reasons() -> Vec<&'static str> {
    let last = StopStatus::MVAR_READ.0;
    (0..=last)
        .map(|code| StopStatus(code).name().unwrap_or_default())
        .collect()
}

/// The state of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// In the row of a capability.
    Cap {
        /// What it does.
        state: CapState,
        /// The thread, while one runs.
        thread: Option<u32>,
    },
    /// In the row of a thread.
    Thread(ThreadState),
}

impl Doing {
    /// The index of the state in [`Row::states`].
    pub fn index(self) -> usize {
        match self {
            Self::Cap { state, .. } => cap_index(state),
            Self::Thread(state) => thread_index(state),
        }
    }

    /// A detail, as encoded in tiles; 0 for none. For a capability, the number of the
    /// thread that runs, plus one; for a running thread, the capability, plus one; for
    /// a blocked one, the code of the reason, plus one.
    pub fn detail(self) -> u64 {
        match self {
            Self::Cap { thread, .. } => thread.map_or(0, |thread| u64::from(thread) + 1),
            Self::Thread(ThreadState::Running { cap }) => u64::from(cap) + 1,
            Self::Thread(ThreadState::Blocked { why, .. }) => u64::from(why.0) + 1,
            Self::Thread(_) => 0,
        }
    }
}

pub(crate) fn cap_index(state: CapState) -> usize {
    let found = CapState::ALL.iter().position(|other| *other == state);
    found.unwrap_or(CapState::ALL.len() - 1)
}

pub(crate) fn thread_index(state: ThreadState) -> usize {
    match state {
        ThreadState::Running { .. } => RUNNING,
        ThreadState::Runnable => RUNNABLE,
        ThreadState::Foreign => FOREIGN,
        ThreadState::Blocked { .. } => BLOCKED,
        ThreadState::Unknown | ThreadState::Finished => UNKNOWN,
    }
}

/// A state of a row for some time, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    /// What.
    pub doing: Doing,
    /// From when on.
    pub from: u64,
    /// Until when; later than `from`.
    pub to: u64,
}

/// The lifetime of a thread, as far as the log shows it, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Life {
    /// The thread.
    pub thread: u32,
    /// Since when it is known.
    pub from: u64,
    /// Whether it was created then; if not, it is older than the log.
    pub created: bool,
    /// When it ended, if it did.
    pub to: Option<u64>,
}
