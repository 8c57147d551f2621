//! How fast a log is folded, compared with a plain count of its events: `speed FILE`.
//!
//! All ways of reading the log are run in turn, several times; the medians are printed, and their
//! ratio to the count. `speed FILE ROUNDS WAY` runs only one of them, for a profiler.

use eventlog_state::{Fact, Keep, Merge, MergeOptions, State, Step, Take, Turn};
use ghc_eventlog::{Encoded, Item, Reader};
use std::error::Error;
use std::fs::File;
use std::hint::black_box;
use std::io::Read;
use std::ops::ControlFlow;
use std::time::Instant;

type Way = (&'static str, fn(&str) -> Result<u64, Box<dyn Error>>);

const WAYS: [Way; 4] = [
    ("count", count),
    ("fold as it comes", fold),
    ("merge", merge),
    ("merge and fold", merge_and_fold),
];

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let path = args.next().ok_or("usage: speed FILE [ROUNDS [WAY]]")?;
    let rounds: usize = args.next().map_or(Ok(5), |rounds| rounds.parse())?;
    if let Some(name) = args.next() {
        let way = WAYS.iter().find(|(way, _)| *way == name);
        let (_, way) = way.ok_or("unknown WAY: take one of those that `speed FILE` prints")?;
        for _ in 0..rounds {
            println!("{}", way(&path)?);
        }
        return Ok(());
    }
    let size = std::fs::metadata(&path)?.len() as f64;
    let mut took = [const { Vec::new() }; WAYS.len()];
    let mut answers = [0; WAYS.len()];
    for _ in 0..rounds {
        for (at, (_, way)) in WAYS.iter().enumerate() {
            let begin = Instant::now();
            answers[at] = way(&path)?;
            took[at].push(begin.elapsed().as_secs_f64());
        }
    }
    let medians = took.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    });
    for ((&(name, _), median), answer) in WAYS.iter().zip(medians).zip(answers) {
        println!(
            "{name:<18}{median:>9.4} s {:>7.0} MB/s {:>6.2} counts  ({answer})",
            size / median / 1e6,
            median / medians[0],
        );
    }
    Ok(())
}

fn count(path: &str) -> Result<u64, Box<dyn Error>> {
    let mut count = 0;
    let _ = Reader::new(File::open(path)?).for_each(|item| {
        if let Item::Event(event) = item {
            count += 1;
            black_box(event.time);
        }
        ControlFlow::<()>::Continue(())
    })?;
    Ok(count)
}

fn fold(path: &str) -> Result<u64, Box<dyn Error>> {
    let mut reader = Reader::new(File::open(path)?);
    while !matches!(reader.next_item()?, Some(Item::Header) | None) {}
    let header = reader.header().ok_or("no header")?.clone();
    let mut state = State::new(&header, Keep::all());
    let mut facts = 0;
    let see = &mut |_: Fact<'_>| facts += 1;
    let _ = reader.for_each(|item| {
        match item {
            Item::Event(event) => state.apply(&event, Turn::Early, see),
            Item::Block(block) => state.block(&block, see),
            _ => {}
        }
        ControlFlow::<()>::Continue(())
    })?;
    Ok(facts)
}

/// Passes all steps of a log to `each`, ordered by time.
#[inline(always)]
fn steps(path: &str, each: &mut impl Take) -> Result<(), Box<dyn Error>> {
    let mut merge = Merge::new(MergeOptions::default());
    let mut file = File::open(path)?;
    let mut buffer = vec![0; 256 << 10];
    loop {
        let length = file.read(&mut buffer)?;
        match length {
            0 => merge.flush(),
            length => merge.push_bytes(&buffer[..length]),
        }
        merge.drain_to(each)?;
        if length == 0 {
            return Ok(());
        }
    }
}

fn merge(path: &str) -> Result<u64, Box<dyn Error>> {
    let mut count = 0;
    steps(path, &mut |step: Step<'_>| {
        if let Step::Event(event, _) = step {
            count += 1;
            black_box(event.time);
        }
    })?;
    Ok(count)
}

/// Folds events that are ordered by time.
#[derive(Default)]
struct Fold {
    state: Option<State>,
    facts: u64,
}

impl Take for Fold {
    fn step(&mut self, step: Step<'_>) {
        let see = &mut |_: Fact<'_>| self.facts += 1;
        match (step, &mut self.state) {
            (Step::Session(header), state) => *state = Some(State::new(header, Keep::all())),
            (Step::Block(block), Some(state)) => state.block(block, see),
            _ => {}
        }
    }

    fn event(&mut self, event: &Encoded<'_>, turn: Turn) {
        if let Some(state) = &mut self.state {
            state.apply_encoded(event, turn, &mut |_| self.facts += 1);
        }
    }
}

fn merge_and_fold(path: &str) -> Result<u64, Box<dyn Error>> {
    let mut fold = Fold::default();
    steps(path, &mut fold)?;
    Ok(fold.facts)
}
