//! Cuts the bytes of a source into pieces that can be passed on separately. It is public for other
//! programs that read sources.
//!
//! Blocks are not decoded: the next one is found by the length in each marker. Bytes are only decoded
//! where that does not work: events outside blocks, blocks without a length, damage.

use crate::piece::{Piece, PieceKind};
use bytes::{Bytes, BytesMut};
use ghc_eventlog::layout::{MARKER_LEN, block_marker};
use ghc_eventlog::{Block, Decoder, Error, Header, Item};
use std::sync::Arc;

/// The most bytes of one read. The pieces of one read share its memory.
const READ: usize = 256 << 10;
/// The smallest room for a read.
const LEAST_READ: usize = 16 << 10;
/// The most room that is reserved for a block of which only the beginning has arrived:
/// the length in its marker may be wrong.
const AHEAD: usize = 4 << 20;
/// Blocks longer than this are passed on in parts.
const WHOLE: u32 = 16 << 20;

/// The output of a framer.
#[derive(Debug)]
#[non_exhaustive]
pub enum Framed {
    /// A log begins.
    Began {
        /// Its header.
        header: Arc<Header>,
        /// Offset of the first byte after it, in the stream.
        at: u64,
    },
    /// The next piece of it.
    Piece(Piece),
    /// The bytes are not a log. Reported once.
    Garbage(Error),
}

/// The fields of the present block's marker.
#[derive(Clone, Copy, Debug)]
struct Marker {
    cap: Option<u16>,
    begin: u64,
    end: u64,
    size: u32,
    length: usize,
}

#[derive(Debug)]
enum Mode {
    /// Item by item.
    Items,
    /// After a marker: the next bytes decide whether the block can be passed on undecoded.
    Undecided,
    /// The bytes of a block, with the decoder as it was after the marker.
    Raw(Box<Decoder>),
}

/// Cuts a stream: read into its [room](Self::room), call [`filled`](Self::filled) with the number
/// of bytes, and [`finish`](Self::finish) at the end of the stream.
#[derive(Debug)]
pub struct Framer {
    decoder: Decoder,
    mode: Mode,
    /// Bytes that were not passed on yet, and how many of them are filled.
    buffer: BytesMut,
    filled: usize,
    /// Bytes of the buffer that the decoder has consumed.
    taken: usize,
    /// Offset of the buffer in the stream.
    start: u64,
    /// Offset of the first byte after the header, if the log has begun.
    base: Option<u64>,
    marker: Option<Marker>,
    /// Up to here items are decoded.
    exact_until: u64,
    /// The latest time of any block or event.
    latest: u64,
    garbage: u64,
    garbage_told: bool,
}

impl Default for Framer {
    fn default() -> Self {
        Self::new()
    }
}

impl Framer {
    /// A framer at the beginning of a stream.
    pub fn new() -> Self {
        Self {
            decoder: Decoder::new().with_recovery(true),
            mode: Mode::Items,
            buffer: BytesMut::zeroed(READ),
            filled: 0,
            taken: 0,
            start: 0,
            base: None,
            marker: None,
            exact_until: 0,
            latest: 0,
            garbage: 0,
            garbage_told: false,
        }
    }

    /// Bytes so far that belong to no log.
    pub fn garbage(&self) -> u64 {
        self.garbage
    }

    /// The buffer to read into. After a read, call [`filled`](Self::filled).
    pub fn room(&mut self) -> &mut [u8] {
        if self.buffer.len() - self.filled < LEAST_READ {
            let missing = match self.mode {
                Mode::Raw(_) => self.decoder.left_of_block().unwrap_or(0),
                _ => 0,
            };
            let ahead = usize::try_from(missing).map_or(AHEAD, |missing| missing.min(AHEAD));
            let mut buffer = BytesMut::zeroed(self.filled + READ.max(ahead + LEAST_READ));
            buffer[..self.filled].copy_from_slice(&self.buffer[..self.filled]);
            self.buffer = buffer;
        }
        &mut self.buffer[self.filled..]
    }

    /// This many bytes were read into the room.
    pub fn filled(&mut self, count: usize, each: &mut dyn FnMut(Framed)) {
        self.filled += count;
        while self.step(each) {}
        // Complete pieces must be passed on at once.
        if self.base.is_some() && self.decoder.unfinished_header().is_empty() {
            let open = match self.mode {
                Mode::Items => self.taken,
                _ => 0,
            };
            self.hand_on(open, each);
        } else if self.base.is_none() {
            self.forget_garbage(each);
        }
    }

