//! Rows against everything that `eventlog-state` tells, by brute force.

mod common;

use common::program::{program, shapes};
use common::state::{Random, real_logs};
use common::{Brute, brute, cut, rows, wanted};
use eventlog_series::{Interval, PIXELS, Row, Rows, Shows, Tile, span};

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
    while all.len() > most_rows {
        all.swap_remove(random.below(all.len() as u64) as usize);
    }
    let mut count = 0;
    for row in all {
        let end = rows.until(row);
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
    }
    count
}

#[test]
fn tiles_of_programs_that_never_ran() {
    let mut random = Random(1);
    let mut count = 0;
    let programs: u64 = std::env::var("EVENTLOG_PROGRAMS").map_or(60, |it| it.parse().unwrap());
    for seed in 0..programs {
        let shape = shapes(&mut random);
        let log = program(seed, shape);
        count += check(&log, &format!("{seed} {shape:?}"), &mut random, 12);
    }
    assert!(count > 0);
}

#[test]
fn tiles_of_real_programs() {
    let mut random = Random(2);
    for (name, log) in real_logs() {
        check(&log, &name, &mut random, 30);
    }
}
