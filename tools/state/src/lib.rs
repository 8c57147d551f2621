//! One model of GHC's runtime system, folded from the events of an eventlog.
//!
//! What a program does can only be told from its events by following them: who
//! runs where, which collection goes on, what a number was defined to mean.
//! Every tool that looks at logs needs that, and here is the one place that
//! knows it. There is no input, no output and no clock in this crate: events
//! come in, in whatever way they were read, and facts come out.
//!
//! | | |
//! |---|---|
//! | [`State`] | the fold: [`apply`](State::apply) takes an event, and tells each [`Fact`] that it completes |
//! | [`Fact`] | what has happened: intervals of threads and capabilities, collections, heap samples, spans, losses, oddities |
//! | [`Snapshot`] | a state that does not change any more; cheap, because it shares what has not changed since |
//! | [`transition`] | the events that bring a reader from one snapshot to another; from nothing, a valid beginning of a log |
//! | [`transition_blocks`] | the same as blocks, behind the header of a log |
//! | [`Merge`] | the events of all capabilities in the order of time, decoded where they lie |
//! | [`Follower`] | both of a live stream: at any moment the state, and the bytes that are not in it yet |
//! | [`Beginning`] | what a log begins with that goes on in the middle of a stream |
//! | [`Prologue`] | the same as a part of a recording has it, so that it can be dropped again |
//! | [`Spans`] | pairs of messages, by any rule |
//! | [`Totals`] | sums, distributions and extremes over a session, and the [`report`] of them |
//!
//! # Order
//!
//! A log lies in blocks of one capability each, and those of different
//! capabilities overlap in time. The state does not need all events in the
//! order of time:
//!
//! * What a capability does follows from its own events, which lie in their
//!   order.
//! * A thread belongs to one capability at a time, and only that one tells what
//!   it does; with `migrate_thread` it passes the thread on. In 53 logs of GHC
//!   9.0.2, 9.6.6 and 9.10.3, no other capability ever told that a thread ran,
//!   stopped or was woken on the spot.
//! * The global block describes the program. GHC 9.0 writes it at exit, so
//!   whatever it says can come at any time.
//!
//! So totals are right in any order of blocks, and every event says with its
//! [`Turn`] whether something earlier can still come: what is older than what is
//! known already counts for totals and changes no state.
//!
//! Times within a capability go back around collections, whose events are
//! dated to when they happened. Intervals are clamped: no moment counts twice.
//!
//! # What can be relied on
//!
//! * Nothing panics, whatever the events say, and memory stays within
//!   [`Limits`]. What is beyond a limit is refused and counted; everything else
//!   stays right. Threads that are over leave only totals.
//! * Events that are not known are passed over.
//! * Without [`Keep::threads`], [`Keep::definitions`] and so on the fold is
//!   faster and knows less; what it knows is the same.
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
pub use merge::{Merge, MergeOptions, Position, Step, Take, Window};
pub use oddity::{At, Odd, Oddity, Severity};
pub use profile::{Band, Frames, HeapProfile, Sample, Samples};
pub use program::{Capset, HeapParameters, Program, Programs};
pub use prologue::{Prologue, PrologueSearch};
pub use snapshot::Snapshot;
pub use spans::{OpenSpan, Pairs, Rule, Running, Span, Spans, StartStop};
pub use sparks::SparkCounters;
pub use state::{State, Tells};
pub use states::{CapState, ThreadState};
pub use symbols::{CostCentre, InfoTable, Symbols};
pub use tasks::Task;
pub use thread::Thread;
pub use ticky::{Ticky, TickySample};
pub use totals::Totals;
pub use transition::transition;
pub use turn::Turn;
