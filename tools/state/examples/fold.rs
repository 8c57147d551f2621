//! How fast a log is folded: `fold FILE`.
use eventlog_state::{Fact, Keep, State, Turn};
use ghc_eventlog::{Item, Reader};
use std::ops::ControlFlow;
use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).unwrap();
    let size = std::fs::metadata(&path)?.len() as f64;
    for _ in 0..2 {
        let begin = Instant::now();
        let mut reader = Reader::new(std::fs::File::open(&path)?);
        let mut count = 0u64;
        let _ = reader.for_each(|item| {
            if let Item::Event(event) = item {
                count += 1;
                std::hint::black_box(event.time);
            }
            ControlFlow::<()>::Continue(())
        })?;
        let took = begin.elapsed().as_secs_f64();
        println!(
            "count: {count} events, {took:.3} s, {:.0} MB/s",
            size / took / 1e6
        );
        let begin = Instant::now();
        let mut reader = Reader::new(std::fs::File::open(&path)?);
        let header = loop {
            if let Some(Item::Header) = reader.next_item()? {
                break reader.header().unwrap().clone();
            }
        };
        let mut state = State::new(&header, Keep::all());
        let (mut facts, mut odd) = (0u64, 0u64);
        let mut see = |fact: Fact<'_>| match fact {
            Fact::Odd(_) => odd += 1,
            _ => facts += 1,
        };
        let _ = reader.for_each(|item| {
            match item {
                Item::Event(event) => state.apply(&event, Turn::Early, &mut see),
                Item::Block(block) => state.block(&block, &mut see),
                _ => {}
            }
            ControlFlow::<()>::Continue(())
        })?;
        let took = begin.elapsed().as_secs_f64();
        println!(
            "fold: {facts} facts, {odd} odd, {} threads, {took:.3} s, {:.0} MB/s",
            state.thread_count(),
            size / took / 1e6
        );
        for (n, cap) in state.caps() {
            println!("cap {n} {:?} runs {}", cap.state(), cap.runs());
        }
    }
    Ok(())
}
