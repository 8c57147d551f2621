//! The figures of a session, as reported by [`Totals`](crate::Totals).
//!
//! Times are in nanoseconds. `None` (`null` in JSON) is what is not known from
//! the log.

use crate::distribution::Figures;
use crate::sparks::SparkCounters;
use crate::state::State;

/// One session of a log.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Report {
    /// Its number: 1 for the first of a log. Set by the reader of the log.
    pub session: u64,
    /// Whether the session has ended; if not, this is what has arrived so far.
    pub complete: bool,
    /// The program that wrote the log.
    pub program: Program,
    /// Its times.
    pub time: Time,
    /// Its collections.
    pub gc: Option<Gc>,
    /// Its heap.
    pub heap: Heap,
    /// Its threads.
    pub threads: Option<Threads>,
    /// Its sparks.
    pub sparks: Option<SparkCounters>,
    /// The capabilities that have logged something.
    pub capabilities: Vec<Capability>,
    /// The log.
    pub stream: Stream,
    /// What has arrived since the previous report, if there was one.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub interval: Option<Interval>,
    /// The threads that ran longest; `None` if not asked for.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub top_threads: Option<Option<Vec<TopThread>>>,
}

/// The program that wrote the log.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Program {
    /// Its name, without the path.
    pub name: Option<String>,
    /// Its arguments, the name first.
    pub args: Option<Vec<String>>,
    /// The version of its runtime system, and its way.
    pub rts: Option<String>,
    /// Its process id.
    pub pid: Option<u32>,
    /// The time of day at the log's time 0.
    pub started: Option<String>,
}

/// The time that the log covers.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Time {
    /// The earliest event.
    pub first_ns: Option<u64>,
    /// The latest event.
    pub last_ns: Option<u64>,
    /// From one to the other.
    pub elapsed_ns: Option<u64>,
    /// How long the program was stopped for collections.
    pub gc_ns: Option<u64>,
    /// The rest of it.
    pub mutator_ns: Option<u64>,
    /// The mutator's part of the elapsed time, 0 to 1.
    pub productivity: Option<f64>,
}

/// Collections.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Gc {
    /// How long the program was stopped.
    pub pauses: Figures,
    /// The same, by the oldest generation that was collected.
    pub generations: Vec<Generation>,
    /// Bytes copied.
    pub copied_bytes: Option<u64>,
    /// The most memory that was ever kept and not used.
    pub max_fragmentation_bytes: Option<u64>,
    /// How many collections were parallel.
    pub parallel: Option<u64>,
    /// How evenly the work of parallel collections was shared, 0 to 1.
    pub work_balance: Option<f64>,
    /// The concurrent collector, if it was used.
    pub concurrent: Option<Concurrent>,
}

/// The collections of one generation.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Generation {
    /// `None` if the log does not say.
    pub generation: Option<u16>,
    /// How long the program was stopped.
    pub pauses: Figures,
    /// Bytes copied.
    pub copied_bytes: Option<u64>,
}

/// The phases of the concurrent, non-moving collector.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Concurrent {
    /// How often it marked.
    pub marks: u64,
    /// For how long.
    pub mark_ns: u64,
    /// How often it stopped the program at the end.
    pub syncs: u64,
    /// For how long.
    pub sync_ns: u64,
    /// The longest of these pauses.
    pub longest_sync_ns: u64,
    /// How often it swept.
    pub sweeps: u64,
    /// For how long.
    pub sweep_ns: u64,
}

/// The heap, summed over all programs in the log.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Heap {
    /// Allocated since the start of the program.
    pub allocated_bytes: Option<u64>,
    /// Bytes allocated per second of mutator time.
    pub allocation_rate: Option<u64>,
    /// Live data, as the last major collection found it.
    pub live_bytes: Option<u64>,
    /// The maximum of it.
    pub peak_live_bytes: Option<u64>,
    /// Its size.
    pub size_bytes: Option<u64>,
    /// Its largest size.
    pub peak_size_bytes: Option<u64>,
    /// Bytes in blocks that are in use.
    pub blocks_bytes: Option<u64>,
    /// Bytes given back to the system last.
    pub returned_bytes: Option<u64>,
    /// Samples of the heap profile.
    pub heap_profile_samples: u64,
    /// Samples of the time profile.
    pub time_profile_samples: u64,
}

/// What all threads did together.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Threads {
    /// How many were created.
    pub created: u64,
    /// How many ended.
    pub finished: u64,
    /// The largest number alive at a time.
    pub peak_alive: u64,
    /// How often a thread was started.
    pub switches: u64,
    /// How often a thread moved to another capability.
    pub migrations: u64,
    /// How often a thread was woken.
    pub wakeups: u64,
    /// Why threads stopped running, most frequent first.
    pub stops: Vec<Stops>,
}

/// How often threads stopped for one reason.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Stops {
    /// The reason.
    pub reason: String,
    /// How often.
    pub count: u64,
}

