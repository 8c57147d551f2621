//! A snapshot as data for other programs: the current state, with the totals.
//!
//! Times are nanoseconds, sizes bytes. What is not known from the log is
//! `null`.

use crate::cap::Cap;
use crate::collections::PhaseKind;
use crate::heap::Returned;
use crate::losses::Losses;
use crate::profile::HeapProfile;
use crate::program::Program;
use crate::snapshot::Snapshot;
use crate::spans::OpenSpan;
use crate::sparks::SparkCounters;
use crate::state::EventClasses;
use crate::states::{CapState, ThreadState};
use crate::tasks::Task;
use crate::thread::Thread;
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;

#[derive(Serialize)]
struct Whole<'a> {
    first_ns: Option<u64>,
    time_ns: u64,
    tells: EventClasses,
    programs: Vec<&'a Program>,
    capabilities: Vec<CapView>,
    threads: Vec<ThreadView<'a>>,
    tasks: Vec<Task>,
    heaps: Vec<HeapView>,
    heap_profiles: Vec<&'a HeapProfile>,
    concurrent_phases: BTreeMap<&'static str, u64>,
    paused_ns: u64,
    open_spans: Vec<&'a OpenSpan>,
    cost_centres: usize,
    info_tables: usize,
    losses: Losses,
    refused_threads: u64,
    refused_labels: u64,
}

#[derive(Serialize)]
struct CapView {
    cap: u16,
    state: CapState,
    since_ns: u64,
    thread: Option<u32>,
    collecting_since_ns: Option<u64>,
    runnable_threads: u32,
    switches: u64,
    disabled: bool,
    delivered_ns: u64,
    allocated_bytes: Option<u64>,
    sparks: Option<SparkCounters>,
    total_ns: BTreeMap<&'static str, u64>,
}

impl CapView {
    fn of((number, cap): (u16, &Cap)) -> Self {
        let totals = CapState::ALL.map(|state| (state.name(), cap.total(state)));
        Self {
            cap: number,
            state: cap.state(),
            since_ns: cap.since(),
            thread: cap.running().map(|(thread, _)| thread),
            collecting_since_ns: cap.collecting(),
            runnable_threads: cap.runnable(),
            switches: cap.runs(),
            disabled: cap.is_disabled(),
            delivered_ns: cap.delivered(),
            allocated_bytes: cap.allocated(),
            sparks: cap.sparks(),
            total_ns: totals.into_iter().filter(|(_, total)| *total > 0).collect(),
        }
    }
}

#[derive(Serialize)]
struct ThreadView<'a> {
    thread: u32,
    label: Option<&'a str>,
    #[serde(flatten)]
    state: ThreadState,
    since_ns: u64,
    owner: Option<u16>,
    created_ns: Option<u64>,
    new: bool,
    runs: u64,
    migrations: u64,
    running_ns: u64,
    runnable_ns: u64,
    foreign_ns: u64,
    blocked_ns: u64,
}

impl<'a> ThreadView<'a> {
    fn of((id, thread): (u32, &'a Thread)) -> Self {
        Self {
            thread: id,
            label: thread.label(),
            state: thread.state(),
            since_ns: thread.since(),
            owner: thread.cap(),
            created_ns: thread.created(),
            new: thread.is_new(),
            runs: thread.runs(),
            migrations: thread.migrations(),
            running_ns: thread.running(),
            runnable_ns: thread.runnable(),
            foreign_ns: thread.foreign(),
            blocked_ns: thread.blocked(),
        }
    }
}

#[derive(Serialize)]
struct HeapView {
    capset: u32,
    size_bytes: Option<u64>,
    live_bytes: Option<u64>,
    blocks_bytes: Option<u64>,
    returned: Option<Returned>,
}

impl Serialize for Snapshot {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let phases = PhaseKind::ALL
            .into_iter()
            .filter_map(|kind| Some((kind.name(), self.phase(kind)?)));
        let symbols = self.definitions().symbols();
        let (refused_threads, refused_labels) = self.refused();
        let heaps = self.heaps().map(|(capset, heap)| HeapView {
            capset,
            size_bytes: heap.size(),
            live_bytes: heap.live(),
            blocks_bytes: heap.blocks(),
            returned: heap.returned(),
        });
        let whole = Whole {
            first_ns: self.first(),
            time_ns: self.time(),
            tells: self.classes(),
            programs: self.programs().iter().collect(),
            capabilities: self.caps().map(CapView::of).collect(),
            threads: self.threads().map(ThreadView::of).collect(),
            tasks: self.definitions().tasks().collect(),
            heaps: heaps.collect(),
            heap_profiles: self.samples().profiles().collect(),
            concurrent_phases: phases.collect(),
            paused_ns: self.paused(),
            open_spans: self.spans().open().collect(),
            cost_centres: symbols.cost_centres(),
            info_tables: symbols.info_tables(),
            losses: *self.losses(),
            refused_threads,
            refused_labels,
        };
        whole.serialize(to)
    }
}

#[cfg(test)]
mod tests {
    use crate::{Keep, State, Turn};
    use ghc_eventlog::{Decoder, EventBody, Header, Item, StopStatus, encode_event};
    use serde_json::json;
    use std::sync::Arc;

    #[test]
    fn a_snapshot_tells_what_holds_now() {
        let header = Arc::new(Header::standard());
        let mut state = State::new(&header, Keep::all());
        let status = StopStatus::BLACK_HOLE;
        let events = [
            (1, EventBody::CapCreate { created_cap: 0 }),
            (10, EventBody::CreateThread { thread: 7 }),
            (20, EventBody::RunThread { thread: 7 }),
            (
                25,
                EventBody::StopThread {
                    thread: 7,
                    status,
                    info: Some(3),
                },
            ),
        ];
        for (time, body) in events {
            let mut raw = Vec::new();
            encode_event(&header, time, &body, &mut raw).expect("declared");
            let mut decoder = Decoder::at(Arc::clone(&header), Some(0), 0, u64::MAX);
            let Ok(Item::Event(event)) = decoder.decode(&mut &raw[..]) else {
                panic!("not an event");
            };
            state.apply(&event, Turn::Certain, &mut |_| {});
        }
        let data = serde_json::to_value(state.snapshot()).expect("it has a form");
        assert_eq!(data["time_ns"], 25);
        assert_eq!(data["capabilities"][0]["switches"], 1);
        assert_eq!(data["capabilities"][0]["total_ns"]["mutator"], 5);
        let wanted = json!({
            "thread": 7, "label": null, "state": "blocked", "why": "blocked_on_black_hole", "by": 3,
            "since_ns": 25, "owner": 0, "created_ns": 10, "new": false, "runs": 1, "migrations": 0,
            "running_ns": 5, "runnable_ns": 10, "foreign_ns": 0, "blocked_ns": 0,
        });
        assert_eq!(data["threads"], json!([wanted]));
    }
}
