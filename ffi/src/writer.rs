//! The `EventLogWriter` that the RTS calls.
//!
//! `write` runs on any thread of the RTS, several at once, perhaps with the
//! world stopped, perhaps in a signal handler. It copies the chunk into a ring
//! and wakes the poll thread if that sleeps. It takes no lock, allocates
//! nothing, calls nothing of the RTS, and waits only where the user asked for it
//! (the `block` policy) or nobody else runs any more (the exit). It always says
//! that it succeeded: on `false` the RTS prints a message, throws the buffer
//! away, and forgets to mark the next block.

use std::ffi::c_void;
use std::hash::{DefaultHasher, Hasher};
use std::sync::atomic::Ordering;
use std::time::Duration;

use eventlog_ring::{Loss, PushError};
use ghc_eventlog::layout::MARKER_LEN;

use crate::chunk::{BlockMarker, Chunk, is_header};
use crate::instance::Instance;
use crate::recording::RecordPath;
use crate::rts::{EventLogWriter, Rts};
use crate::system;
use crate::tuning::Overflow;
use crate::{cancellation, fork, log};

const WRITER: EventLogWriter = EventLogWriter {
    init: Some(init),
    write: Some(write),
    flush: Some(flush),
    stop: Some(stop),
};

/// The writer to hand to the RTS.
#[unsafe(no_mangle)]
pub static EventLogSocketWriter: EventLogWriter = WRITER;

/// The same writer, by its older name.
#[unsafe(no_mangle)]
pub static SocketEventLogWriter: EventLogWriter = WRITER;

/// The RTS starts a log, before it writes the header.
extern "C" fn init() {
    if fork::is_inert() {
        fork::rts_works();
    }
    if let Some(instance) = Instance::get() {
        cancellation::put_off(|| log::starts(instance));
    }
}

/// The RTS hands over a chunk, which it reuses when this returns.
extern "C" fn write(chunk: *mut c_void, size: usize) -> bool {
    if let (Some(instance), false) = (Instance::get(), chunk.is_null()) {
        // SAFETY: the RTS lends `size` bytes for the duration of the call.
        let chunk = unsafe { std::slice::from_raw_parts(chunk.cast::<u8>(), size) };
        preserving_errno(|| accept(instance, chunk));
    }
    true
}

/// The RTS flushed its buffers. They are here already.
extern "C" fn flush() {}

/// The RTS ends the log; nothing is written after it.
extern "C" fn stop() {
    if let Some(instance) = Instance::get() {
        cancellation::put_off(|| log::ends(instance));
    }
}

/// Code that was interrupted by this call, or made it, may look at `errno` next.
fn preserving_errno(call: impl FnOnce()) {
    let errno = system::errno();
    // SAFETY: the address of this thread's errno, valid while the thread lives.
    let before = unsafe { *errno };
    call();
    // SAFETY: as above.
    unsafe { *errno = before };
}

fn accept(instance: &Instance, bytes: &[u8]) {
    // Relaxed: set by the thread that starts the log, which then hands over the header.
    if instance.awaits_start.load(Ordering::Relaxed) {
        return;
    }
    let chunk = Chunk::of(bytes);
    // Relaxed: set and read on the same thread, or with the world stopped.
    let restarting = instance.restarting.load(Ordering::Relaxed);
    if let Some((_, end)) = chunk.span() {
        // A block ends when it is handed over: now. Relaxed: for marks in the
        // stream, which nothing is ordered by.
        instance.latest.store(end, Ordering::Relaxed);
        if !instance.knows_the_moment() {
            instance.note_moment(end);
        }
    }
    // Relaxed: of this thread, as above.
    if instance.header_due.load(Ordering::Relaxed) {
        instance.header_due.store(false, Ordering::Relaxed);
        let known = instance.header_hash.load(Ordering::Relaxed) != 0;
        if restarting && known {
            header_again(instance, &chunk, bytes);
            return;
        }
        if BlockMarker::parse(bytes).is_some() && !is_header(&bytes[MARKER_LEN..]) {
            // The first, and damaged: the next flush brings a good one.
            miss(instance, &chunk, bytes);
            return;
        }
    }
    match chunk {
        Chunk::Header { offset } => {
            // Of the first log, the start: its clock starts a moment before.
            let event_ns = BlockMarker::parse(bytes).map(|marker| marker.end);
            if event_ns.is_some() || !instance.ready.load(Ordering::Relaxed) {
                instance.note_moment(event_ns.unwrap_or(0));
            }
            if let Some(event_ns) = event_ns {
                note_global(instance, event_ns);
            }
            let header = &bytes[offset..];
            instance
                .header_hash
                .store(hash_of(header), Ordering::Relaxed);
            record(instance, &chunk, header, RecordPath::Definitions);
            keep_or_lose(instance, &chunk, header);
        }
        Chunk::End if restarting => {}
        // An end mark with company, from the same threads that may spoil the header: no block.
        // That the log ends is told when it is over.
        Chunk::Other if restarting || (Rts::get().is_some() && !bytes.is_empty()) => {
            miss(instance, &chunk, bytes)
        }
        // Acquire: pairs with the Release in `lifecycle::ready`; not needed for data, but
        // a global chunk that was written after it flows for certain.
        Chunk::Global(_) if !instance.globals_flow.load(Ordering::Acquire) => {
            if !is_empty_block(bytes) {
                record(instance, &chunk, bytes, RecordPath::Definitions);
                keep_or_lose(instance, &chunk, bytes);
            }
        }
        _ => {
            record(instance, &chunk, bytes, RecordPath::Records);
            deliver(instance, &chunk, bytes);
        }
    }
    if let Chunk::Global(marker) = chunk {
        note_global(instance, marker.end);
    }
}

