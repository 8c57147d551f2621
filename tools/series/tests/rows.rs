//! Rows compared with every interval that `eventlog-state` reports.

mod common;

use common::program::{Shape, program, shapes};
use common::state::{Random, block, event, log, real_logs};
use common::{Brute, blocks, brute, cut, header, rows, wanted};
use eventlog_series::{Interval, PIXELS, Row, Rows, Shows, Tile, span};
use ghc_eventlog::notes::{Loss, Note};
use ghc_eventlog::{DATA_END, EventBody, Item, Reader};

/// The shares of a tile, by brute force; `None` for rows of all threads.
fn shares(intervals: &[Interval], row: Row, from: u64, to: u64) -> Vec<u8> {
    let states = row.states().len() - 1;
    let pixel = (to - from) / PIXELS as u64;
    let mut spent = vec![0u64; states * PIXELS];
    for it in intervals {
        let mut at = it.from;
        while at < it.to {
            let place = (at - from) / pixel;
            let end = (from + (place + 1) * pixel).min(it.to);
            spent[it.doing.index() * PIXELS + place as usize] += end - at;
            at = end;
        }
    }
    let share = |spent: &u64| (*spent as f64 * 255.0 / pixel as f64).round() as u8;
    spent.iter().map(share).collect()
}

fn check_tile(
    tile: &Tile,
    (brute, rows): (&Brute, &Rows),
    (row, z, index): (Row, u8, u64),
    name: &str,
) -> bool {
    let (from, to) = span(z, index);
    let wanted = wanted(brute, rows, row, from, to);
    match &tile.shows {
        Shows::Unknown => assert_eq!(wanted, [], "{name} {row:?} {z} {index}"),
        Shows::Intervals(found) => {
            let found = cut(found, from, brute.end);
            let differs = found
                .iter()
                .zip(&wanted)
                .position(|(left, right)| left != right);
            let at = differs.unwrap_or(found.len().min(wanted.len()));
            let near = |all: &[Interval]| {
                all.iter()
                    .skip(at.saturating_sub(1))
                    .take(4)
                    .copied()
                    .collect::<Vec<_>>()
            };
            assert!(
                found == wanted,
                "{name} {row:?} {z} {index} at {at}: {:#?}\nwanted {:#?}",
                near(&found),
                near(&wanted)
            );
        }
        Shows::Shares(found) => {
            let wanted = shares(&wanted, row, from, to);
            assert_eq!(found.len(), wanted.len());
            for (at, (found, wanted)) in found.iter().zip(&wanted).enumerate() {
                if from + ((to - from) / PIXELS as u64) * (at % PIXELS + 1) as u64 > brute.end {
                    continue;
                }
                assert!(
                    found.abs_diff(*wanted) <= 1,
                    "{name} {row:?} {z} {index}: state {} of pixel {}: {found}, not {wanted}",
                    at / PIXELS,
                    at % PIXELS,
                );
            }
            return true;
        }
    }
    false
}

/// Tiles of all rows at all zooms; how many were shares.
fn check(log: &[u8], name: &str, random: &mut Random, most_rows: usize) -> usize {
    let (brute, rows) = (brute(log), rows(log));
    let mut all: Vec<Row> = brute.rows.keys().copied().collect();
    let caps = all.partition_point(|row| matches!(row, Row::Cap(_)));
    while all.len() > caps + most_rows {
        let threads = (all.len() - caps) as u64;
        all.swap_remove(caps + random.below(threads) as usize);
    }
    let mut count = 0;
    for row in all {
        let end = rows.until(row);
        if matches!(row, Row::Cap(cap) if !rows.caps().any(|it| it == cap)) {
            // So far only other capabilities have mentioned it.
            assert_eq!(end, 0);
            continue;
        }
        assert!(end > 0, "{name} {row:?}");
        for z in 0..64 {
            let (_, width) = span(z, 0);
            let last = end / width;
            let mut tiles = vec![0, last, last + 1];
            tiles.extend((0..2).map(|_| random.below(last + 1)));
            tiles.dedup();
            for index in tiles {
                let tile = rows.tile(log, row, z, index).unwrap();
                count += usize::from(check_tile(&tile, (&brute, &rows), (row, z, index), name));
            }
            if width > 2 * end {
                break;
            }
        }
        // The same sums that shares are made of.
        let known = end.min(brute.end);
        for _ in 0..10 {
            let (from, to) = (random.below(known + 1), random.below(known + 1));
            let (from, to) = (from.min(to), from.max(to));
            let mut spent = vec![0; row.states().len() - 1];
            for it in wanted(&brute, &rows, row, from, to) {
                spent[it.doing.index()] += it.to - it.from;
            }
            let found = rows.spent(log, row, from, to).unwrap();
            assert_eq!(found, spent, "{name} {row:?} {from} {to}");
        }
    }
    count
}