    /// Whether there may be more to do.
    fn step(&mut self, each: &mut dyn FnMut(Framed)) -> bool {
        match &self.mode {
            Mode::Undecided => {
                let rest = &self.buffer[self.taken..self.filled];
                if !Decoder::may_begin_header(rest) {
                    self.mode = Mode::Raw(Box::new(self.decoder.clone()));
                    return true;
                }
                let told = rest.len() >= 4;
                if told {
                    self.mode = Mode::Items;
                }
                told
            }
            Mode::Raw(_) => self.raw(each),
            Mode::Items => self.item(each),
        }
    }

    fn raw(&mut self, each: &mut dyn FnMut(Framed)) -> bool {
        let mut rest = &self.buffer[self.taken..self.filled];
        let length = self.decoder.take_block_bytes(&mut rest).len();
        self.taken += length;
        if self.decoder.left_of_block() != Some(0) {
            return false;
        }
        let Mode::Raw(before) = std::mem::replace(&mut self.mode, Mode::Items) else {
            return true;
        };
        let marker = self.marker.map_or(0, |marker| marker.length);
        let events = &self.buffer[marker..self.taken];
        let next = &self.buffer[self.taken..self.filled];
        if Decoder::block_can_end_before(next) || before.are_events(events) {
            self.block(each);
        } else {
            self.exact_until = self.decoder.offset();
            self.decoder = *before;
            self.taken = marker;
        }
        true
    }

    fn item(&mut self, each: &mut dyn FnMut(Framed)) -> bool {
        let mut rest = &self.buffer[self.taken..self.filled];
        let before = rest.len();
        // With recovery no error is final.
        let Ok(item) = self.decoder.decode(&mut rest) else {
            return false;
        };
        let took = before - rest.len();
        let behind = self.taken + took;
        match item {
            Item::NeedMore => {
                self.taken = behind;
                return false;
            }
            Item::Header => {
                self.taken = behind;
                self.header(each);
            }
            Item::Block(block) => {
                let (marker, offset) = (Marker::of(&block), block.offset);
                self.taken = behind;
                self.begin_block(marker, offset, each);
            }
            Item::Event(event) => {
                self.latest = self.latest.max(event.time);
                self.taken = behind;
                if self.decoder.left_of_block() == Some(0) {
                    self.block(each);
                } else if self.taken >= READ {
                    self.hand_on(self.taken, each);
                }
            }
            Item::End => {
                self.taken = behind;
                self.hand_on(behind - took, each);
                self.marker = None;
                self.emit(self.taken, PieceKind::End, each);
            }
            Item::Gap(gap) => {
                self.taken = behind;
                let begin = gap.offset.saturating_sub(self.start) as usize;
                self.hand_on(begin.min(behind), each);
                self.marker = None;
                let end = (gap.offset + gap.length).saturating_sub(self.start) as usize;
                if self.base.is_some() {
                    self.emit(end.min(self.taken), PieceKind::Faulty, each);
                } else {
                    self.tell_garbage(gap.error, each);
                }
            }
            _ => {}
        }
        true
    }

    fn header(&mut self, each: &mut dyn FnMut(Framed)) {
        let Some(header) = self.decoder.header().cloned() else {
            return;
        };
        let begin = self.taken.saturating_sub(header.as_bytes().len());
        // GHC 9.0 begins a block before it restarts its log: that block is empty.
        let marker = self.marker.map_or(0, |marker| marker.length);
        match self.base {
            Some(_) if begin > marker => self.hand_on(begin, each),
            Some(_) => {}
            None => self.garbage += begin as u64,
        }
        self.marker = None;
        self.drop_front(self.taken);
        self.base = Some(self.start);
        self.latest = 0;
        self.garbage_told = false;
        each(Framed::Began {
            header,
            at: self.start,
        });
    }

    fn begin_block(&mut self, marker: Marker, offset: u64, each: &mut dyn FnMut(Framed)) {
        let begin = offset.saturating_sub(self.start) as usize;
        self.hand_on(begin, each);
        self.marker = Some(marker);
        let whole = marker.length as u32 + 1..=WHOLE;
        if marker.size as usize == marker.length {
            self.block(each);
        } else if offset >= self.exact_until && self.base.is_some() && whole.contains(&marker.size)
        {
            self.mode = Mode::Undecided;
        }
    }

    /// The present block has arrived completely.
    fn block(&mut self, each: &mut dyn FnMut(Framed)) {
        let Some(marker) = self.marker else { return };
        self.latest = self.latest.max(marker.end);
        let begins_here = marker.size as usize == self.taken;
        let kind = match begins_here {
            true => PieceKind::Block,
            false => PieceKind::Part,
        };
        self.emit(self.taken, kind, each);
        self.marker = None;
    }

