//! An index of a log of which only the newest part can be read again, compared with one of all of it.

mod common;

use common::program::{program, shapes};
use common::state::Random;
use common::{blocks, header};
use eventlog_series::{Interval, ReadAt, Row, Rows, Shows, span};
use ghc_eventlog::{BlockBuilder, EventBody, Header, StopStatus};
use std::io;
use std::sync::Arc;

/// The newest part of a log.
struct Newest<'a> {
    log: &'a [u8],
    from: u64,
}

impl ReadAt for Newest<'_> {
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        assert!(offset >= self.from, "{offset} is before {}", self.from);
        self.log.read_at(offset, into)
    }
}

/// Both indexes of a log, as far as it has come.
struct Both<'a> {
    whole: Rows,
    newest: Rows,
    log: Newest<'a>,
}

impl Both<'_> {
    /// Compares answers about all rows.
    fn compare(&self, random: &mut Random, name: &str) -> usize {
        let Self { whole, newest, log } = self;
        let kept_from = newest.kept_from();
        let mut all: Vec<Row> = whole.caps().map(Row::Cap).collect();
        assert!(newest.caps().eq(whole.caps()));
        assert_eq!(newest.thread_counts().1, whole.thread_counts().1, "{name}");
        let mut alive = [Vec::new(), Vec::new()];
        for (rows, alive) in [whole, newest].into_iter().zip(&mut alive) {
            let count = rows.lives(kept_from + 1, u64::MAX, usize::MAX, &mut |thread| {
                alive.push(thread)
            });
            assert_eq!(count, alive.len());
            alive.sort_unstable();
        }
        assert_eq!(alive[0], alive[1], "{name} {kept_from}");
        let [mut alive, _] = alive;
        while alive.len() > 8 {
            alive.swap_remove(random.below(alive.len() as u64) as usize);
        }
        all.extend(alive.iter().map(|thread| Row::Thread(*thread)));
        all.push(Row::Threads);
        let mut count = 0;
        for row in all {
            let name = format!("{name} {row:?} from {kept_from}");
            assert_eq!(newest.until(row), whole.until(row), "{name}");
            if let Row::Thread(thread) = row {
                assert_eq!(newest.life(thread), whole.life(thread), "{name}");
            }
            let end = whole.until(row);
            for z in 0..40 {
                let (_, width) = span(z, 0);
                let mut tiles = vec![kept_from / width, kept_from / width + 1, end / width];
                tiles.extend((0..2).map(|_| random.below(end / width + 1)));
                for index in tiles {
                    let (from, to) = span(z, index);
                    let found = newest.tile(log, row, z, index).unwrap();
                    if to <= kept_from {
                        assert_eq!(found.shows, Shows::Unknown, "{name} {z} {index}");
                    } else if from >= kept_from {
                        let wanted = whole.tile(log.log, row, z, index).unwrap();
                        assert_eq!(found, wanted, "{name} {z} {index}");
                        count += 1;
                    }
                }
                if width > 2 * end {
                    break;
                }
            }
            for _ in 0..10 {
                let (from, to) = (random.below(end + 1), random.below(end + 1));
                let (from, to) = (from.min(to), from.max(to));
                let known = (from.max(kept_from), to.max(kept_from));
                let found = newest.spent(log, row, from, to).unwrap();
                let wanted = whole.spent(log.log, row, known.0, known.1).unwrap();
                assert_eq!(found, wanted, "{name} {from} {to}");
                let found = newest.at(log, row, to).unwrap();
                let wanted = whole.at(log.log, row, to).unwrap();
                // When an interval has begun that is as old is not known exactly.
                let clip = |it: Interval| Interval {
                    from: it.from.max(kept_from),
                    ..it
                };
                let wanted = wanted.filter(|_| to >= kept_from).map(clip);
                assert_eq!(found.map(clip), wanted, "{name} {to}");
            }
        }
        count
    }
}