/// The same for a log without its end. Where a thread was in the missing part is unknown, also if it is
/// back before the end of the log; all that is shown is right.
fn check_cut(log: &[u8], name: &str, random: &mut Random) -> usize {
    let count = check(log, name, random, 0);
    let (brute, rows) = (brute(log), rows(log));
    for (row, intervals) in &brute.rows {
        for _ in 0..20 {
            let time = random.below(brute.end);
            if let Some(found) = rows.at(log, *row, time).unwrap() {
                let here = |it: &&Interval| (it.from..it.to).contains(&time);
                let wanted = intervals.iter().find(here).map(|it| it.doing);
                assert_eq!(Some(found.doing), wanted, "{name} {row:?} {time}");
            }
        }
    }
    count
}

#[test]
fn tiles_of_programs_that_never_ran() {
    let mut random = Random(1);
    let mut count = 0;
    let programs: u64 = std::env::var("EVENTLOG_PROGRAMS").map_or(32, |it| it.parse().unwrap());
    for seed in 0..programs {
        let mut shape = shapes(&mut random);
        if seed % 8 == 0 {
            // Enough intervals to be shown as shares.
            (shape.caps, shape.steps) = (1 + shape.caps % 2, 25_000);
        }
        let log = program(seed, shape);
        count += check(&log, &format!("{seed} {shape:?}"), &mut random, 12);
    }
    assert!(count > 30, "{count}");
}

#[test]
fn tiles_of_real_programs() {
    let mut random = Random(2);
    for (name, log) in real_logs() {
        match log.ends_with(&DATA_END.to_be_bytes()) {
            true => check(&log, &name, &mut random, 30),
            false => check_cut(&log, &name, &mut random),
        };
    }
}

/// The interval at a time is the complete one that the state reports.
#[test]
fn what_goes_on_at_a_moment() {
    let mut random = Random(3);
    for seed in 0..10 {
        let shape = shapes(&mut random);
        let log = program(seed, shape);
        let (brute, rows) = (brute(&log), rows(&log));
        for (row, intervals) in &brute.rows {
            for _ in 0..20 {
                let time = random.below(brute.end.min(rows.until(*row)));
                let found = rows.at(&log, *row, time).unwrap();
                let wanted = intervals
                    .iter()
                    .find(|it| (it.from..it.to).contains(&time))
                    .copied();
                // The last one is still open in the row.
                let same = match (found, wanted) {
                    (Some(found), Some(wanted)) => {
                        (found.doing, found.from) == (wanted.doing, wanted.from)
                            && found.to.min(brute.end) == wanted.to
                    }
                    (found, wanted) => found == wanted,
                };
                assert!(
                    same,
                    "{seed} {shape:?} {row:?} {time}: {found:?}, not {wanted:?}"
                );
            }
        }
    }
}

/// The sum of all threads is that of their rows, except for threads that are moving.
#[test]
fn all_threads_together() {
    let mut random = Random(4);
    for seed in 0..12 {
        let shape = shapes(&mut random);
        let log = program(seed, shape);
        let (brute, rows) = (brute(&log), rows(&log));
        // The times in which each thread was moving.
        let mut events: Vec<(u32, u64, bool)> = Vec::new();
        let mut reader = Reader::new(&log[..]);
        while let Some(item) = reader.next_item().unwrap() {
            let Item::Event(event) = item else { continue };
            let (thread, leaves) = match event.body {
                EventBody::CreateThread { thread }
                | EventBody::RunThread { thread }
                | EventBody::StopThread { thread, .. } => (thread, false),
                EventBody::MigrateThread { thread, .. } => (thread, true),
                _ => continue,
            };
            events.push((thread, event.time, leaves));
        }
        events.sort_unstable();
        let until = rows.until(Row::Threads).min(brute.end);
        for _ in 0..30 {
            let (from, to) = (random.below(until), random.below(until));
            let (from, to) = (from.min(to), from.max(to));
            let within = |low: u64, high: u64| high.min(to).saturating_sub(low.max(from));
            let mut wanted = vec![0; Row::Threads.states().len() - 1];
            for (row, intervals) in &brute.rows {
                if matches!(row, Row::Thread(_)) {
                    for it in intervals {
                        wanted[it.doing.index()] += within(it.from, it.to);
                    }
                }
            }
            for (at, (thread, time, leaves)) in events.iter().enumerate() {
                let next = events.get(at + 1).filter(|next| next.0 == *thread);
                if *leaves {
                    wanted[1] -= within(*time, next.map_or(u64::MAX, |next| next.1));
                }
            }
            let found = rows.spent(&log, Row::Threads, from, to).unwrap();
            assert_eq!(found, wanted, "{seed} {shape:?} {from} {to}");
        }
    }
}

