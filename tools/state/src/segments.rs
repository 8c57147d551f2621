//! Events in order, in memory that copies share.
//!
//! Events are only ever appended. They are stored in segments; a full one is
//! never changed again, so a copy shares all of them except the last, and that
//! one too until something is appended to it.

use crate::raw::{date, decode, payload_at};
use ghc_eventlog::{Event, EventBody};
use std::sync::Arc;

/// Bytes of a segment. A longer event has one of its own.
const SEGMENT: usize = 256 << 10;
/// Before each event: its capability, where its payload begins, its length.
const PREFIX: usize = 2 + 1 + 4;
const GLOBAL: u16 = u16::MAX;

/// Where an event is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    segment: u32,
    at: u32,
}

/// The events.
#[derive(Clone, Debug, Default)]
pub(crate) struct Segments {
    full: Arc<Vec<Arc<Vec<u8>>>>,
    last: Arc<Vec<u8>>,
    bytes: usize,
}

/// An event. Its time is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kept<'a> {
    pub(crate) cap: Option<u16>,
    pub(crate) raw: &'a [u8],
    payload_at: usize,
}

impl<'a> Kept<'a> {
    pub(crate) fn body(&self) -> EventBody<'a> {
        decode(self.raw, self.payload_at)
    }

    pub(crate) fn payload(&self) -> &'a [u8] {
        &self.raw[self.payload_at..]
    }
}

impl Segments {
    /// Bytes of all events.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The place after the last event.
    pub(crate) fn end(&self) -> Place {
        Place {
            segment: self.full.len() as u32,
            at: self.last.len() as u32,
        }
    }

    pub(crate) fn push(&mut self, event: &Event<'_>) -> Place {
        let length = PREFIX + event.raw.len();
        if !self.last.is_empty() && self.last.len() + length > SEGMENT {
            Arc::make_mut(&mut self.full).push(std::mem::take(&mut self.last));
        }
        let place = self.end();
        let last = Arc::make_mut(&mut self.last);
        last.extend_from_slice(&event.cap.unwrap_or(GLOBAL).to_be_bytes());
        last.push(payload_at(event) as u8);
        last.extend_from_slice(&(event.raw.len() as u32).to_be_bytes());
        last.extend_from_slice(&event.raw_for_moving());
        date(&mut last[place.at as usize + PREFIX..], 0);
        self.bytes += event.raw.len();
        place
    }

    fn segment(&self, number: u32) -> Option<&[u8]> {
        match self.full.get(number as usize) {
            Some(full) => Some(full),
            None => (number as usize == self.full.len()).then_some(&**self.last),
        }
    }

    pub(crate) fn get(&self, place: Place) -> Option<Kept<'_>> {
        let rest = self.segment(place.segment)?.get(place.at as usize..)?;
        let (prefix, rest) = rest.split_first_chunk::<PREFIX>()?;
        let cap = u16::from_be_bytes([prefix[0], prefix[1]]);
        let length = u32::from_be_bytes([prefix[3], prefix[4], prefix[5], prefix[6]]);
        Some(Kept {
            cap: (cap != GLOBAL).then_some(cap),
            raw: rest.get(..length as usize)?,
            payload_at: prefix[2].into(),
        })
    }

    /// The events from a place on, which must be that of an event or have been
    /// the end.
    pub(crate) fn from(&self, place: Place) -> impl Iterator<Item = Kept<'_>> {
        let mut next = place;
        std::iter::from_fn(move || {
            loop {
                match self.get(next) {
                    Some(kept) => {
                        next.at += (PREFIX + kept.raw.len()) as u32;
                        return Some(kept);
                    }
                    None if next.segment as usize >= self.full.len() => return None,
                    None => {
                        next = Place {
                            segment: next.segment + 1,
                            at: 0,
                        }
                    }
                }
            }
        })
    }
}
