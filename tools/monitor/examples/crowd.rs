//! Writes a log with many rows: `crowd FILE CAPABILITIES THREADS SECONDS`.
//!
//! Each capability runs its share of the threads in turn, for a few milliseconds each: they stop
//! because their time is over, or wait for an MVar or for a while. Every 100 ms all are stopped for
//! a collection.

use ghc_eventlog::{BlockBuilder, DATA_END, EventBody, Header, StopStatus};
use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Write};

const MS: u64 = 1_000_000;
/// From one collection to the next.
const ROUND: u64 = 100 * MS;
const COLLECTION: u64 = 4 * MS;

/// xorshift64: the same log each time.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let [file, caps, threads, seconds] = words[..] else {
        return Err("usage: crowd FILE CAPABILITIES THREADS SECONDS".into());
    };
    let (caps, threads): (u16, u32) = (caps.parse()?, threads.parse()?);
    let seconds: u64 = seconds.parse()?;
    let header = Header::standard();
    let mut log = BufWriter::new(File::create(file)?);
    log.write_all(header.as_bytes())?;
    let mut random = Random(1);
    let mut block = BlockBuilder::new(None);
    for created_cap in 0..caps {
        block.push_body(&header, 0, &EventBody::CapCreate { created_cap })?;
    }
    log.write_all(block.finish())?;
    let mut threads_of = vec![Vec::new(); usize::from(caps)];
    for thread in 1..=threads.max(u32::from(caps)) {
        threads_of[(thread % u32::from(caps)) as usize].push(thread);
    }
    for cap in 0..caps {
        let mut block = BlockBuilder::new(Some(cap));
        for &thread in &threads_of[usize::from(cap)] {
            block.push_body(&header, MS, &EventBody::CreateThread { thread })?;
            let label = format!("worker {thread}");
            let label = label.as_str().into();
            block.push_body(&header, MS, &EventBody::ThreadLabel { thread, label })?;
        }
        log.write_all(block.finish())?;
    }
    for round in 0..seconds * 1000 * MS / ROUND {
        let begin = 2 * MS + round * ROUND;
        for cap in 0..caps {
            let mut block = BlockBuilder::new(Some(cap));
            let mut time = begin;
            while time < begin + ROUND - COLLECTION - 8 * MS {
                let own = &threads_of[usize::from(cap)];
                let thread = own[usize::try_from(random.below(own.len() as u64))?];
                let wakeup = EventBody::ThreadWakeup {
                    thread,
                    other_cap: cap,
                };
                block.push_body(&header, time, &wakeup)?;
                time += random.below(MS / 2);
                block.push_body(&header, time, &EventBody::RunThread { thread })?;
                time += 200_000 + random.below(7 * MS);
                let status = match random.below(3) {
                    0 => StopStatus::YIELDING,
                    1 => StopStatus::MVAR,
                    _ => StopStatus::DELAY,
                };
                let info = Some(0);
                let stop = EventBody::StopThread {
                    thread,
                    status,
                    info,
                };
                block.push_body(&header, time, &stop)?;
            }
            block.push_body(&header, begin + ROUND - COLLECTION, &EventBody::GcStart)?;
            block.push_body(&header, begin + ROUND - MS, &EventBody::GcEnd)?;
            log.write_all(block.finish())?;
        }
    }
    log.write_all(&DATA_END.to_be_bytes())?;
    Ok(log.into_inner()?.sync_all()?)
}
