//! A reader that joins late, or misses a part, has in the end the same state as one that was there
//! all the time.

mod common;

use common::ghc_events::{ghc_events, woken_from_afar};
use common::program::{Blocks, program, rewritten};
use common::*;
use eventlog_state::{
    Beginning, Fact, Follower, Keep, MergeOptions, Position, Severity, Snapshot, State, Window,
    transition_blocks,
};
use ghc_eventlog::{Decoder, EventBody, Item, Reader, StopStatus};
use std::collections::BTreeMap;
use std::process::Command;

const PLENTY: MergeOptions = MergeOptions {
    max_bytes: 1 << 30,
    stale_after: None,
    recovery: false,
};

/// A log folded to its end: the state, and the oddities by kind.
struct Folded {
    state: State,
    errors: BTreeMap<&'static str, usize>,
    /// The same in words.
    told: Vec<String>,
}

fn fold(bytes: &[u8]) -> Folded {
    let (mut errors, mut told) = (BTreeMap::new(), Vec::new());
    let mut see = |fact: Fact<'_>| {
        if let Fact::Odd(oddity) = fact
            && oddity.odd.severity() == Severity::Error
        {
            *errors.entry(oddity.odd.name()).or_default() += 1;
            told.push(format!("{:?}: {}", oddity.at, oddity.odd));
        }
    };
    let mut follower = Follower::new(PLENTY, Keep::all());
    for piece in bytes.chunks(1 << 20) {
        follower.push_bytes(piece, &mut see).unwrap();
    }
    follower.finish(&mut see).unwrap();
    let state = follower.state().unwrap().clone();
    Folded {
        state,
        errors,
        told,
    }
}

/// What a late reader gets at some place.
struct Here {
    at: u64,
    state: Snapshot,
    window: Window,
    beginning: Beginning,
}

impl Here {
    fn of(follower: &mut Follower) -> Option<Self> {
        let at = follower.at();
        let (state, window) = follower.cut()?;
        let beginning = follower.beginning()?;
        Some(Self {
            at,
            state,
            window,
            beginning,
        })
    }
}

/// How many blocks end earlier than the block of the same capability before them, or begin after
/// they end.
fn backwards(bytes: &[u8]) -> usize {
    let mut reader = Reader::new(bytes);
    let mut ends: BTreeMap<Option<u16>, u64> = BTreeMap::new();
    let mut count = 0;
    while let Some(item) = reader.next_item().unwrap() {
        if let Item::Block(block) = item {
            let last = ends.entry(block.cap).or_default();
            count += usize::from(block.end < *last || block.time > block.end);
            *last = block.end.max(*last);
        }
    }
    count
}

/// The header, and where each block of a log ends.
fn boundaries(bytes: &[u8]) -> (Vec<u8>, Vec<usize>) {
    let mut reader = Reader::new(bytes);
    let mut ends = Vec::new();
    while let Some(item) = reader.next_item().unwrap() {
        if let Item::Block(block) = item {
            ends.push(block.offset as usize);
        }
    }
    let header = reader.header().unwrap().as_bytes().to_vec();
    ends.push(bytes.len());
    ends.dedup();
    ends.retain(|&end| end >= header.len());
    (header, ends)
}

/// Every boundary in the long form of the test, and about 60 of them in the short form.
fn spread(count: usize) -> Vec<usize> {
    let most = match std::env::var_os("EVENTLOG_TEST_LONG") {
        Some(_) => usize::MAX,
        None => 60,
    };
    if count <= most {
        return (0..count).collect();
    }
    (0..most).map(|n| n * (count - 1) / (most - 1)).collect()
}

/// The state of a reader that got everything up to some boundary.
struct Behind {
    at: usize,
    position: Position,
    state: Snapshot,
    /// The oddities in that already, because something is missing in it.
    errors: BTreeMap<&'static str, usize>,
}

struct Check<'a> {
    name: &'a str,
    bytes: &'a [u8],
    header: Vec<u8>,
    whole: Folded,
    options: MergeOptions,
}

impl<'a> Check<'a> {
    fn new(name: &'a str, bytes: &'a [u8]) -> (Self, Vec<usize>) {
        let (header, ends) = boundaries(bytes);
        let check = Self {
            name,
            bytes,
            header,
            whole: fold(bytes),
            options: PLENTY,
        };
        (check, ends)
    }

