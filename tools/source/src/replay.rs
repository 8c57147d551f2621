//! Reads a recorded log at the pace at which it was written.

use ghc_eventlog::{Block, Decoder, Item};
use std::fmt;
use std::io::{self, Read};
use std::num::NonZeroU64;
use std::str::FromStr;
use std::time::{Duration, Instant};

/// The largest number of bytes that are read at once.
const READ: usize = 256 << 10;
/// How often a request to stop is checked while waiting for a block.
const SLICE: Duration = Duration::from_millis(50);

/// How fast a log is replayed.
///
/// ```
/// use eventlog_source::Speed;
///
/// assert_eq!("1x".parse(), Ok(Speed::ORIGINAL));
/// assert_eq!("max".parse(), Ok(Speed::Max));
/// assert_eq!("2.5x".parse::<Speed>()?.to_string(), "2.5x");
/// # Ok::<(), eventlog_source::InvalidSpeed>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speed {
    /// As fast as the log can be read.
    Max,
    /// Thousandths of the speed at which it was written.
    Thousandths(NonZeroU64),
}

/// A text that is not a speed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidSpeed(String);

impl fmt::Display for InvalidSpeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} is not a speed: use 1x, 2.5x or another number from 0.001 to 1000000, or max",
            self.0
        )
    }
}

impl std::error::Error for InvalidSpeed {}

impl Speed {
    /// The speed at which the log was written.
    pub const ORIGINAL: Self = Self::Thousandths(NonZeroU64::new(1000).expect("it is not 0"));

    /// How long it takes until this time of the log is reached.
    fn takes(self, nanos: u64) -> Duration {
        let Self::Thousandths(speed) = self else {
            return Duration::ZERO;
        };
        let nanos = u128::from(nanos) * 1000 / u128::from(speed.get());
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

impl FromStr for Speed {
    type Err = InvalidSpeed;

    fn from_str(text: &str) -> Result<Self, InvalidSpeed> {
        if text == "max" {
            return Ok(Self::Max);
        }
        let number = text.strip_suffix('x').unwrap_or(text);
        let speed = number.parse::<f64>().ok().map(|speed| speed * 1000.0);
        speed
            .filter(|speed| (1.0..=1e9).contains(speed))
            .and_then(|speed| NonZeroU64::new(speed.round() as u64))
            .map(Self::Thousandths)
            .ok_or_else(|| InvalidSpeed(text.to_owned()))
    }
}

impl fmt::Display for Speed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Max => f.write_str("max"),
            Self::Thousandths(speed) => write!(f, "{}x", speed.get() as f64 / 1000.0),
        }
    }
}

/// A recorded log, its bytes unchanged, each block at its time, as a program would send it.
///
/// A program writes a block when the last of its events has happened, so each block is delivered
/// when as much time has passed since the start of the first one as its marker says. Blocks stay in
/// their order; one that is late in the log is late here. Data outside any block are delivered at
/// once: headers, the mark at the end, and what cannot be decoded. A log that starts again in the
/// middle has a clock of its own.
///
/// ```
/// use eventlog_source::{Replay, Speed};
/// use ghc_eventlog::{BlockBuilder, EventBody, Header};
/// use std::io::Read;
///
/// let header = Header::standard();
/// let mut block = BlockBuilder::new(Some(0));
/// block.push_body(&header, 1_000, &EventBody::GcStart)?;
/// let log = [header.as_bytes(), block.finish()].concat();
///
/// let mut replayed = Vec::new();
/// Replay::new(&log[..], Speed::ORIGINAL).read_to_end(&mut replayed)?;
/// assert_eq!(replayed, log);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Replay<R> {
    log: R,
    speed: Speed,
    stop: Option<Box<dyn Fn() -> bool + Send>>,
    decoder: Decoder,
    /// Buffer for a single read.
    piece: Vec<u8>,
    /// Bytes that were read and not delivered yet.
    bytes: Vec<u8>,
    /// Their offset in the log.
    begin: u64,
    /// The offset in the log up to which they may be delivered.
    released: u64,
    /// When the block at that place is due.
    due: Option<Instant>,
    clock: Option<Clock>,
    /// Whether there is nothing more to read.
    over: bool,
}

