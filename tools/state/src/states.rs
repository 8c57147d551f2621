//! The states of threads and capabilities: the one list that every view uses.

use ghc_eventlog::StopStatus;

/// What a thread is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(tag = "state", rename_all = "snake_case")
)]
// A tag of its own: it is checked for each event, and a niche within `by` would first have to be
// distinguished from a thread.
#[repr(u8)]
pub enum ThreadState {
    /// Not known: the log does not begin early enough.
    Unknown,
    /// Ready to run and waiting for its turn; also before it has run for the first time.
    Runnable,
    /// Running on this capability.
    Running {
        /// The capability.
        cap: u16,
    },
    /// In a foreign call during which the capability continues without it.
    Foreign,
    /// Waiting for something.
    Blocked {
        /// What it waits for, as the runtime system's code.
        #[cfg_attr(feature = "serde", serde(serialize_with = "crate::serial::status"))]
        why: StopStatus,
        /// The thread that it waits for, if that is logged: the owner of a black hole.
        by: Option<u32>,
    },
    /// It has ended.
    Finished,
}

impl ThreadState {
    /// The state of a thread after it has stopped for this reason.
    #[inline]
    pub fn after(status: StopStatus, info: Option<u32>) -> Self {
        match status {
            StopStatus::HEAP_OVERFLOW | StopStatus::STACK_OVERFLOW | StopStatus::YIELDING => {
                Self::Runnable
            }
            StopStatus::FINISHED => Self::Finished,
            StopStatus::FOREIGN_CALL | StopStatus::CCALL | StopStatus::CCALL_INTERRUPTIBLE => {
                Self::Foreign
            }
            // Migrating to the capability that it will run on.
            StopStatus::MIGRATING => Self::Runnable,
            why => Self::Blocked {
                why,
                by: info.filter(|_| why == StopStatus::BLACK_HOLE),
            },
        }
    }

    /// A stable name; for a blocked thread, that of the reason.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Runnable => "runnable",
            Self::Running { .. } => "running",
            Self::Foreign => "foreign_call",
            Self::Blocked { why, .. } => why.name().unwrap_or("blocked"),
            Self::Finished => "finished",
        }
    }

    /// The index under which the time in this state is summed up, if it is.
    #[inline]
    pub(crate) fn index(self) -> Option<usize> {
        match self {
            Self::Runnable => Some(0),
            Self::Running { .. } => Some(1),
            Self::Foreign => Some(2),
            Self::Blocked { .. } => Some(3),
            Self::Unknown | Self::Finished => None,
        }
    }

    /// Whether it is ready to run.
    #[inline]
    pub fn is_runnable(self) -> bool {
        matches!(self, Self::Runnable)
    }
}

/// What a capability is doing.
///
/// It depends on the capability's own events, in the order in which it wrote them, and on whether
/// one of its threads is runnable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "snake_case")
)]
pub enum CapState {
    /// Not known: before its first event, or after a loss.
    Unknown,
    /// No thread runs, and none of its own could.
    Idle,
    /// No thread runs although one of its own could: the scheduler is running.
    Switching,
    /// A thread runs.
    Mutator,
    /// It collects garbage.
    Collecting,
    /// It waits for a collection to begin, for the other collector threads, or for the end of a
    /// collection in which it takes no part any more.
    Waiting,
    /// It writes its buffer of events to the log.
    WritingLog,
}

impl CapState {
    /// All states, in the order in which views list them.
    pub const ALL: [Self; 7] = [
        Self::Mutator,
        Self::Collecting,
        Self::Waiting,
        Self::Switching,
        Self::WritingLog,
        Self::Idle,
        Self::Unknown,
    ];

    /// A stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Idle => "idle",
            Self::Switching => "switching",
            Self::Mutator => "mutator",
            Self::Collecting => "collecting",
            Self::Waiting => "waiting_for_collection",
            Self::WritingLog => "writing_log",
        }
    }
}
