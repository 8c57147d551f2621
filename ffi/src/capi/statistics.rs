//! The counters.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::control;
use crate::faults::FAULTS;
use crate::instance::Instance;
use crate::recording::Recording;
use crate::status::{Error, Status};

/// `EventlogSocketStats`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct EventlogSocketStats {
    chunks_sent: u64,
    bytes_sent: u64,
    chunks_lost: u64,
    bytes_lost: u64,
    chunks_discarded: u64,
    bytes_discarded: u64,
    ring_size: u64,
    ring_high_water: u64,
    definition_bytes: u64,
    connections: u64,
    wakeups: u64,
    flushes: u64,
    bytes_received: u64,
    commands_received: u64,
    commands_run: u64,
    commands_unknown: u64,
    commands_refused: u64,
    commands_denied: u64,
    commands_dropped: u64,
    bytes_garbage: u64,
    inet_port: u16,
    connected: bool,
    sleeps: u64,
    calls_interrupted: u64,
    sends_partial: u64,
    sends_full: u64,
    sends_deferred: u64,
    accepts_aborted: u64,
    accepts_deferred: u64,
    polls_failed: u64,
    wakeups_pending: u64,
    wakeups_failed: u64,
    options_failed: u64,
    clients_broken: u64,
    clients_half_closed: u64,
    clients_displaced: u64,
    ring_file_size: u64,
    ring_file_chunks_overwritten: u64,
    ring_file_bytes_overwritten: u64,
    ring_file_chunks_refused: u64,
    ring_file_bytes_refused: u64,
    ring_file_definitions_left_out: u64,
    ring_file_lost: u64,
    socket_files_removed: u64,
    socket_files_remade: u64,
    definitions_left_out: u64,
    clients_refused: u64,
    flush_ns_longest: u64,
    flush_ns_total: u64,
}

static_assertions::const_assert_eq!(size_of::<EventlogSocketStats>(), 48 * 8);

impl EventlogSocketStats {
    fn read(instance: &Instance) -> EventlogSocketStats {
        // Relaxed: each counter is exact, but they are not of one instant.
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let ring = instance.chunks.counters();
        let published = &instance.published;
        let commands = &control::INBOX.counters;
        // What is in the ring now may be what the poll thread has not seen yet. Kept, so
        // that no later answer is less.
        let used = instance.chunks.used() as u64;
        let high_water = published.high_water.fetch_max(used, Ordering::Relaxed);
        let high_water = high_water.max(used);
        let file = instance.recording.map(Recording::state);
        let (overwritten, refused) = file
            .map(|file| (file.overwritten, file.refused))
            .unwrap_or_default();
        EventlogSocketStats {
            chunks_sent: ring.delivered.records,
            bytes_sent: ring.delivered.bytes,
            chunks_lost: ring.lost.records,
            bytes_lost: ring.lost.bytes,
            chunks_discarded: ring.discarded.records + ring.refused_closed.records,
            bytes_discarded: ring.discarded.bytes + ring.refused_closed.bytes,
            ring_size: instance.ring_size as u64,
            ring_high_water: high_water,
            definition_bytes: load(&published.definition_bytes),
            connections: load(&published.connections),
            wakeups: load(&instance.wakeups),
            flushes: instance.flushes.count(),
            bytes_received: load(&published.received),
            commands_received: load(&commands.received),
            commands_run: load(&commands.run),
            commands_unknown: load(&commands.unknown),
            commands_refused: load(&commands.refused),
            commands_denied: load(&commands.denied),
            commands_dropped: load(&commands.dropped),
            bytes_garbage: load(&commands.garbage),
            inet_port: published.port.load(Ordering::Relaxed),
            // Acquire: pairs with the Release in `PollThread::disconnect`.
            connected: instance.connected.load(Ordering::Acquire),
            sleeps: load(&published.sleeps),
            calls_interrupted: FAULTS.interrupted.get(),
            sends_partial: FAULTS.sends_partial.get(),
            sends_full: FAULTS.sends_full.get(),
            sends_deferred: FAULTS.sends_deferred.get(),
            accepts_aborted: FAULTS.accepts_aborted.get(),
            accepts_deferred: FAULTS.accepts_deferred.get(),
            polls_failed: FAULTS.polls_failed.get(),
            wakeups_pending: FAULTS.wakeups_pending.get(),
            wakeups_failed: FAULTS.wakeups_failed.get(),
            options_failed: FAULTS.options_failed.get(),
            clients_broken: FAULTS.clients_broken.get(),
            clients_half_closed: FAULTS.clients_half_closed.get(),
            clients_displaced: FAULTS.clients_displaced.get(),
            ring_file_size: file.map_or(0, |file| file.size),
            ring_file_chunks_overwritten: overwritten.records,
            ring_file_bytes_overwritten: overwritten.bytes,
            ring_file_chunks_refused: refused.records,
            ring_file_bytes_refused: refused.bytes,
            ring_file_definitions_left_out: file.map_or(0, |file| file.left_out),
            ring_file_lost: file.is_some_and(|file| file.lost).into(),
            socket_files_removed: FAULTS.socket_files_removed.get(),
            socket_files_remade: FAULTS.socket_files_remade.get(),
            definitions_left_out: load(&published.definitions_left_out),
            clients_refused: FAULTS.clients_refused.get(),
            flush_ns_longest: instance.flushes.longest(),
            flush_ns_total: instance.flushes.total(),
        }
    }
}

/// `eventlog_socket_stats`.
///
/// # Safety
/// `stats` is NULL or has room for `stats_size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventlog_socket_stats(
    stats: *mut EventlogSocketStats,
    stats_size: usize,
) -> Status {
    if stats.is_null() {
        return Error::Sys(libc::EINVAL).into();
    }
    let Some(instance) = Instance::get() else {
        return Error::Sys(libc::ENOTCONN).into();
    };
    let read = EventlogSocketStats::read(instance);
    let size = stats_size.min(size_of::<EventlogSocketStats>());
    // SAFETY: room for that much, by the contract of this function; the two do not
    // overlap, one of them being local.
    unsafe {
        std::ptr::copy_nonoverlapping((&raw const read).cast::<u8>(), stats.cast::<u8>(), size);
    }
    Status::OK
}
