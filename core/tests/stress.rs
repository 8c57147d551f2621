//! Random histories of real threads: sizes, numbers of producers, what they do when the ring is full, and when sessions
//! end. Afterwards the records of both sides must agree.
#![cfg(not(loom))]

mod common;

use common::{Random, RingMemory, times};
use eventlog_ring::{
    Consumer, Epoch, GRANULE, Loss, PushError, Record, RecordState, Tally, mpsc, spsc,
};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Longest chunk.
const LONGEST: u64 = if cfg!(miri) { 700 } else { 3 << 20 };
const ROUNDS: u64 = if cfg!(miri) { 3 } else { 16 };

/// What both kinds of producers can do.
trait Handle: Send {
    fn epoch(&self) -> Epoch;
    fn push_in(&mut self, epoch: Epoch, chunk: &[u8]) -> Result<(), PushError>;
    fn record_loss(&self, loss: Loss);
    fn close(&self);
}

macro_rules! handle {
    ($kind:ident) => {
        impl Handle for $kind::Producer<'_> {
            fn epoch(&self) -> Epoch {
                $kind::Producer::epoch(self)
            }
            fn push_in(&mut self, epoch: Epoch, chunk: &[u8]) -> Result<(), PushError> {
                $kind::Producer::push_in(self, epoch, chunk)
            }
            fn record_loss(&self, loss: Loss) {
                $kind::Producer::record_loss(self, loss);
            }
            fn close(&self) {
                $kind::Producer::close(self);
            }
        }
    };
}
handle!(mpsc);
handle!(spsc);

/// The parameters of one round.
#[derive(Clone, Copy, Debug)]
struct Plan {
    seed: u64,
    granules: usize,
    producers: u8,
    single: bool,
    /// Chunks of each producer.
    attempts: u32,
    /// Whether sessions end, or one lasts for the whole round.
    sessions: bool,
}

impl Plan {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let exponent = if cfg!(miri) { 3 } else { 10 } + random.below(8);
        // The first rounds are with one producer and with as many as there can be.
        let producers = match seed {
            1 | 2 => 1,
            3 | 4 => 8,
            _ => 1 + random.below(8) as u8,
        };
        Self {
            seed,
            granules: 1 << exponent,
            producers,
            single: producers == 1 && seed % 2 == 1,
            attempts: times(1000, 25) as u32,
            sessions: !seed.is_multiple_of(3),
        }
    }
}

/// What both sides can know about a chunk: a short one has only the first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sent {
    len: usize,
    /// `None` in a chunk too short for it.
    n: Option<u32>,
}

const HEAD: usize = 9;
/// A prime, so that a shift by a power of two shows.
const PERIOD: usize = 251;
const FILLER: usize = PERIOD * 16;
static RAMP: [u8; FILLER + PERIOD] = {
    let mut ramp = [0; FILLER + PERIOD];
    let mut i = 0;
    while i < ramp.len() {
        ramp[i] = (i % PERIOD) as u8;
        i += 1;
    }
    ramp
};

/// The bytes that are repeated after the head of a chunk.
fn filler(producer: u8, n: u32) -> &'static [u8] {
    let from = (n as usize * 83 + usize::from(producer) * 31) % PERIOD;
    &RAMP[from..from + FILLER]
}

/// Producer | number | epoch | filler that depends on the first two; cut to `len` bytes.
fn compose(chunk: &mut Vec<u8>, producer: u8, n: u32, epoch: Epoch, len: usize) {
    chunk.clear();
    chunk.push(producer);
    chunk.extend(n.to_ne_bytes());
    chunk.extend(epoch.bits().to_ne_bytes());
    while chunk.len() < len {
        chunk.extend_from_slice(&filler(producer, n)[..FILLER.min(len - chunk.len())]);
    }
    chunk.truncate(len);
}

/// Checks a whole chunk; returns its producer (unknown if it is empty) and what was sent.
fn dissect(record: &Record<'_>, session: Epoch) -> (Option<u8>, Sent) {
    let (first, second) = record.slices();
    let joined: Vec<u8>;
    let chunk = if second.is_empty() {
        first
    } else {
        joined = [first, second].concat();
        &joined
    };
    let number = |at: usize| {
        let bytes = chunk.get(at..at + 4)?;
        Some(u32::from_ne_bytes(bytes.try_into().unwrap()))
    };
    let (producer, n) = (chunk.first().copied(), number(1));
    if let (Some(producer), Some(n), Some(epoch)) = (producer, n, number(5)) {
        assert_eq!(epoch, session.bits(), "a record of another session");
        let filler = filler(producer, n);
        let mut parts = chunk[HEAD..].chunks(FILLER);
        assert!(parts.all(|part| part == &filler[..part.len()]), "torn");
    }
    let sent = Sent {
        len: chunk.len(),
        n,
    };
    (producer, sent)
}

