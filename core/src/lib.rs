//! A bounded lock-free ring of variable-length byte records: many producers or one, one consumer, no allocation, no `std`.
//! A [`Recorder`] is the same memory in another mode: it keeps the newest records, and has no consumer.
//!
//! Producers copy chunks in and never wait, so they may be signal handlers; the consumer reads them in place, in the order
//! they were claimed, and releases them in batches. The consumer also controls the *gate*: it ends a session and begins
//! the next without waiting for a producer in the middle of a copy, and nothing of the old session is delivered in the new.
//!
//! ```
//! use eventlog_ring::{Granule, HeaderWord, Loss, PushError, Ring, Storage};
//!
//! let mut headers = [HeaderWord::ZERO; 4];
//! let mut granules = [Granule::ZERO; 4];
//! let mut ring = Ring::new(Storage::new(&mut headers, &mut granules)?);
//! let (producer, mut consumer) = ring.mpsc();
//!
//! producer.push(&[1; 200])?;
//! // No room for more. The caller decides whether that is a loss.
//! assert_eq!(producer.push(&[2; 100]), Err(PushError::Full));
//! producer.record_loss(Loss { records: 1, bytes: 100, since: 17, until: 17 });
//!
//! consumer.release(1);
//! producer.push(&[3; 100])?;
//! let record = consumer.records().next().unwrap();
//! assert_eq!(record.len(), 100);
//! assert_eq!(record.loss_before().unwrap().bytes, 100);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Design
//!
//! ```text
//!   producers' line   tail | head_cache | gate: open, epoch | pending loss
//!   consumer's line   head | delivered, discarded, aborted
//!
//!   headers    one u64 per granule:  COMMIT | ABORT | NOTE | epoch:29 | len:32      0 = free, or still being copied
//!   granules   64 bytes each, nothing but payload and notes
//!
//!              head                                                   tail
//!         ......|==A==|==B==|= note =|==C==|~~~~~D copying~~~~~|==E==|......
//!   header:      C|len C|len C|N|len        0                   C|len          0 everywhere else
//!                `---- records() ----------´ stops here; E waits behind D
//! ```
//!
//! * Positions of head and tail are granules counted up forever. A record takes the granules from its position on and may
//!   continue at the start of the array: it is handed out as two slices, of which the second is nearly always empty.
//! * A push reads the gate, claims granules by moving the tail, copies, and commits by storing the header of the first
//!   granule. Headers are kept apart from payload, so that no byte of payload can ever be mistaken for one and only the
//!   header words of released records need zeroing. They are permuted so that neighbours are on different cache lines.
//! * The header carries the epoch that the producer read at the gate. A record of another epoch than the consumer's is
//!   *stale*, whenever it is committed; so ending a session is a store.
//! * What the caller declares lost is summed up until a record is claimed with room for one granule more, and is stored
//!   in that granule as a note: the consumer gets the loss in the place where it happened. The note says of which
//!   session it is, and counts in that session whatever its record is: what was taken for a note is never put back.
//! * The caller does the sleeping and waking; a [`Doorbell`] shows when a wake-up is needed.
//!
//! # Invariants
//!
//! The `SAFETY` comments refer to these by number.
//!
//! * **I1** Claims are disjoint: a granule belongs to a record if and only if it lies between head and tail, and to one.
//! * **I2** A header is not zero only if it is that of the first granule of a committed record not yet released.
//! * **I3** A record's payload and note happen-before its delivery, and its delivery happens-before any reuse of its granules.
//! * **I4** Records are delivered in the order of their claims; those of one producer in the order it pushed them.
//! * **I5** Counts are exact: accepted = delivered + discarded + in the ring; reported by notes + pending = lost,
//!   except for what a reset or the next session forgets. A loss is reported in the session in which it was recorded,
//!   or not at all.
//! * **I6** Tail and head are never further apart than the capacity. A record that can never fit is refused for good.
//! * **I7** The consumer is asleep only while nothing is committed at the head or a wake is under way.
//! * **I8** A refusal has no effect except its count: it claims nothing, waits for nothing, and loses nothing by
//!   itself.
//! * **I9** A record is live only in the session whose epoch its producer read before claiming it. No session has the epoch
//!   of one of the 2^28 before it.
//! * **I10** Positions never go back, and a reset touches neither positions, headers nor payload.
//!
//! # Progress
//!
//! Producers are lock-free: one repeats its claim only when another has claimed or the consumer has released meanwhile, and
//! the single producer of [`spsc`] is wait-free except for such releases. The consumer is wait-free, but it delivers in the
//! order of claims: behind a producer that was stopped in the middle of a copy, everything claimed later waits. Nothing
//! spins meanwhile; producers get `Full` in the end. A reservation that is leaked stops the ring for good.
//!
//! Closing the gate is not a barrier: a producer that had passed it may still claim after the consumer found the ring idle.
//! Such a record stays in the ring, and is stale in the next session.
//!
//! # Memory ordering
//!
//! * **Payload** is ordered by the header: stored with Release, loaded with Acquire (I3).
//! * **Room** is ordered by the head: the consumer has read the payload and zeroed the headers, then stores the head
//!   with Release; a producer loads it with Acquire before it claims. Producers pass a head on to each other in
//!   `head_cache`, again with Release and Acquire, which is transitive (I2, I3).
//! * **The tail** publishes nothing. That it moves by compare-exchange on one word makes claims disjoint, and Relaxed is
//!   enough for that (I1). It is loaded after a head and never behind it, as the claims below that head happened-before.
//! * **The gate** needs no ordering for I9: a producer that reads an old word stamps an old epoch. Its Release and
//!   Acquire are for the callers: in a session they see what was done before opening it.
//! * **Losses** are published by their record count, written last with Release and taken first with Acquire. Their session
//!   is in the same word, so it needs no ordering.
//! * **The doorbell** is the one place with sequentially consistent fences: both sides write one word and then read the
//!   other's (I7).
//!
//! All of it is explored by loom, see the crate `loom-tests`: with `--cfg loom` this crate takes its atomics and cells from
//! loom and is otherwise the same code. `--cfg ring_bug` adds switches that break the ring on purpose, to see that a model
//! notices.
//!
//! The invariants of the recorder, and its ordering, are in [its module](recorder).
//!
//! # Platforms
//!
//! Needs 64-bit atomics.
#![no_std]

mod bug;
mod claim;
mod consumer;
mod counters;
mod doorbell;
mod gate;
mod granule;
mod layout;
mod loss;
pub mod mpsc;
mod record;
pub mod recorder;
mod reservation;
mod ring;
mod shim;
pub mod spsc;
mod stamp;
mod storage;

pub use claim::PushError;
pub use consumer::{Consumer, Records};
pub use counters::{Counters, Tally};
pub use doorbell::Doorbell;
pub use gate::Epoch;
pub use granule::Granule;
pub use layout::{GRANULE, HeaderWord, header_index};
pub use loss::Loss;
pub use record::{Record, RecordState};
pub use recorder::{Recorder, RecorderCounters};
pub use reservation::Reservation;
pub use ring::Ring;
pub use stamp::{Stamp, StampState};
pub use storage::{Storage, StorageError};
