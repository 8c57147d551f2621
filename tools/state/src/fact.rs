//! Facts: things that are complete, reported by a state.
//!
//! A [`State`](crate::State) is the current situation; facts are what has
//! happened. They are reported in the order of the events that completed them,
//! so the facts of one capability, one thread or one span are ordered by their
//! ends. All times are nanoseconds of the log's own clock.

pub use crate::interval::{CapInterval, ThreadInterval};

use crate::collections::{Collection, Phase};
use crate::losses::Loss;
use crate::oddity::Oddity;
use crate::profile::Sample;
use crate::spans::Span;
use crate::thread::Thread;

/// Something that is complete.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Fact<'a> {
    /// A thread was in a state for some time.
    Thread(ThreadInterval),
    /// A thread has ended; its last interval was reported just before.
    Gone {
        /// Its number.
        id: u32,
        /// Everything that was known about it.
        thread: &'a Thread,
    },
    /// A capability did something for some time.
    Cap(CapInterval),
    /// A thread was woken up. This is a message, not a change of state: it can
    /// arrive while the thread runs, or after it has ended.
    Wakeup(Wakeup),
    /// A thread was passed on to another capability.
    Migration(Migration),
    /// A capability took part in a collection.
    Part(Part),
    /// A collection, as its leader logged it: the program's pause.
    Collection(&'a Collection),
    /// A phase of the concurrent collector has ended.
    Phase(Phase),
    /// A size of the heap.
    Heap(HeapValue),
    /// A heap sample is complete.
    Sample(&'a Sample),
    /// A span between two messages of the program has ended.
    Span(&'a Span),
    /// Something is missing from the log, and the log says so.
    Loss(Loss),
    /// Something that no runtime system writes, or only in part of a log.
    Odd(Oddity),
}

/// One thread wakes up another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wakeup {
    /// The thread that is woken.
    pub thread: u32,
    /// The thread that ran on the capability that logs it, if any.
    pub by: Option<u32>,
    /// The capability that logs it.
    pub from: u16,
    /// The capability that is to run the thread.
    pub to: u16,
    /// When.
    pub time: u64,
}

/// A thread is passed on to another capability.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Migration {
    /// The thread.
    pub thread: u32,
    /// The capability that it leaves.
    pub from: u16,
    /// The capability that it moves to.
    pub to: u16,
    /// When.
    pub time: u64,
}

/// A capability's own part in a collection: from when it joins it until it
/// continues, including the time in which it waits for the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// The capability.
    pub cap: u16,
    /// When it joins.
    pub from: u64,
    /// When it continues; never before `from`.
    pub to: u64,
}

/// What is measured of the heap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "snake_case")
)]
pub enum HeapKind {
    /// Bytes allocated by one capability since the start: a running total.
    Allocated,
    /// Size of the heap, in whole megablocks.
    Size,
    /// Live data found by the last major collection.
    Live,
    /// Memory in blocks that are in use.
    Blocks,
}

/// A size of the heap, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeapValue {
    /// The heap.
    pub capset: u32,
    /// The capability that logs it.
    pub cap: Option<u16>,
    /// What was measured.
    pub kind: HeapKind,
    /// When.
    pub time: u64,
    /// Bytes.
    pub bytes: u64,
    /// By how much the total has grown (only for [`HeapKind::Allocated`]).
    pub growth: u64,
}
