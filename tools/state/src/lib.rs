//! One model of GHC's runtime system, folded from the events of an eventlog.
//!
//! What a program does can only be found from its events by following them:
//! which thread runs where, which collection is going on, what a number was
//! defined to mean. Every tool that looks at logs needs that, and this crate is
//! the only place that implements it. It does no input or output and uses no
//! clock: it takes events, however they were read, and reports facts.
//!
//! | | |
//! |---|---|
//! | [`State`] | the fold: [`apply`](State::apply) takes an event, and reports each [`Fact`] that it completes |
//! | [`Fact`] | what has happened: intervals of threads and capabilities, collections, heap samples, spans, losses, oddities |
//! | [`Snapshot`] | a state that does not change any more; cheap, because it shares what has not changed since |
//! | [`transition`] | the events that bring a reader from one snapshot to another; from nothing, a valid beginning of a log |
//! | [`transition_blocks`] | the same as blocks, after the header of a log |
//! | [`Merge`] | the events of all capabilities ordered by time, decoded in place |
//! | [`Follower`] | both for a live stream: at any moment the state, and the bytes that are not in it yet |
//! | [`Beginning`] | the beginning of a log that goes on in the middle of a stream |
//! | [`Prologue`] | the same for a part of a recording, so that it can be removed again |
//! | [`Spans`] | pairs of messages, by any rule |
//! | [`Totals`] | sums, distributions and extremes over a session, and the [`report`] of them |
//!
//! # Order
//!
//! A log consists of blocks of one capability each, and those of different
//! capabilities overlap in time. The state does not need all events ordered by
//! time:
//!
//! * What a capability does follows from its own events, which are in order.
//! * A thread belongs to one capability at a time, and only that one logs what
//!   the thread does; with `migrate_thread` it passes the thread on. In 53 logs
//!   of GHC 9.0.2, 9.6.6 and 9.10.3, no other capability ever logged that a
//!   thread ran, stopped or was woken on the spot.
//! * The global block describes the program. GHC 9.0 writes it at exit, so its
//!   events can arrive at any time.
//!
//! So totals are right in any order of blocks, and every event has a [`Turn`]
//! that says whether something earlier can still arrive: an event that is older
//! than what is known already counts for totals and changes no state.
//!
//! Times within a capability go back around collections, whose events are dated
//! at the time when they happened. Intervals are clamped: no moment is counted
//! twice.
//!
//! # What can be relied on
//!
//! * Nothing panics, whatever the events say, and memory stays within
//!   [`Limits`]. What exceeds a limit is refused and counted; everything else
//!   stays right. Threads that have ended leave only totals.
//! * Unknown events are skipped.
//! * Without [`Keep::threads`], [`Keep::definitions`] and so on the fold is
//!   faster and keeps less; what it keeps is the same.
//!
//! # Dependencies
//!
//! `ghc-eventlog`, and `rustc-hash` for tables of small numbers, which is where
//! a fold of fifty million events spends its time; `hdrhistogram` for the
//! percentiles of durations. `serde` behind a feature of that name.
#![forbid(unsafe_code)]

/// The example of the README is tested too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod alive;
mod beginning;
mod binary;
mod cap;
mod collections;
mod context;
mod definitions;
mod difference;
mod distribution;
mod fact;
mod finished;
mod follower;
mod gauge;
mod heap;
mod interval;
#[cfg(feature = "serde")]
mod json;
mod limits;
mod losses;
mod merge;
mod oddity;
mod pages;
mod profile;
mod program;
mod prologue;
mod raw;
pub mod report;
mod scheduler;
mod segments;
#[cfg(feature = "serde")]
mod serial;
mod snapshot;
mod spans;
mod sparks;
mod state;
mod states;
mod symbols;
mod table;
mod tasks;
#[cfg(test)]
mod test_log;
mod text;
mod thread;
mod ticky;
mod top;
mod totals;
mod transition;
mod turn;

pub use beginning::{Beginning, transition_blocks};
pub use binary::Messages;
pub use cap::Cap;
pub use collections::{Collection, CollectionStats, Phase, PhaseKind};
pub use definitions::{Definitions, TickyCounter};
pub use distribution::{Distribution, Figures};
pub use fact::{CapInterval, Fact, HeapKind, HeapValue, Migration, Part, ThreadInterval, Wakeup};
pub use follower::Follower;
pub use heap::{Heap, Returned};
pub use limits::{Keep, Limits};
pub use losses::{Loss, Losses, Lost};
pub use merge::{Merge, MergeOptions, Patience, Position, Step, Take, Window};
pub use oddity::{At, Odd, Oddity, Severity};
pub use profile::{Band, Frames, HeapProfile, Sample, Samples};
pub use program::{Capset, HeapParameters, Program, Programs};
pub use prologue::{Prologue, PrologueSearch};
pub use snapshot::Snapshot;
pub use spans::{OpenSpan, Pairs, Rule, Running, Span, Spans, StartStop};
pub use sparks::SparkCounters;
pub use state::{EventClasses, State};
pub use states::{CapState, ThreadState};
pub use symbols::{CostCentre, InfoTable, Symbols};
pub use tasks::Task;
pub use thread::Thread;
pub use ticky::{Ticky, TickySample};
pub use totals::Totals;
pub use transition::transition;
pub use turn::Turn;
