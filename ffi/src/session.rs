//! The stream of one client: header, definitions, then live chunks.
//!
//! What is to be sent stands in two places: the queue (header, definitions, loss
//! messages: bytes made here), and the ring (chunks, sent in place). The queue
//! goes first, and is added to only between two chunks.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::ops::Deref;

use std::sync::atomic::Ordering;

use eventlog_control::{Item, Parser};
use eventlog_ring::{Consumer, Loss, Record, RecordState};

use ghc_eventlog::layout::{EVENT_HEAD, MARKER_LEN, block_marker};
use ghc_eventlog::notes::Note;

use crate::chunk::{Chunk, END_MARKER};
use crate::definitions::{Definitions, Delta, Learnt};
use crate::format::{Block, loss_block, note_block, time_of};
use crate::instance::Instance;
use crate::memory::{OutOfMemory, Shared};
use crate::net::client::{Client, Sent};

/// Pieces of one sendmsg; a chunk has two where it wraps around.
const PIECES: usize = 64;
/// Bytes of one sendmsg: enough to keep the socket busy, small enough that the
/// ring gets its room back soon.
const BATCH: usize = 1 << 20;

/// Pieces for which a queue has room from the start: more than are ever put into it
/// between two chunks.
const QUEUE: usize = 8;

/// How often a client that is gone is read from: far more than a socket holds.
const RECEIVES_OF_THE_REST: usize = 64;

/// Bytes of the queue.
#[derive(Debug)]
enum Piece {
    Block(Block),
    Bytes(Vec<u8>),
    Shared(Shared<Vec<u8>>),
}

impl Deref for Piece {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Piece::Block(block) => block,
            Piece::Bytes(bytes) => bytes,
            Piece::Shared(bytes) => bytes,
        }
    }
}

#[derive(Debug)]
pub(crate) struct Session {
    pub client: Client,
    commands: Parser,
    queue: VecDeque<Piece>,
    /// Bytes of the first piece of the queue that are sent.
    queue_sent: usize,
    /// Chunks at the head of the ring whose definitions were learnt and whose
    /// preceding loss was told.
    admitted: usize,
    /// Bytes of the first chunk of the ring that are sent.
    chunk_sent: usize,
    begun: bool,
    /// The end mark of the log is admitted, or in the queue: whoever reads this stream takes
    /// nothing for part of the log that comes after it.
    ends: bool,
    /// What the client was not told with a chunk.
    pub delta: Delta,
    instance: &'static Instance,
    /// When the latest global block of this stream ends. The blocks that are made here are
    /// global, too, and end then: whoever sorts the events takes the end of such a block as
    /// a promise that no earlier one of the RTS's global buffer comes.
    global_end: u64,
    /// Of the first global chunk in the ring that was not admitted: how many chunks are
    /// before it, and when it begins. None: it is not known.
    next_global: Option<(usize, u64)>,
}

/// What a client has sent.
#[derive(Debug)]
pub(crate) enum Said<'a> {
    /// A whole command, and whether this client may command.
    Command(Item<'a>, bool),
    /// So many bytes that belong to no command.
    Garbage(u64),
}

/// The outcome of a round of sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SendOutcome {
    /// There is more, and the socket may take it.
    More,
    /// Everything there is was sent.
    Idle,
    /// The socket is full.
    Full,
    /// The system is short of memory.
    Later,
    /// The client is gone.
    Gone,
}

/// How late things can be that are told at a place of the stream, without being later than
/// what comes after it.
enum Limit {
    /// No global chunk comes that is not later than all that is known.
    None,
    /// One comes that begins then.
    Begin(u64),
    /// One comes that cannot be looked at yet: it is behind a chunk still being copied.
    Hidden,
}

impl Session {
    pub(crate) fn new(client: Client, instance: &'static Instance) -> Result<Session, OutOfMemory> {
        let mut queue = VecDeque::new();
        queue.try_reserve_exact(QUEUE)?;
        Ok(Session {
            client,
            commands: Parser::new(),
            queue,
            queue_sent: 0,
            admitted: 0,
            chunk_sent: 0,
            begun: false,
            ends: false,
            delta: Delta::default(),
            instance,
            global_end: 0,
            next_global: None,
        })
    }