    /// `begin` is what the reader got before: its log is folded and compared.
    fn reader(
        &self,
        begin: &[u8],
        (from, to): (Option<&Snapshot>, &Here),
        end: usize,
        known: &BTreeMap<&'static str, usize>,
    ) -> Result<Vec<u8>, String> {
        let mut log = begin.to_vec();
        let at = to.at;
        let before;
        let mut write = |bytes: &[u8]| log.extend_from_slice(bytes);
        match from {
            None => {
                to.beginning.write(&mut write);
                before = log.len();
            }
            Some(from) => {
                transition_blocks(Some(from), &to.state, at, None, &mut write);
                before = log.len();
                let mut write = |bytes: &[u8]| log.extend_from_slice(bytes);
                to.window.write(&mut write);
                assert_eq!(log.len() - before, to.window.len());
            }
        }
        log.extend_from_slice(&self.bytes[end..]);
        if from.is_none() {
            let (ours, theirs) = (backwards(&log), backwards(self.bytes));
            if ours > theirs {
                return Err(format!(
                    "{ours} blocks go back in time at {at}, {theirs} in the whole"
                ));
            }
        }
        let late = fold(&log);
        if let Some(what) = late.state.difference(&self.whole.state) {
            return Err(what);
        }
        for (kind, count) in &late.errors {
            let of = |errors: &BTreeMap<_, usize>| errors.get(kind).copied().unwrap_or(0);
            if *count > of(&self.whole.errors) + of(known) {
                return Err(format!(
                    "{count} {kind} {} at {at} after {}: {:#?}",
                    begin.len(),
                    before,
                    &late.told[..late.told.len().min(4)]
                ));
            }
        }
        Ok(log)
    }

    /// Checks readers that join late at these boundaries, and readers that fell behind at one of
    /// them.
    fn run(&self, ends: &[usize], chosen: &[usize]) -> (usize, usize, Vec<String>) {
        let mut follower = Follower::new(self.options, Keep::all());
        let mut done = 0;
        let mut behind: Vec<Behind> = Vec::new();
        let (mut joined, mut caught_up) = (0, 0);
        let mut failures = Vec::new();
        for (index, &end) in ends.iter().enumerate() {
            let is_chosen = chosen.binary_search(&index).is_ok();
            let bytes = &self.bytes[done..end];
            follower.push_bytes(bytes, &mut |_| {}).unwrap();
            done = end;
            let passed = |it: &Behind| follower.has_passed(&it.position);
            if !is_chosen && !behind.iter().any(passed) {
                continue;
            }
            let Some(here) = Here::of(&mut follower) else {
                continue;
            };
            if is_chosen {
                joined += 1;
                if let Err(what) = self.reader(&self.header, (None, &here), end, &BTreeMap::new()) {
                    failures.push(format!("late at {end}: {what}"));
                }
            }
            behind.retain(|it| {
                if it.at == end || !follower.has_passed(&it.position) {
                    return true;
                }
                caught_up += 1;
                let begin = &self.bytes[..it.at];
                let from = Some(&it.state);
                if let Err(what) = self.reader(begin, (from, &here), end, &it.errors) {
                    failures.push(format!("behind from {} to {end}: {what}", it.at));
                }
                false
            });
            // A log can end in the middle of a block.
            if is_chosen && index + 1 < ends.len() {
                let whole = fold(&self.bytes[..end]);
                let state = follower.delivered().unwrap();
                assert_eq!(
                    state.difference(&whole.state),
                    None,
                    "{} at {end}",
                    self.name
                );
                behind.push(Behind {
                    at: end,
                    position: follower.position(),
                    state,
                    errors: whole.errors,
                });
            }
        }
        failures.truncate(3);
        let name = self.name;
        let failures = failures.iter().map(|what| format!("{name}: {what}"));
        (joined, caught_up, failures.collect())
    }
}

#[test]
fn real_logs_at_every_block_boundary() {
    let (mut joined, mut caught_up) = (0, 0);
    let mut failures = Vec::new();
    for (name, bytes) in real_logs() {
        let (check, ends) = Check::new(&name, &bytes);
        let (late, behind, failed) = check.run(&ends, &spread(ends.len()));
        eprintln!(
            "{name}: {} boundaries, {late} late, {behind} behind",
            ends.len()
        );
        failures.extend(failed);
        joined += late;
        caught_up += behind;
    }
    assert!(failures.is_empty(), "{failures:#?}");
    assert!(joined > 5 && caught_up > 4, "{joined} {caught_up}");
}