/// Final parts do not change when more of the log is added.
#[test]
fn what_is_final_stays() {
    let mut random = Random(5);
    let mut count = 0;
    for seed in 0..12 {
        let shape = shapes(&mut random);
        let log = program(seed, shape);
        let mut rows = Rows::new(header(&log));
        let mut told: Vec<(Row, u8, u64, Tile)> = Vec::new();
        let blocks = blocks(&log);
        let every = blocks.len().div_ceil(40);
        for (at, (offset, block)) in blocks.iter().enumerate() {
            rows.block(*offset, block);
            if at % every != 0 {
                continue;
            }
            let mut all: Vec<Row> = rows.caps().map(Row::Cap).collect();
            rows.lives(0, u64::MAX, 8, &mut |thread| all.push(Row::Thread(thread)));
            all.push(Row::Threads);
            for row in all {
                let z = random.below(12) as u8;
                let (_, width) = span(z, 0);
                let index = random.below(rows.until(row) / width + 1);
                let tile = rows.tile(&log, row, z, index).unwrap();
                if tile.is_final {
                    told.push((row, z, index, tile));
                }
            }
        }
        for (row, z, index, before) in told {
            let after = rows.tile(&log, row, z, index).unwrap();
            assert_eq!(before, after, "{seed} {shape:?} {row:?} {z} {index}");
            count += 1;
        }
    }
    assert!(count > 100, "{count}");
}

/// A truncated log gives the same answers, up to its end, as the whole one.
#[test]
fn a_log_that_was_cut() {
    let mut random = Random(6);
    for seed in 0..10 {
        // If the log ends before it announces the capabilities, less is known.
        let shape = Shape {
            global_at_exit: false,
            ..shapes(&mut random)
        };
        let log = program(seed, shape);
        let begin = header(&log).as_bytes().len() as u64;
        let cut = begin + random.below(log.len() as u64 - begin);
        let log = &log[..cut as usize];
        let name = format!("{seed} {shape:?} cut at {cut}");
        check_cut(log, &name, &mut random);
    }
}

/// After a note of a loss, the state is unknown until an event shows it again.
#[test]
fn what_is_lost_is_unknown() {
    let run = |time, thread| event(time, EventBody::RunThread { thread });
    let note = Note::Loss(Loss {
        chunks: 1,
        bytes: 100,
        between: Some((200_000, 300_000)),
    });
    let text = note.to_string();
    let message = event(
        300_000,
        EventBody::UserMsg {
            message: text.as_str().into(),
        },
    );
    for lost in [false, true] {
        let create = event(0, EventBody::CreateThread { thread: 1 });
        let mut parts = vec![block(Some(0), 0, 100_000, &[create, run(50_000, 1)])];
        if lost {
            parts.push(block(None, 0, 300_000, std::slice::from_ref(&message)));
        }
        parts.push(block(Some(0), 400_000, 600_000, &[run(500_000, 2)]));
        let log = log(&parts);
        let rows = rows(&log);
        let caps = rows.spent(&log, Row::Cap(0), 0, 600_000).unwrap();
        let thread = rows.spent(&log, Row::Thread(1), 0, 600_000).unwrap();
        // The first thread: the start of the second shows that it has stopped.
        match lost {
            true => {
                assert_eq!(caps, [150_000, 0, 0, 50_000, 0, 0]);
                assert_eq!(thread, [50_000, 50_000, 0, 0]);
            }
            false => {
                assert_eq!(caps, [250_000, 0, 0, 50_000, 300_000, 0]);
                assert_eq!(thread, [450_000, 50_000, 0, 0]);
            }
        }
        let at = |time| rows.at(&log, Row::Cap(0), time).unwrap();
        assert_eq!(at(350_000).is_none(), lost);
        assert_eq!(at(450_000).is_none(), lost);
        let at = rows.at(&log, Row::Thread(1), 350_000).unwrap();
        assert_eq!(at.is_none(), lost);
    }
}
