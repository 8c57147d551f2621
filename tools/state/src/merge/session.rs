//! The blocks of one session, and which event is next.

use super::fronts::Fronts;
use super::piece::{Piece, Pieces, take_apart};
use super::stops::Stops;
use super::{MergeOptions, Step, Take};
use crate::turn::Turn;
use ghc_eventlog::{Decoder, Encoded, Error, EventBody, Gap, Header, Item, Run, Watermark};
use std::collections::VecDeque;
use std::sync::Arc;

/// Until a capability is announced, at most this many bytes are held: with GHC 9.0 that never
/// happens, and the merge first has to find out which ones exist.
const UNANNOUNCED: usize = 16 << 20;

/// The number that means no capability.
const GLOBAL: u16 = 0xffff;

/// The least number of bytes that are passed on at a time when too many are held.
const AT_LEAST: usize = 64 << 10;

/// The most events for which is found out at a time that they can be apart. They are decoded again
/// soon after, from the processor's cache.
const AHEAD: u32 = 1024;

/// The blocks of one capability.
#[derive(Clone, Debug, Default)]
pub(super) struct Lane {
    pub(super) cap: u16,
    pub(super) pieces: VecDeque<Arc<Piece>>,
    /// How far the first piece was passed on. 0: not even its marker.
    pub(super) at: usize,
    /// Up to here, the events of the first piece are known to be apart from those of other lanes.
    apart_to: usize,
    /// The time with which its last event counted. Its later events do not count as earlier,
    /// whatever their times.
    pub(super) reached: u64,
}

/// Items that belong to no capability, in the order of the stream.
#[derive(Clone, Debug)]
enum Global {
    Piece(Arc<Piece>),
    Gap(Gap),
}

/// Everything from one header to the next.
#[derive(Clone, Debug)]
pub(super) struct Session {
    pub(super) header: Option<Arc<Header>>,
    /// Whether this is more of the session before, after its end.
    continues: bool,
    began: bool,
    /// Whether nothing more will arrive, so that everything can be passed on.
    pub(super) closed: bool,
    pub(super) ended: bool,
    /// Decodes the block whose turn it is.
    decoder: Option<Decoder>,
    pub(super) lanes: Vec<Lane>,
    lane_of: Vec<u32>,
    fronts: Fronts,
    stops: Stops,
    globals: VecDeque<Global>,
    pub(super) watermark: Watermark,
    /// Whether the capabilities were announced, or the merge has waited long enough.
    settled: bool,
    /// Up to this time nothing is missing.
    pub(super) certain: u64,
    /// The time up to which events were passed on.
    pub(super) handed_on: u64,
    /// The same with those that were passed on before earlier ones of other lanes.
    ahead: u64,
    pub(super) late: u64,
    /// The latest end of a block, and where in the stream the last one ends.
    pub(super) delivered: (u64, u64),
    /// Bytes not passed on yet, and bytes of the pieces that they are in.
    waiting: usize,
    pub(super) held: usize,
}

impl Session {
    pub(super) fn new(header: Option<Arc<Header>>, options: &MergeOptions) -> Self {
        let decoder = header.clone().map(|header| Decoder::at(header, None, 0, 0));
        let mut watermark = Watermark::new(options.stale_after);
        // The global buffer describes the program: no capability waits for it.
        watermark.forget(GLOBAL);
        Self {
            header,
            continues: false,
            began: false,
            closed: false,
            ended: false,
            decoder,
            lanes: Vec::new(),
            lane_of: Vec::new(),
            fronts: Fronts::default(),
            stops: Stops::default(),
            globals: VecDeque::new(),
            watermark,
            settled: false,
            certain: 0,
            handed_on: 0,
            ahead: 0,
            late: 0,
            delivered: (0, 0),
            waiting: 0,
            held: 0,
        }
    }

    /// A continuation of this session, after a pause.
    pub(super) fn continued(&self, options: &MergeOptions) -> Self {
        let mut session = Self::new(self.header.clone(), options);
        session.continues = true;
        session.watermark = self.watermark.clone();
        session
    }

    /// Takes over from the session before, which has ended.
    pub(super) fn follow(&mut self, before: &Self) {
        if !self.continues {
            return;
        }
        self.handed_on = before.handed_on;
        self.delivered.0 = self.delivered.0.max(before.delivered.0);
        self.settled = before.settled;
        for lane in &before.lanes {
            let index = self.lane(lane.cap);
            self.lanes[index].reached = lane.reached;
        }
        self.fronts_anew();
    }