    /// Passes on the bytes that belong together, up to here in the buffer.
    fn hand_on(&mut self, end: usize, each: &mut dyn FnMut(Framed)) {
        if end == 0 || self.base.is_none() {
            return;
        }
        let at_fault = self.decoder.ending(&[]).gap;
        let faulty = at_fault.map(|gap| gap.offset.saturating_sub(self.start) as usize);
        match faulty.filter(|&from| from < end) {
            Some(from) => {
                self.emit(from, self.kind_of_items(), each);
                self.marker = None;
                self.emit(end - from, PieceKind::Faulty, each);
            }
            None => self.emit(end, self.kind_of_items(), each),
        }
    }

    fn kind_of_items(&self) -> PieceKind {
        match self.marker {
            Some(_) => PieceKind::Part,
            None => PieceKind::Events,
        }
    }

    fn emit(&mut self, length: usize, kind: PieceKind, each: &mut dyn FnMut(Framed)) {
        let Some(base) = self.base.filter(|_| length > 0) else {
            return;
        };
        let offset = self.start - base;
        let bytes = self.drop_front(length);
        let marker = self.marker.filter(|_| kind != PieceKind::Faulty);
        let (begin, end) = match marker {
            Some(marker) => (marker.begin, marker.end),
            None => (self.latest, self.latest),
        };
        each(Framed::Piece(Piece {
            bytes,
            offset,
            kind,
            cap: marker.and_then(|marker| marker.cap),
            begin,
            end,
        }));
    }

    fn drop_front(&mut self, length: usize) -> Bytes {
        let bytes = self.buffer.split_to(length).freeze();
        self.filled -= length;
        self.taken = self.taken.saturating_sub(length);
        self.start += length as u64;
        bytes
    }

    /// Bytes before a header that are not part of one are not kept.
    fn forget_garbage(&mut self, each: &mut dyn FnMut(Framed)) {
        let Some(gap) = self.decoder.ending(&[]).gap else {
            return;
        };
        self.tell_garbage(gap.error, each);
    }

    fn tell_garbage(&mut self, error: Error, each: &mut dyn FnMut(Framed)) {
        let kept = self.decoder.unfinished_header().len();
        let length = self.taken.saturating_sub(kept);
        self.garbage += length as u64;
        self.drop_front(length);
        if !std::mem::replace(&mut self.garbage_told, true) {
            each(Framed::Garbage(error));
        }
    }

    /// Ends the stream. The whole events of an incomplete block are passed on as a shorter block.
    /// Returns how many bytes of the log are left out.
    pub fn finish(mut self, each: &mut dyn FnMut(Framed)) -> u64 {
        if self.base.is_none() {
            return 0;
        }
        let marker = self.marker.filter(|marker| marker.length == MARKER_LEN);
        if let (Mode::Raw(before), Some(marker)) = (&self.mode, marker) {
            let mut decoder = (**before).clone();
            let mut rest = &self.buffer[marker.length..self.filled];
            let all = rest.len();
            let _ =
                decoder.for_each_event(&mut rest, |_| std::ops::ControlFlow::<()>::Continue(()));
            let events = all - rest.len();
            if events > 0 {
                let made = block_marker(marker.cap, marker.begin, marker.end, events);
                self.buffer[..MARKER_LEN].copy_from_slice(&made);
                self.emit(MARKER_LEN + events, PieceKind::Block, each);
            }
        }
        self.filled as u64
    }
}

