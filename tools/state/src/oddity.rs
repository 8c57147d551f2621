//! Oddities: what no runtime system writes, or writes only into part of a log.

use ghc_eventlog::{Encoded, Event};
use std::fmt;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "snake_case")
)]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// The log is not complete, or not quite as expected.
    Warning,
    /// No runtime system writes this.
    Error,
}

impl Severity {
    /// A stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// A place in a log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct At {
    /// Offset in bytes from the start of the stream.
    pub offset: u64,
    /// The event's time.
    pub time: Option<u64>,
    /// The event's capability.
    pub cap: Option<u16>,
}

impl At {
    /// The place of an event.
    pub fn event(event: &Event<'_>) -> Self {
        Self {
            offset: event.offset,
            time: Some(event.time),
            cap: event.cap,
        }
    }

    /// The place of an event that is not decoded.
    pub fn encoded(event: &Encoded<'_>) -> Self {
        Self {
            offset: event.offset,
            time: Some(event.time),
            cap: event.cap,
        }
    }
}

/// Something odd, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Oddity {
    /// Where.
    pub at: At,
    /// What.
    pub odd: Odd,
}

macro_rules! oddities {
    ($($(#[$doc:meta])* $Name:ident $({ $($(#[$fdoc:meta])* $field:ident: $ty:ty),* $(,)? })? = $severity:ident $name:literal, $text:literal;)*) => {
        /// What is odd.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Odd {
            $($(#[$doc])* $Name $({ $($(#[$fdoc])* $field: $ty),* })?,)*
        }

        impl Odd {
            /// A stable name of its kind.
            pub fn name(&self) -> &'static str {
                match self { $(Self::$Name $({ $($field: _),* })? => $name,)* }
            }

            /// How bad it is.
            pub fn severity(&self) -> Severity {
                match self { $(Self::$Name $({ $($field: _),* })? => Severity::$severity,)* }
            }
        }

        /// Describes the oddity in a sentence.
        impl fmt::Display for Odd {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match *self { $(Self::$Name $({ $($field),* })? => write!(f, $text),)* }
            }
        }
    };
}

oddities! {
    /// A thread is created that exists.
    ThreadCreatedTwice {
        /// The thread.
        thread: u32,
    } = Error "thread_created_twice", "thread {thread} is created, but exists already";
    /// A thread starts while another runs on the capability.
    CapRunsTwoThreads {
        /// The thread that starts.
        thread: u32,
        /// The one that runs.
        other: u32,
    } = Error "cap_runs_two_threads", "thread {thread} starts while thread {other} runs on this capability";
    /// A thread starts that has ended.
    FinishedThreadStarts {
        /// The thread.
        thread: u32,
    } = Error "finished_thread_runs", "thread {thread} starts, but has finished before";
    /// A thread starts that runs elsewhere.
    ThreadRunsTwice {
        /// The thread.
        thread: u32,
        /// Where it runs.
        other: u16,
    } = Error "thread_runs_twice", "thread {thread} starts, but runs on capability {other} already";
    /// Another thread than the one that runs stops.
    WrongThreadStops {
        /// The thread that stops.
        thread: u32,
        /// The one that runs.
        other: u32,
    } = Error "wrong_thread_stops", "thread {thread} stops, but thread {other} runs on this capability";
    /// A thread stops that has ended.
    FinishedThreadStops {
        /// The thread.
        thread: u32,
    } = Error "finished_thread_runs", "thread {thread} stops, but has finished before";
    /// A thread stops that did not run.
    IdleThreadStops {
        /// The thread.
        thread: u32,
    } = Error "idle_thread_stops", "thread {thread} stops, but did not run";
    /// A thread stops that runs elsewhere.
    ThreadRunsElsewhere {
        /// The thread.
        thread: u32,
        /// Where it runs.
        other: u16,
    } = Error "thread_runs_elsewhere", "thread {thread} stops here, but runs on capability {other}";
    /// A thread migrates that runs.
    RunningThreadMigrates {
        /// The thread.
        thread: u32,
        /// Where it runs.
        other: u16,
    } = Error "running_thread_migrates", "thread {thread} migrates while it runs on capability {other}";
    /// Threads are older than the log. Reported at its end.
    ThreadsNotCreated {
        /// How many.
        count: u64,
        /// The first of them.
        thread: u32,
    } = Note "threads_not_created", "{count} threads, thread {thread} first, are not created in this log: they are older than its beginning";
    /// There were more threads than are followed. Reported at the end of the
    /// log.
    TooManyThreads {
        /// How many are followed at most.
        limit: usize,
    } = Warning "too_many_threads", "more than {limit} threads at a time: not all were checked";
    /// A collection starts in another.
    CollectionTwice {
        /// Where the other one starts.
        since: u64,
    } = Error "collection_twice", "a collection starts, but that of byte {since} is not over";
    /// A collection ends that did not start.
    CollectionNeverBegan = Error "collection_never_began", "a collection ends that never began";
    /// A thread starts while its capability collects.
    RunsWhileCollecting {
        /// The thread.
        thread: u32,
        /// Where the collection starts.
        since: u64,
    } = Error "runs_while_collecting", "thread {thread} starts in the collection of byte {since}";
    /// A collector thread works outside any collection.
    CollectorOutsideCollection {
        /// The name of the event.
        event: &'static str,
    } = Warning "collector_outside_collection", "{event} outside any collection";
    /// A running total falls.
    AllocationShrinks {
        /// The total before.
        before: u64,
        /// The total now.
        bytes: u64,
    } = Error "allocation_shrinks", "the running total of allocated bytes falls from {before} to {bytes}";
    /// A running total of sparks falls.
    SparkCountersShrink = Error "spark_counters_shrink", "a running total of sparks falls";
    /// A heap sample begins in another.
    SampleNotEnded {
        /// Where the other one begins.
        since: u64,
    } = Warning "sample_not_ended", "a heap sample begins, but that of byte {since} has not ended";
    /// The last heap sample of the log has no end.
    LastSampleNotEnded = Warning "sample_not_ended", "this heap sample does not end";
    /// A heap sample ends that did not begin.
    SampleNeverBegan = Error "sample_never_began", "a heap sample ends that never began";
    /// A band is outside any heap sample.
    BandOutsideSample = Error "band_outside_sample", "a band of a heap profile lies outside any sample";
    /// A cost centre is used before it is defined.
    UndefinedCostCentre {
        /// Which.
        cost_centre: u32,
    } = Warning "undefined_cost_centre", "cost centre {cost_centre} is used, but not defined before";
    /// Ticky counters are used, and none is defined.
    NoTickyDefinitions {
        /// How many.
        count: usize,
    } = Note "no_ticky_definitions", "{count} ticky counters have no names: a program writes the definitions when it exits";
    /// A ticky counter is used, but not defined.
    UndefinedTickyCounter {
        /// Which.
        counter: u64,
    } = Warning "undefined_ticky_counter", "ticky counter {counter} is used, but not defined anywhere";
    /// A phase of the concurrent collector begins twice.
    PhaseBeginsTwice {
        /// The name of the event.
        event: &'static str,
    } = Warning "concurrent_phase", "a phase of the concurrent collector begins twice: {event}";
    /// A phase of the concurrent collector ends that did not begin.
    PhaseNeverBegan {
        /// The name of the event.
        event: &'static str,
    } = Warning "concurrent_phase", "a phase of the concurrent collector ends without a beginning: {event}";
    /// A capability is created that exists.
    CapCreatedTwice {
        /// Which.
        cap: u16,
    } = Warning "cap_created_twice", "capability {cap} is created, but exists already";
    /// A capability set is created that exists.
    CapsetCreatedTwice {
        /// Which.
        capset: u32,
    } = Warning "capset_created_twice", "capability set {capset} is created, but exists already";
    /// No capability is announced. Reported at the end of the log.
    NoCapAnnounced = Note "cap_not_announced", "capabilities are not announced anywhere: the log lacks its global block";
    /// Some capabilities are not announced. Reported at the end of the log.
    CapsNotAnnounced {
        /// How many.
        count: usize,
        /// The first of them.
        cap: u16,
    } = Note "cap_not_announced", "{count} capabilities, {cap} first, are not announced anywhere";
}
