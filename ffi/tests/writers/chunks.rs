//! The chunks of `writers.c`, made once more, and what a client received of them.

use crate::chance::mix;
use crate::support::header::{self, u16_at, u32_at, u64_at};
use crate::support::stream::{BLOCK_MARKER, GLOBAL, USER_MSG};

pub const MOST_PRODUCERS: usize = 8;
const MARKER_BYTES: usize = 24;
const HEAD_BYTES: usize = 12;
const LONGEST_MESSAGE: usize = 60_000;
const OFFSETS: usize = 256;
const END: u16 = 0xFFFF;

/// Which chunks a program writes.
#[derive(Debug, Clone)]
pub struct Chunks {
    seed: u64,
    largest: u64,
    filling: Vec<u8>,
}

impl Chunks {
    pub fn new(seed: u64, largest: u64) -> Self {
        let bytes = 0..(LONGEST_MESSAGE + OFFSETS) as u64;
        Self {
            seed,
            largest,
            filling: bytes.map(|at| mix(at) as u8).collect(),
        }
    }

    fn key(&self, producer: usize, number: u64) -> u64 {
        mix(self.seed ^ mix((producer as u64) << 48 | number))
    }

    pub fn size(&self, producer: usize, number: u64) -> u64 {
        let key = self.key(producer, number);
        let size = ((key >> 8) & ((1 << (key % 23)) - 1)) % (self.largest + 1);
        match size as usize {
            0 => 0,
            1..36 => MARKER_BYTES as u64,
            _ => size,
        }
    }

    /// Nanoseconds.
    pub fn time(producer: usize, number: u64) -> u64 {
        1000 * (1 + MOST_PRODUCERS as u64 * number + producer as u64)
    }

    /// The producer and the number of the chunk of this time.
    pub fn at(time: u64) -> (usize, u64) {
        let index = (time / 1000).wrapping_sub(1);
        let most = MOST_PRODUCERS as u64;
        ((index % most) as usize, index / most)
    }

    /// A chunk that has bytes.
    pub fn chunk(&self, producer: usize, number: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.make(producer, number, &mut bytes);
        bytes
    }

    fn make(&self, producer: usize, number: u64, to: &mut Vec<u8>) {
        let time = Self::time(producer, number);
        let size = self.size(producer, number) as usize;
        to.clear();
        to.extend(BLOCK_MARKER.to_be_bytes());
        to.extend(time.to_be_bytes());
        to.extend((size as u32).to_be_bytes());
        to.extend(time.to_be_bytes());
        to.extend((producer as u16).to_be_bytes());
        let mut offset = (self.key(producer, number) >> 32) as usize;
        while to.len() < size {
            let left = size - to.len();
            let mut part = left.min(HEAD_BYTES + LONGEST_MESSAGE);
            if left > part && left - part < HEAD_BYTES {
                part -= HEAD_BYTES;
            }
            let text = part - HEAD_BYTES;
            to.extend(USER_MSG.to_be_bytes());
            to.extend(time.to_be_bytes());
            to.extend((text as u16).to_be_bytes());
            to.extend(&self.filling[offset % OFFSETS..][..text]);
            offset += 1;
        }
    }
}

/// A loss that the stream tells of, and where.
#[derive(Debug, Clone, Copy)]
pub struct Told {
    pub chunks: u64,
    pub bytes: u64,
    /// Nanoseconds.
    pub since: u64,
    pub until: u64,
    /// How many chunks are before it in the stream.
    pub place: usize,
}

/// What a client received.
#[derive(Debug, Default)]
pub struct Capture {
    /// Producer and number of the whole chunks, in their order.
    pub chunks: Vec<(usize, u64)>,
    pub bytes: u64,
    pub told: Vec<Told>,
    /// The log begins here: it has a header.
    pub begun: bool,
    /// The end mark is there.
    pub ended: bool,
}

