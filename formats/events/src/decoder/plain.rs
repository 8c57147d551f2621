//! The fast path: complete events of ordinary types.
//!
//! Nearly all of a log consists of them, so little is done for each: one
//! look-up for the size, a few comparisons, and the typed decoding. Anything
//! else, faults included, is declined and left to `framing.rs`.

use crate::body::EventBody;
use crate::event::{Encoded, Event, Run};
use crate::ids::CREATE_THREAD;
use crate::layout::EVENT_HEAD;
use crate::old::Form;
use crate::sizes::{Size, SizeTable};

/// What the framing of an ordinary event depends on, apart from the bytes.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub(crate) offset: u64,
    pub(crate) block_end: u64,
    pub(crate) block_cap: BlockCap,
}

/// The capability of a block, in one word: an `Option` is written in two halves, and a processor
/// waits for both of them if it is read as a whole soon after.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BlockCap(u32);

impl BlockCap {
    #[inline(always)]
    pub(crate) fn new(cap: Option<u16>) -> Self {
        Self(cap.map_or(u32::MAX, u32::from))
    }

    #[inline(always)]
    pub(crate) fn get(self) -> Option<u16> {
        u16::try_from(self.0).ok()
    }
}

impl Default for BlockCap {
    fn default() -> Self {
        Self::new(None)
    }
}

/// An ordinary event, by its bounds.
#[derive(Clone, Copy)]
pub(crate) struct Plain {
    pub(crate) length: usize,
    form: Form,
    id: u16,
    cap: Option<u16>,
    time: u64,
    offset: u64,
}

impl Plain {
    /// The event's time.
    #[inline(always)]
    pub(crate) fn time(&self) -> u64 {
        self.time
    }

    /// The event in these bytes, not decoded.
    #[inline(always)]
    pub(crate) fn encoded<'a>(&self, raw: &'a [u8]) -> Encoded<'a> {
        Encoded {
            time: self.time,
            cap: self.cap,
            raw,
            offset: self.offset,
            id: self.id,
            form: self.form,
        }
    }

    /// The event in these bytes.
    #[inline(always)]
    pub(crate) fn event<'a>(&self, raw: &'a [u8]) -> Event<'a> {
        Event {
            time: self.time,
            cap: self.cap,
            body: EventBody::decode(self.id, &raw[self.form.payload_at()..]),
            raw,
            offset: self.offset,
            form: self.form,
        }
    }
}

impl Place {
    /// Splits bytes that are whole events into runs: those of the block, and
    /// those outside any.
    pub(crate) fn runs<'a>(&self, bytes: &'a [u8]) -> impl Iterator<Item = Run<'a>> {
        let left = self.block_end.saturating_sub(self.offset);
        let inside = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
        let (raw, after) = bytes.split_at(inside);
        let within = Run {
            cap: self.block_cap.get(),
            raw,
            offset: self.offset,
        };
        let outside = Run {
            cap: None,
            raw: after,
            offset: self.offset + inside as u64,
        };
        [within, outside]
            .into_iter()
            .filter(|run| !run.raw.is_empty())
    }

    /// The event at the front of `bytes`.
    #[inline(always)]
    pub(crate) fn plain(&self, sizes: &SizeTable, bytes: &[u8]) -> Option<Plain> {
        let head = bytes.first_chunk::<EVENT_HEAD>()?;
        let [high, low, time @ ..] = *head;
        // While no events are expected, all types are undeclared.
        let size = sizes.low(low);
        if high != 0 {
            return None;
        }
        let id = u16::from(low);
        let (payload_at, length) = match size.fixed() {
            Some(size) => (EVENT_HEAD, EVENT_HEAD + size),
            None if size == Size::VARIABLE => {
                let length = u16::from_be_bytes(*bytes[EVENT_HEAD..].first_chunk()?);
                (EVENT_HEAD + 2, EVENT_HEAD + 2 + usize::from(length))
            }
            None => return None,
        };
        let offset = self.offset;
        let mut cap = None;
        if offset < self.block_end {
            if offset + length as u64 > self.block_end {
                return None;
            }
            cap = self.block_cap.get();
        }
        let time = u64::from_be_bytes(time);
        // A thread created at time 0 may be a hole of zeros.
        if bytes.len() < length || (time == 0 && id == CREATE_THREAD) {
            return None;
        }
        Some(Plain {
            length,
            form: Form::new(payload_at),
            id,
            cap,
            time,
            offset,
        })
    }
}
