//! The ring does exactly what a plain queue with a byte budget does, through long random histories of one thread.
#![cfg(not(loom))]

mod common;

use common::{Random, RingMemory, bytes, pattern};
use eventlog_ring::{Counters, GRANULE, Loss, PushError, RecordState, Tally};
use std::collections::VecDeque;

struct Entry {
    payload: Vec<u8>,
    state: RecordState,
    loss: Option<Loss>,
    granules: usize,
}

/// The specification: the same behaviour with the simplest data structures.
struct Plain {
    capacity: usize,
    open: bool,
    queue: VecDeque<Entry>,
    pending: Option<Loss>,
    counters: Counters,
}

impl Plain {
    fn used(&self) -> usize {
        self.queue.iter().map(|entry| entry.granules).sum()
    }

    fn push(&mut self, payload: &[u8], commit: bool) -> Result<(), PushError> {
        if !self.open {
            count(&mut self.counters.refused_closed, payload.len());
            return Err(PushError::Closed);
        }
        let need = payload.len().div_ceil(GRANULE).max(1);
        if need > self.capacity {
            return Err(PushError::Oversize);
        }
        let room = self.capacity - self.used();
        if need > room {
            return Err(PushError::Full);
        }
        let note = self.pending.is_some() && need < room;
        let loss = if note { self.pending.take() } else { None };
        self.queue.push_back(Entry {
            payload: payload.to_vec(),
            state: if commit {
                RecordState::Live
            } else {
                RecordState::Aborted
            },
            loss,
            granules: need + usize::from(note),
        });
        Ok(())
    }

    fn lose(&mut self, loss: Loss) {
        let sum = self.pending.get_or_insert(Loss {
            since: u64::MAX,
            ..Loss::default()
        });
        sum.records += loss.records;
        sum.bytes += loss.bytes;
        sum.since = sum.since.min(loss.since);
        sum.until = sum.until.max(loss.until);
        self.counters.lost.records += loss.records;
        self.counters.lost.bytes += loss.bytes;
    }

    fn release(&mut self, n: usize) {
        for entry in self.queue.drain(..n.min(self.queue.len())) {
            let tally = match entry.state {
                RecordState::Live => &mut self.counters.delivered,
                RecordState::Stale => &mut self.counters.discarded,
                RecordState::Aborted => &mut self.counters.aborted,
            };
            count(tally, entry.payload.len());
        }
    }

    fn end_session(&mut self) {
        self.pending = None;
        for entry in &mut self.queue {
            entry.loss = None;
            if entry.state == RecordState::Live {
                entry.state = RecordState::Stale;
            }
        }
    }
}

fn count(tally: &mut Tally, len: usize) {
    tally.records += 1;
    tally.bytes += len as u64;
}

macro_rules! histories {
    ($name:ident, $kind:ident) => {
        #[test]
        fn $name() {
            let (histories, steps) = if cfg!(miri) { (2, 120) } else { (60, 4000) };
            for seed in 1..=histories {
                let mut random = Random::new(seed);
                let capacity = 2 << random.below(if cfg!(miri) { 4 } else { 10 });
                let mut memory = RingMemory::new(capacity);
                let mut ring = memory.ring();
                #[allow(unused_mut, reason = "one of the two kinds needs it")]
                let (mut producer, mut consumer) = ring.$kind();
                let mut plain = Plain {
                    capacity,
                    open: true,
                    queue: VecDeque::new(),
                    pending: None,
                    counters: Counters::default(),
                };
                for step in 0..steps {
                    match random.below(32) {
                        0..=15 => {
                            let longest = if random.below(20) == 0 {
                                capacity + 1
                            } else {
                                4
                            };
                            let len = random.below((longest * GRANULE) as u64) as usize;
                            let chunk = pattern(step, len);
                            assert_eq!(producer.push(&chunk), plain.push(&chunk, true));
                        }
                        16 => {
                            let len = random.below(200) as usize;
                            let result = producer.reserve(len).map(drop);
                            assert_eq!(result, plain.push(&vec![0; len], false));
                        }
                        17..=18 => {
                            let loss = Loss {
                                records: 1 + random.below(3),
                                bytes: random.below(100),
                                since: step,
                                until: step + random.below(9),
                            };
                            producer.record_loss(loss);
                            plain.lose(loss);
                        }
                        19 => match random.below(8) {
                            0 => {
                                consumer.reset();
                                plain.end_session();
                                plain.open = false;
                            }
                            1 => {
                                consumer.close();
                                plain.open = false;
                            }
                            2 => {
                                producer.close();
                                plain.open = false;
                            }
                            3 => assert_eq!(consumer.take_loss(), plain.pending.take()),
                            _ => {}
                        },
                        20 if !plain.open => {
                            let epoch = consumer.open();
                            assert_eq!(producer.epoch(), epoch);
                            plain.end_session();
                            plain.open = true;
                        }
                        _ => {
                            let n = random.below(5) as usize;
                            consumer.release(n);
                            plain.release(n);
                        }
                    }
                    assert_eq!(consumer.is_open(), plain.open);
                    assert_eq!(consumer.used(), plain.used() * GRANULE);
                    assert_eq!(consumer.is_empty(), plain.queue.is_empty());
                    assert_eq!(consumer.is_idle(), plain.queue.is_empty());
                    assert_eq!(consumer.counters(), plain.counters);
                    if step % 7 == 0 {
                        let mut seen = consumer.records();
                        for entry in &plain.queue {
                            let record = seen.next().expect("as many records");
                            assert_eq!(record.state(), entry.state);
                            assert_eq!(record.len(), entry.payload.len());
                            assert_eq!(record.loss_before(), entry.loss);
                            if entry.state != RecordState::Aborted {
                                assert_eq!(bytes(&record), entry.payload);
                            }
                        }
                        assert!(seen.next().is_none(), "no more records");
                    }
                }
            }
        }
    };
}

histories!(mpsc_is_a_plain_queue, mpsc);
histories!(spsc_is_a_plain_queue, spsc);
