//! Events of bytes in memory, delimited but not decoded.

use crate::bounds::{Scan, is_hole};
use crate::event::Block;
use crate::event_type::DATA_END;
use crate::ids::BLOCK_MARKER;
use crate::layout::MAX_ITEM;
use crate::sizes::{Size, SizeTable};

/// An event, or a block marker, that is delimited but not decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawEvent<'a> {
    /// The number of its type.
    pub id: u16,
    /// Its time.
    pub time: u64,
    /// Its payload, without a length before it. The payload of an info table
    /// ends where the table does, whatever length the event declares.
    pub payload: &'a [u8],
    /// All of its bytes.
    pub bytes: &'a [u8],
}

/// The events at the front of some bytes: see [`SizeTable::events`].
#[derive(Clone, Debug)]
pub struct RawEvents<'a> {
    sizes: &'a SizeTable,
    rest: &'a [u8],
    /// Bytes left of the current block; `None` outside any.
    left: Option<usize>,
}

impl SizeTable {
    /// The events at the front of `bytes`, which begin with a block marker or
    /// with an event. Markers are returned, too. Nothing is allocated, and
    /// nothing panics whatever the bytes; what is ordinary, and what is a
    /// fault, is the same as for a [`Decoder`](crate::Decoder) that is given
    /// only these bytes.
    ///
    /// They end at the mark [`DATA_END`], at a header, at a fault, and at an
    /// event that is not complete: [`RawEvents::rest`] begins there.
    ///
    /// ```
    /// use ghc_eventlog::{BlockBuilder, EventBody, Header, SizeTable, definition_of, ids};
    ///
    /// let header = Header::standard();
    /// let mut sizes = SizeTable::with_room(0)?;
    /// sizes.read(header.as_bytes())?;
    /// let mut block = BlockBuilder::new(None);
    /// block.push_body(&header, 1000, &EventBody::CapCreate { created_cap: 3 })?;
    /// let mut events = sizes.events(block.finish());
    /// assert_eq!(events.next().unwrap().id, ids::BLOCK_MARKER);
    /// let event = events.next().unwrap();
    /// assert_eq!((event.id, event.time), (ids::CAP_CREATE, 1000));
    /// assert_eq!(definition_of(event.id, event.payload).unwrap().key, 3);
    /// assert_eq!((events.next(), events.rest()), (None, &[][..]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn events<'a>(&'a self, bytes: &'a [u8]) -> RawEvents<'a> {
        RawEvents {
            sizes: self,
            rest: bytes,
            left: None,
        }
    }
}

impl<'a> RawEvents<'a> {
    /// The bytes after the events so far.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

impl<'a> Iterator for RawEvents<'a> {
    type Item = RawEvent<'a>;

    fn next(&mut self) -> Option<RawEvent<'a>> {
        let id = u16::from_be_bytes(*self.rest.first_chunk()?);
        if id == DATA_END || self.sizes.get(id) == Size::UNDECLARED {
            return None;
        }
        let marker = id == BLOCK_MARKER;
        // A block may end early: the marker of the next one lies within its
        // bounds.
        let left = self.left.filter(|_| !marker).unwrap_or(usize::MAX);
        let limit = left.min(MAX_ITEM);
        let mut scan = Scan::default();
        let bounds = self.sizes.bounds(id, self.rest, limit, &mut scan);
        let bounds = bounds.ok().flatten().filter(|found| found.length <= left)?;
        let (bytes, rest) = self.rest.split_at_checked(bounds.length)?;
        let event = RawEvent {
            id,
            time: u64::from_be_bytes(*bytes.get(2..)?.first_chunk()?),
            payload: bytes.get(bounds.payload_at..)?,
            bytes,
        };
        if is_hole(id, event.time, event.payload) {
            return None;
        }
        let in_block = match marker {
            true => Block::parse(bytes, 0).size as usize,
            false => self.left.unwrap_or(0),
        };
        // `None`: a block without a size reaches to the next marker.
        self.left = in_block.checked_sub(bytes.len()).filter(|&left| left > 0);
        self.rest = rest;
        Some(event)
    }
}
