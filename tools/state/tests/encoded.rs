//! Folding events before they are decoded gives the same as folding decoded ones.

mod common;

use common::program::{Blocks, program};
use common::{Random, real_logs};
use eventlog_state::{
    Fact, Keep, Merge, MergeOptions, Snapshot, State, Step, Take, Turn, transition,
};
use ghc_eventlog::Encoded;

/// Folds all steps, and keeps what is reported on the way.
#[derive(Default)]
struct Fold {
    encoded: bool,
    state: Option<State>,
    facts: Vec<String>,
}

impl Take for Fold {
    fn step(&mut self, step: Step<'_>) {
        let facts = &mut self.facts;
        let see = &mut |fact: Fact<'_>| facts.push(format!("{fact:?}"));
        match (step, &mut self.state) {
            (Step::Session(header), state) => *state = Some(State::new(header, Keep::all())),
            (Step::Block(block), Some(state)) => state.block(block, see),
            (Step::Event(event, turn), Some(state)) => state.apply(event, turn, see),
            _ => {}
        }
    }

    fn event(&mut self, event: &Encoded<'_>, turn: Turn) {
        let (facts, encoded) = (&mut self.facts, self.encoded);
        match &mut self.state {
            Some(state) if encoded => {
                state.apply_encoded(event, turn, &mut |fact| facts.push(format!("{fact:?}")));
            }
            _ => self.step(Step::Event(&event.decode(), turn)),
        }
    }
}

fn fold(bytes: &[u8], encoded: bool) -> (Vec<String>, Snapshot) {
    let mut fold = Fold {
        encoded,
        ..Fold::default()
    };
    let mut merge = Merge::new(MergeOptions {
        // A small limit, so that some events are early or late.
        max_bytes: 64 << 10,
        recovery: true,
        ..MergeOptions::default()
    });
    for bytes in bytes.chunks(32 << 10) {
        merge.push_bytes(bytes);
        merge.drain_to(&mut fold).unwrap();
    }
    merge.flush();
    merge.drain_to(&mut fold).unwrap();
    let mut state = fold.state.expect("a header");
    (fold.facts, state.snapshot())
}

fn written(state: &Snapshot) -> Vec<u8> {
    let mut bytes = Vec::new();
    transition(None, state, u64::MAX / 2, &mut |_, raw| {
        bytes.extend_from_slice(raw)
    });
    bytes
}

#[track_caller]
fn same(name: &str, log: &[u8]) {
    let (facts, state) = fold(log, true);
    let (wanted, wanted_state) = fold(log, false);
    assert_eq!(facts.len(), wanted.len(), "{name}");
    for (fact, wanted) in facts.iter().zip(&wanted) {
        assert_eq!(fact, wanted, "{name}");
    }
    assert!(written(&state) == written(&wanted_state), "{name}");
}

#[test]
fn of_real_logs() {
    for (name, log) in real_logs() {
        same(&name, &log);
    }
}

/// Logs that are right, and some with wrong bytes: in those, threads do impossible things.
#[test]
fn of_generated_logs() {
    for seed in 0..30 {
        let blocks = Blocks {
            events: 50,
            delay: [0, 1_000_000, 100_000_000][seed as usize % 3],
            global_at_exit: seed % 2 == 0,
        };
        let mut log = program(seed, 2_000, blocks);
        same(&format!("seed {seed}"), &log);
        let mut random = Random(seed);
        for _ in 0..40 {
            let at = 4_000 + random.below(log.len() as u64 - 4_000) as usize;
            log[at] ^= 1 << random.below(4);
        }
        same(&format!("seed {seed}, damaged"), &log);
    }
}