/// A global block that ends then is where it belongs.
fn note_global(instance: &Instance, end: u64) {
    // Release: pairs with the Acquire in `mark` and `Instance::moment`; what is put into the
    // ring by who reads this is behind that block.
    instance.latest_global.fetch_max(end, Ordering::Release);
}

/// The ring of chunks has taken a global one.
fn count_global(instance: &Instance) {
    // Release: pairs with the Acquire in `Instance::globals_in_ring`, by way of the next
    // chunk of the global buffer, if it is refused.
    instance.globals_accepted.fetch_add(1, Ordering::Release);
}

/// The first chunk of a log that was started again, which has its header. GHC 9.0 does not
/// keep threads without a capability out of the buffer meanwhile: what they log may be
/// before, after or inside the header, and damage it. Such a chunk cannot be used.
fn header_again(instance: &Instance, chunk: &Chunk, bytes: &[u8]) {
    let alone = match chunk {
        Chunk::Header { offset } => {
            hash_of(&bytes[*offset..]) == instance.header_hash.load(Ordering::Relaxed)
        }
        _ => false,
    };
    if !alone {
        miss(instance, chunk, bytes);
    }
}

/// Drop a chunk that is of no use: neither the file nor the client gets it.
fn miss(instance: &Instance, chunk: &Chunk, bytes: &[u8]) {
    if let Some(recording) = instance.recording {
        recording.refuse(bytes);
    }
    // Relaxed: a client that sees it late has not missed anything yet, or is gone.
    if instance.serving.load(Ordering::Relaxed) {
        lose(instance, chunk, bytes);
    }
}

/// Without allocating anything.
fn hash_of(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    hasher.finish()
}

/// Hand it to the flight recorder, if there is one.
fn record(instance: &Instance, chunk: &Chunk, bytes: &[u8], record_path: RecordPath) {
    if let Some(recording) = instance.recording {
        recording.accept(chunk, bytes, record_path);
    }
}

/// A block without events, as a flush makes of an idle buffer.
fn is_empty_block(bytes: &[u8]) -> bool {
    bytes.len() <= MARKER_LEN
}

/// Put a chunk where it is not lost: whatever it defines is kept for every
/// client. False if the ring of definitions is full, that is, the poll thread has
/// stopped.
fn keep(instance: &Instance, bytes: &[u8]) -> bool {
    let kept = instance.definitions.push(bytes).is_ok();
    if kept && instance.definitions_bell.ring() {
        wake(instance);
    }
    kept
}

fn keep_or_lose(instance: &Instance, chunk: &Chunk, bytes: &[u8]) {
    if !keep(instance, bytes) {
        instance.chunks.record_loss(loss_of(instance, chunk, bytes));
    }
}

fn wake(instance: &Instance) {
    // Relaxed: a statistic.
    instance.wakeups.fetch_add(1, Ordering::Relaxed);
    instance.wake_poll_thread();
}

fn loss_of(instance: &Instance, chunk: &Chunk, bytes: &[u8]) -> Loss {
    let (since, until) = chunk.span().unwrap_or_else(|| {
        let latest = instance.latest.load(Ordering::Relaxed);
        (latest, latest)
    });
    Loss {
        records: 1,
        bytes: bytes.len() as u64,
        since,
        until,
    }
}