/// What one capability did.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Capability {
    /// Its number.
    pub cap: u16,
    /// How long threads ran on it.
    pub running_ns: Option<u64>,
    /// How long it was stopped for collections, from when it stops until it
    /// continues.
    pub gc_ns: Option<u64>,
    /// The running time as a part of the elapsed time, 0 to 1.
    pub utilisation: Option<f64>,
    /// How often it started a thread.
    pub switches: Option<u64>,
}

/// The log itself.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Stream {
    /// Events.
    pub events: u64,
    /// Blocks.
    pub blocks: u64,
    /// Bytes.
    pub bytes: u64,
    /// Messages of the program.
    pub user_messages: u64,
    /// Markers of the program.
    pub user_markers: u64,
    /// Chunks that the socket library dropped.
    pub lost_chunks: u64,
    /// Their bytes.
    pub lost_bytes: u64,
    /// Blocks that a recorder dropped.
    pub lost_blocks: u64,
    /// How often the log says that something was dropped.
    pub loss_notes: u64,
    /// Bytes that could not be decoded.
    pub unreadable_bytes: u64,
}

/// What has arrived since the last report.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Interval {
    /// How long it was.
    pub elapsed_ns: u64,
    /// Events in it.
    pub events: u64,
    /// Bytes in it.
    pub bytes: u64,
    /// Collections in it.
    pub collections: Option<u64>,
    /// How long the program was stopped for collections.
    pub gc_ns: Option<u64>,
    /// Bytes allocated in it.
    pub allocated_bytes: Option<u64>,
    /// How long threads ran, summed over all capabilities.
    pub running_ns: Option<u64>,
    /// Threads created in it.
    pub threads_created: Option<u64>,
}

/// One of the threads that ran longest.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct TopThread {
    /// Its number.
    pub thread: u32,
    /// Its name.
    pub label: Option<String>,
    /// For how long it ran.
    pub running_ns: u64,
    /// For how long it was ready and did not run.
    pub runnable_ns: u64,
    /// For how long it was blocked.
    pub blocked_ns: u64,
    /// For how long it was in foreign calls.
    pub foreign_ns: u64,
    /// How often it was started.
    pub runs: u64,
    /// How often it moved to another capability.
    pub migrations: u64,
    /// What it is doing.
    pub state: &'static str,
}

impl Program {
    /// The program that appeared first: in most logs the only one.
    pub(crate) fn of(state: &State) -> Self {
        let Some(program) = state.programs().first() else {
            return Self::default();
        };
        let args = program.args.iter().map(|arg| arg.to_string());
        Self {
            name: program.name().map(str::to_owned),
            args: (!program.args.is_empty()).then(|| args.collect()),
            rts: program.rts.as_deref().map(str::to_owned),
            pid: program.pid,
            started: program.wall_clock.map(|clock| clock.at(0).to_string()),
        }
    }
}

impl Interval {
    /// An amount of this interval, per second.
    pub fn per_second(&self, amount: u64) -> Option<u64> {
        per_second(amount, self.elapsed_ns)
    }
}

impl Report {
    /// The difference to an earlier report. What was unknown then counts from
    /// 0.
    pub fn since(&self, before: &Self) -> Interval {
        let ran = |report: &Self| -> Option<u64> {
            report.capabilities.iter().map(|cap| cap.running_ns).sum()
        };
        let count = |report: &Self| report.gc.as_ref().map(|gc| gc.pauses.count);
        let created = |report: &Self| report.threads.as_ref().map(|threads| threads.created);
        let new = |of: &dyn Fn(&Self) -> Option<u64>| {
            of(self).map(|now| now.saturating_sub(of(before).unwrap_or(0)))
        };
        let counted = |now: u64, before: u64| now.saturating_sub(before);
        // A log without events has no time either.
        let last = |report: &Self| report.time.last_ns.or(report.time.first_ns);
        let since = last(before).or(self.time.first_ns).unwrap_or(0);
        Interval {
            elapsed_ns: counted(last(self).unwrap_or(0), since),
            events: counted(self.stream.events, before.stream.events),
            bytes: counted(self.stream.bytes, before.stream.bytes),
            collections: new(&count),
            gc_ns: new(&|report| report.time.gc_ns),
            allocated_bytes: new(&|report| report.heap.allocated_bytes),
            running_ns: new(&ran),
            threads_created: new(&created),
        }
    }
}

/// A share as a fraction, rounded so that it stays readable; `None` if `whole`
/// is 0.
pub(crate) fn fraction(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| (part as f64 / whole as f64 * 1e6).round() / 1e6)
}

/// An amount per second of a time in nanoseconds; `None` if the time is 0.
pub(crate) fn per_second(amount: u64, nanos: u64) -> Option<u64> {
    let rate = (u128::from(amount) * 1_000_000_000).checked_div(u128::from(nanos))?;
    Some(u64::try_from(rate).unwrap_or(u64::MAX))
}
