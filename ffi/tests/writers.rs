//! Threads that write at the same time, clients of every kind, rings of every size:
//! every byte that a client receives is one that was written, whole chunks in the
//! order of each writer, and what is missing is told to the byte.
//!
//! `EVENTLOG_TEST_ROUNDS` times as many rounds as usual; `EVENTLOG_TEST_SEED` for those
//! that failed.

use crate::chance::{Chance, Seeded, first_seed, rounds};
use crate::support;

mod accounts;
mod chunks;
mod program;
pub mod visits;

use accounts::Accounted;
use chunks::{Capture, Chunks, MOST_PRODUCERS, Told};
use program::Setup;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use support::{Client, LIMIT, Stats, alone, eventually, within};
use visits::{EVERY_KIND, Kind, PATIENT, stay, visit};

#[track_caller]
fn read(chunks: &Chunks, bytes: &[u8]) -> Capture {
    Capture::read(chunks, bytes).unwrap_or_else(|what| panic!("{what}"))
}

/// One client from before the first chunk to the end: what it was sent and what it was
/// told to be lost is what was written, and the counters say the same.
fn one_client(setup: &Setup, kind: Kind, chance: &mut Chance) -> Stats {
    let mut writers = setup.run();
    let mut client = Client::connect(&writers.address);
    client.read_until_text("datb");
    let mut aside = chance.fork();
    let over = Arc::new(Mutex::new(false));
    let of_reader = Arc::clone(&over);
    let reader = std::thread::spawn(move || stay(client, kind, &mut aside, &of_reader));
    writers.command("go");
    let attempts = writers.join();
    *over.lock().expect("the reader is well") = true;
    let stats = writers.settled(&attempts);
    writers.command("stop");
    let bytes = reader.join().expect("a reader").expect("a whole stream");
    let capture = read(&writers.chunks, &bytes);
    writers.finish();
    assert!(capture.ended, "no end");

    let (mut missing, mut missing_bytes, mut empty) = (Vec::new(), 0, 0);
    for (producer, (count, _)) in attempts.iter().enumerate() {
        let numbers = capture.missing(&writers.chunks, producer, 0..*count);
        for number in &numbers {
            missing_bytes += writers.chunks.size(producer, *number);
        }
        empty += (0..*count)
            .filter(|n| writers.chunks.size(producer, *n) == 0)
            .count() as u64;
        missing.extend(numbers.into_iter().map(|number| (producer, number)));
    }
    let (told, told_bytes) = (capture.told_chunks(), capture.told_bytes());
    let what = format!("told {told} chunks, {told_bytes} bytes; {stats:?}");
    assert_eq!(told, stats.get("chunks_lost"), "{what}");
    assert_eq!(told_bytes, stats.get("bytes_lost"), "{what}");
    assert_eq!(told_bytes, missing_bytes, "{what}");
    assert_eq!(capture.bytes, stats.get("bytes_sent"), "{what}");
    assert_eq!(stats.get("chunks_discarded"), 0, "{what}");
    // Whether a chunk without bytes came nobody can see.
    let count = missing.len() as u64;
    assert!(
        count <= told && told <= count + empty,
        "{count} are missing; {what}"
    );
    assert_eq!(
        capture.unexplained(&missing),
        None,
        "{what}; {:?}",
        capture.told
    );
    if setup.producers == 1 {
        let ring = stats.get("ring_size");
        let delays = accounts::delays(&writers.chunks, &capture, &missing, ring);
        let delays = delays.unwrap_or_else(|what| panic!("{what}; {:?}", capture.told));
        println!("losses told so many chunks after their place: {delays:?}");
    }
    println!(
        "{setup:?}, {kind:?}: {what}, in {} messages",
        capture.told.len()
    );
    stats
}

#[test]
fn one_client_can_account_for_every_chunk() {
    let _alone = alone();
    let first = first_seed();
    for seed in first..first + rounds(8) {
        let setup = Setup::by_chance(seed);
        let mut chance = Chance::new(!seed);
        let kind = chance.of(&PATIENT);
        let _seeded = Seeded {
            seed,
            what: format!("{kind:?}, {setup:?}"),
        };
        let stats = one_client(&setup, kind, &mut chance);
        if setup.overflow == "block" {
            // Whatever can ever fit comes.
            let chunks = Chunks::new(seed, setup.largest);
            let ring = stats.get("ring_size");
            let too_large =
                (0..setup.chunks).any(|n| (0..setup.producers).any(|p| chunks.size(p, n) > ring));
            assert!(too_large || stats.get("chunks_lost") == 0, "{stats:?}");
        }
    }
}

