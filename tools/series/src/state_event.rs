//! What the events of a capability say about its state and its threads.

use eventlog_state::ThreadState;
use ghc_eventlog::{Encoded, EventBody, StopStatus, ids};

/// The state of a thread on this capability.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Class {
    /// It is on another capability, or finished.
    Away,
    Running,
    Runnable,
    Foreign,
    Blocked,
    Unknown,
    /// There are too many threads to follow this one.
    Refused,
}

/// How many of them have time sums: all but `Away` and `Refused`.
pub(crate) const CLASSES: usize = 5;

impl Class {
    const ALL: [Self; 7] = [
        Self::Away,
        Self::Running,
        Self::Runnable,
        Self::Foreign,
        Self::Blocked,
        Self::Unknown,
        Self::Refused,
    ];

    pub(crate) fn from_code(code: u8) -> Self {
        let known = Self::ALL.get(usize::from(code));
        known.copied().unwrap_or(Self::Away)
    }

    /// Its place among the sums: that of [`Row::states`](crate::Row::states).
    pub(crate) fn index(self) -> Option<usize> {
        let index = (self as usize).checked_sub(1)?;
        (index < CLASSES).then_some(index)
    }

    pub(crate) fn of(state: ThreadState) -> Self {
        match state {
            ThreadState::Running { .. } => Self::Running,
            ThreadState::Runnable => Self::Runnable,
            ThreadState::Foreign => Self::Foreign,
            ThreadState::Blocked { .. } => Self::Blocked,
            ThreadState::Unknown => Self::Unknown,
            ThreadState::Finished => Self::Away,
        }
    }
}

/// An event that changes the state of a capability.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StateEvent {
    Thread(u32, Act),
    RequestGc,
    GcStart,
    GcEnd,
    GcWork,
    GcIdle,
    GcDone,
    /// Another event of a collection.
    OtherGc,
}

/// What happens to a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Create,
    Run,
    Stop(StopStatus, Option<u32>),
    Wake,
    Migrate(u16),
}

impl Act {
    /// The usual state of the thread before. Exceptions are stored separately, so that
    /// events can be decoded again without tracking their threads.
    pub(crate) fn expects(self) -> Class {
        match self {
            Self::Create => Class::Away,
            Self::Run | Self::Migrate(_) => Class::Runnable,
            Self::Stop(..) => Class::Running,
            Self::Wake => Class::Blocked,
        }
    }
}

impl StateEvent {
    /// The meaning of an event of capability `cap`.
    #[inline(always)]
    pub(crate) fn of(event: &Encoded<'_>, cap: u16) -> Option<Self> {
        let (thread, act) = match event.id() {
            ids::RUN_THREAD => (run(event)?, Act::Run),
            ids::STOP_THREAD => {
                let (thread, status, info) = stop(event)?;
                (thread, Act::Stop(status, info))
            }
            ids::THREAD_WAKEUP => (wake(event, cap)?, Act::Wake),
            _ => return Self::rare(event, cap),
        };
        Some(Self::Thread(thread, act))
    }

    /// The same for those that are not among the three that nearly all events are.
    #[inline(never)]
    pub(crate) fn rare(event: &Encoded<'_>, cap: u16) -> Option<Self> {
        let told = match event.body() {
            EventBody::CreateThread { thread } => Self::Thread(thread, Act::Create),
            // A migration to itself changes nothing.
            EventBody::MigrateThread { thread, new_cap } if new_cap != cap => {
                Self::Thread(thread, Act::Migrate(new_cap))
            }
            EventBody::RequestSeqGc | EventBody::RequestParGc => Self::RequestGc,
            EventBody::GcStart => Self::GcStart,
            EventBody::GcEnd => Self::GcEnd,
            EventBody::GcWork => Self::GcWork,
            EventBody::GcIdle => Self::GcIdle,
            EventBody::GcDone => Self::GcDone,
            EventBody::GcGlobalSync | EventBody::GcStatsGhc { .. } => Self::OtherGc,
            _ => return None,
        };
        Some(told)
    }
}

/// The thread that an event of the type `RUN_THREAD` starts.
#[inline(always)]
pub(crate) fn run(event: &Encoded<'_>) -> Option<u32> {
    match event.body_as(ids::RUN_THREAD) {
        EventBody::RunThread { thread } => Some(thread),
        _ => None,
    }
}

/// The thread that an event of the type `STOP_THREAD` stops, and why.
#[inline(always)]
pub(crate) fn stop(event: &Encoded<'_>) -> Option<(u32, StopStatus, Option<u32>)> {
    match event.body_as(ids::STOP_THREAD) {
        EventBody::StopThread {
            thread,
            status,
            info,
        } => Some((thread, status, info)),
        _ => None,
    }
}

/// The thread of capability `cap` that an event of the type `THREAD_WAKEUP` of that capability
/// wakes. From another capability it is only a message; the thread's own capability handles it.
#[inline(always)]
pub(crate) fn wake(event: &Encoded<'_>, cap: u16) -> Option<u32> {
    match event.body_as(ids::THREAD_WAKEUP) {
        EventBody::ThreadWakeup { thread, other_cap } if other_cap == cap => Some(thread),
        _ => None,
    }
}

/// The state of a thread on this capability after the event.
#[inline(always)]
pub(crate) fn after(act: Act, before: Class) -> Class {
    match act {
        _ if before == Class::Refused => before,
        Act::Create if before == Class::Away => Class::Runnable,
        Act::Run => Class::Running,
        Act::Stop(status, info) => Class::of(ThreadState::after(status, info)),
        Act::Wake if before == Class::Blocked => Class::Runnable,
        // A thread that runs keeps running, whatever messages say.
        Act::Migrate(_) if before != Class::Running => Class::Away,
        _ => before,
    }
}