/// What the newest part says is the same, and nothing before it is read or told.
#[test]
fn the_newest_part_is_as_if_all_were_there() {
    let mut random = Random(8);
    let mut count = 0;
    for seed in 0..16 {
        let shape = shapes(&mut random);
        let log = program(seed, shape);
        let blocks = blocks(&log);
        let mut both = Both {
            whole: Rows::new(header(&log)),
            newest: Rows::new(header(&log)),
            log: Newest { log: &log, from: 0 },
        };
        let keeps = log.len() / [2, 4, 20][random.below(3) as usize];
        let every = 1 + random.below(blocks.len() as u64 / 3 + 1) as usize;
        for (at, (offset, block)) in blocks.iter().enumerate() {
            both.whole.block(*offset, block);
            both.newest.block(*offset, block);
            if at % every == every - 1 {
                let end = *offset as usize + block.len();
                let first = blocks
                    .iter()
                    .find(|(begin, _)| *begin as usize + keeps >= end);
                both.log.from = first.map_or(*offset, |(begin, _)| *begin);
                both.newest.forget(both.log.from);
                count += both.compare(&mut random, &format!("{seed} {shape:?} at {at}"));
            }
        }
        count += both.compare(&mut random, &format!("{seed} {shape:?}"));
    }
    assert!(count > 10_000, "{count}");
}

fn stops(thread: u32, status: StopStatus) -> EventBody<'static> {
    let info = Some(0);
    EventBody::StopThread {
        thread,
        status,
        info,
    }
}

/// However long a program runs, its index does not grow: here, that of a service whose workers start
/// a thread for each task, and pass some of them on to the other capability.
#[test]
fn memory_stays_the_same() {
    const KEPT: u64 = 1 << 20;
    let header = Arc::new(Header::standard());
    let mut rows = Rows::new(Arc::clone(&header));
    let mut block = BlockBuilder::new(None);
    let (mut time, mut offset, mut task, mut forgotten) = (0, 0, 1000, 0);
    let mut passed_on = [Vec::new(), Vec::new()];
    let (mut memory, mut threads) = (Vec::new(), 0);
    while offset < 24 * KEPT {
        for cap in [0u16, 1] {
            let mut bodies = Vec::new();
            for thread in passed_on[usize::from(cap)].drain(..) {
                bodies.extend([
                    EventBody::RunThread { thread },
                    stops(thread, StopStatus::FINISHED),
                ]);
            }
            for turn in 0..1000 {
                let worker = u32::from(cap) * 500 + turn % 40;
                task += 1;
                let thread = task;
                bodies.extend([
                    EventBody::ThreadWakeup {
                        thread: worker,
                        other_cap: cap,
                    },
                    EventBody::RunThread { thread: worker },
                    EventBody::CreateThread { thread },
                    stops(worker, StopStatus::MVAR),
                ]);
                if turn % 10 == 0 {
                    let new_cap = 1 - cap;
                    passed_on[usize::from(new_cap)].push(thread);
                    bodies.push(EventBody::MigrateThread { thread, new_cap });
                } else {
                    bodies.push(EventBody::RunThread { thread });
                    bodies.push(stops(thread, StopStatus::FINISHED));
                }
            }
            block.reset(Some(cap));
            for body in bodies {
                time += 500;
                block.push_body(&header, time, &body).unwrap();
            }
            let bytes = block.finish();
            rows.block(offset, bytes);
            offset += bytes.len() as u64;
        }
        if offset - forgotten > KEPT + KEPT / 8 {
            forgotten = offset - KEPT;
            rows.forget(forgotten);
            memory.push(rows.memory());
            // All that ever were, and those that are alive: the workers, and what was passed on.
            threads = task as usize - 1000 + 80;
            assert_eq!(rows.thread_counts(), (threads, 180));
        }
    }
    // Vectors double at first.
    let most = |all: &[usize]| all.iter().copied().max().unwrap_or(0);
    let (early, late) = (most(&memory[..memory.len() / 2]), most(&memory));
    assert!(late <= early + early / 10, "{memory:?}");
    assert!(threads > 100_000, "{threads}");
}