/// What a producer did.
#[derive(Debug, Default)]
struct Produced {
    accepted: Vec<(Epoch, Sent)>,
    /// Numbers of the chunks given up as lost.
    lost: Vec<u32>,
    lost_bytes: u64,
    refused: Tally,
    oversize: u64,
}

fn produce(mut handle: impl Handle, plan: Plan, who: u8) -> Produced {
    let mut random = Random::new(plan.seed << 8 | u64::from(who));
    let retries = random.below(2) == 0;
    let (mut book, mut chunk) = (Produced::default(), Vec::new());
    for n in 0..plan.attempts {
        // Mostly small chunks, some that wrap, a few of the largest possible size.
        let longest = match random.below(32) {
            0 => LONGEST,
            1..=4 => LONGEST / 64,
            _ => 300,
        };
        let len = random.below(longest + 1) as usize;
        if plan.sessions && random.below(200) == 0 {
            handle.close();
        }
        loop {
            let epoch = handle.epoch();
            compose(&mut chunk, who, n, epoch, len);
            match handle.push_in(epoch, &chunk) {
                Ok(()) => {
                    let known = (len >= 5).then_some(n);
                    book.accepted.push((epoch, Sent { len, n: known }));
                }
                Err(PushError::Full) if retries => {
                    thread::yield_now();
                    continue;
                }
                Err(PushError::Full) => {
                    let now = u64::from(n);
                    handle.record_loss(Loss {
                        records: 1,
                        bytes: len as u64,
                        since: now,
                        until: now,
                    });
                    book.lost.push(n);
                    book.lost_bytes += len as u64;
                }
                Err(PushError::Closed) => {
                    book.refused.records += 1;
                    book.refused.bytes += len as u64;
                    // Give the consumer time to open again, or most of a round would find it closed.
                    thread::yield_now();
                }
                // The epoch changed between the look at the gate and the push.
                Err(PushError::Stale) => continue,
                Err(PushError::Oversize) => {
                    assert!(len > plan.granules * GRANULE);
                    book.oversize += 1;
                }
            }
            break;
        }
    }
    book
}

/// What the consumer saw.
#[derive(Debug, Default)]
struct Consumed {
    /// What was delivered of each producer, in order.
    delivered: Vec<Vec<(Epoch, Sent)>>,
    empty: u64,
    told: Tally,
    attempts: u64,
    /// For one producer: the number of a record with a note, and how many losses were reported up to it.
    notes: Vec<(Option<u32>, u64)>,
}

impl Consumed {
    fn tell(&mut self, loss: Loss) {
        assert!(loss.records > 0 && loss.since <= loss.until && loss.until < self.attempts);
        self.told.records += loss.records;
        self.told.bytes += loss.bytes;
    }

    /// Looks at what is there, and releases all of it or some.
    fn look(&mut self, consumer: &mut Consumer<'_>, session: Epoch, random: &mut Random) {
        let mut limit = usize::MAX;
        if random.below(4) == 0 {
            limit = random.below(8) as usize;
        }
        let mut count = 0;
        for record in consumer.records().take(limit) {
            count += 1;
            assert_ne!(record.state(), RecordState::Aborted);
            let loss = record.loss_before();
            if let Some(loss) = loss {
                self.tell(loss);
            }
            if !record.is_live() {
                continue;
            }
            let (producer, sent) = dissect(&record, session);
            if loss.is_some() {
                self.notes.push((sent.n, self.told.records));
            }
            match producer {
                Some(producer) => self.delivered[usize::from(producer)].push((session, sent)),
                None => self.empty += 1,
            }
        }
        consumer.release(count);
        if count == 0 {
            thread::yield_now();
        }
    }
}

fn consume(
    mut consumer: Consumer<'_>,
    mut session: Epoch,
    plan: Plan,
    running: &AtomicUsize,
) -> Consumed {
    let mut random = Random::new(plan.seed << 8 | 0xFF);
    let mut book = Consumed {
        delivered: vec![Vec::new(); usize::from(plan.producers)],
        attempts: plan.attempts.into(),
        ..Consumed::default()
    };
    loop {
        // Read before looking at the records: then everything committed before is seen.
        let finished = running.load(Ordering::Acquire) == 0;
        book.look(&mut consumer, session, &mut random);
        if finished && consumer.is_idle() {
            break;
        }
        if !plan.sessions {
            continue;
        }
        match random.below(30) {
            0 => {
                consumer.reset();
                for _ in 0..random.below(4) {
                    book.look(&mut consumer, session, &mut random);
                }
                session = consumer.open();
            }
            1 => consumer.close(),
            _ => {}
        }
        if !consumer.is_open() {
            while !consumer.is_idle() {
                book.look(&mut consumer, session, &mut random);
            }
            if let Some(loss) = consumer.take_loss() {
                book.tell(loss);
            }
            session = consumer.open();
        }
    }
    if let Some(loss) = consumer.take_loss() {
        book.tell(loss);
    }
    book
}

