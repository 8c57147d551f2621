//! The cost of a push in the ring and in other queues, as a multiple of a plain memcpy of the same
//! chunk.
//!
//!   cargo bench -p bench --bench ratios [-- short]
//!
//! All queues take turns, round after round, and each round's figures are divided by the memcpy of
//! that round: a disturbance that slows down all of them (another program, another clock rate)
//! affects both sides of the ratio. The medians over rounds are printed and written to `ring.md`
//! and `ring.csv` in `target/bench`.
//!
//! The recorder has no consumer: its figures are of pushes alone, each of which overwrites the oldest records.
#![allow(missing_docs, reason = "a program")]

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::hint::{black_box, spin_loop};
use std::path::Path;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use bench::queues::{
    ArrayQueue, BbQueue, CAPACITY, Consumer, Locked, Memcpy, Mpsc, MpscBell, Overwriting, Producer,
    Queue, RingBuf, Rtrb, Spsc, SyncChannel,
};
use bench::report::{bytes, human, markdown};
use bench::stats::median;

const SIZES: [usize; 6] = [64, 1 << 10, 8 << 10, 64 << 10, 512 << 10, 2 << 20];

/// A queue of any kind.
trait Case {
    fn name(&self) -> &'static str;
    fn alone(&mut self, chunk: &[u8], backlog: usize, pushes: usize) -> Duration;
    fn together(&mut self, producers: usize, chunk: &[u8], pushes: usize) -> Option<Duration>;
}

struct Of<Q>(Q);

impl<Q: Queue> Case for Of<Q> {
    fn name(&self) -> &'static str {
        Q::NAME
    }

    /// One thread pushes a record and releases the oldest of `backlog` records: the whole way of a
    /// record without the cache misses of another core.
    fn alone(&mut self, chunk: &[u8], backlog: usize, pushes: usize) -> Duration {
        let (mut producers, mut consumer) = self.0.split(1).expect("one producer");
        let producer = &mut producers[0];
        let filled = (0..backlog).all(|_| producer.push(chunk));
        assert!(filled, "there is room for a backlog");
        let start = Instant::now();
        for _ in 0..pushes {
            assert!(producer.push(black_box(chunk)), "there is room");
            assert!(consumer.release(), "there is a record");
        }
        let time = start.elapsed();
        let mut left = backlog;
        while left > 0 {
            left -= consumer.release_some(left);
        }
        time
    }

    /// Producers push as fast as there is room, a consumer releases as fast as there are records.
    /// Returns the time of the whole.
    fn together(&mut self, producers: usize, chunk: &[u8], pushes: usize) -> Option<Duration> {
        let (producers, mut consumer) = self.0.split(producers)?;
        let each = pushes / producers.len();
        let all = each * producers.len();
        let begin = Barrier::new(producers.len() + 1);
        let times = thread::scope(|scope| {
            let mut threads: Vec<_> = producers
                .into_iter()
                .map(|mut producer| {
                    let begin = &begin;
                    scope.spawn(move || {
                        begin.wait();
                        let start = Instant::now();
                        for _ in 0..each {
                            let mut turns = 0;
                            while !producer.push(black_box(chunk)) {
                                wait(&mut turns);
                            }
                        }
                        (start, Instant::now())
                    })
                })
                .collect();
            threads.push(scope.spawn(|| {
                begin.wait();
                let start = Instant::now();
                let (mut released, mut turns) = (0, 0);
                while released < all {
                    match consumer.release_some(64.min(all - released)) {
                        0 => wait(&mut turns),
                        some => {
                            released += some;
                            turns = 0;
                        }
                    }
                }
                (start, Instant::now())
            }));
            let times = threads.into_iter().map(|thread| thread.join());
            times.collect::<Result<Vec<_>, _>>().expect("no panic")
        });
        let start = times.iter().map(|(start, _)| *start).min()?;
        let end = times.iter().map(|(_, end)| *end).max()?;
        Some(end - start)
    }
}

/// Spins a little, then yields: there may be more threads than processors.
fn wait(turns: &mut u32) {
    *turns += 1;
    if turns.is_multiple_of(64) {
        thread::yield_now();
    } else {
        spin_loop();
    }
}

fn case<Q: Queue>(size: usize) -> Box<dyn Case> {
    Box::new(Of(Q::new(size)))
}

/// The memcpy first.
fn cases(size: usize) -> Vec<Box<dyn Case>> {
    [
        case::<Memcpy>,
        case::<Spsc>,
        case::<Mpsc>,
        case::<MpscBell>,
        case::<Overwriting>,
        case::<Rtrb>,
        case::<BbQueue>,
        case::<RingBuf>,
        case::<ArrayQueue>,
        case::<SyncChannel>,
        case::<Locked>,
    ]
    .map(|case| case(size))
    .into()
}

/// What was measured of one queue: ns per push, of each round.
struct Line {
    bench: &'static str,
    variant: &'static str,
    size: usize,
    threads: usize,
    rounds: Vec<f64>,
}

