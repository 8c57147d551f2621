//! Memory does not grow with the length of a log. In a process of its own,
//! because it measures the peak of the whole process.

mod common;

use common::*;
use ghc_eventlog::{Item, Order, OrderOptions, Reader};
use std::io::Read;
use std::ops::ControlFlow;

/// Peak memory of this process in KiB, where the system reports it.
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// A log of `left` bytes or a little more, generated as it is read.
struct Endless {
    pending: Vec<u8>,
    at: usize,
    run: Vec<u8>,
    time: u64,
    left: u64,
}

impl Endless {
    fn new(length: u64) -> Self {
        Self {
            pending: log(&[]),
            at: 0,
            run: run(0, 1),
            time: 1,
            left: length,
        }
    }

    fn refill(&mut self) {
        let cap = (self.time % 3) as u16;
        let events: Vec<_> = (0..2000)
            .map(|n| {
                [
                    &self.run[..2],
                    &(self.time + n).to_be_bytes(),
                    &self.run[10..],
                ]
                .concat()
            })
            .collect();
        let cap = (cap < 2).then_some(cap);
        self.pending = block(cap, self.time, self.time + 2000, &events);
        self.at = 0;
        self.time += 1000;
    }
}

impl Read for Endless {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        if self.at == self.pending.len() {
            if self.left == 0 {
                return Ok(0);
            }
            self.refill();
        }
        let here = &self.pending[self.at..];
        let count = here.len().min(into.len());
        into[..count].copy_from_slice(&here[..count]);
        self.at += count;
        self.left = self.left.saturating_sub(count as u64);
        Ok(count)
    }
}

#[test]
fn decoding_and_ordering_stay_small() {
    let mut events = 0u64;
    let mut reader = Reader::new(Endless::new(96 << 20));
    let _ = reader
        .for_each(|item| {
            events += u64::from(matches!(item, Item::Event(_)));
            ControlFlow::<()>::Continue(())
        })
        .unwrap();
    assert!(events > 1_000_000);

    let options = OrderOptions {
        max_bytes: 4 << 20,
        ..OrderOptions::default()
    };
    let mut order = Order::new(options);
    let mut reader = Reader::new(Endless::new(16 << 20));
    let mut last = 0;
    while let Some(item) = reader.next_item().unwrap() {
        order.push(&item);
        while let Some(ordered) = order.next_event() {
            assert!(ordered.event.time >= last);
            last = ordered.event.time;
        }
    }
    if let Some(peak) = peak() {
        assert!(peak < 32 * 1024, "{peak} KiB");
    }
}