/// A client that stalls, and a ring that is full at once.
#[test]
fn one_client_that_stalls_is_told_what_it_misses() {
    let _alone = alone();
    let setup = Setup::losing(first_seed());
    let mut chance = Chance::new(!setup.seed);
    let _seeded = Seeded {
        seed: setup.seed,
        what: format!("{setup:?}"),
    };
    let stats = one_client(&setup, Kind::Stalling, &mut chance);
    assert!(stats.get("chunks_sent") > 0, "{stats:?}");
    assert!(stats.get("chunks_lost") > 0, "{stats:?}");
}

/// As many producers and as large chunks as there are: nothing is lost when they wait for
/// room, and what is lost is told when they do not.
#[test]
fn one_client_of_many_large_chunks() {
    let _alone = alone();
    for overflow in ["block", "drop"] {
        let setup = Setup {
            producers: MOST_PRODUCERS,
            bytes: 8 << 20,
            largest: 3 << 20,
            ring: "4M",
            overflow,
            ..Setup::losing(first_seed())
        };
        let mut chance = Chance::new(!setup.seed);
        let _seeded = Seeded {
            seed: setup.seed,
            what: format!("{setup:?}"),
        };
        let stats = one_client(&setup, Kind::Stalling, &mut chance);
        let lost = stats.get("chunks_lost");
        assert_eq!(lost > 0, overflow == "drop", "{stats:?}");
    }
}

/// Clients that come and go, two at a time: each has whole chunks of its own, and at
/// the end every chunk was sent, lost, or discarded.
fn many_clients(setup: &Setup, chance: &mut Chance) -> Accounted {
    let mut writers = setup.run();
    let over = AtomicBool::new(false);
    let visitors = [chance.fork(), chance.fork()];
    let (address, chunks) = (writers.address.clone(), writers.chunks.clone());
    let (attempts, captures) = std::thread::scope(|scope| {
        let threads = visitors.map(|mut chance| {
            let (address, over, chunks) = (&address, &over, &chunks);
            scope.spawn(move || {
                let mut captures = Vec::new();
                while !over.load(Ordering::Relaxed) {
                    let kind = chance.of(&EVERY_KIND);
                    let bytes = visit(address, kind, 8 << 20, &mut chance).expect("it listens");
                    captures.push(read(chunks, &bytes));
                }
                captures
            })
        });
        // Else a visitor that comes while this thread panics is waited for.
        let _over = OnDrop(&over);
        writers.command("go");
        let attempts = writers.join();
        over.store(true, Ordering::Relaxed);
        let captures: Vec<Capture> = threads
            .into_iter()
            .flat_map(|thread| thread.join().expect("a visitor"))
            .collect();
        (attempts, captures)
    });
    let stats = writers.settled(&attempts);

    // One more, which stays to the end.
    let mut client = Client::connect(&writers.address);
    client.read_until_text("datb");
    writers.command("stop");
    let last = read(&writers.chunks, &client.read_to_end());
    assert!(last.ended && last.chunks.is_empty(), "{last:?}");
    writers.finish();
    let connections = stats.get("connections");
    assert!(connections <= captures.len() as u64 + 1, "{stats:?}");

    let mut accounted = Accounted::default();
    for capture in &captures {
        accounted += accounts::of_a_visit(&writers.chunks, capture, setup.producers)
            .unwrap_or_else(|what| panic!("{what}; {:?}", capture.told));
    }
    if setup.producers == 1 {
        accounts::none_of_others(&captures).unwrap_or_else(|what| panic!("{what}"));
    }
    println!(
        "{setup:?}: {accounted:?} for {} clients; {stats:?}",
        captures.len()
    );
    let told: u64 = captures.iter().map(Capture::told_chunks).sum();
    assert!(
        told <= stats.get("chunks_lost"),
        "{told} are told; {stats:?}"
    );
    let came: u64 = captures.iter().map(|capture| capture.bytes).sum();
    assert!(
        came <= stats.get("bytes_sent"),
        "{came} bytes came; {stats:?}"
    );
    for producer in 0..setup.producers {
        // Where each client's chunks begin and end: not within those of another.
        let mut spans = BTreeMap::new();
        for capture in &captures {
            let mut numbers = capture.of(producer);
            if let Some(first) = numbers.next() {
                let again = spans.insert(first, numbers.last().unwrap_or(first));
                assert_eq!(
                    again, None,
                    "chunk {first} of producer {producer} came twice"
                );
            }
        }
        let spans: Vec<_> = spans.into_iter().collect();
        for pair in spans.windows(2) {
            assert!(pair[0].1 < pair[1].0, "producer {producer}: {pair:?}");
        }
    }
    accounted
}