/// Measures all queues in turn; those that do not support a case are left out.
fn compare(
    bench: &'static str,
    size: usize,
    threads: usize,
    rounds: usize,
    mut measure: impl FnMut(&mut dyn Case) -> Option<f64>,
) -> Vec<Line> {
    let mut cases = cases(size);
    let mut lines: Vec<Line> = cases
        .iter()
        .map(|case| Line {
            bench,
            variant: case.name(),
            size,
            threads,
            rounds: Vec::new(),
        })
        .collect();
    let count = cases.len();
    for round in 0..rounds {
        // Allocate other memory from time to time: the position of its pages makes a difference
        // that has nothing to do with the queues.
        if round > 0 && round % 5 == 0 {
            cases.clear();
            cases = self::cases(size);
        }
        // Each is the first in its turn. Not back and forth: a queue that runs twice in a row finds
        // its memory in the caches.
        for index in (0..count).map(|index| (index + round) % count) {
            lines[index].rounds.extend(measure(&mut *cases[index]));
        }
    }
    lines.retain(|line| !line.rounds.is_empty());
    lines
}

/// The median over rounds of this line as a multiple of the other.
fn ratio(line: &Line, reference: &Line) -> f64 {
    let pairs = line.rounds.iter().zip(&reference.rounds);
    median(pairs.map(|(time, reference)| time / reference))
}

fn per_push(time: Duration, pushes: usize) -> f64 {
    time.as_secs_f64() * 1e9 / pushes as f64
}

/// One table: a line for each queue, a column for each size.
fn table(groups: &[Vec<Line>], cell: impl Fn(&Line, &Line) -> String) -> String {
    let mut names: Vec<&str> = Vec::new();
    for line in groups.iter().flatten() {
        if !names.contains(&line.variant) {
            names.push(line.variant);
        }
    }
    let head: Vec<String> = groups
        .iter()
        .map(|group| bytes(group[0].size as u64))
        .collect();
    let mut columns = vec!["queue"];
    columns.extend(head.iter().map(String::as_str));
    markdown(
        &columns,
        1,
        names.into_iter().map(|name| {
            let mut cells = vec![name.to_owned()];
            for group in groups {
                let line = group.iter().find(|line| line.variant == name);
                cells.push(line.map_or("-".into(), |line| cell(line, &group[0])));
            }
            cells
        }),
    )
}

fn main() -> Result<(), String> {
    // Cargo passes --bench for a benchmark, and nothing when it only checks whether all of them
    // run.
    let args: Vec<String> = env::args().skip(1).collect();
    let short = !args.iter().any(|arg| arg == "--bench") || args.iter().any(|arg| arg == "short");
    // For work on one size: its bytes.
    let only: Vec<usize> = args.iter().filter_map(|arg| arg.parse().ok()).collect();
    let sizes = || {
        SIZES
            .into_iter()
            .filter(|size| only.is_empty() || only.contains(size))
    };

    let mut text = String::new();
    let mut lines: Vec<Vec<Line>> = Vec::new();
    for (bench, what) in [
        ("alone", "it"),
        (
            "backlog",
            "the oldest of those that fill three eighths of the room",
        ),
    ] {
        let _ = writeln!(
            text,
            "One thread pushes a record and releases {what}: ns per record, and as a multiple of memcpy."
        );
        text.push('\n');
        let mut groups = Vec::new();
        for size in sizes() {
            let chunk = vec![0xa5_u8; size];
            let lap = CAPACITY / size;
            let backlog = if bench == "backlog" { lap * 3 / 8 } else { 0 };
            // The second lap is measured: the first brings the memory into the caches, as far as it
            // fits.
            let rounds = if short { 2 } else { 15 };
            groups.push(compare(bench, size, 1, rounds, |case| {
                case.alone(&chunk, backlog, lap);
                Some(per_push(case.alone(&chunk, backlog, lap), lap))
            }));
        }
        text += &table(&groups, |line, memcpy| {
            let time = median(line.rounds.iter().copied());
            format!("{} ({:.2})", human(time), ratio(line, memcpy))
        });
        text.push('\n');
        lines.extend(groups);
    }
    for producers in [1, 2] {
        let _ = writeln!(
            text,
            "{producers} producing and a consuming thread: ns per record of all producers together, and MB/s."
        );
        text.push('\n');
        let mut groups = Vec::new();
        for size in sizes() {
            let chunk = vec![0xa5_u8; size];
            let pushes = 4 * CAPACITY / size;
            groups.push(compare(
                "together",
                size,
                producers + 1,
                if short { 1 } else { 7 },
                |case| Some(per_push(case.together(producers, &chunk, pushes)?, pushes)),
            ));
        }
        text += &table(&groups, |line, _| {
            let time = median(line.rounds.iter().copied());
            format!("{} ({})", human(time), human(line.size as f64 * 1e3 / time))
        });
        text.push('\n');
        lines.extend(groups);
    }
    print!("{text}");

    let mut csv = String::from("bench,variant,size,threads,ns,ratio\n");
    for group in &lines {
        for line in group {
            let time = median(line.rounds.iter().copied());
            let ratio = ratio(line, &group[0]);
            let Line {
                bench,
                variant,
                size,
                threads,
                ..
            } = line;
            let _ = writeln!(
                csv,
                "{bench},{variant},{size},{threads},{time:.2},{ratio:.4}"
            );
        }
    }
    write("ring.md", &text)?;
    write("ring.csv", &csv)
}

/// Writes a text to `TARGET/bench`; this program is in `TARGET/release/deps`.
fn write(name: &str, text: &str) -> Result<(), String> {
    let program = env::current_exe().map_err(|error| error.to_string())?;
    let target = program.ancestors().nth(3).unwrap_or(Path::new("."));
    let directory = target.join("bench");
    let path = directory.join(name);
    fs::create_dir_all(&directory)
        .and_then(|()| fs::write(&path, text))
        .map_err(|error| format!("{}: {error}", path.display()))
}
