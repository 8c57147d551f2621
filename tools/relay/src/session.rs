//! One log of a source.

use crate::fold;
use crate::ring::Ring;
use crate::status::{RingStatus, SessionStatus};
use ghc_eventlog::Header;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// From one header to the next.
#[derive(Debug)]
pub(crate) struct Session {
    /// Its number among those of its source, from 1 on.
    pub(crate) number: u64,
    pub(crate) header: Arc<Header>,
    pub(crate) since: SystemTime,
    pub(crate) ring: Arc<Ring>,
    pub(crate) fold: fold::Handle,
    /// It was sent by a relay that had joined late.
    pub(crate) joined_late: AtomicBool,
}

impl Session {
    pub(crate) fn status(&self) -> SessionStatus {
        let fill = self.ring.fill();
        let end = self.ring.ended();
        let readers = self.fold.readers.lock();
        let readers = readers.unwrap_or_else(PoisonError::into_inner);
        let standing = readers
            .iter()
            .filter_map(|reader| Some(reader.upgrade()?.standing()));
        let last = standing.min().map(|piece| self.ring.offset_of(piece));
        drop(readers);
        let report = self.fold.report.lock();
        let report = report.unwrap_or_else(PoisonError::into_inner);
        let mut fold = report.fold;
        fold.lag_bytes = fill.offset.saturating_sub(report.offset);
        let since = self.since.duration_since(UNIX_EPOCH).unwrap_or_default();
        SessionStatus {
            number: self.number,
            since_unix_s: since.as_secs_f64(),
            ended: end.is_some(),
            marked: end.is_some_and(|end| end.marked),
            cut_off_bytes: end.map_or(0, |end| end.cut_off),
            bytes: fill.offset,
            blocks: fill.blocks,
            faulty_bytes: fill.faulty,
            joined_late: self.joined_late.load(Ordering::Relaxed),
            ring: RingStatus {
                limit_bytes: fill.limit,
                bytes: fill.bytes,
                pieces: fill.pieces,
                lag_bytes: last.map_or(0, |last| fill.offset.saturating_sub(last)),
                waits: fill.waits,
            },
            fold,
            program: report.program.clone(),
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // Releases readers that wait for an answer of the fold.
        self.ring.close();
    }
}
