//! The part of a stream that has arrived and was not passed on: the blocks above the low watermark,
//! as bytes.

use super::Merge;
use super::piece::{Marker, Piece, Pieces};
use super::session::Session;
use crate::merge::Intake;
use ghc_eventlog::{BLOCK_MARKER, DATA_END, Decoder};
use std::collections::VecDeque;
use std::sync::Arc;

/// Bytes of a stream after a cut, for a reader that has the state at the cut: blocks, shared with
/// everything else that still needs them.
#[derive(Clone, Debug, Default)]
pub struct Window {
    parts: Vec<Part>,
    len: usize,
}

#[derive(Clone, Debug)]
enum Part {
    Bytes(Vec<u8>),
    /// A block, from this offset on.
    Piece(Arc<Piece>, usize),
}

impl Window {
    /// Passes on the bytes, in order.
    pub fn write(&self, out: &mut impl FnMut(&[u8])) {
        for part in &self.parts {
            match part {
                Part::Bytes(bytes) => out(bytes),
                Part::Piece(piece, at) => out(&piece.bytes[*at..]),
            }
        }
    }

    /// How many bytes these are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn bytes(&mut self, bytes: Vec<u8>) {
        if !bytes.is_empty() {
            self.len += bytes.len();
            self.parts.push(Part::Bytes(bytes));
        }
    }

    fn piece(&mut self, piece: Arc<Piece>, at: usize) {
        if at < piece.bytes.len() {
            self.len += piece.bytes.len() - at;
            self.parts.push(Part::Piece(piece, at));
        }
    }
}

/// How far a stream has come, in whole blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The number of the header.
    session: u64,
    /// The latest end of a block.
    time: u64,
    /// Where the last block ends.
    offset: u64,
}

impl Position {
    /// The latest end of a block so far.
    pub fn time(&self) -> u64 {
        self.time
    }
}

/// What is left of one block.
struct Rest {
    marker: Marker,
    pieces: Vec<(Arc<Piece>, usize)>,
}

impl Rest {
    fn reaches(&self) -> u64 {
        self.pieces.last().map_or(0, |(piece, _)| piece.reaches())
    }

    /// Whether nothing of the block is missing so far.
    fn is_untouched(&self) -> bool {
        let mut at = self.marker.offset;
        self.pieces.iter().all(|(piece, from)| {
            let follows = piece.offset + *from as u64 == at;
            at = piece.reaches();
            follows
        })
    }
}

impl Merge {
    /// The time up to which events were passed on, and at least that up to which nothing is
    /// missing.
    pub(crate) fn at(&self) -> u64 {
        let session = self.sessions.front();
        session.map_or(0, |session| session.handed_on.max(session.certain))
    }

    /// How far the current session has come.
    pub(crate) fn position(&self) -> Position {
        let (time, offset) = self.sessions.back().map_or((0, 0), |it| it.delivered);
        Position {
            session: self.headers,
            time,
            offset,
        }
    }

    /// Whether everything that had arrived at that position has been passed on, and nothing that
    /// will arrive belongs before it.
    pub(crate) fn has_passed(&self, position: &Position) -> bool {
        let waits = |session: &Session| {
            let mut first = session.lanes.iter().filter_map(|lane| lane.pieces.front());
            first.any(|piece| piece.offset < position.offset)
        };
        self.headers == position.session
            && self.at() >= position.time
            && !self.sessions.iter().any(waits)
    }

    /// Whether the current session can be cut: it has a header, and the next one has not begun.
    pub(crate) fn may_cut(&self) -> bool {
        let header = |session: &Session| session.header.is_some();
        self.failed.is_none()
            && self.sessions.len() == 1
            && self.sessions.front().is_some_and(header)
            && self.intake.decoder.unfinished_header().is_empty()
    }

    /// The same stream as if it ended after its last whole block.
    pub(crate) fn ended(&self) -> Self {
        let mut sessions = self.sessions.clone();
        if let Some(session) = sessions.back_mut() {
            session.closed = true;
        }
        Self {
            options: self.options,
            sessions,
            pieces: Pieces::default(),
            intake: Intake {
                decoder: Decoder::new(),
                rest: Vec::new(),
                undecided: false,
                raw: None,
                is_whole: false,
                exact_until: 0,
            },
            failed: self.failed,
            late: self.late,
            headers: self.headers,
        }
    }