/// Put a chunk on its way to the client, if there is one.
fn deliver(instance: &Instance, chunk: &Chunk, bytes: &[u8]) {
    let blocks = instance.tuning.overflow != Overflow::Drop;
    // Relaxed: matters within one thread only.
    let nested = blocks && instance.inside.fetch_add(1, Ordering::Relaxed) > 0;
    let refused = match instance.chunks.push(bytes) {
        Err(PushError::Full) => push_patiently(instance, bytes, nested),
        outcome => outcome,
    };
    if blocks {
        instance.inside.fetch_sub(1, Ordering::Relaxed);
    }
    match refused {
        Ok(()) => {
            if matches!(chunk, Chunk::Global(_)) {
                count_global(instance);
            }
            if instance.chunks_bell.ring() {
                wake(instance);
            }
            return;
        }
        Err(PushError::Full | PushError::Oversize) => lose(instance, chunk, bytes),
        // No client is connected.
        Err(PushError::Closed | PushError::Stale) => {}
    }
    if matches!(chunk, Chunk::Global(_)) && !is_empty_block(bytes) {
        // If it cannot be kept either, it is counted as lost already.
        keep(instance, bytes);
    }
}

/// The client will not get this chunk: count it, so that the stream says so.
fn lose(instance: &Instance, chunk: &Chunk, bytes: &[u8]) {
    instance.chunks.record_loss(loss_of(instance, chunk, bytes));
    // No chunk may come for long that would tell of it.
    if instance.chunks_bell.ring() {
        wake(instance);
    }
}

/// Put a block of our own into the stream, behind the chunks that are there.
pub(crate) fn insert(instance: &Instance, block: &[u8]) {
    let outcome = match instance.chunks.push(block) {
        // With the `drop` policy it does not wait either.
        Err(PushError::Full) => push_patiently(instance, block, false),
        outcome => outcome,
    };
    match outcome {
        Ok(()) => count_global(instance),
        Err(PushError::Full | PushError::Oversize) => {
            instance
                .chunks
                .record_loss(loss_of(instance, &Chunk::of(block), block));
        }
        // No client is connected.
        Err(PushError::Closed | PushError::Stale) => return,
    }
    if instance.chunks_bell.ring() {
        wake(instance);
    }
}

/// The same, into the file of the flight recorder.
pub(crate) fn insert_into_file(instance: &Instance, block: &[u8]) {
    record(instance, &Chunk::of(block), block, RecordPath::Records);
}

/// Wait for room, if that is the policy, or if the program exits and this is its
/// tail.
///
/// `nested`: another push is under way. In the RTS without threads that is one
/// which this call, in a signal handler, has interrupted: no room can come before
/// it goes on.
fn push_patiently(instance: &Instance, bytes: &[u8], nested: bool) -> Result<(), PushError> {
    // Relaxed: a thread that sees it late drops or waits once more.
    if !instance.serving.load(Ordering::Relaxed) {
        return Err(PushError::Full);
    }
    // The ring may be full with what the poll thread has not been woken for.
    if instance.chunks_bell.ring() {
        wake(instance);
    }
    let exiting = || instance.exiting.load(Ordering::Relaxed);
    let was_exiting = exiting();
    let patience = match (was_exiting, instance.tuning.overflow) {
        (true, _) => Duration::from_nanos(instance.exit_budget.load(Ordering::Relaxed)),
        (false, Overflow::Drop) => return Err(PushError::Full),
        (false, Overflow::Block(_)) if nested && !Rts::get().is_none_or(Rts::is_threaded) => {
            return Err(PushError::Full);
        }
        (false, Overflow::Block(limit)) => limit.unwrap_or(Duration::MAX),
    };
    let started = crate::clock::monotonic();
    let outcome = instance.space.wait_until(patience, || {
        match instance.chunks.push(bytes) {
            // The exit has begun: wait by its rules.
            Err(PushError::Full) if was_exiting || !exiting() => None,
            outcome => Some(outcome),
        }
    });
    if was_exiting {
        let spent = crate::clock::monotonic() - started;
        spend_exit_budget(instance, spent);
    } else if outcome == Some(Err(PushError::Full)) {
        return push_patiently(instance, bytes, nested);
    }
    outcome.unwrap_or(Err(PushError::Full))
}

/// All threads that wait at the exit share one budget.
fn spend_exit_budget(instance: &Instance, spent: Duration) {
    let spent = u64::try_from(spent.as_nanos()).unwrap_or(u64::MAX);
    // Relaxed: the stop callback reads it on the same thread, or after the others
    // have stopped.
    let _ = instance
        .exit_budget
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
            Some(left.saturating_sub(spent))
        });
}
