//! For any log: no panic, and bounded memory.

mod common;

use common::program::{program, shapes};
use common::state::{Random, block, event, log, marker};
use common::{blocks, header, rows};
use eventlog_series::{Limits, Row, Rows, Shows};
use ghc_eventlog::{EventBody, StopStatus};

/// Calls every query.
fn ask(log: &[u8], rows: &Rows, random: &mut Random) {
    let mut all: Vec<Row> = rows.caps().take(8).map(Row::Cap).collect();
    rows.lives(0, u64::MAX, 8, &mut |thread| all.push(Row::Thread(thread)));
    all.extend([Row::Threads, Row::Cap(7777), Row::Thread(u32::MAX)]);
    for row in all {
        let until = rows.until(row);
        rows.final_until(row);
        for z in [0, 3, 10, 30, 54, 55, 63, 64, 255] {
            let near = until >> (u32::from(z).min(54) + 9).min(63);
            for index in [0, random.below(1 << 20), near, u64::MAX] {
                let tile = rows.tile(log, row, z, index).unwrap();
                if let Shows::Intervals(intervals) = &tile.shows {
                    assert!(intervals.iter().all(|it| it.from < it.to));
                    assert!(intervals.windows(2).all(|pair| pair[0].to <= pair[1].from));
                }
                assert!(tile.encode(z, index).len() < 1 << 16);
            }
        }
        for time in [0, random.below(1 << 40), until.saturating_sub(1), u64::MAX] {
            rows.at(log, row, time).unwrap();
            rows.spent(log, row, time, u64::MAX).unwrap();
        }
    }
    rows.thread_counts();
    rows.refused();
}

#[test]
fn damaged_logs() {
    let mut random = Random(1);
    for seed in 0..150 {
        let mut shape = shapes(&mut random);
        shape.steps = 300;
        let good = program(seed, shape);
        let whole = header(&good);
        let mut rows = Rows::new(whole.clone());
        let mut bad = good.clone();
        let begin = whole.as_bytes().len();
        for _ in 0..1 + random.below(30) {
            let at = begin + random.below((good.len() - begin) as u64) as usize;
            let ends = [0, 0xff, 0x7f, random.below(256) as u8];
            bad[at] = ends[random.below(4) as usize];
        }
        for (offset, block) in blocks(&good) {
            let from = offset as usize;
            rows.block(offset, &bad[from..from + block.len()]);
            if random.one_in(20) {
                ask(&bad, &rows, &mut random);
            }
        }
        rows.finish();
        ask(&bad, &rows, &mut random);
    }
}

/// The smallest and largest times, and times that go backwards.
#[test]
fn times_at_the_ends() {
    let mut random = Random(2);
    let times = [0, 1, 1 << 20, 1 << 62, u64::MAX - 1, u64::MAX];
    for _ in 0..100 {
        let mut parts = Vec::new();
        for _ in 0..random.below(8) {
            let mut time = || times[random.below(6) as usize];
            let (begin, end) = (time(), time());
            let mut events = Vec::new();
            for _ in 0..12 {
                let (thread, new_cap) = (1 + (time() % 3) as u32, (time() % 2) as u16);
                let status = StopStatus([3, 5, 7][(time() % 3) as usize]);
                let info = Some(0);
                let body = match time() % 7 {
                    0 => EventBody::CreateThread { thread },
                    1 => EventBody::RunThread { thread },
                    2 => EventBody::MigrateThread { thread, new_cap },
                    3 => EventBody::GcStart,
                    4 => EventBody::GcEnd,
                    _ => EventBody::StopThread {
                        thread,
                        status,
                        info,
                    },
                };
                events.push(event(time(), body));
            }
            let cap = (time() % 2) as u16;
            parts.push(block(Some(cap), begin, end, &events));
        }
        let log = log(&parts);
        let rows = rows(&log);
        ask(&log, &rows, &mut random);
    }
}

/// Sizes that are wrong in markers.
#[test]
fn sizes_that_are_wrong() {
    let mut random = Random(3);
    let run = event(5, EventBody::RunThread { thread: 1 });
    for size in [0, 1, 23, 24, 25, 37, 38, 39, 1000, u32::MAX] {
        let bytes = [marker(Some(0), 1, size, 9), run.clone(), run.clone()].concat();
        let log = log(&[bytes]);
        let mut rows = Rows::new(header(&log));
        let offset = rows.header().as_bytes().len();
        rows.block(offset as u64, &log[offset..]);
        ask(&log, &rows, &mut random);
        rows.block(log.len() as u64, &[]);
        rows.block(log.len() as u64, &[0; 7]);
    }
}

/// Threads beyond the limit are refused and counted; what capabilities do stays right.
#[test]
fn too_many_threads() {
    let mut random = Random(4);
    let mut shape = shapes(&mut random);
    (shape.caps, shape.steps) = (2, 5000);
    let log = program(9, shape);
    let all = rows(&log);
    let limits = Limits {
        threads: 5,
        ..Limits::default()
    };
    let mut few = Rows::with_limits(header(&log), limits);
    for (offset, block) in blocks(&log) {
        few.block(offset, block);
    }
    assert_eq!(all.refused().threads, 0);
    assert!(few.refused().threads > 0);
    assert!(few.thread_counts().1 <= 5);
    for cap in 0..2 {
        let row = Row::Cap(cap);
        let until = all.until(row);
        let wanted = all.spent(&log, row, 0, until).unwrap();
        let found = few.spent(&log, row, 0, until).unwrap();
        // The state of a capability does not depend on following its threads.
        assert_eq!(found[..3], wanted[..3]);
        assert_eq!(found[4], wanted[4]);
        assert_eq!(found[3] + found[5], wanted[3] + wanted[5]);
    }
    ask(&log, &few, &mut random);
}

/// A hundred thousand short threads: memory grows only with those that are alive.
#[test]
fn many_threads() {
    let mut time = 0;
    let mut all = Rows::new(common::state::header().clone().into());
    let mut offset = all.header().as_bytes().len() as u64;
    for turn in 0..200u32 {
        let mut events = Vec::new();
        for thread in turn * 500 + 1..=turn * 500 + 500 {
            let status = StopStatus::FINISHED;
            let bodies = [
                EventBody::CreateThread { thread },
                EventBody::RunThread { thread },
                EventBody::StopThread {
                    thread,
                    status,
                    info: Some(0),
                },
            ];
            for body in bodies {
                time += 100;
                events.push(event(time, body));
            }
        }
        let block = block(Some(0), time - 150_000, time, &events);
        all.block(offset, &block);
        offset += block.len() as u64;
    }
    assert_eq!(all.thread_counts(), (100_000, 0));
    let each = all.memory() / 100_000;
    assert!(each < 120, "{each} bytes of a thread");
    assert_eq!(all.lives(0, 3_000, usize::MAX, &mut |_| {}), 10);
}