    /// What has arrived and was not passed on, after everything that could be.
    pub(crate) fn window(&self, at_end: bool) -> Window {
        let mut window = Window::default();
        let Some(session) = self.sessions.front() else {
            return window;
        };
        let at = self.at();
        self.say_how_far(session, at, &mut window);
        if at_end {
            window.bytes(DATA_END.to_be_bytes().to_vec());
        }
        let mut pieces = Vec::new();
        for lane in &session.lanes {
            let from = std::iter::once(lane.at).chain(std::iter::repeat(0));
            pieces.extend(lane.pieces.iter().cloned().zip(from));
        }
        pieces.sort_by_key(|(piece, _)| piece.offset);
        let open = self.pieces.open().filter(|open| open.marker.is_some());
        if let Some(open) = open {
            pieces.push((Arc::new(open.clone()), 0));
        }
        let mut rests: VecDeque<Rest> = VecDeque::new();
        for (piece, from) in pieces {
            let Some(marker) = piece.marker else { continue };
            match rests.back_mut() {
                Some(rest) if rest.marker.offset == marker.offset => {
                    rest.pieces.push((piece, from));
                }
                _ => rests.push_back(Rest {
                    marker,
                    pieces: vec![(piece, from)],
                }),
            }
        }
        while let Some(rest) = rests.pop_front() {
            let goes_on = open.is_some() && rests.is_empty();
            window.rest(rest, goes_on, at);
        }
        window.bytes(self.intake.rest.clone());
        window
    }

    /// Adds an empty block for each capability, as runtime systems write them, which shows how far
    /// it has come, so that a reader counts the next events with the same times as this merge.
    fn say_how_far(&self, session: &Session, at: u64, window: &mut Window) {
        if at == 0 {
            return;
        }
        let mut bytes = Vec::new();
        for (cap, _) in session.watermark.caps() {
            let Some(cap) = cap else { continue };
            let lane = session.lanes.iter().find(|lane| lane.cap == cap);
            let reached = lane.map_or(0, |lane| lane.reached);
            let marker = Marker {
                cap: Some(cap),
                time: at,
                end: at.max(reached),
                size: 24,
                offset: 0,
                length: 24,
            };
            bytes.extend(made(&marker));
        }
        window.bytes(bytes);
    }
}

impl Window {
    /// Adds what is left of a block, which either goes on in the stream or has arrived completely.
    fn rest(&mut self, rest: Rest, goes_on: bool, at: u64) {
        let marker = rest.marker;
        let here = |(piece, from): &(Arc<Piece>, usize)| (piece.bytes.len() - from) as u64;
        let bytes: u64 = rest.pieces.iter().map(here).sum();
        let no_size = marker.size < marker.length;
        let whole = goes_on || no_size || bytes == u64::from(marker.size);
        if whole && rest.is_untouched() {
            for (piece, from) in rest.pieces {
                self.piece(piece, from);
            }
            return;
        }
        // A piece of which nothing was passed on may contain the marker.
        let markers = rest.pieces.iter().filter(|(_, from)| *from == 0);
        let markers: u64 = markers.map(|(piece, _)| piece.begin as u64).sum();
        let events = bytes - markers;
        let to_come = match goes_on {
            true => marker.block_end().saturating_sub(rest.reaches()),
            false => 0,
        };
        let size = u64::from(marker.length) + events + to_come;
        let size = match no_size {
            true => 0,
            false => u32::try_from(size).unwrap_or(0),
        };
        if events == 0 && !goes_on {
            return;
        }
        self.bytes(made(&Marker {
            time: at.min(marker.end).max(marker.time),
            size,
            ..marker
        }));
        for (piece, from) in rest.pieces {
            let from = from.max(piece.begin);
            self.piece(piece, from);
        }
    }
}

/// A marker as bytes.
fn made(marker: &Marker) -> Vec<u8> {
    let mut bytes = BLOCK_MARKER.to_be_bytes().to_vec();
    bytes.extend(marker.time.to_be_bytes());
    bytes.extend(marker.size.to_be_bytes());
    bytes.extend(marker.end.to_be_bytes());
    bytes.extend(marker.cap.unwrap_or(u16::MAX).to_be_bytes());
    bytes.resize(bytes.len().max(marker.length as usize), 0);
    bytes
}
