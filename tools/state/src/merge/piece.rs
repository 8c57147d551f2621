//! Blocks as they are in the stream, to be decoded when it is their turn.

use ghc_eventlog::{Block, Decoder, Error, ErrorKind, Gap, Item, Run};

/// Size in bytes after which a block that is decoded on arrival is continued in another piece, so
/// that memory stays bounded however long the block is.
pub(crate) const PIECE: usize = 1 << 20;

/// The memory of long blocks is rounded up to a multiple of this.
const ROUND: usize = 64 << 10;

/// The contents of a block marker.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Marker {
    pub(crate) cap: Option<u16>,
    pub(crate) time: u64,
    pub(crate) end: u64,
    pub(crate) size: u32,
    /// Its place in the stream, and its own length.
    pub(crate) offset: u64,
    pub(crate) length: u32,
}

impl Marker {
    pub(crate) fn new(block: &Block<'_>) -> Self {
        Self {
            cap: block.cap,
            time: block.time,
            end: block.end,
            size: block.size,
            offset: block.offset,
            length: block.raw.len() as u32,
        }
    }

    /// Where the block ends; `u64::MAX` if the marker does not say: at the next marker.
    pub(crate) fn block_end(&self) -> u64 {
        match self.size < self.length {
            true => u64::MAX,
            false => self.offset + u64::from(self.size),
        }
    }
}

/// A block, a part of one, or events outside any block.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    pub(crate) marker: Option<Marker>,
    /// Where its bytes are in the stream.
    pub(crate) offset: u64,
    pub(crate) bytes: Vec<u8>,
    /// Where its events begin: after the marker, or at 0 if that is in an earlier piece.
    pub(crate) begin: usize,
    /// Whether the block has arrived up to its end.
    pub(crate) ends: bool,
}

impl Piece {
    /// The beginning of a block.
    pub(crate) fn begin(block: &Block<'_>, mut bytes: Vec<u8>) -> Self {
        bytes.extend_from_slice(block.raw);
        Self {
            marker: Some(Marker::new(block)),
            offset: block.offset,
            begin: bytes.len(),
            bytes,
            ends: false,
        }
    }

    /// The next events, of the same block or outside any.
    pub(crate) fn further(marker: Option<Marker>, offset: u64) -> Self {
        Self {
            marker,
            offset,
            bytes: Vec::new(),
            begin: 0,
            ends: false,
        }
    }

    pub(crate) fn cap(&self) -> Option<u16> {
        self.marker.and_then(|marker| marker.cap)
    }

    /// Where its bytes end in the stream.
    pub(crate) fn reaches(&self) -> u64 {
        self.offset + self.bytes.len() as u64
    }

    /// Where the events end that belong to the block.
    pub(crate) fn block_end(&self) -> u64 {
        self.marker.map_or(0, |marker| marker.block_end())
    }

    /// The marker, if it is in this piece.
    pub(crate) fn block(&self) -> Option<Block<'_>> {
        let marker = self.marker.as_ref().filter(|_| self.begin > 0)?;
        Some(Block {
            time: marker.time,
            end: marker.end,
            size: marker.size,
            cap: marker.cap,
            raw: &self.bytes[..self.begin],
            offset: marker.offset,
        })
    }

    /// Moves a decoder to the event that begins at `at`.
    #[inline]
    pub(crate) fn seek(&self, decoder: &mut Decoder, at: usize) {
        decoder.seek(self.cap(), self.offset + at as u64, self.block_end());
    }
}

/// Makes pieces from the items of a decoder.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pieces {
    open: Option<Piece>,
    /// The marker of the latest block.
    marker: Option<Marker>,
    /// Memory to be reused.
    spare: Vec<Vec<u8>>,
}

impl Pieces {
    /// Starts in the middle of a block.
    pub(crate) fn within(marker: Option<Marker>, offset: u64) -> Self {
        Self {
            open: Some(Piece::further(marker, offset)),
            marker,
            spare: Vec::new(),
        }
    }

    /// Begins a block.
    pub(crate) fn block(&mut self, block: &Block<'_>, done: &mut impl FnMut(Piece)) {
        // The piece that was open ends where this one begins.
        self.close(true, done);
        let bytes = self.memory(block.size as usize);
        self.open = Some(Piece::begin(block, bytes));
        self.marker = Some(Marker::new(block));
        self.check_end(done);
    }

    /// Takes events of the open block, or outside any.
    pub(crate) fn run(&mut self, run: &Run<'_>, done: &mut impl FnMut(Piece)) {
        if let Some(open) = self.open.take_if(|open| open.reaches() != run.offset) {
            // Something lies in between that is not an event.
            self.open = Some(Piece::further(open.marker, run.offset));
            done(open);
        }
        // A block goes on even after an end mark.
        let marker = self.marker.filter(|_| run.cap.is_some());
        let open = self
            .open
            .get_or_insert_with(|| Piece::further(marker, run.offset));
        open.bytes.extend_from_slice(run.raw);
        if !self.check_end(done) {
            self.check_length(done);
        }
    }