    /// Drops everything that begins at `offset` or later.
    pub(super) fn end_at(&mut self, offset: u64) {
        self.closed = true;
        self.ended = false;
        for lane in &mut self.lanes {
            let kept = lane.pieces.partition_point(|piece| piece.offset < offset);
            if kept == 0 {
                self.waiting += std::mem::take(&mut lane.at);
            }
            for piece in lane.pieces.drain(kept..) {
                self.held -= piece.bytes.capacity();
                self.waiting -= piece.bytes.len();
            }
        }
        self.globals.retain(|global| match global {
            Global::Piece(piece) => piece.offset < offset,
            Global::Gap(gap) => gap.offset < offset,
        });
        self.fronts_anew();
    }

    fn fronts_anew(&mut self) {
        self.fronts.clear();
        for index in 0..self.lanes.len() {
            self.lanes[index].apart_to = 0;
            self.front(index);
        }
    }

    /// Makes a capability known, as soon as its marker has arrived.
    pub(super) fn announce(&mut self, cap: Option<u16>) {
        if let Some(cap) = cap {
            self.watermark.announce(Some(cap));
        }
    }

    pub(super) fn gap(&mut self, gap: Gap) {
        self.globals.push_back(Global::Gap(gap));
    }

    pub(super) fn push(&mut self, piece: Piece) {
        self.held += piece.bytes.capacity();
        self.delivered.1 = self.delivered.1.max(piece.reaches());
        if let (Some(cap), Some(marker), true) = (piece.cap(), &piece.marker, piece.ends) {
            self.watermark.delivered(Some(cap), marker.end);
            self.delivered.0 = self.delivered.0.max(marker.end);
        }
        let Some(cap) = piece.cap() else {
            self.globals.push_back(Global::Piece(Arc::new(piece)));
            return;
        };
        self.waiting += piece.bytes.len();
        let lane = self.lane(cap);
        self.lanes[lane].pieces.push_back(Arc::new(piece));
        if self.lanes[lane].pieces.len() == 1 {
            self.front(lane);
        }
    }

    fn lane(&mut self, cap: u16) -> usize {
        let index = usize::from(cap);
        if self.lane_of.len() <= index {
            self.lane_of.resize(index + 1, u32::MAX);
        }
        if self.lane_of[index] == u32::MAX {
            self.lane_of[index] = self.lanes.len() as u32;
            self.lanes.push(Lane {
                cap,
                ..Lane::default()
            });
        }
        self.lane_of[index] as usize
    }

    /// The time with which the first event of a lane counts.
    fn key(decoder: &mut Option<Decoder>, lane: &Lane) -> Option<(u64, u64)> {
        let piece = lane.pieces.front()?;
        let at = lane.at.max(piece.begin);
        let rest = &piece.bytes[at..];
        let mut time = None;
        if let Some(decoder) = decoder {
            piece.seek(decoder, at);
            time = decoder.next_time(rest);
        }
        if let (None, true, Some(marker)) = (time, rest.is_empty(), &piece.marker)
            && piece.begin > 0
            && lane.at == 0
        {
            // No event: it only shows that nothing has happened.
            time = Some(marker.time.min(marker.end));
        }
        // Anything other than an event is handled when it is its turn.
        Some((lane.reached.max(time.unwrap_or(0)), piece.offset))
    }

    fn front(&mut self, lane: usize) {
        let key = Self::key(&mut self.decoder, &self.lanes[lane]);
        let front = key.map(|(key, offset)| (key, offset, lane as u32));
        if let Some(front) = front {
            self.fronts.push(front);
        }
        self.stops.set(lane, front);
    }

