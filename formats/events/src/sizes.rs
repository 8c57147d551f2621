//! The sizes of the events of each type, as a header declares them.

use crate::declaration::Declarations;
use crate::error::ErrorKind;
use crate::event_type::DATA_END;
use crate::ids::{BLOCK_MARKER, IPE, STOP_THREAD};
use crate::layout::{EVENT_HEAD, MARKER_LEN};
use crate::old;
use std::collections::TryReserveError;

/// The sizes of events: what is needed to find where each of them ends.
///
/// A [`Decoder`](crate::Decoder) has one of its own. This is for code that only
/// looks at a few events in memory, and must not allocate: see
/// [`events`](Self::events).
//
// Payload sizes by type number: one load decides how an event is delimited.
//
// Types of 256 and more are kept apart, so that a header cannot make the table
// large by declaring a single high number, and so that the look-up needs only
// one byte and no bounds check: it is the longest link in the chain from one
// event to the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SizeTable {
    low: [u32; 256],
    /// Sorted by type and position.
    high: Vec<High>,
    /// The size of types with the mark [`Size::SHIFTED`].
    shifted: Option<u16>,
    /// The size of block markers.
    marker: Option<u16>,
}

/// The size of a type of 256 or more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct High {
    id: u16,
    /// Its place in the header: of several declarations the last counts.
    position: u32,
    size: u32,
}

impl Default for SizeTable {
    fn default() -> Self {
        Self {
            low: [Size::UNDECLARED.0; 256],
            high: Vec::new(),
            shifted: None,
            marker: None,
        }
    }
}

/// How events of a type are delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size(u32);

impl Size {
    /// The type is not declared.
    pub(crate) const UNDECLARED: Self = Self(u32::MAX);
    /// Each event contains its own length.
    pub(crate) const VARIABLE: Self = Self(u32::MAX - 1);
    /// Delimited by a rule of its own: block markers and info tables.
    pub(crate) const SPECIAL: Self = Self(u32::MAX - 2);
    /// All have the same size, kept apart because the stop codes in them are
    /// those of GHC 7.8.2, which the fast path does not handle.
    pub(crate) const SHIFTED: Self = Self(u32::MAX - 3);

    /// The size, of a type whose events all have the same.
    #[inline(always)]
    pub(crate) fn fixed(self) -> Option<usize> {
        (self.0 <= 0xffff).then_some(self.0 as usize)
    }
}

fn is_high(id: u16) -> bool {
    id > 0xff && id != DATA_END
}

impl SizeTable {
    /// An empty table: nothing is declared. It has room for `high` types with
    /// numbers of 256 and more, of which no released GHC has any; those below
    /// need no extra room.
    ///
    /// # Errors
    ///
    /// If there is no memory for that.
    pub fn with_room(high: usize) -> Result<Self, TryReserveError> {
        let mut table = Self::default();
        table.high.try_reserve_exact(high)?;
        Ok(table)
    }

    /// Replaces the table by that of the header at the front of `bytes`, which
    /// must be complete. Allocates nothing.
    ///
    /// # Errors
    ///
    /// If it is not a header, or if it declares more high types than there is
    /// [room](Self::with_room) for ([`ErrorKind::HeaderTooLarge`]). The table
    /// is then unchanged.
    pub fn read(&mut self, bytes: &[u8]) -> Result<(), ErrorKind> {
        let types = Declarations::of(bytes)?.map(|kind| (kind.id, kind.size));
        if types.clone().filter(|&(id, _)| is_high(id)).count() > self.high.capacity() {
            return Err(ErrorKind::HeaderTooLarge);
        }
        self.fill(types);
        Ok(())
    }

    /// The table for these types.
    pub(crate) fn new(types: impl Iterator<Item = (u16, Option<u16>)> + Clone) -> Self {
        let high = types.clone().filter(|&(id, _)| is_high(id)).count();
        let mut table = Self {
            high: Vec::with_capacity(high),
            ..Self::default()
        };
        table.fill(types);
        table
    }

    /// Fills the table. There must be room for the high types.
    fn fill(&mut self, types: impl Iterator<Item = (u16, Option<u16>)> + Clone) {
        self.low = [Size::UNDECLARED.0; 256];
        self.high.clear();
        (self.shifted, self.marker) = (None, None);
        let shifts = old::shifts_stop_codes(types.clone());
        let corrects = old::declares_wrong_sizes(types.clone());
        for (position, (id, size)) in (0..).zip(types) {
            let size = match corrects {
                true => old::corrected(id, size),
                false => size,
            };
            let size = match (id, size) {
                (DATA_END, _) => continue,
                (BLOCK_MARKER, _) => {
                    self.marker = size;
                    Size::SPECIAL.0
                }
                (IPE, None) => Size::SPECIAL.0,
                (_, None) => Size::VARIABLE.0,
                (STOP_THREAD, Some(size)) if shifts => {
                    self.shifted = Some(size);
                    Size::SHIFTED.0
                }
                (_, Some(size)) => size.into(),
            };
            match self.low.get_mut(usize::from(id)) {
                Some(slot) => *slot = size,
                None => self.high.push(High { id, position, size }),
            }
        }
        self.high
            .sort_unstable_by_key(|high| (high.id, high.position));
    }

    /// The payload size, if all events of the type have the same.
    pub(crate) fn fixed(&self, size: Size) -> Option<usize> {
        match size == Size::SHIFTED {
            true => self.shifted.map(usize::from),
            false => size.fixed(),
        }
    }

    /// The bytes of a block marker.
    pub(crate) fn marker_length(&self) -> usize {
        self.marker
            .map_or(MARKER_LEN, |size| EVENT_HEAD + usize::from(size))
    }

    /// Whether stop codes are those of GHC 7.8.2.
    pub(crate) fn shifts_stop_codes(&self) -> bool {
        self.shifted.is_some()
    }

    /// The size of a type below 256.
    #[inline(always)]
    pub(crate) fn low(&self, id: u8) -> Size {
        Size(self.low[usize::from(id)])
    }

    pub(crate) fn get(&self, id: u16) -> Size {
        if let Ok(id) = u8::try_from(id) {
            return self.low(id);
        }
        let after = self.high.partition_point(|high| high.id <= id);
        match after.checked_sub(1).and_then(|at| self.high.get(at)) {
            Some(high) if high.id == id => Size(high.size),
            _ => Size::UNDECLARED,
        }
    }

    /// Whether the type is declared, so that an item may begin with it.
    pub(crate) fn declares(&self, id: u16) -> bool {
        id == DATA_END || self.get(id) != Size::UNDECLARED
    }
}