impl Capture {
    /// Look at every byte: a header, definitions, then whole chunks of the program
    /// and losses, up to where the bytes end.
    pub fn read(chunks: &Chunks, bytes: &[u8]) -> Result<Self, String> {
        let mut capture = Self::default();
        let (_, mut at) = match header::parse(bytes) {
            Ok(Some(parsed)) => parsed,
            Ok(None) => return Ok(capture),
            Err(fault) => return Err(format!("at {}: {}", fault.offset, fault.what)),
        };
        capture.begun = true;
        let mut next = [0; MOST_PRODUCERS];
        let mut expected = Vec::new();
        while at < bytes.len() {
            let rest = &bytes[at..];
            let wrong = |what: String| {
                let start = &rest[..rest.len().min(32)];
                Err(format!("at {at} of {}: {what}: {start:02x?}", bytes.len()))
            };
            if capture.ended {
                return wrong("data after the end mark".into());
            }
            if u16_at(rest, 0) == Some(END) {
                capture.ended = true;
                at += 2;
                continue;
            }
            if u16_at(rest, 0).unwrap_or(BLOCK_MARKER) != BLOCK_MARKER {
                return wrong("no block".into());
            }
            let (Some(size), Some(time), Some(cap)) =
                (u32_at(rest, 10), u64_at(rest, 14), u16_at(rest, 22))
            else {
                break; // cut
            };
            if cap == GLOBAL {
                let Some(block) = rest.get(MARKER_BYTES..size as usize) else {
                    break; // cut
                };
                if let Err(what) = capture.of_the_library(block) {
                    return wrong(what);
                }
                at += size as usize;
                continue;
            }
            let producer = usize::from(cap);
            let number = (time / 1000).wrapping_sub(1) / MOST_PRODUCERS as u64;
            if producer >= MOST_PRODUCERS || time != Chunks::time(producer, number) {
                return wrong(format!("no chunk of producer {producer}"));
            }
            chunks.make(producer, number, &mut expected);
            let there = rest.len().min(expected.len());
            if rest[..there] != expected[..there] {
                let differs = rest.iter().zip(&expected).position(|(a, b)| a != b);
                return wrong(format!(
                    "chunk {number} of producer {producer}, {} bytes, differs at {differs:?}",
                    expected.len()
                ));
            }
            if number < next[producer] {
                return wrong(format!(
                    "chunk {number} of producer {producer} after {}",
                    next[producer] - 1
                ));
            }
            if there < expected.len() {
                break; // cut
            }
            next[producer] = number + 1;
            capture.chunks.push((producer, number));
            capture.bytes += expected.len() as u64;
            at += expected.len();
        }
        Ok(capture)
    }

    /// A block without a capability: definitions, or one loss.
    fn of_the_library(&mut self, events: &[u8]) -> Result<(), String> {
        if u16_at(events, 0) == Some(USER_MSG) {
            let text = String::from_utf8_lossy(events.get(12..).unwrap_or_default()).into_owned();
            let place = self.chunks.len();
            let told = loss(&text, place).ok_or(format!("a loss told badly: {text:?}"))?;
            self.told.push(told);
        } else if !events.is_empty() && !self.chunks.is_empty() {
            return Err("definitions after chunks".into());
        }
        Ok(())
    }

    pub fn told_chunks(&self) -> u64 {
        self.told.iter().map(|told| told.chunks).sum()
    }

    pub fn told_bytes(&self) -> u64 {
        self.told.iter().map(|told| told.bytes).sum()
    }

    /// The numbers of a producer's chunks.
    pub fn of(&self, producer: usize) -> impl Iterator<Item = u64> {
        let all = self.chunks.iter().filter(move |(of, _)| *of == producer);
        all.map(|(_, number)| *number)
    }

    /// Of these numbers of a producer, those that did not come and have bytes.
    pub fn missing(
        &self,
        chunks: &Chunks,
        producer: usize,
        numbers: std::ops::Range<u64>,
    ) -> Vec<u64> {
        let mut there = self.of(producer).peekable();
        numbers
            .filter(|number| {
                while there.next_if(|came| came < number).is_some() {}
                there.peek() != Some(number) && chunks.size(producer, *number) > 0
            })
            .collect()
    }

    /// The first chunk that is missing although no loss was told for its time.
    pub fn unexplained(&self, missing: &[(usize, u64)]) -> Option<(usize, u64)> {
        let mut times: Vec<(u64, u64)> = self.told.iter().map(|t| (t.since, t.until)).collect();
        times.sort_unstable();
        // Ends that never go back: of all that began earlier, the latest.
        let mut latest = 0;
        for (_, until) in &mut times {
            latest = latest.max(*until);
            *until = latest;
        }
        let explained = |(producer, number): (usize, u64)| {
            let time = Chunks::time(producer, number);
            let begun = times.partition_point(|(since, _)| *since <= time);
            begun > 0 && times[begun - 1].1 >= time
        };
        missing.iter().copied().find(|chunk| !explained(*chunk))
    }
}

/// "eventlog-socket: lost N chunks, M bytes, between A s and B s". Zero bytes are
/// possible: of chunks without any, or when they were told a moment before.
fn loss(text: &str, place: usize) -> Option<Told> {
    let rest = text.strip_prefix("eventlog-socket: lost ")?;
    let (chunks, rest) = rest.split_once(" chunks, ")?;
    let (bytes, rest) = rest.split_once(" bytes, between ")?;
    let (since, rest) = rest.split_once(" s and ")?;
    let nanoseconds = |seconds: &str| {
        let microseconds = (seconds.parse::<f64>().ok()? * 1e6).round();
        Some(microseconds as u64 * 1000)
    };
    let told = Told {
        chunks: chunks.parse().ok()?,
        bytes: bytes.parse().ok()?,
        since: nanoseconds(since)?,
        until: nanoseconds(rest.strip_suffix(" s")?)?,
        place,
    };
    (told.chunks > 0 && told.since <= told.until).then_some(told)
}