/// Compares what both sides did in one round.
fn audit(plan: Plan, produced: &[Produced], consumed: &Consumed) -> (u64, u64) {
    let mut accepted_in_all = 0;
    let mut delivered_in_all = consumed.empty;
    let mut empty = 0;
    for (book, delivered) in produced.iter().zip(&consumed.delivered) {
        accepted_in_all += book.accepted.len() as u64;
        delivered_in_all += delivered.len() as u64;
        let accepted: Vec<_> = book.accepted.iter().filter(|(_, s)| s.len > 0).collect();
        empty += (book.accepted.len() - accepted.len()) as u64;
        // Session by session, what was delivered is the beginning of what was accepted. So a gap consists only of
        // chunks that were not accepted.
        let mut rest = delivered.as_slice();
        for of_session in accepted.chunk_by(|a, b| a.0 == b.0) {
            let epoch = of_session[0].0;
            let count = rest.iter().take_while(|(e, _)| *e == epoch).count();
            let (here, later) = rest.split_at(count);
            assert!(count <= of_session.len());
            assert!(here.iter().eq(of_session[..count].iter().copied()));
            rest = later;
        }
        assert!(rest.is_empty(), "delivered, but never accepted");
    }
    if plan.sessions {
        assert!(consumed.empty <= empty);
    } else {
        assert_eq!(delivered_in_all, accepted_in_all);
        assert_eq!(consumed.empty, empty);
    }

    let lost: u64 = produced.iter().map(|book| book.lost.len() as u64).sum();
    let lost_bytes: u64 = produced.iter().map(|book| book.lost_bytes).sum();
    if !plan.sessions {
        assert_eq!(consumed.told.records, lost);
        assert_eq!(consumed.told.bytes, lost_bytes);
        if let [book] = produced {
            // With one producer a note reports all that was lost before its record, no more and no less.
            for &(n, told) in &consumed.notes {
                let Some(n) = n else { continue };
                let before = book.lost.iter().filter(|&&lost| lost < n).count();
                assert_eq!(told, before as u64, "the note before {n}");
            }
        }
    } else {
        assert!(consumed.told.records <= lost);
    }
    (accepted_in_all, delivered_in_all)
}

/// The result of a round: discarded, lost, refused, oversize.
fn round(plan: Plan) -> [u64; 4] {
    let mut memory = RingMemory::new(plan.granules);
    let mut ring = memory.ring();
    let running = AtomicUsize::new(usize::from(plan.producers));
    let finish = |book| {
        // Pairs with the Acquire in `consume`.
        running.fetch_sub(1, Ordering::Release);
        book
    };
    let (produced, consumed) = thread::scope(|scope| {
        if plan.single {
            let (handle, consumer) = ring.spsc();
            let first = handle.epoch();
            let producer = scope.spawn(move || finish(produce(handle, plan, 0)));
            let consumed = consume(consumer, first, plan, &running);
            (vec![producer.join().unwrap()], consumed)
        } else {
            let (handle, consumer) = ring.mpsc();
            let first = handle.epoch();
            let producers: Vec<_> = (0..plan.producers)
                .map(|who| scope.spawn(move || finish(produce(handle, plan, who))))
                .collect();
            let consumed = consume(consumer, first, plan, &running);
            let produced = producers.into_iter().map(|p| p.join().unwrap());
            (produced.collect(), consumed)
        }
    });
    let (accepted, delivered) = audit(plan, &produced, &consumed);

    let (producer, consumer) = ring.mpsc();
    let counters = producer.counters();
    assert!(consumer.is_idle());
    assert_eq!(counters.delivered.records, delivered);
    assert_eq!(counters.discarded.records, accepted - delivered);
    assert_eq!(counters.aborted, Tally::default());
    let refused: u64 = produced.iter().map(|book| book.refused.records).sum();
    let refused_bytes: u64 = produced.iter().map(|book| book.refused.bytes).sum();
    let expected = Tally {
        records: refused,
        bytes: refused_bytes,
    };
    assert_eq!(counters.refused_closed, expected);
    let lost: u64 = produced.iter().map(|book| book.lost.len() as u64).sum();
    assert_eq!(counters.lost.records, lost);
    let oversize: u64 = produced.iter().map(|book| book.oversize).sum();
    let attempts = u64::from(plan.producers) * u64::from(plan.attempts);
    assert_eq!(accepted + lost + refused + oversize, attempts);
    [accepted - delivered, lost, refused, oversize]
}

#[test]
fn the_books_agree_after_any_history() {
    let mut sums = [0; 4];
    for seed in 1..=ROUNDS {
        for (sum, n) in sums.iter_mut().zip(round(Plan::new(seed))) {
            *sum += n;
        }
    }
    if !cfg!(miri) {
        assert!(!sums.contains(&0), "not every outcome came up: {sums:?}");
    }
}