struct OnDrop<'a>(&'a AtomicBool);

impl Drop for OnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn each_of_many_clients_has_whole_chunks_of_its_own() {
    let _alone = alone();
    let first = first_seed();
    let mut accounted = Accounted::default();
    for seed in first..first + rounds(6) {
        let mut setup = Setup::by_chance(seed);
        // Long enough for some to come.
        setup.nap = 3;
        setup.bytes *= 4;
        let _seeded = Seeded {
            seed,
            what: format!("{setup:?}"),
        };
        accounted += many_clients(&setup, &mut Chance::new(!seed));
    }
    assert!(accounted.came > 0, "{accounted:?}");
}

/// One producer that is faster than any client, a small ring: every client misses chunks.
#[test]
fn each_of_many_clients_is_told_what_it_misses() {
    let _alone = alone();
    let setup = Setup {
        chunks: 20_000,
        bytes: 128 << 20,
        nap: 30,
        ..Setup::losing(first_seed())
    };
    let _seeded = Seeded {
        seed: setup.seed,
        what: format!("{setup:?}"),
    };
    let accounted = many_clients(&setup, &mut Chance::new(!setup.seed));
    assert!(accounted.missing > 0, "{accounted:?}");
}

/// What these tests rely on: whatever is wrong in a stream is found.
#[test]
fn faults_are_found() {
    let chunks = Chunks::new(5, 2000);
    let header = b"hdrbhetbhetehdredatb".to_vec();
    let numbers = (0..20).filter(|number| chunks.size(1, *number) > 100);
    let blocks: Vec<Vec<u8>> = numbers.map(|number| chunks.chunk(1, number)).collect();
    let stream = |order: &[usize]| {
        let parts = order.iter().map(|at| blocks[*at].as_slice());
        let parts: Vec<&[u8]> = [header.as_slice()].into_iter().chain(parts).collect();
        parts.concat()
    };
    let good = stream(&[0, 1, 3]);
    assert_eq!(read(&chunks, &good).chunks.len(), 3);
    for end in 0..good.len() {
        read(&chunks, &good[..end]);
    }
    for order in [[1, 0, 2], [0, 0, 1], [2, 3, 1]] {
        let outcome = Capture::read(&chunks, &stream(&order));
        assert!(outcome.is_err(), "{order:?}: {outcome:?}");
    }
    for at in 0..good.len() - 1 {
        let mut changed = good.clone();
        changed[at] ^= 0x40;
        assert!(
            Capture::read(&chunks, &changed).is_err(),
            "byte {at} changed"
        );
        let mut shorter = good.clone();
        shorter.remove(at);
        let outcome = Capture::read(&chunks, &shorter);
        // One of several equal bytes may have been the last one.
        assert!(
            outcome.is_err() || at > good.len() - 100,
            "byte {at} left out"
        );
    }
}

