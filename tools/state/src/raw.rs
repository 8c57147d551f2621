//! Raw events of a log, kept to be repeated at another time.

use ghc_eventlog::{Event, EventBody};
use std::sync::Arc;

/// Bytes of an event up to the end of its time.
const HEAD: usize = 10;

/// An event without its time, so that two events that say the same are equal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Raw {
    bytes: Arc<[u8]>,
    payload_at: usize,
}

impl Raw {
    pub(crate) fn of(event: &Event<'_>) -> Self {
        let mut bytes: Arc<[u8]> = event.raw.into();
        if let Some(bytes) = Arc::get_mut(&mut bytes) {
            date(bytes, 0);
        }
        Self {
            payload_at: payload_at(event),
            bytes,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn body(&self) -> EventBody<'_> {
        decode(&self.bytes, self.payload_at)
    }

    /// Whether the event says the same, at any time.
    pub(crate) fn says(&self, event: &Event<'_>) -> bool {
        self.bytes.len() == event.raw.len()
            && self.bytes[..2] == event.raw[..2]
            && self.bytes[HEAD..] == event.raw[HEAD..]
    }

    /// The same with other bytes in its payload.
    pub(crate) fn patched(&self, at: usize, new: &[u8]) -> Self {
        let mut bytes = self.bytes.to_vec();
        let place = bytes.get_mut(self.payload_at + at..);
        if let Some(place) = place.and_then(|rest| rest.get_mut(..new.len())) {
            place.copy_from_slice(new);
        }
        Self {
            bytes: bytes.into(),
            payload_at: self.payload_at,
        }
    }

    /// Appends the event, dated at this time.
    pub(crate) fn dated(&self, time: u64, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&self.bytes);
        date(&mut out[start..], time);
    }
}

/// Where the payload of an event begins.
pub(crate) fn payload_at(event: &Event<'_>) -> usize {
    event.raw.len() - event.payload().len()
}

/// Sets the time of an event.
pub(crate) fn date(event: &mut [u8], time: u64) {
    if let Some(place) = event.get_mut(2..HEAD) {
        place.copy_from_slice(&time.to_be_bytes());
    }
}

/// Decodes an event.
pub(crate) fn decode(event: &[u8], payload_at: usize) -> EventBody<'_> {
    EventBody::decode(
        u16::from_be_bytes([event[0], event[1]]),
        &event[payload_at..],
    )
}