/// When the log began, in its own time and in ours.
#[derive(Clone, Copy, Debug)]
struct Clock {
    there: u64,
    here: Instant,
}

impl<R> Replay<R> {
    /// Replays this log. The clock starts when its first block is read.
    pub fn new(log: R, speed: Speed) -> Self {
        Self {
            log,
            speed,
            stop: None,
            // Blocks after data that cannot be decoded must still keep the pace.
            decoder: Decoder::new().with_recovery(true),
            piece: vec![0; READ],
            bytes: Vec::new(),
            begin: 0,
            released: 0,
            due: None,
            clock: None,
            over: false,
        }
    }

    /// Ends the log when `stop` returns true, even while waiting for a block.
    #[must_use]
    pub fn stop(self, stop: impl Fn() -> bool + Send + 'static) -> Self {
        Self {
            stop: Some(Box::new(stop)),
            ..self
        }
    }

    /// The log that is replayed.
    pub fn get_ref(&self) -> &R {
        &self.log
    }

    fn is_stopped(&self) -> bool {
        self.stop.as_ref().is_some_and(|stop| stop())
    }

    /// When a block is due. The first one of a log starts the clock.
    fn due(&mut self, block: (u64, u64)) -> Instant {
        let (begin, end) = block;
        let now = Instant::now();
        let clock = *self.clock.get_or_insert(Clock {
            there: begin,
            here: now,
        });
        let wait = self.speed.takes(end.saturating_sub(clock.there));
        // A block whose time cannot be represented has a faulty marker.
        clock.here.checked_add(wait).unwrap_or(now)
    }

    /// Decodes until there is something to deliver, or to wait for. `false` if more must be read.
    fn decode(&mut self) -> bool {
        let known = (self.decoder.offset() - self.begin) as usize;
        let mut input = &self.bytes[known.min(self.bytes.len())..];
        loop {
            match self.decoder.decode(&mut input) {
                Ok(Item::Block(block)) => {
                    let Block { time, end, .. } = block;
                    self.released = block.offset;
                    self.due = Some(self.due((time, end)));
                    return true;
                }
                Ok(Item::NeedMore) => {
                    self.released = self.decoder.offset();
                    return false;
                }
                Ok(Item::Header) => self.clock = None,
                Ok(_) => {}
                // With recovery there are no faults; if there is one, the rest is replayed without
                // waiting.
                Err(_) => {
                    self.speed = Speed::Max;
                    return false;
                }
            }
        }
    }

    /// Waits until a moment, or a request to stop.
    fn wait_until(&self, moment: Instant) {
        loop {
            let left = moment.saturating_duration_since(Instant::now());
            if left.is_zero() || self.is_stopped() {
                return;
            }
            std::thread::sleep(left.min(SLICE));
        }
    }

    /// Delivers what may be delivered.
    fn take(&mut self, buffer: &mut [u8]) -> usize {
        let released = (self.released - self.begin) as usize;
        let count = released.min(buffer.len());
        buffer[..count].copy_from_slice(&self.bytes[..count]);
        self.bytes.drain(..count);
        self.begin += count as u64;
        count
    }
}

impl<R: Read> Read for Replay<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if buffer.is_empty() || self.is_stopped() {
                return Ok(0);
            }
            if self.released > self.begin {
                return Ok(self.take(buffer));
            }
            if self.speed == Speed::Max && self.bytes.is_empty() {
                return self.log.read(buffer);
            }
            if let Some(due) = self.due.take() {
                self.wait_until(due);
                continue;
            }
            if self.speed != Speed::Max && self.decode() {
                continue;
            }
            if self.released > self.begin {
                continue;
            }
            if self.over || self.speed == Speed::Max {
                if self.bytes.is_empty() {
                    return Ok(0);
                }
                // The rest is not a whole item, and need not be decoded.
                self.speed = Speed::Max;
                self.released = self.begin + self.bytes.len() as u64;
                continue;
            }
            let count = self.log.read(&mut self.piece)?;
            self.bytes.extend_from_slice(&self.piece[..count]);
            self.over = count == 0;
        }
    }
}

impl<R: fmt::Debug> fmt::Debug for Replay<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replay")
            .field("log", &self.log)
            .field("speed", &self.speed)
            .field("handed_on", &self.begin)
            .field("due", &self.due)
            .finish_non_exhaustive()
    }
}
