//! What `stats` tells: the shape of its JSON, and the source of its text.

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
    pub gc: Gc,
    pub heap: Heap,
    pub threads: Threads,
    pub sparks: Counters,
    pub capabilities: Vec<Capability>,
    pub stream: Stream,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<Interval>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub top_threads: Vec<TopThread>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Program {
    pub name: Option<String>,
    pub args: Vec<String>,
    pub rts: Option<String>,
    pub pid: Option<u32>,
    /// When the log's time 0 was.
    pub started: Option<String>,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub struct Time {
    pub first_ns: u64,
    pub last_ns: u64,
    pub elapsed_ns: u64,
    pub gc_ns: u64,
    pub mutator_ns: u64,
    /// The mutator's part of the elapsed time, 0 to 1.
    pub productivity: f64,
}

#[derive(Clone, Debug, Serialize)]
pub struct Gc {
    pub pauses: Figures,
    pub generations: Vec<Generation>,
    pub copied_bytes: u64,
    pub max_fragmentation_bytes: u64,
    pub parallel: u64,
    /// How evenly parallel collections were shared out, 0 to 1.
    pub work_balance: Option<f64>,
    pub concurrent: Option<Concurrent>,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub struct Generation {
    /// `None` if the log does not tell.
    pub generation: Option<u16>,
    pub pauses: Figures,
    pub copied_bytes: u64,
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
    pub allocated_bytes: u64,
    pub allocation_rate: u64,
    pub live_bytes: Option<u64>,
    pub peak_live_bytes: u64,
    pub size_bytes: Option<u64>,
    pub peak_size_bytes: u64,
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
    pub running_ns: u64,
    pub gc_ns: u64,
    pub utilisation: f64,
    pub switches: u64,
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
    pub collections: u64,
    pub gc_ns: u64,
    pub allocated_bytes: u64,
    pub running_ns: u64,
    pub threads_created: u64,
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
    /// What is new.
    pub fn since(&self, before: &Self) -> Interval {
        let ran =
            |report: &Self| -> u64 { report.capabilities.iter().map(|cap| cap.running_ns).sum() };
        let new = |now: u64, before: u64| now.saturating_sub(before);
        Interval {
            elapsed_ns: new(self.time.last_ns, before.time.last_ns),
            events: new(self.stream.events, before.stream.events),
            bytes: new(self.stream.bytes, before.stream.bytes),
            collections: new(self.gc.pauses.count, before.gc.pauses.count),
            gc_ns: new(self.time.gc_ns, before.time.gc_ns),
            allocated_bytes: new(self.heap.allocated_bytes, before.heap.allocated_bytes),
            running_ns: new(ran(self), ran(before)),
            threads_created: new(self.threads.created, before.threads.created),
        }
    }
}