impl Marker {
    fn of(block: &Block<'_>) -> Self {
        Self {
            cap: block.cap,
            begin: block.time,
            end: block.end,
            size: block.size,
            length: block.raw.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ghc_eventlog::{BlockBuilder, DATA_END, EventBody};

    fn block(cap: Option<u16>, times: &[u64]) -> Vec<u8> {
        let header = Header::standard();
        let mut block = BlockBuilder::new(cap);
        for &time in times {
            block.push_body(&header, time, &EventBody::GcStart).unwrap();
        }
        block.finish().to_vec()
    }

    /// The output: pieces by their kind, all bytes joined, and how much was left out.
    #[derive(Debug, Default, PartialEq)]
    struct Out {
        logs: Vec<Vec<u8>>,
        kinds: Vec<Vec<PieceKind>>,
        garbage: u64,
        told: usize,
        cut_off: u64,
    }

    fn frame(bytes: &[u8], chunk: usize) -> Out {
        let mut framer = Framer::new();
        let mut out = Out::default();
        let mut take = |framed| match framed {
            Framed::Began { header, at } => {
                let own = header.as_bytes().len() as u64;
                assert!(at >= own);
                out.logs.push(header.as_bytes().to_vec());
                out.kinds.push(Vec::new());
            }
            Framed::Piece(piece) => {
                let log = out.logs.last_mut().unwrap();
                let at = log.len() - Header::standard().as_bytes().len();
                assert_eq!(piece.offset as usize, at);
                log.extend_from_slice(&piece.bytes);
                out.kinds.last_mut().unwrap().push(piece.kind);
            }
            Framed::Garbage(_) => out.told += 1,
        };
        for chunk in bytes.chunks(chunk) {
            let mut chunk = chunk;
            while !chunk.is_empty() {
                let room = framer.room();
                let count = room.len().min(chunk.len());
                room[..count].copy_from_slice(&chunk[..count]);
                framer.filled(count, &mut take);
                chunk = &chunk[count..];
            }
        }
        let garbage = framer.garbage();
        let cut_off = framer.finish(&mut take);
        (out.garbage, out.cut_off) = (garbage, cut_off);
        out
    }

    #[test]
    fn blocks_however_they_come() {
        let header = Header::standard();
        let log = [
            header.as_bytes(),
            &block(None, &[1, 2]),
            &block(Some(0), &[]),
            &block(Some(1), &[3]),
            &DATA_END.to_be_bytes(),
        ]
        .concat();
        use PieceKind::{Block, End};
        for chunk in [1, 7, 100, log.len()] {
            let out = frame(&log, chunk);
            assert_eq!(out.logs, std::slice::from_ref(&log), "{chunk}");
            assert_eq!(out.kinds, [[Block, Block, Block, End]], "{chunk}");
            assert_eq!((out.garbage, out.cut_off), (0, 0));
        }
    }

    #[test]
    fn a_large_block_stays_whole() {
        let times: Vec<u64> = (0..300_000).collect();
        let log = [Header::standard().as_bytes(), &block(Some(0), &times)].concat();
        for chunk in [5000, 1 << 20, log.len()] {
            let out = frame(&log, chunk);
            assert_eq!(out.kinds, [[PieceKind::Block]], "{chunk}");
            assert!(out.logs[0] == log);
        }
    }

    #[test]
    fn a_log_that_begins_anew_and_one_that_breaks_off() {
        let one = [Header::standard().as_bytes(), &block(Some(0), &[1, 2])].concat();
        let broken = &one[..one.len() - 3];
        let twice = [&one[..], broken].concat();
        for chunk in [1, 13, twice.len()] {
            let out = frame(&twice, chunk);
            assert_eq!(out.logs.len(), 2, "{chunk}");
            assert_eq!(out.logs[0], one);
            // One event of two, in a block with the right length.
            let kept = [Header::standard().as_bytes(), &block(Some(0), &[1])].concat();
            let marker = kept.len() - 34..kept.len();
            assert_eq!(out.logs[1].len(), kept.len());
            assert_eq!(out.logs[1][marker.clone()][10..14], kept[marker][10..14]);
            assert_eq!(out.cut_off, 7);
        }
    }

    #[test]
    fn what_lies_outside_blocks_and_what_is_no_log() {
        let header = Header::standard();
        let outside = &block(None, &[5])[MARKER_LEN..];
        let log = [header.as_bytes(), outside, &block(Some(0), &[7])].concat();
        for chunk in [1, log.len()] {
            let out = frame(&log, chunk);
            assert_eq!(out.logs, std::slice::from_ref(&log));
            assert_eq!(out.kinds, [[PieceKind::Events, PieceKind::Block]]);
        }
        // Garbage before a log is left out, garbage inside it is not.
        let noise = [0xee; 1000];
        let noisy = [&noise, &log[..], &noise, &block(Some(0), &[9])].concat();
        let clean = [&log[..], &noise, &block(Some(0), &[9])].concat();
        for chunk in [1, 77, noisy.len()] {
            let out = frame(&noisy, chunk);
            assert!(out.logs == std::slice::from_ref(&clean), "{chunk}");
            assert_eq!((out.garbage, out.told), (1000, 1), "{chunk}");
            assert!(out.kinds[0].contains(&PieceKind::Faulty));
        }
        let nothing = frame(&[0x55; 1 << 20], 4096);
        assert_eq!(nothing.logs.len(), 0);
        assert_eq!(nothing.told, 1);
        assert!(nothing.garbage > (1 << 20) - 100);
    }

    #[test]
    fn blocks_without_a_length() {
        let mut without = block(Some(0), &[1, 2, 3]);
        without[10..14].fill(0);
        let log = [
            Header::standard().as_bytes(),
            &without,
            &block(Some(1), &[4]),
        ]
        .concat();
        for chunk in [1, 20, log.len()] {
            let out = frame(&log, chunk);
            assert!(
                out.logs == std::slice::from_ref(&log),
                "{chunk}: {:?}",
                out.kinds
            );
            assert_eq!(out.kinds[0].last(), Some(&PieceKind::Block));
        }
    }
}