/// Real logs have large buffers: here they are written as often as on a live system.
#[test]
fn real_logs_with_small_blocks() {
    let mut failures = Vec::new();
    for (number, (name, bytes)) in real_logs().into_iter().enumerate() {
        let mut random = Random(number as u64);
        let blocks = Blocks {
            events: 1 + bytes.len() as u64 / 20 / 200,
            delay: [0, 1_000_000, 100_000_000][number % 3],
            global_at_exit: false,
        };
        let bytes = rewritten(&bytes, blocks, &mut random);
        let (check, ends) = Check::new(&name, &bytes);
        let (late, behind, failed) = check.run(&ends, &spread(ends.len()));
        eprintln!(
            "{name}: {} boundaries, {late} late, {behind} behind, errors {:?}",
            ends.len(),
            check.whole.errors
        );
        failures.extend(failed);
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

/// `EVENTLOG_TEST_SEED`: only the program of this number, of those below.
fn only_seed() -> Option<u64> {
    let seed = std::env::var("EVENTLOG_TEST_SEED").ok()?;
    Some(seed.parse().expect("EVENTLOG_TEST_SEED is a number"))
}

#[test]
fn programs_that_were_never_run() {
    let (mut joined, mut caught_up) = (0, 0);
    let mut failures = Vec::new();
    let only = only_seed();
    for seed in (0..120).filter(|seed| only.is_none_or(|only| only == *seed)) {
        let blocks = Blocks {
            events: [3, 20, 60][seed as usize % 3],
            delay: [0, 50, 2000][seed as usize / 3 % 3],
            global_at_exit: seed % 10 == 9,
        };
        let bytes = program(seed, 400, blocks);
        let name = format!("seed {seed}");
        let (check, ends) = Check::new(&name, &bytes);
        assert!(
            check.whole.errors.is_empty(),
            "{name}: {:?}",
            check.whole.errors
        );
        let (late, behind, failed) = check.run(&ends, &spread(ends.len()));
        failures.extend(failed);
        joined += late;
        caught_up += behind;
    }
    failures.truncate(12);
    assert!(failures.is_empty(), "{failures:#?}");
    assert!(
        only.is_some() || joined > 3000 && caught_up > 1000,
        "{joined} {caught_up}"
    );
}

/// GHC's own reader reports the same about what a late reader gets as about the whole log.
#[test]
fn ghc_events_says_the_same() {
    if let Err(error) = Command::new("ghc-events").arg("--help").output() {
        eprintln!("SKIPPED: reading with ghc-events: {error}");
        return;
    }
    let wanted = [
        "9.0.2-mix",
        "9.10.3-mix-all",
        "9.6.6-caps",
        "9.6.6-nonmoving",
    ];
    let logs = real_logs();
    let mut logs: Vec<_> = logs
        .into_iter()
        .filter(|(name, _)| wanted.contains(&&**name))
        .collect();
    if logs.is_empty() {
        logs = real_logs();
    }
    let mut compared = 0;
    for (number, (name, bytes)) in logs.into_iter().enumerate() {
        // It expects that a thread is woken where it stopped, which is not so in every log of a
        // busy machine: other capabilities' messages can be first.
        if !ghc_events(&bytes).unwrap().0 {
            eprintln!("SKIPPED {name}: ghc-events takes the whole log for invalid");
            continue;
        }
        compared += 1;
        let mut random = Random(number as u64);
        let blocks = Blocks {
            events: 1 + bytes.len() as u64 / 20 / 200,
            delay: 1_000_000,
            global_at_exit: false,
        };
        let bytes = rewritten(&bytes, blocks, &mut random);
        let (check, ends) = Check::new(&name, &bytes);
        let whole = ghc_events(&bytes).unwrap();
        assert!(whole.0, "{name}");
        let woken = woken_from_afar(&bytes);
        let mut follower = Follower::new(PLENTY, Keep::all());
        let mut done = 0;
        for n in 0..20 {
            let end = ends[n * (ends.len() - 1) / 19];
            follower.push_bytes(&bytes[done..end], &mut |_| {}).unwrap();
            done = end;
            let Some(here) = Here::of(&mut follower) else {
                continue;
            };
            let log = check.reader(&check.header, (None, &here), end, &BTreeMap::new());
            let late = ghc_events(&log.unwrap()).unwrap();
            assert!(late.0, "{name} at {end}");
            for (id, state) in &late.1 {
                if woken.contains(id) && state == "ThreadQueued" {
                    continue;
                }
                assert_eq!(Some(state), whole.1.get(id), "{name} at {end}, thread {id}");
            }
            // Only threads that had already ended are missing.
            for (id, state) in &whole.1 {
                let known = state == "ThreadFinal" || late.1.contains_key(id);
                assert!(known, "{name} at {end}, thread {id}: {state}");
            }
        }
    }
    assert!(compared > 0, "no log that ghc-events takes for valid");
}

/// The part of a block that has arrived is in the window, and the stream goes on in it.
#[test]
fn in_the_middle_of_a_block() {
    let mut cuts = 0;
    for seed in 0..80 {
        let blocks = Blocks {
            events: 40,
            delay: [0, 2000][seed as usize % 2],
            global_at_exit: false,
        };
        let mut bytes = program(seed, 300, blocks);
        if seed % 3 == 0 {
            // Blocks without a size are folded while they arrive.
            bytes = without_sizes(&bytes);
        }
        let name = format!("seed {seed}");
        let (check, _) = Check::new(&name, &bytes);
        let late = |follower: &mut Follower, end: usize| {
            let Some(here) = Here::of(follower) else {
                return;
            };
            let log = check.reader(&check.header, (None, &here), end, &BTreeMap::new());
            assert!(log.is_ok(), "{name}: cut at {end}: {:?}", log.err());
        };
        let mut random = Random(seed);
        let mut follower = Follower::new(PLENTY, Keep::all());
        let mut done = 0;
        while done < bytes.len() {
            let end = bytes.len().min(done + 1 + random.below(600) as usize);
            follower.push_bytes(&bytes[done..end], &mut |_| {}).unwrap();
            done = end;
            late(&mut follower, end);
            cuts += 1;
        }
        // The same with items.
        let mut follower = Follower::new(PLENTY, Keep::all());
        let (mut decoder, mut rest) = (Decoder::new(), &bytes[..]);
        loop {
            let item = decoder.decode(&mut rest).unwrap();
            if item == Item::NeedMore {
                break;
            }
            follower.push(&item, decoder.header(), &mut |_| {}).unwrap();
            if random.one_in(30) {
                late(&mut follower, decoder.offset() as usize);
                cuts += 1;
            }
        }
    }
    assert!(cuts > 2000, "{cuts}");
}

/// Of damaged blocks that are held, the window contains what is sound, in blocks of the right size,
/// and no block of which nothing is left.
#[test]
fn damaged_blocks_that_wait() {
    let options = MergeOptions {
        recovery: true,
        ..PLENTY
    };
    let say = |time, text: &'static str| {
        let message = text.into();
        event(time, EventBody::UserMsg { message })
    };
    // A type that the header does not declare.
    let garbage = vec![0x7f; 40];
    let caps = [0, 1].map(|created_cap| event(1, EventBody::CapCreate { created_cap }));
    let create = event(10, EventBody::CreateThread { thread: 1 });
    let run = event(11, EventBody::RunThread { thread: 1 });
    let stop = EventBody::StopThread {
        thread: 1,
        status: StopStatus::MVAR,
        info: Some(0),
    };
    // Capability 1 has told nothing, so all of capability 0 waits.
    let waits = [
        block(Some(0), 10, 20, &[create, run, say(20, "sound")]),
        block(Some(0), 30, 40, &[say(30, "in front"), garbage.clone()]),
        block(Some(0), 50, 60, &[garbage]),
        block(Some(0), 70, 80, &[say(70, "behind")]),
    ];
    let rest = [
        block(Some(1), 90, 90, &[say(90, "other")]),
        block(Some(0), 95, 100, &[event(95, stop), say(100, "last")]),
        block(Some(1), 100, 100, &[say(100, "end")]),
    ];
    let begun = log(&[block(None, 1, 1, &caps), waits.concat()]);
    // Item by item: blocks that are taken as bytes are looked at in their turn only.
    let follow = |bytes: &[u8]| {
        let mut follower = Follower::new(options, Keep::all());
        let (mut decoder, mut rest) = (Decoder::new().with_recovery(true), bytes);
        loop {
            let item = decoder.decode(&mut rest).unwrap();
            if item == Item::NeedMore {
                return follower;
            }
            follower.push(&item, decoder.header(), &mut |_| {}).unwrap();
        }
    };
    let mut follower = follow(&begun);
    assert_eq!(follower.at(), 0);
    let mut late = header().as_bytes().to_vec();
    let beginning = follower.beginning().unwrap();
    beginning.write(&mut |bytes| late.extend_from_slice(bytes));
    // Nothing is skipped in it, and each block is as long as it says.
    let mut reader = Reader::new(&late[..]);
    let (mut told, mut blocks) = (Vec::new(), Vec::new());
    while let Some(item) = reader.next_item().unwrap() {
        match item {
            Item::Block(block) => blocks.push((block.offset, block.offset + u64::from(block.size))),
            Item::Event(event) if matches!(event.body, EventBody::UserMsg { .. }) => {
                told.push(event.time);
            }
            _ => {}
        }
    }
    assert_eq!(told, [20, 30, 70]);
    let next = blocks.iter().skip(1).map(|(begin, _)| *begin);
    let next: Vec<u64> = next.chain([late.len() as u64]).collect();
    let ends: Vec<u64> = blocks.iter().map(|(_, end)| *end).collect();
    assert_eq!(ends, next);
    // The global one, and three of four.
    assert_eq!(blocks.len(), 4);
    let end = |bytes: &[u8]| {
        let mut follower = follow(&[bytes, &rest.concat()].concat());
        follower.finish(&mut |_| {}).unwrap();
        follower.state().unwrap().clone()
    };
    assert_eq!(end(&late).difference(&end(&begun)), None);
}

/// A span belongs to the thread that began it, even if another thread has its number now, and even
/// from the very moment at which a late reader gets the state.
#[test]
fn spans_of_a_thread_whose_number_is_used_again() {
    let thread = 7;
    let say = |text: &'static str| EventBody::UserMsg {
        message: text.into(),
    };
    let create = |thread| EventBody::CreateThread { thread };
    let run = |thread| EventBody::RunThread { thread };
    let stop = |thread, status| EventBody::StopThread {
        thread,
        status,
        info: Some(0),
    };
    let (over, waits) = (StopStatus::FINISHED, StopStatus::YIELDING);
    // In each step only these events happen, all at its time.
    let steps: [(u64, &[EventBody<'_>]); 6] = [
        (
            10,
            &[create(thread), create(8), run(thread), say("START a")],
        ),
        (
            20,
            &[stop(thread, over), run(8), say("START a"), say("START b")],
        ),
        (20, &[stop(8, waits), create(thread), run(thread)]),
        (30, &[say("STOP a"), say("START b")]),
        (40, &[stop(thread, over), create(thread), run(thread)]),
        (50, &[say("STOP b"), say("STOP a"), stop(thread, waits)]),
    ];
    let mut parts = Vec::new();
    for (time, bodies) in steps {
        let events: Vec<_> = bodies.iter().map(|body| event(time, *body)).collect();
        parts.push(block(Some(0), time, time, &events));
    }
    for count in 1..=steps.len() {
        let bytes = log(&parts[..count]);
        let (check, ends) = Check::new("used again", &bytes);
        let all: Vec<usize> = (0..ends.len()).collect();
        let (late, _, failed) = check.run(&ends, &all);
        assert!(failed.is_empty(), "{count} steps: {failed:#?}");
        assert_eq!(late, count + 1);
    }
    // Which of them end, and for how long their threads ran. The second thread 7 ends the span of
    // thread 8, which is the latest, and not that of the first thread 7, which is another thread.
    let mut ended = Vec::new();
    let mut see = |fact: Fact<'_>| {
        if let Fact::Span(span) = fact {
            ended.push((span.name.to_string(), span.start, span.thread, span.running));
        }
    };
    let mut follower = Follower::new(PLENTY, Keep::all());
    follower.push_bytes(&log(&parts), &mut see).unwrap();
    follower.finish(&mut see).unwrap();
    let expected = [
        ("a", 20, 8, Some(0)),
        ("b", 30, thread, None),
        ("a", 10, thread, None),
    ];
    let expected = expected.map(|(name, start, id, ran)| (name.to_owned(), start, Some(id), ran));
    assert_eq!(ended, expected);
}

/// A reader that missed that a thread ended, and that another got its number, takes both for one
/// thread. Once it has caught up, their spans belong to the right ones all the same.
#[test]
fn two_threads_of_one_number_that_were_one_to_the_reader() {
    let (thread, over) = (7, StopStatus::FINISHED);
    let say = |text: &'static str| EventBody::UserMsg {
        message: text.into(),
    };
    let create = EventBody::CreateThread { thread };
    let run = EventBody::RunThread { thread };
    let end = EventBody::StopThread {
        thread,
        status: over,
        info: Some(0),
    };
    let goes = EventBody::MigrateThread { thread, new_cap: 1 };
    // A block of a capability, and when each of its events happened.
    type Part<'a> = (Option<u16>, &'a [(u64, EventBody<'a>)]);
    let caps = [0, 1].map(|created_cap| (0, EventBody::CapCreate { created_cap }));
    // The reader gets what capability 1 does with the second thread, and only then that the
    // first ended on capability 0.
    let older_than_the_log: &[Part<'_>] = &[
        (None, &caps),
        (Some(0), &[(10, run), (20, say("START a"))]),
        (Some(1), &[(40, create), (50, run), (55, say("START a"))]),
        (Some(0), &[(30, end), (60, say("START c"))]),
        (Some(1), &[(65, say("STOP a")), (70, say("START b"))]),
        (Some(0), &[(80, say("STOP a")), (85, say("STOP b"))]),
        (Some(1), &[(90, end)]),
    ];
    let created_twice: &[Part<'_>] = &[
        (None, &caps),
        (Some(0), &[(5, create), (10, run), (20, say("START a"))]),
        (
            Some(1),
            &[(50, run), (55, say("START a")), (56, say("START b"))],
        ),
        (
            Some(0),
            &[(30, end), (35, create), (40, goes), (60, say("STOP c"))],
        ),
        (Some(1), &[(65, say("STOP a")), (70, say("START b"))]),
        (Some(0), &[(80, say("STOP a")), (85, say("STOP b"))]),
        (Some(1), &[(90, end)]),
    ];
    let mut failures = Vec::new();
    for (name, parts) in [
        ("older than the log", older_than_the_log),
        ("created twice", created_twice),
    ] {
        let mut reached = BTreeMap::new();
        let parts = parts.iter().map(|(cap, happens)| {
            let last = happens.last().map_or(0, |(time, _)| *time);
            let since = reached.insert(*cap, last).unwrap_or(0);
            let events: Vec<_> = happens.iter().map(|(at, body)| event(*at, *body)).collect();
            block(*cap, since, last, &events)
        });
        let parts: Vec<_> = parts.collect();
        for count in 4..=parts.len() {
            let bytes = log(&parts[..count]);
            let (check, ends) = Check::new(name, &bytes);
            let all: Vec<usize> = (0..ends.len()).collect();
            let (_, caught_up, failed) = check.run(&ends, &all);
            failures.extend(failed.first().map(|what| format!("{count} blocks: {what}")));
            assert!(caught_up > 1, "{count} blocks: {caught_up} caught up");
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

/// If more would have to be held than allowed, the order is not certain any more; a late reader
/// still gets a log that can be read, in which the capabilities do the same.
#[test]
fn where_too_much_would_have_to_wait() {
    let (mut cuts, mut same) = (0, 0);
    for seed in 0..40 {
        let blocks = Blocks {
            events: 20,
            delay: 3000,
            global_at_exit: seed % 4 == 3,
        };
        let bytes = program(seed, 300, blocks);
        let (header, ends) = boundaries(&bytes);
        let whole = fold(&bytes);
        let options = MergeOptions {
            max_bytes: 500,
            ..PLENTY
        };
        let mut follower = Follower::new(options, Keep::all());
        let mut done = 0;
        for end in ends {
            follower.push_bytes(&bytes[done..end], &mut |_| {}).unwrap();
            done = end;
            let Some(beginning) = follower.beginning() else {
                continue;
            };
            let mut log = header.clone();
            beginning.write(&mut |bytes| log.extend_from_slice(bytes));
            log.extend_from_slice(&bytes[end..]);
            let late = fold(&log).state;
            let running = |state: &State| -> Vec<_> {
                let caps = state.caps().map(|(_, cap)| cap.running().map(|(id, _)| id));
                caps.collect()
            };
            assert_eq!(
                running(&late),
                running(&whole.state),
                "seed {seed} at {end}"
            );
            cuts += 1;
            same += usize::from(late.difference(&whole.state).is_none());
        }
    }
    eprintln!("{same} of {cuts} know all the same");
    assert!(same * 2 > cuts, "{same} of {cuts}");
}