/// The same of what is told: where, how much, and to whom.
#[test]
fn faults_in_what_is_told_are_found() {
    let chunks = Chunks::new(5, 2000);
    let numbers: Vec<u64> = (0..200).filter(|n| chunks.size(0, *n) > 100).collect();
    let (gone, place) = (numbers[5], 5);
    let (time, bytes) = (Chunks::time(0, gone), chunks.size(0, gone));
    let told = |time, bytes, place| Told {
        chunks: 1,
        bytes,
        since: time,
        until: time,
        place,
    };
    let capture = |numbers: &[u64], told: Option<Told>| Capture {
        chunks: numbers.iter().map(|number| (0, *number)).collect(),
        told: told.into_iter().collect(),
        ..Capture::default()
    };
    let rest: Vec<u64> = (0..numbers[20]).filter(|number| *number != gone).collect();
    let place_of = rest.partition_point(|number| *number < gone);
    let account = |told| accounts::of_a_visit(&chunks, &capture(&rest, told), 1);
    let good = account(Some(told(time, bytes, place_of))).expect("it is told");
    assert_eq!((good.came, good.missing), (rest.len(), 1));
    for bad in [
        None,
        Some(told(time, bytes - 1, place_of)),
        Some(told(time + 1000, bytes, place_of)),
        // Of before this client, as what follows is not told.
        Some(Told {
            chunks: 9,
            ..told(Chunks::time(0, 2), 1 << 20, 0)
        }),
    ] {
        assert!(account(bad).is_err(), "{bad:?}");
    }

    let delays = |at, ring| {
        let capture = capture(&rest, Some(told(time, bytes, at)));
        accounts::delays(&chunks, &capture, &[(0, gone)], ring)
    };
    let (small, large) = (64, 64 << 20);
    assert!(delays(place_of, small).is_ok() && delays(place_of, large).is_ok());
    assert!(delays(place_of + 1, large).is_err());
    // Earlier by no more than the ring holds.
    assert!(delays(place_of - 4, large).is_ok() && delays(place_of - 4, small).is_err());

    let others = |time| {
        let first = capture(&numbers[..place], None);
        let second = capture(&numbers[place + 1..], Some(told(time, bytes, 0)));
        accounts::none_of_others(&[second, first])
    };
    assert!(others(time).is_ok());
    assert!(others(Chunks::time(0, numbers[place - 1])).is_err());
}

/// A chunk without bytes is one: it is counted, and adds nothing to the stream.
#[test]
fn chunks_without_bytes() {
    let setup = Setup {
        seed: 0,
        producers: 2,
        chunks: 5_000,
        bytes: 1,
        largest: 0,
        nap: 0,
        ring: "64K",
        overflow: "block",
        tcp: false,
    };
    let stats = one_client(&setup, Kind::Fast, &mut Chance::new(1));
    assert_eq!(stats.get("chunks_sent"), 10_000, "{stats:?}");
    assert_eq!(stats.get("bytes_sent"), 0, "{stats:?}");
}

/// Producers that wait for a client which takes nothing: the exit lets them go, and
/// takes no longer than it may. One of the times is longer than the allowance for a
/// machine that is very busy, so that to have it twice would show.
#[test]
fn exits_while_writers_wait() {
    const ALLOWANCE: Duration = Duration::from_secs(5);
    for (tcp, seconds) in [(false, 1), (true, 6)] {
        let most = Duration::from_secs(seconds) + ALLOWANCE;
        within(most, &format!("{seconds} s are given"), || {
            exit_while_writers_wait(tcp, seconds)
        });
    }
}

/// How long it takes.
#[track_caller]
fn exit_while_writers_wait(tcp: bool, seconds: u64) -> Duration {
    let mut setup = Setup::by_chance(7);
    (setup.producers, setup.bytes, setup.largest) = (4, 64 << 20, 30_000);
    (setup.chunks, setup.ring, setup.overflow) = (1 << 40, "64K", "block");
    (setup.nap, setup.tcp) = (0, tcp);
    let mut writers = setup.run_with(&format!("{seconds}s"));
    let mut client = Client::connect(&writers.address);
    client.read_until_text("datb");
    writers.command("go");
    // All of them wait when nothing moves any more.
    let mut before = u64::MAX;
    eventually(LIMIT, "they wait", || {
        std::thread::sleep(Duration::from_millis(200));
        let now = writers.stats().get("bytes_sent");
        std::mem::replace(&mut before, now) == now && now > 0
    });
    writers.command("halt");
    let begun = Instant::now();
    writers.command("exiting");
    let attempts = writers.join();
    writers.command("stop");
    let took = begun.elapsed();
    let stats = writers.settled(&attempts);
    assert_eq!(stats.get("connected"), 0);
    writers.finish();
    client.read_until_quiet(LIMIT);
    assert!(!read(&writers.chunks, &client.leave()).chunks.is_empty());
    took
}
