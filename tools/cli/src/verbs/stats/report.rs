//! What `stats` tells: the shape of its JSON, and the source of its text.
//!
//! `None` (`null` in JSON) is what the log cannot tell.

use crate::analysis::distribution::Figures;
use crate::analysis::sparks::Counters;
use serde::Serialize;

/// One session of a log.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub session: u64,
    /// Whether this is all, or only what has come so far.
    pub complete: bool,
    pub program: Program,
    pub time: Time,
    pub gc: Option<Gc>,
    pub heap: Heap,
    pub threads: Option<Threads>,
    pub sparks: Option<Counters>,
    pub capabilities: Vec<Capability>,
    pub stream: Stream,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<Interval>,
    /// `None` if nobody asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_threads: Option<Option<Vec<TopThread>>>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Program {
    pub name: Option<String>,
    pub args: Option<Vec<String>>,
    pub rts: Option<String>,
    pub pid: Option<u32>,
    /// When the log's time 0 was.
    pub started: Option<String>,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub struct Time {
    pub first_ns: Option<u64>,
    pub last_ns: Option<u64>,
    pub elapsed_ns: Option<u64>,
    pub gc_ns: Option<u64>,
    pub mutator_ns: Option<u64>,
    /// The mutator's part of the elapsed time, 0 to 1.
    pub productivity: Option<f64>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Gc {
    pub pauses: Figures,
    pub generations: Vec<Generation>,
    pub copied_bytes: Option<u64>,
    pub max_fragmentation_bytes: Option<u64>,
    pub parallel: Option<u64>,
    /// How evenly parallel collections were shared out, 0 to 1.
    pub work_balance: Option<f64>,
    pub concurrent: Option<Concurrent>,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub struct Generation {
    /// `None` if the log does not tell.
    pub generation: Option<u16>,
    pub pauses: Figures,
    pub copied_bytes: Option<u64>,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub struct Concurrent {
    pub marks: u64,
    pub mark_ns: u64,
    pub syncs: u64,
    pub sync_ns: u64,
    pub longest_sync_ns: u64,
    pub sweeps: u64,
    pub sweep_ns: u64,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub struct Heap {
    pub allocated_bytes: Option<u64>,
    pub allocation_rate: Option<u64>,
    pub live_bytes: Option<u64>,
    pub peak_live_bytes: Option<u64>,
    pub size_bytes: Option<u64>,
    pub peak_size_bytes: Option<u64>,
    pub blocks_bytes: Option<u64>,
    pub returned_bytes: Option<u64>,
    pub heap_profile_samples: u64,
    pub time_profile_samples: u64,
}

#[derive(Clone, Debug, Serialize)]
pub struct Threads {
    pub created: u64,
    pub finished: u64,
    pub peak_alive: u64,
    pub switches: u64,
    pub migrations: u64,
    pub wakeups: u64,
    /// Why threads stopped running, most frequent first.
    pub stops: Vec<Stops>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Stops {
    pub reason: String,
    pub count: u64,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub struct Capability {
    pub cap: u16,
    pub running_ns: Option<u64>,
    /// From when the capability stops for a collection until it goes on.
    pub gc_ns: Option<u64>,
    pub utilisation: Option<f64>,
    pub switches: Option<u64>,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub struct Stream {
    pub events: u64,
    pub blocks: u64,
    pub bytes: u64,
    pub user_messages: u64,
    pub user_markers: u64,
    pub lost_chunks: u64,
    pub lost_bytes: u64,
    pub loss_notes: u64,
    pub unreadable_bytes: u64,
}

/// What has come since the last report.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Interval {
    pub elapsed_ns: u64,
    pub events: u64,
    pub bytes: u64,
    pub collections: Option<u64>,
    pub gc_ns: Option<u64>,
    pub allocated_bytes: Option<u64>,
    pub running_ns: Option<u64>,
    pub threads_created: Option<u64>,
}

#[derive(Clone, Debug, Serialize)]
pub struct TopThread {
    pub thread: u32,
    pub label: Option<String>,
    pub running_ns: u64,
    pub runnable_ns: u64,
    pub blocked_ns: u64,
    pub foreign_ns: u64,
    pub runs: u64,
    pub migrations: u64,
    pub state: &'static str,
}

impl Report {
    /// What is new. What was unknown before counts from nothing.
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
