//! The words of which streams consist, and how they are written.

use crate::state_event::Class;
use crate::varint;
use eventlog_state::ThreadState;
use ghc_eventlog::StopStatus;

/// The state of a thread on one capability from some time on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    /// Also when it is created.
    Runnable,
    /// It is created, and runnable.
    Created,
    Running,
    Foreign,
    Blocked {
        why: u16,
        by: Option<u32>,
    },
    Unknown,
    Finished,
    /// It migrates to that capability.
    Left {
        to: u16,
    },
}

impl Word {
    #[inline(always)]
    pub(crate) fn class(self) -> Class {
        match self {
            Self::Runnable | Self::Created => Class::Runnable,
            Self::Running => Class::Running,
            Self::Foreign => Class::Foreign,
            Self::Blocked { .. } => Class::Blocked,
            Self::Unknown => Class::Unknown,
            Self::Finished | Self::Left { .. } => Class::Away,
        }
    }

    /// As a state, on this capability; `None` if it is not here.
    pub(crate) fn state(self, cap: u16) -> Option<ThreadState> {
        let state = match self {
            Self::Runnable | Self::Created => ThreadState::Runnable,
            Self::Running => ThreadState::Running { cap },
            Self::Foreign => ThreadState::Foreign,
            Self::Blocked { why, by } => ThreadState::Blocked {
                why: StopStatus(why),
                by,
            },
            Self::Unknown => ThreadState::Unknown,
            Self::Finished | Self::Left { .. } => return None,
        };
        Some(state)
    }

    #[inline(always)]
    pub(crate) fn stopped(status: StopStatus, info: Option<u32>) -> Self {
        match ThreadState::after(status, info) {
            ThreadState::Runnable => Self::Runnable,
            ThreadState::Foreign => Self::Foreign,
            ThreadState::Finished => Self::Finished,
            ThreadState::Blocked { why, by } => Self::Blocked { why: why.0, by },
            ThreadState::Running { .. } | ThreadState::Unknown => Self::Unknown,
        }
    }
}

/// Kinds of words, in three bits. The last one is followed by which of the rare ones.
const RUNNABLE: u64 = 0;
const RUNNING: u64 = 1;
const MVAR: u64 = 2;
const BLACK_HOLE: u64 = 3;
const FOREIGN: u64 = 4;
const LEFT: u64 = 5;
const BLOCKED: u64 = 6;
const RARE: u64 = 7;

const RARE_UNKNOWN: u64 = 0;
const RARE_FINISHED: u64 = 1;
const RARE_CREATED: u64 = 2;
/// Only time: a difference too large for another word.
const RARE_LATER: u64 = 3;

/// Differences up to this fit into a word.
const MOST: u64 = u64::MAX >> 3;

#[inline(always)]
pub(crate) fn write(out: &mut Vec<u8>, mut passed: u64, word: Word) {
    if passed > MOST {
        write_later(out, passed);
        passed = 0;
    }
    let (kind, more) = match word {
        Word::Runnable => (RUNNABLE, None),
        Word::Running => (RUNNING, None),
        Word::Foreign => (FOREIGN, None),
        Word::Blocked { why, .. } if why == StopStatus::MVAR.0 => (MVAR, None),
        Word::Blocked { why, by } if why == StopStatus::BLACK_HOLE.0 => {
            (BLACK_HOLE, Some(by.map_or(0, |by| u64::from(by) + 1)))
        }
        Word::Blocked { why, .. } => (BLOCKED, Some(why.into())),
        Word::Left { to } => (LEFT, Some(to.into())),
        Word::Unknown => (RARE, Some(RARE_UNKNOWN)),
        Word::Finished => (RARE, Some(RARE_FINISHED)),
        Word::Created => (RARE, Some(RARE_CREATED)),
    };
    varint::push_small(out, passed << 3 | kind);
    if let Some(more) = more {
        varint::push(out, more);
    }
}

#[cold]
fn write_later(out: &mut Vec<u8>, passed: u64) {
    varint::push(out, RARE);
    varint::push(out, RARE_LATER);
    varint::push(out, passed);
}

/// Reads a word from the front, and its time since the one before.
pub(crate) fn read(input: &mut &[u8]) -> (u64, Word) {
    let mut later = 0u64;
    loop {
        let first = varint::take(input);
        let word = match first & 7 {
            RUNNABLE => Word::Runnable,
            RUNNING => Word::Running,
            FOREIGN => Word::Foreign,
            MVAR => Word::Blocked {
                why: StopStatus::MVAR.0,
                by: None,
            },
            BLACK_HOLE => Word::Blocked {
                why: StopStatus::BLACK_HOLE.0,
                by: varint::take(input).checked_sub(1).map(|by| by as u32),
            },
            BLOCKED => Word::Blocked {
                why: varint::take(input) as u16,
                by: None,
            },
            LEFT => Word::Left {
                to: varint::take(input) as u16,
            },
            _ => match varint::take(input) {
                RARE_FINISHED => Word::Finished,
                RARE_CREATED => Word::Created,
                RARE_LATER => {
                    later = later.wrapping_add(varint::take(input));
                    continue;
                }
                _ => Word::Unknown,
            },
        };
        return (later.wrapping_add(first >> 3), word);
    }
}
