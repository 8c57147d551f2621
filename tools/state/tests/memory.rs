//! Memory of a state with very many threads. In a process of its own, because all of its memory
//! counts.

use eventlog_state::{Keep, State, Turn};
use ghc_eventlog::{BlockBuilder, EventBody, Header, Item, Reader, StopStatus};
use std::sync::Arc;

/// Bytes of this process in memory; `None` if the system does not report it.
fn resident() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split(' ').nth(1)?.parse().ok()?;
    Some(pages * 4096)
}

/// Applies the events of each of these threads.
fn apply(state: &mut State, threads: std::ops::Range<u32>, come_and_go: bool) {
    let header = Arc::clone(state.header());
    let mut block = BlockBuilder::new(Some(0));
    for first in threads.clone().step_by(1 << 12) {
        block.reset(Some(0));
        for thread in first..threads.end.min(first + (1 << 12)) {
            let time = 10 + u64::from(thread) * 10;
            let mut push = |time, body| block.push_body(&header, time, &body).unwrap();
            push(time, EventBody::CreateThread { thread });
            if come_and_go {
                push(time + 1, EventBody::RunThread { thread });
                let body = EventBody::StopThread {
                    thread,
                    status: StopStatus::FINISHED,
                    info: Some(0),
                };
                push(time + 2, body);
            }
        }
        let log = [header.as_bytes(), block.finish()].concat();
        let mut reader = Reader::new(&log[..]);
        while let Some(item) = reader.next_item().unwrap() {
            if let Item::Event(event) = item {
                state.apply(&event, Turn::Certain, &mut |_| {});
            }
        }
    }
}

#[test]
fn a_million_live_threads_fit_and_dead_ones_cost_nothing() {
    let Some(before) = resident() else {
        eprintln!("SKIPPED: memory of many threads: /proc/self/statm is not there");
        return;
    };
    let header = Arc::new(Header::standard());
    let mut state = State::new(&header, Keep::all());
    apply(&mut state, 0..5_000_000, true);
    let half = resident().unwrap();
    apply(&mut state, 5_000_000..10_000_000, true);
    let all = resident().unwrap();
    assert_eq!(state.thread_count(), 0);
    eprintln!(
        "ten million threads that are over: {} KiB",
        (all - before) >> 10
    );
    assert!(
        all <= half + (2 << 20),
        "{} {}",
        half - before,
        all - before
    );
    assert!(all <= before + (32 << 20), "{}", all - before);
    apply(&mut state, 10_000_000..11_000_000, false);
    assert_eq!(state.thread_count(), 1_000_000);
    let live = resident().unwrap() - all;
    eprintln!("a million live threads: {} MiB", live >> 20);
    assert!(live <= 128 << 20, "{live}");
}