    /// Take what the client says, a limited amount, and while `goes_on` says so. False if
    /// the connection is broken.
    pub(crate) fn receive(
        &mut self,
        hear: &mut impl FnMut(Said<'_>),
        goes_on: impl Fn() -> bool,
    ) -> bool {
        let (commands, may) = (&mut self.commands, self.client.may_command);
        let garbage = commands.garbage();
        let alive = self.client.receive(
            |bytes| commands.feed(bytes, |item| hear(Said::Command(item, may))),
            goes_on,
        );
        hear(Said::Garbage(commands.garbage() - garbage));
        alive
    }

    /// The client is gone: take what it said before it went.
    pub(crate) fn receive_rest(&mut self, hear: &mut impl FnMut(Said<'_>)) {
        for _ in 0..RECEIVES_OF_THE_REST {
            if self.client.at_eof || !self.receive(hear, || true) {
                return;
            }
        }
    }

    /// Nothing more is received: drop an incomplete command.
    pub(crate) fn stop_receiving(&self, hear: &mut impl FnMut(Said<'_>)) {
        hear(Said::Garbage(self.commands.pending() as u64));
    }

    pub(crate) fn has_begun(&self) -> bool {
        self.begun
    }

    /// The end of the log is sent, or about to be.
    pub(crate) fn has_ended(&self) -> bool {
        self.ends
    }

    /// Begin with header and definitions.
    pub(crate) fn begin(
        &mut self,
        definitions: &Definitions,
        ring: &Consumer<'static>,
    ) -> Result<(), OutOfMemory> {
        // What was learnt while the client waited is among them, unless it is later than
        // what the ring has for it.
        self.delta = Delta::default();
        let until = match self.limit(definitions, ring) {
            Limit::Begin(time) => time,
            Limit::None | Limit::Hidden => u64::MAX,
        };
        let (pieces, end) = definitions.replay(until, &mut self.delta)?;
        self.queue.try_reserve(pieces.len() + 1 + QUEUE)?;
        self.queue.extend(pieces.into_iter().map(Piece::Shared));
        self.global_end = end;
        // Relaxed: ordered by `globals_flow`; a command may change it at any time.
        if self.instance.logs_nothing.load(Ordering::Relaxed) {
            self.queue
                .push_back(Piece::Block(note_block(end, end, Note::LogsNothing)));
        }
        self.begun = true;
        Ok(())
    }

    /// How late things can be that are told here.
    fn limit(&mut self, definitions: &Definitions, ring: &Consumer<'static>) -> Limit {
        if self.instance.globals_in_ring(definitions) == 0 {
            return Limit::None;
        }
        if self.next_global.is_none() {
            let mut records = ring.records().skip(self.admitted).enumerate();
            self.next_global = records
                .find_map(|(index, record)| Some((index, begin_of_global(&record)?)))
                .map(|(index, begin)| (self.admitted + index, begin));
        }
        self.next_global
            .map_or(Limit::Hidden, |(_, begin)| Limit::Begin(begin))
    }

    /// Tell the definitions that the client did not get with a chunk, as far as they are not
    /// later than those of a chunk that is still to come. False if there are none. Without
    /// memory they are told later.
    pub(crate) fn tell_delta(
        &mut self,
        definitions: &Definitions,
        ring: &Consumer<'static>,
    ) -> Result<bool, OutOfMemory> {
        // What comes before the stream is what it begins with, and nothing comes
        // after the end of the log.
        if !self.begun || self.ends || self.delta.is_empty() {
            return Ok(false);
        }
        let until = match self.limit(definitions, ring) {
            Limit::None => u64::MAX,
            Limit::Begin(time) => time,
            Limit::Hidden => self.global_end,
        };
        self.queue.try_reserve(2)?;
        let told = self.delta.take(until)?;
        if told.events.is_empty() {
            return Ok(false);
        }
        self.global_end = self.global_end.max(told.end);
        let begin = told.begin.min(self.global_end);
        let marker = block_marker(None, begin, self.global_end, told.events.len());
        self.queue.push_back(Piece::Block(Block::of(&marker)));
        self.queue.push_back(Piece::Bytes(told.events));
        Ok(true)
    }

    /// Chunks at the head of the ring that were learnt from already.
    pub(crate) fn admitted(&self) -> usize {
        self.admitted
    }

    /// Nothing is partly sent: a block can be put in here.
    pub(crate) fn is_between_chunks(&self) -> bool {
        self.chunk_sent == 0
    }

    /// Send an empty block, as the RTS does for an idle buffer.
    pub(crate) fn probe(&mut self) {
        if self.begun && !self.ends && self.queue.is_empty() && self.is_between_chunks() {
            let now = self.global_end;
            let block = Block::of(&block_marker(None, now, now, 0));
            // It has had room before.
            self.queue.push_back(Piece::Block(block));
        }
    }

    /// Have room for what is to be told, so that nothing is taken that cannot be.
    pub(crate) fn make_room(&mut self) -> Result<(), OutOfMemory> {
        Ok(self.queue.try_reserve(QUEUE)?)
    }

    /// Say what was lost, here in the stream. There is room for it.
    pub(crate) fn tell_loss(
        &mut self,
        loss: &Loss,
        definitions: &Definitions,
        ring: &Consumer<'static>,
    ) {
        let block = loss_block(self.global_end, loss);
        self.queue.push_back(Piece::Block(block));
        // What the lost chunks defined; if there is no memory, as soon as there is.
        let _ = self.tell_delta(definitions, ring);
    }

    /// Say what was lost after the last chunk, and that the log ends, as far as
    /// that was not said. False if it all was. There is room for it.
    pub(crate) fn tell_end(
        &mut self,
        loss: Option<Loss>,
        definitions: &Definitions,
        ring: &Consumer<'static>,
    ) -> bool {
        // Nothing may follow an end marker.
        if !self.ends {
            if let Some(loss) = loss {
                self.tell_loss(&loss, definitions, ring);
            }
            let _ = self.tell_delta(definitions, ring);
            self.queue.push_back(Piece::Block(Block::of(&END_MARKER)));
            self.ends = true;
        }
        !self.queue.is_empty()
    }

    /// Send once, from the queue or from the ring.
    pub(crate) fn send(
        &mut self,
        ring: &mut Consumer<'static>,
        definitions: &mut Definitions,
    ) -> SendOutcome {
        if !self.begun {
            return SendOutcome::Idle;
        }
        // A chunk that is partly sent goes first.
        if !self.queue.is_empty() && self.is_between_chunks() {
            return self.send_queue();
        }
        self.send_chunks(ring, definitions)
    }

    fn send_queue(&mut self) -> SendOutcome {
        let mut pieces = [IoSlice::new(&[]); PIECES];
        let (mut used, mut bytes) = (0, 0);
        let mut skip = self.queue_sent;
        for piece in &self.queue {
            if used == PIECES || bytes >= BATCH {
                break;
            }
            pieces[used] = IoSlice::new(&piece[skip..]);
            bytes += piece.len() - skip;
            skip = 0;
            used += 1;
        }
        let sent = match self.client.send(&pieces[..used]) {
            Sent::Bytes(sent) => sent,
            other => return other.into(),
        };
        self.queue_sent += sent;
        while let Some(piece) = self.queue.front()
            && self.queue_sent >= piece.len()
        {
            self.queue_sent -= piece.len();
            self.queue.pop_front();
        }
        SendOutcome::More
    }

    fn send_chunks(
        &mut self,
        ring: &mut Consumer<'static>,
        definitions: &mut Definitions,
    ) -> SendOutcome {
        self.keep_out_what_is_late(ring);
        if let Some(record) = ring.records().next()
            && !record.is_live()
        {
            // What it tells is of this session, though it is not itself.
            if let Some(loss) = record.loss_before() {
                if self.make_room().is_err() {
                    return SendOutcome::Later;
                }
                self.tell_loss(&loss, definitions, ring);
            }
            // Of an earlier client: its definitions count for this one.
            learn(definitions, &record, Some(&mut self.delta));
            self.release(ring, 1);
            // If there is no memory, as soon as there is.
            let _ = self.tell_delta(definitions, ring);
            return SendOutcome::More;
        }
        let mut pieces = [IoSlice::new(&[]); PIECES];
        let (mut used, mut bytes) = (0, 0);
        let mut skip = self.chunk_sent;
        for (index, record) in ring.records().enumerate() {
            // With something in the queue, no further than the end of this chunk.
            let enough = used + 2 > PIECES || bytes >= BATCH;
            if enough || (index > 0 && !self.queue.is_empty()) {
                break;
            }
            if !record.is_live() {
                break;
            }
            if index >= self.admitted {
                if self.ends {
                    break;
                }
                if let Some(loss) = record.loss_before() {
                    // Told at its place, between two chunks: what is before it
                    // goes first.
                    if index == 0 {
                        if self.make_room().is_err() {
                            return SendOutcome::Later;
                        }
                        self.tell_loss(&loss, definitions, ring);
                        self.admit(definitions, &record);
                        return SendOutcome::More;
                    }
                    break;
                }
                self.admit(definitions, &record);
            }
            for slice in <[&[u8]; 2]>::from(record.slices()) {
                let skipped = skip.min(slice.len());
                skip -= skipped;
                if slice.len() > skipped {
                    pieces[used] = IoSlice::new(&slice[skipped..]);
                    bytes += slice.len() - skipped;
                    used += 1;
                }
            }
        }
        if used == 0 && self.admitted == 0 {
            return SendOutcome::Idle;
        }
        let sent = match used {
            0 => 0,
            _ => match self.client.send(&pieces[..used]) {
                Sent::Bytes(sent) => sent,
                other => return other.into(),
            },
        };
        self.release_sent(ring, sent);
        SendOutcome::More
    }

    /// The end mark of the log is sent: what else is in the ring, or still comes, is for
    /// nobody. The RTS lets go of its writer a moment after the end mark, and whatever thread
    /// flushes in between, or fills the buffer of its capability, hands over more.
    fn keep_out_what_is_late(&self, ring: &mut Consumer<'static>) {
        if !self.ends || self.admitted > 0 {
            return;
        }
        let has_live = ring.records().next().is_some_and(|first| first.is_live());
        if has_live || ring.is_open() {
            ring.reset();
        }
    }

    /// A chunk is about to be sent: learn what it defines.
    fn admit(&mut self, definitions: &mut Definitions, record: &Record<'_>) {
        let learnt = learn(definitions, record, None);
        self.ends |= learnt.ends_log;
        self.global_end = self.global_end.max(learnt.global_end.unwrap_or(0));
        self.admitted += 1;
        if self.next_global.is_some_and(|(at, _)| at < self.admitted) {
            self.next_global = None;
        }
    }

    fn release_sent(&mut self, ring: &mut Consumer<'static>, sent: usize) {
        self.chunk_sent += sent;
        let mut whole = 0;
        for record in ring.records().take(self.admitted) {
            if self.chunk_sent < record.len() {
                break;
            }
            self.chunk_sent -= record.len();
            whole += 1;
        }
        self.admitted -= whole;
        self.release(ring, whole);
    }

    fn release(&mut self, ring: &mut Consumer<'static>, count: usize) {
        ring.release(count);
        self.next_global = self
            .next_global
            .and_then(|(at, begin)| Some((at.checked_sub(count)?, begin)));
    }
}

/// Learn what a chunk in the ring defines, if it may define anything.
pub(crate) fn learn(
    definitions: &mut Definitions,
    record: &Record<'_>,
    delta: Option<&mut Delta>,
) -> Learnt {
    if record.state() == RecordState::Aborted {
        return Learnt::default();
    }
    let chunk = chunk_of(record);
    definitions.globals_of_ring += u64::from(matches!(chunk, Chunk::Global(_)));
    match chunk {
        Chunk::Global(_) | Chunk::End => definitions.learn_record(record, delta),
        // A program without an RTS may end its log in a block of any capability.
        _ if may_end_log(record) => definitions.learn_record(record, delta),
        _ => Learnt::default(),
    }
}

/// The last bytes are those of an end mark. They can be an event's, too.
fn may_end_log(record: &Record<'_>) -> bool {
    let mut last = END_MARKER.map(|byte| !byte);
    if let Some(at) = record.len().checked_sub(last.len()) {
        record.copy_to(at, &mut last);
    }
    last == END_MARKER
}

/// The first bytes of a record, as far as there are any.
fn start_of<const N: usize>(record: &Record<'_>) -> ([u8; N], usize) {
    let mut start = [0; N];
    let len = record.len().min(N);
    record.copy_to(0, &mut start[..len]);
    (start, len)
}

fn chunk_of(record: &Record<'_>) -> Chunk {
    let (start, len) = start_of::<MARKER_LEN>(record);
    Chunk::of(&start[..len])
}

/// When a chunk in the ring begins, if it is a global one: with its first event, should its
/// marker say an earlier time.
pub(crate) fn begin_of_global(record: &Record<'_>) -> Option<u64> {
    let Chunk::Global(marker) = chunk_of(record) else {
        return None;
    };
    const FIRST: usize = MARKER_LEN + EVENT_HEAD;
    let (start, len) = start_of::<FIRST>(record);
    let first = match len {
        FIRST => time_of(&start[MARKER_LEN..]),
        _ => marker.end,
    };
    Some(marker.begin.max(first))
}

impl From<Sent> for SendOutcome {
    fn from(sent: Sent) -> SendOutcome {
        match sent {
            Sent::Bytes(_) => SendOutcome::More,
            Sent::Full => SendOutcome::Full,
            Sent::Later => SendOutcome::Later,
            Sent::Gone => SendOutcome::Gone,
        }
    }
}
