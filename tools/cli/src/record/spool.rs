//! From a stream that must be drained into a queue that may be full. When it is full, whole blocks
//! are left out, and a message in the log says so.

use super::queue::Queue;
use super::tee::{Cut, Piece};
use crate::units::{Bytes, Nanos};
use ghc_eventlog::notes::{Note, RunLoss};
use ghc_eventlog::{BlockBuilder, EventBody, Header};

/// Dropping ends when the queue is no fuller than this: one long gap is better than many short
/// ones.
const RESUME: f64 = 0.5;

/// The dropping side of a queue.
pub struct Spool<'q> {
    queue: &'q Queue,
    chunk: Vec<u8>,
    header: Option<Header>,
    dropping: Option<Loss>,
    last: u64,
    lost: u64,
}

#[derive(Clone, Copy, Debug)]
struct Loss {
    bytes: u64,
    blocks: u64,
    since: u64,
}

impl<'q> Spool<'q> {
    pub fn new(queue: &'q Queue) -> Self {
        Self {
            queue,
            chunk: Vec::new(),
            header: None,
            dropping: None,
            last: 0,
            lost: 0,
        }
    }

    /// Bytes that were left out so far.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// Takes a piece of the stream. `faulty`: there will be no boundaries.
    pub fn piece(&mut self, piece: Piece<'_>, faulty: bool) {
        match piece {
            Piece::Session => {
                self.tell();
                self.hand_over();
                self.queue.session();
                self.header = None;
            }
            Piece::Boundary(cut) => self.boundary(cut),
            Piece::Bytes(bytes) => {
                if faulty && self.dropping.is_none() && self.queue.fullness() >= 1.0 {
                    self.dropping = Some(Loss {
                        bytes: 0,
                        blocks: 0,
                        since: self.last,
                    });
                }
                match &mut self.dropping {
                    Some(loss) => {
                        loss.bytes += bytes.len() as u64;
                        self.lost += bytes.len() as u64;
                    }
                    None => self.chunk.extend_from_slice(bytes),
                }
            }
        }
    }

    /// A stretch of the log that is left out can begin and end only here.
    fn boundary(&mut self, cut: &Cut<'_>) {
        if self.header.is_none() {
            self.header = Some(cut.header().clone());
        }
        self.last = cut.time;
        let fullness = self.queue.fullness();
        if self.dropping.is_some() && fullness <= RESUME {
            self.tell();
        } else if self.dropping.is_none() && fullness >= 1.0 {
            self.dropping = Some(Loss {
                bytes: 0,
                blocks: 0,
                since: cut.time,
            });
        }
        if let Some(loss) = &mut self.dropping {
            loss.blocks += 1;
        }
    }

    /// Writes into the log what is missing at this place.
    fn tell(&mut self) {
        let (Some(loss), Some(header)) = (self.dropping.take(), &self.header) else {
            return;
        };
        let message = Note::RunLoss(RunLoss {
            blocks: loss.blocks,
            size: &Bytes(loss.bytes).to_string(),
            since: &Nanos(loss.since).to_string(),
            until: &Nanos(self.last).to_string(),
        });
        let message = message.to_string();
        let message = EventBody::LogMsg {
            message: message.as_str().into(),
        };
        let mut block = BlockBuilder::new(None);
        if block.push_body(header, self.last, &message).is_ok() {
            self.chunk.extend_from_slice(block.finish());
        }
    }

    /// Moves what has been collected into the queue.
    pub fn hand_over(&mut self) {
        self.queue.push(std::mem::take(&mut self.chunk));
    }

    /// The stream is over.
    pub fn finish(&mut self) {
        self.tell();
        self.hand_over();
    }
}