    /// Takes bytes of the open block, undecoded.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        if let Some(open) = &mut self.open {
            open.bytes.extend_from_slice(bytes);
        }
    }

    /// The events of the open block so far.
    pub(crate) fn events(&self) -> Option<&[u8]> {
        self.open.as_ref().map(|open| &open.bytes[open.begin..])
    }

    /// Takes these events back out: only the marker stays.
    pub(crate) fn take_back(&mut self) -> Vec<u8> {
        self.open
            .as_mut()
            .map_or(Vec::new(), |open| open.bytes.split_off(open.begin))
    }

    /// Whether the open piece is outside any block.
    pub(crate) fn is_outside(&self) -> bool {
        self.open.as_ref().is_some_and(|open| open.marker.is_none())
    }

    /// Passes on what has arrived; the block stays open.
    pub(crate) fn interrupt(&mut self, done: &mut impl FnMut(Piece)) {
        if let Some(open) = self.open.take_if(|open| !open.bytes.is_empty()) {
            self.open = Some(Piece::further(open.marker, open.reaches()));
            done(open);
        }
    }

    /// Closes the block if it has arrived completely.
    pub(crate) fn check_end(&mut self, done: &mut impl FnMut(Piece)) -> bool {
        let whole = self
            .open
            .as_ref()
            .is_some_and(|open| open.marker.is_some() && open.reaches() >= open.block_end());
        if whole {
            self.close(true, done);
        }
        whole
    }

    fn check_length(&mut self, done: &mut impl FnMut(Piece)) {
        if let Some(open) = self.open.take_if(|open| open.bytes.len() >= PIECE) {
            self.open = Some(Piece::further(open.marker, open.reaches()));
            done(open);
        }
    }

    /// Closes the open piece: nothing more belongs to it.
    pub(crate) fn close(&mut self, ends: bool, done: &mut impl FnMut(Piece)) {
        if let Some(mut open) = self.open.take() {
            open.ends = ends;
            done(open);
        }
    }

    /// The block that has not arrived completely.
    pub(crate) fn open(&self) -> Option<&Piece> {
        self.open.as_ref()
    }

    /// Bytes that are kept here.
    pub(crate) fn held(&self) -> usize {
        let open = self.open.as_ref().map_or(0, |open| open.bytes.capacity());
        open + self.spare.iter().map(Vec::capacity).sum::<usize>()
    }

    /// Memory for a block of this size; not all of it if it is large, since the marker may be
    /// wrong.
    fn memory(&mut self, size: usize) -> Vec<u8> {
        let fits = |bytes: &Vec<u8>| (size..=size.saturating_mul(2)).contains(&bytes.capacity());
        match self.spare.iter().position(fits) {
            Some(at) => self.spare.swap_remove(at),
            // Full blocks of a runtime system differ by a few bytes in size: each has to fit into
            // the memory of any other.
            None if size >= PIECE / 4 => {
                Vec::with_capacity(size.next_multiple_of(ROUND).min(4 * PIECE))
            }
            None => Vec::with_capacity(size),
        }
    }

    /// Makes the memory of a piece available for reuse.
    pub(crate) fn recycle(&mut self, mut bytes: Vec<u8>) {
        if self.spare.len() < 2 && (PIECE / 4..=2 * PIECE).contains(&bytes.capacity()) {
            bytes.clear();
            self.spare.push(bytes);
        }
    }
}

/// Reports what is in the bytes of a block that does not consist of whole events. If the block ends
/// with them, an event that is not complete never will be.
pub(crate) fn take_apart<'a>(
    decoder: Decoder,
    mut bytes: &'a [u8],
    ends: bool,
    each: &mut impl FnMut(Item<'a>),
) {
    let mut decoder = decoder.with_recovery(true);
    while let Ok(item) = decoder.decode(&mut bytes) {
        match item {
            Item::NeedMore => break,
            item => each(item),
        }
    }
    let mut gap = decoder.ending(bytes).gap;
    if gap.is_none()
        && ends
        && let [high, after @ ..] = bytes
    {
        let id = u16::from_be_bytes([*high, after.first().copied().unwrap_or(0)]);
        let (offset, kind) = (decoder.offset(), ErrorKind::CrossesBlockEnd(id));
        gap = Some(Gap {
            error: Error { offset, kind },
            offset,
            length: bytes.len() as u64,
        });
    }
    if let Some(gap) = gap {
        each(Item::Gap(gap));
    }
}
