//! Events that need not be in their place among those of other capabilities: passed on in another
//! order, they mean the same.

mod common;

use common::program::{Blocks, program};
use common::{Random, real_logs};
use eventlog_state::{
    Fact, Keep, Merge, MergeOptions, Snapshot, State, Step, Take, Totals, Turn, transition,
};
use ghc_eventlog::{Encoded, EventBody, StopStatus, ids};
use std::collections::BTreeMap;

/// Those that make a thread run, stop, or wait on its capability.
fn is_apart(event: &Encoded<'_>) -> bool {
    match event.id() {
        ids::RUN_THREAD | ids::THREAD_WAKEUP => true,
        ids::STOP_THREAD => match event.body() {
            EventBody::StopThread { status, .. } => status != StopStatus::FINISHED,
            _ => false,
        },
        _ => false,
    }
}

/// What was passed on, and what it means.
#[derive(Default)]
struct Taken {
    /// Capability, offset, and whether it is apart.
    events: Vec<(Option<u16>, u64, bool)>,
    state: Option<State>,
    totals: Totals,
    facts: Facts,
}

/// Facts: those about one thread or one capability, and all others.
#[derive(Debug, Default, PartialEq)]
struct Facts {
    of_threads: BTreeMap<u32, Vec<String>>,
    of_caps: BTreeMap<u16, Vec<String>>,
    others: Vec<String>,
}

impl Facts {
    fn see(&mut self, fact: &Fact<'_>) {
        let told = format!("{fact:?}");
        match fact {
            Fact::Thread(it) => self.of_threads.entry(it.thread).or_default().push(told),
            Fact::Cap(it) => self.of_caps.entry(it.cap).or_default().push(told),
            Fact::Wakeup(it) => self.of_caps.entry(it.from).or_default().push(told),
            _ => self.others.push(told),
        }
    }
}

impl Take for Taken {
    fn step(&mut self, step: Step<'_>) {
        match step {
            Step::Session(header) => {
                let mut keep = Keep::all();
                keep.oddities = false;
                self.state = Some(State::new(header, keep));
            }
            Step::Block(block) => {
                self.totals.block(block);
                if let Some(state) = &mut self.state {
                    state.block(block, &mut |fact| self.facts.see(&fact));
                }
            }
            Step::Event(event, turn) => self.event(&event.encoded(), turn),
            _ => {}
        }
    }

    fn event(&mut self, event: &Encoded<'_>, turn: Turn) {
        self.events.push((event.cap, event.offset, is_apart(event)));
        self.totals.event_encoded(event);
        if let Some(state) = &mut self.state {
            state.apply_encoded(event, turn, &mut |fact| {
                self.totals.see(&fact);
                self.facts.see(&fact);
            });
        }
    }
}

fn taken(log: &[u8], apart: bool) -> (Taken, u64) {
    let mut taken = Taken::default();
    let mut merge = Merge::new(MergeOptions {
        recovery: true,
        ..MergeOptions::default()
    });
    let mut drain = |merge: &mut Merge| match apart {
        true => merge.drain_apart(&mut taken, &is_apart).unwrap(),
        false => merge.drain_to(&mut taken).unwrap(),
    };
    for bytes in log.chunks(32 << 10) {
        merge.push_bytes(bytes);
        drain(&mut merge);
    }
    merge.flush();
    drain(&mut merge);
    let late = merge.late();
    (taken, late)
}

/// For each event that has its place: what was before it of each capability.
type Places = Vec<(u64, BTreeMap<Option<u16>, usize>)>;

fn places(events: &[(Option<u16>, u64, bool)]) -> Places {
    let mut before = BTreeMap::new();
    let mut places = Vec::new();
    for (cap, offset, apart) in events {
        if !apart {
            places.push((*offset, before.clone()));
        }
        *before.entry(*cap).or_default() += 1;
    }
    places
}

fn by_cap(events: &[(Option<u16>, u64, bool)]) -> BTreeMap<Option<u16>, Vec<u64>> {
    let mut caps: BTreeMap<_, Vec<u64>> = BTreeMap::new();
    for (cap, offset, _) in events {
        caps.entry(*cap).or_default().push(*offset);
    }
    caps
}

fn written(state: &Snapshot) -> Vec<u8> {
    let mut bytes = Vec::new();
    transition(None, state, u64::MAX / 2, &mut |_, raw| {
        bytes.extend_from_slice(raw)
    });
    bytes
}

/// Returns whether the order differs at all.
#[track_caller]
fn same(name: &str, log: &[u8], means: bool) -> bool {
    let (apart, apart_late) = taken(log, true);
    let (strict, strict_late) = taken(log, false);
    assert_eq!(by_cap(&apart.events), by_cap(&strict.events), "{name}");
    assert!(
        places(&apart.events) == places(&strict.events),
        "{name}: events that have their place are elsewhere"
    );
    assert_eq!(apart_late, strict_late, "{name}");
    if means {
        let (mut state, mut wanted) = (apart.state.unwrap(), strict.state.unwrap());
        let report = |totals: &Totals, state| format!("{:?}", totals.report(state));
        let told = report(&apart.totals, &state);
        assert_eq!(told, report(&strict.totals, &wanted), "{name}");
        assert_eq!(apart.facts, strict.facts, "{name}");
        let (state, wanted) = (state.snapshot(), wanted.snapshot());
        assert!(written(&state) == written(&wanted), "{name}");
    }
    apart.events != strict.events
}

#[test]
fn of_real_logs() {
    let mut differ = 0;
    for (name, log) in real_logs() {
        differ += usize::from(same(&name, &log, true));
    }
    assert!(differ > 5, "{differ}");
}

#[test]
fn of_generated_logs() {
    let mut differ = 0;
    for seed in 0..30 {
        let blocks = Blocks {
            events: 50,
            delay: [0, 1_000_000, 100_000_000][seed as usize % 3],
            global_at_exit: seed % 2 == 0,
        };
        let mut log = program(seed, 2_000, blocks);
        differ += usize::from(same(&format!("seed {seed}"), &log, true));
        // With wrong bytes threads do impossible things, but each event is where it belongs.
        let mut random = Random(seed);
        for _ in 0..40 {
            let at = 4_000 + random.below(log.len() as u64 - 4_000) as usize;
            log[at] ^= 1 << random.below(4);
        }
        same(&format!("seed {seed}, damaged"), &log, false);
    }
    assert!(differ > 20, "{differ}");
}