    /// Finds out how many of the next events of a lane are apart.
    #[inline(always)]
    fn look_ahead(&mut self, index: u32, is_apart: &impl Fn(&Encoded<'_>) -> bool) {
        let lane = &mut self.lanes[index as usize];
        let (Some(piece), Some(decoder)) = (lane.pieces.front(), &mut self.decoder) else {
            return;
        };
        piece.seek(decoder, lane.at);
        let (mut left, mut reached) = (AHEAD, lane.reached);
        let length = decoder.events_while(&piece.bytes[lane.at..], |event| {
            reached = reached.max(event.time);
            left -= 1;
            left > 0 && is_apart(event)
        });
        lane.apart_to = lane.at + length;
        let stop = (reached, piece.offset, index);
        self.stops.set(index as usize, Some(stop));
    }

    /// The time up to which nothing is missing, as far as is known now.
    fn certain(&mut self) -> u64 {
        if self.closed {
            return u64::MAX;
        }
        self.settled |= self.waiting > UNANNOUNCED;
        if self.settled {
            self.certain = self.certain.max(self.watermark.low());
        }
        self.certain
    }

    /// Passes on what can be passed on. Events of which `is_apart` says so need not be in their place
    /// among those of other lanes, if `APART` is set.
    //
    // Of two capabilities that are busy, nearly every event is followed by one of the other, and
    // going from one to the other costs more than passing on an event. So where it makes no
    // difference, a lane is passed on up to the next event of any lane that has to be in its place.
    #[inline]
    pub(super) fn drain<const APART: bool>(
        &mut self,
        options: &MergeOptions,
        pieces: &mut Pieces,
        each: &mut impl Take,
        is_apart: &impl Fn(&Encoded<'_>) -> bool,
    ) -> Result<(), Error> {
        self.begin(each);
        if !self.globals.is_empty() {
            self.hand_on_globals(options, pieces, each)?;
        }
        let certain = self.certain();
        while let Some((key, offset, index)) = self.fronts.first() {
            let lane = &mut self.lanes[index as usize];
            let Some(piece) = lane.pieces.front() else {
                self.fronts.pop();
                continue;
            };
            // Passes on events for as long as this capability is first and the kind of turn is the
            // same.
            let too_much = self.waiting.saturating_sub(options.max_bytes);
            let (turn, mut limit) = if key < self.handed_on {
                (Turn::Late, self.handed_on - 1)
            } else if key <= certain {
                (Turn::Certain, certain)
            } else if too_much > 0 {
                self.handed_on = self.handed_on.max(self.ahead);
                (Turn::Early, u64::MAX)
            } else {
                break;
            };
            let apart = APART && turn == Turn::Certain && lane.at.max(piece.begin) < lane.apart_to;
            if apart {
                let (stop, at, other) = self.stops.first();
                if other != index {
                    limit = limit.min(stop.saturating_sub(u64::from(at < offset)));
                }
            } else if let Some((other, at, _)) = self.fronts.second() {
                limit = limit.min(other - u64::from(at < offset));
            }
            let Some(decoder) = &mut self.decoder else {
                break;
            };
            if lane.at < piece.begin {
                lane.at = piece.begin;
                self.waiting -= piece.begin;
                if let Some(block) = piece.block() {
                    tell(each, Step::Block(&block));
                }
            }
            piece.seek(decoder, lane.at);
            let all = &piece.bytes[lane.at..];
            let (enough, told) = match turn {
                // If too much is held, only the excess is passed on.
                Turn::Early => (too_much.max(AT_LEAST).min(all.len()), turn),
                // Something earlier may follow, from another lane.
                _ if apart => (lane.apart_to - lane.at, Turn::Early),
                _ => (all.len(), turn),
            };
            let mut rest = &all[..enough];
            let mut count = 0;
            let mut next = decoder.events_until(&mut rest, &mut lane.reached, limit, |event| {
                count += 1;
                each.event(&event, told);
            });
            let taken = enough - rest.len();
            lane.at += taken;
            self.waiting -= taken;
            match turn {
                Turn::Late => self.late += count,
                _ if count == 0 => {}
                _ if apart => {
                    self.ahead = self.ahead.max(lane.reached);
                    self.handed_on = self.handed_on.max(key);
                }
                _ => self.handed_on = self.handed_on.max(lane.reached),
            }
            if next.is_none() && enough < all.len() && taken > 0 {
                next = Self::key(&mut self.decoder, lane).map(|(key, _)| key);
            }
            if let Some(next) = next {
                let looks_ahead = APART && lane.at >= lane.apart_to;
                self.fronts.replace((next, offset, index));
                if looks_ahead {
                    self.look_ahead(index, is_apart);
                }
            } else {
                self.end_of_piece(index as usize, options, pieces, each)?;
            }
        }
        self.handed_on = self.handed_on.max(self.ahead);
        Ok(())
    }

    /// Handles the next item of a piece that is not an event: in most cases the end of the piece.
    #[inline(never)]
    fn end_of_piece(
        &mut self,
        index: usize,
        options: &MergeOptions,
        pieces: &mut Pieces,
        each: &mut dyn Take,
    ) -> Result<(), Error> {
        let lane = &mut self.lanes[index];
        let Some(piece) = lane.pieces.pop_front() else {
            return Ok(());
        };
        let at = std::mem::take(&mut lane.at);
        lane.apart_to = 0;
        if let (Some(marker), true) = (&piece.marker, piece.ends) {
            // Later events were written after this, even if they are dated back.
            lane.reached = lane.reached.max(marker.end);
        }
        self.held -= piece.bytes.capacity();
        self.waiting -= piece.bytes.len() - at;
        if at < piece.bytes.len() {
            self.take_apart(&piece, at, options, each)?;
            self.fronts_anew();
        } else {
            let key = Self::key(&mut self.decoder, &self.lanes[index]);
            let front = key.map(|(key, offset)| (key, offset, index as u32));
            match front {
                Some(front) => self.fronts.replace(front),
                None => self.fronts.pop(),
            }
            self.stops.set(index, front);
        }
        if let Ok(piece) = Arc::try_unwrap(piece) {
            pieces.recycle(piece.bytes);
        }
        Ok(())
    }

    /// Splits a block that does not consist of whole events. Its contents are passed on in their
    /// turn.
    fn take_apart(
        &mut self,
        piece: &Piece,
        at: usize,
        options: &MergeOptions,
        each: &mut dyn Take,
    ) -> Result<(), Error> {
        let Some(header) = self.header.clone() else {
            return Ok(());
        };
        let place = piece.offset + at as u64;
        let decoder = Decoder::at(header, piece.cap(), place, piece.block_end());
        let mut inner = Pieces::within(piece.marker, place);
        let mut found = Vec::new();
        let mut gaps = Vec::new();
        take_apart(decoder, &piece.bytes[at..], piece.ends, &mut |item| {
            let done = &mut |piece| found.push(piece);
            match item {
                Item::Block(block) => inner.block(&block, done),
                Item::Event(event) => inner.run(&Run::from(event), done),
                Item::Gap(gap) => {
                    inner.close(false, done);
                    gaps.push(gap);
                }
                _ => {}
            }
        });
        inner.close(false, &mut |piece| found.push(piece));
        let fault = gaps.first().filter(|_| !options.recovery);
        found.retain(|piece| fault.is_none_or(|gap| piece.offset < gap.offset));
        for piece in found {
            self.insert(piece);
        }
        if let Some(gap) = fault {
            return Err(gap.error);
        }
        for gap in gaps {
            each.step(Step::Gap(&gap));
        }
        Ok(())
    }

    /// Inserts a piece at its place between earlier and later ones.
    fn insert(&mut self, piece: Piece) {
        let Some(cap) = piece.cap() else {
            self.push(piece);
            return;
        };
        self.announce(Some(cap));
        self.held += piece.bytes.capacity();
        self.waiting += piece.bytes.len();
        let lane = self.lane(cap);
        let lane = &mut self.lanes[lane];
        let place = lane
            .pieces
            .partition_point(|other| other.offset < piece.offset);
        // Not before one whose turn has begun.
        lane.pieces
            .insert(place.max(usize::from(lane.at > 0)), Arc::new(piece));
    }

    fn begin(&mut self, each: &mut dyn Take) {
        if !std::mem::replace(&mut self.began, true)
            && !self.continues
            && let Some(header) = &self.header
        {
            each.step(Step::Session(header));
        }
    }

    /// Passes on what belongs to no capability, without waiting for any.
    #[inline(never)]
    fn hand_on_globals(
        &mut self,
        options: &MergeOptions,
        pieces: &mut Pieces,
        each: &mut dyn Take,
    ) -> Result<(), Error> {
        while let Some(global) = self.globals.pop_front() {
            let piece = match global {
                Global::Piece(piece) => piece,
                Global::Gap(gap) => {
                    each.step(Step::Gap(&gap));
                    continue;
                }
            };
            self.held -= piece.bytes.capacity();
            if let Some(block) = piece.block() {
                each.step(Step::Block(&block));
            }
            let Some(decoder) = &mut self.decoder else {
                continue;
            };
            piece.seek(decoder, piece.begin);
            let mut rest = &piece.bytes[piece.begin..];
            let (watermark, settled) = (&mut self.watermark, &mut self.settled);
            decoder.events_until(&mut rest, &mut 0, u64::MAX, |event| {
                *settled |= learn(watermark, &event);
                each.event(&event, Turn::Certain);
            });
            if !rest.is_empty() {
                let at = piece.bytes.len() - rest.len();
                self.take_apart(&piece, at, options, each)?;
                self.fronts_anew();
            }
            if let Ok(piece) = Arc::try_unwrap(piece) {
                pieces.recycle(piece.bytes);
            }
        }
        Ok(())
    }
}

/// Finds out which capabilities exist. Returns whether the event says so.
fn learn(watermark: &mut Watermark, event: &Encoded<'_>) -> bool {
    match event.body() {
        EventBody::CapCreate { created_cap: cap }
        | EventBody::CapsetAssignCap {
            assigned_cap: cap, ..
        } if cap != GLOBAL => watermark.announce(Some(cap)),
        EventBody::Startup { capabilities } => {
            for cap in 0..capabilities {
                watermark.announce(Some(cap));
            }
        }
        EventBody::CapDelete { deleted_cap } => {
            watermark.delete(deleted_cap, event.time);
            return false;
        }
        _ => return false,
    }
    true
}

/// Passes on a step, out of line: only events need to be fast.
#[cold]
fn tell(each: &mut dyn Take, step: Step<'_>) {
    each.step(step);
}
