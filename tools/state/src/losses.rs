//! What is missing from a log, according to notes in it.

use ghc_eventlog::Event;
use ghc_eventlog::notes::{Note, Recovered};

/// Something is missing here. Times are nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Loss {
    /// The time of the note in the log.
    pub time: u64,
    /// What is missing.
    pub lost: Lost,
}

/// What is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "snake_case")
)]
pub enum Lost {
    /// Chunks that the socket library dropped.
    Chunks {
        /// How many.
        chunks: u64,
        /// Their bytes.
        bytes: u64,
        /// From when to when they were dropped, if that is known.
        between: Option<(u64, u64)>,
    },
    /// Blocks that a recorder of a program's log dropped.
    Blocks {
        /// How many.
        blocks: u64,
    },
    /// Bytes for which a reader of a relay was too slow.
    Relayed {
        /// How many, about.
        bytes: u64,
        /// From when to when.
        between: (u64, u64),
    },
    /// Bytes that a recorder could not write.
    Unwritten {
        /// How many.
        bytes: u64,
        /// From when to when.
        between: (u64, u64),
    },
    /// The oldest chunks of a ring that was full.
    Overwritten {
        /// How many.
        chunks: u64,
        /// Their bytes.
        bytes: u64,
    },
}

/// All that is missing so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Losses {
    /// How often something was dropped.
    pub notes: u64,
    /// Chunks that were dropped.
    pub chunks: u64,
    /// Their bytes, those for which a reader of a relay was too slow, and those
    /// that could not be recorded.
    pub bytes: u64,
    /// Blocks that were dropped by a recorder, which does not give their bytes
    /// as a number.
    pub blocks: u64,
    /// The time from which on nothing is missing of any capability, in a log
    /// from a ring whose oldest chunks were overwritten: the capabilities begin
    /// at different times.
    pub whole_from: Option<u64>,
}

impl Losses {
    /// The loss that the event reports, if it does.
    #[inline]
    pub fn event(&mut self, event: &Event<'_>) -> Option<Loss> {
        let note = Note::of(event)?;
        self.note(&note, event.time)
    }

    #[cold]
    fn note(&mut self, note: &Note<'_>, time: u64) -> Option<Loss> {
        let lost = match *note {
            Note::Loss(loss) => {
                self.notes += 1;
                self.chunks = self.chunks.saturating_add(loss.chunks);
                self.bytes = self.bytes.saturating_add(loss.bytes);
                Lost::Chunks {
                    chunks: loss.chunks,
                    bytes: loss.bytes,
                    between: loss.between,
                }
            }
            Note::RunLoss(loss) => {
                self.notes += 1;
                self.blocks = self.blocks.saturating_add(loss.blocks);
                Lost::Blocks {
                    blocks: loss.blocks,
                }
            }
            Note::RelayLoss(loss) => {
                self.notes += 1;
                self.bytes = self.bytes.saturating_add(loss.bytes);
                Lost::Relayed {
                    bytes: loss.bytes,
                    between: loss.between,
                }
            }
            Note::RecordLoss(loss) => {
                self.notes += 1;
                self.bytes = self.bytes.saturating_add(loss.bytes);
                Lost::Unwritten {
                    bytes: loss.bytes,
                    between: loss.between,
                }
            }
            Note::Recovered(Recovered::Overwritten(ring)) => {
                self.whole_from = self.whole_from.max(Some(ring.whole_from));
                Lost::Overwritten {
                    chunks: ring.chunks,
                    bytes: ring.bytes,
                }
            }
            _ => return None,
        };
        Some(Loss { time, lost })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_log::Log;
    use ghc_eventlog::EventBody;
    use ghc_eventlog::notes::{Loss as Told, Overwritten, RecordLoss, RelayLoss};

    #[test]
    fn sums_and_tells() {
        let mut log = Log::new();
        let told = Told {
            chunks: 3,
            bytes: 4096,
            between: Some((1_000, 2_000)),
        };
        let ring = Overwritten {
            chunks: 1,
            bytes: 10,
            missing_until: None,
            whole_from: 77,
        };
        for note in [
            Note::Loss(told),
            Note::Sync(4),
            Note::Loss(told),
            Note::RelayLoss(RelayLoss {
                relay: 1,
                bytes: 100,
                between: (3, 4),
            }),
            Note::RecordLoss(RecordLoss {
                bytes: 1000,
                between: (5, 6),
            }),
            Note::Recovered(Recovered::Overwritten(ring)),
        ] {
            let text = note.to_string();
            let message = text.as_str().into();
            log.push(None, 9, EventBody::UserMsg { message });
        }
        let mut losses = Losses::default();
        let mut seen = Vec::new();
        log.each(|event| seen.extend(losses.event(event)));
        let chunks = Lost::Chunks {
            chunks: 3,
            bytes: 4096,
            between: Some((1_000, 2_000)),
        };
        let lost: Vec<Lost> = seen.iter().map(|loss| loss.lost).collect();
        let overwritten = Lost::Overwritten {
            chunks: 1,
            bytes: 10,
        };
        let relayed = Lost::Relayed {
            bytes: 100,
            between: (3, 4),
        };
        let unwritten = Lost::Unwritten {
            bytes: 1000,
            between: (5, 6),
        };
        assert_eq!(lost, [chunks, chunks, relayed, unwritten, overwritten]);
        assert!(seen.iter().all(|loss| loss.time == 9));
        let total = Losses {
            notes: 4,
            chunks: 6,
            bytes: 9292,
            blocks: 0,
            whole_from: Some(77),
        };
        assert_eq!(losses, total);
    }
}
