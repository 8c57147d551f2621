//! The stream of one client: header, definitions, then live chunks.
//!
//! What is to be sent stands in two places: the queue (header, definitions, loss
//! messages: bytes made here), and the ring (chunks, sent in place). The queue
//! goes first, and is added to only between two chunks.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::sync::Arc;

use eventlog_control::{Item, Parser};
use eventlog_ring::{Consumer, Loss, Record, RecordState};

use crate::chunk::Chunk;
use crate::definitions::{Definitions, Delta, Gaps, Learnt};
use crate::definitions_feed::contiguous;
use crate::format::{END_MARKER, MARKER_LEN, block_marker, loss_block};
use crate::net::client::{Client, Sent};

/// Pieces of one sendmsg; a chunk has two where it wraps around.
const PIECES: usize = 64;
/// Bytes of one sendmsg: enough to keep the socket busy, small enough that the
/// ring gets its room back soon.
const BATCH: usize = 1 << 20;

/// How often a client that is gone is read from: far more than a socket holds.
const RECEIVES_OF_THE_REST: usize = 64;

#[derive(Debug)]
pub(crate) struct Session {
    pub client: Client,
    commands: Parser,
    queue: VecDeque<Arc<Vec<u8>>>,
    /// Bytes of the first piece of the queue that are sent.
    queue_sent: usize,
    /// Chunks at the head of the ring whose definitions were learnt and whose
    /// preceding loss was told.
    admitted: usize,
    /// Bytes of the first chunk of the ring that are sent.
    chunk_sent: usize,
    begun: bool,
    /// The last chunk that was admitted ends the log.
    ends: bool,
    /// What the client was not told with a chunk.
    pub delta: Delta,
}

/// What a client said.
#[derive(Debug)]
pub(crate) enum Said<'a> {
    /// A whole command, and whether this client may command.
    Command(Item<'a>, bool),
    /// So many bytes that belong to no command.
    Garbage(u64),
}

/// Where a round of sending ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Round {
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

impl Session {
    pub(crate) fn new(client: Client) -> Session {
        Session {
            client,
            commands: Parser::new(),
            queue: VecDeque::new(),
            queue_sent: 0,
            admitted: 0,
            chunk_sent: 0,
            begun: false,
            ends: false,
            delta: Delta::default(),
        }
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

    /// Nothing more is received: what is left of a command is none.
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
    pub(crate) fn begin(&mut self, definitions: &Definitions) {
        self.queue.extend(definitions.replay());
        // Learnt while the client waited: among them.
        self.delta.take();
        self.begun = true;
    }

    /// Tell the definitions that the client did not get with a chunk. False if
    /// there are none.
    pub(crate) fn tell_delta(&mut self, now: u64) -> bool {
        // What comes before the stream is what it begins with, and nothing comes
        // after the end of the log.
        if !self.begun || self.ends {
            return false;
        }
        let events = self.delta.take();
        if events.is_empty() {
            return false;
        }
        let marker = block_marker(now, now, events.len());
        let block = [&marker[..], &events].concat();
        self.queue.push_back(Arc::new(block));
        true
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
    pub(crate) fn probe(&mut self, now: u64) {
        if self.begun && self.queue.is_empty() && self.is_between_chunks() {
            self.queue
                .push_back(Arc::new(block_marker(now, now, 0).to_vec()));
        }
    }

    /// Say what was lost, here in the stream.
    pub(crate) fn tell_loss(&mut self, loss: &Loss, now: u64) {
        let block = loss_block(now.max(loss.until), loss);
        self.queue.push_back(Arc::new(block));
        // What the lost chunks defined.
        self.tell_delta(now);
    }

    /// Say what was lost after the last chunk, and that the log ends, as far as
    /// that was not said. False if it all was.
    pub(crate) fn tell_end(&mut self, loss: Option<Loss>, now: u64) -> bool {
        // Nothing may follow an end marker.
        if !self.ends {
            if let Some(loss) = loss {
                self.tell_loss(&loss, now);
            }
            self.tell_delta(now);
            self.queue.push_back(Arc::new(END_MARKER.to_vec()));
            self.ends = true;
        }
        !self.queue.is_empty()
    }

    /// Send once, from the queue or from the ring.
    pub(crate) fn send(
        &mut self,
        ring: &mut Consumer<'static>,
        definitions: &mut Definitions,
    ) -> Round {
        if !self.begun {
            return Round::Idle;
        }
        // A chunk that is partly sent goes first.
        if !self.queue.is_empty() && self.is_between_chunks() {
            return self.send_queue();
        }
        self.send_chunks(ring, definitions)
    }

    fn send_queue(&mut self) -> Round {
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
        Round::More
    }

    fn send_chunks(
        &mut self,
        ring: &mut Consumer<'static>,
        definitions: &mut Definitions,
    ) -> Round {
        if let Some(record) = ring.records().next()
            && !record.is_live()
        {
            // Of an earlier client: its definitions count for this one.
            learn(definitions, &record, Some(&mut self.delta));
            self.tell_delta(definitions.latest());
            ring.release(1);
            return Round::More;
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
                if let Some(loss) = record.loss_before() {
                    // Told at its place, between two chunks: what is before it
                    // goes first.
                    if index == 0 {
                        self.tell_loss(&loss, definitions.latest());
                        self.admit(definitions, &record);
                        return Round::More;
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
            return Round::Idle;
        }
        let sent = match used {
            0 => 0,
            _ => match self.client.send(&pieces[..used]) {
                Sent::Bytes(sent) => sent,
                other => return other.into(),
            },
        };
        self.release_sent(ring, sent);
        Round::More
    }

    /// A chunk is about to be sent: learn what it defines.
    fn admit(&mut self, definitions: &mut Definitions, record: &Record<'_>) {
        self.ends = learn(definitions, record, None).ends_log;
        self.admitted += 1;
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
        ring.release(whole);
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
    let mut start = [0; MARKER_LEN];
    let len = record.len().min(start.len());
    record.copy_to(0, &mut start[..len]);
    let chunk = Chunk::of(&start[..len]);
    if let Some((_, end)) = chunk.span() {
        definitions.saw_time(end);
    }
    match chunk {
        Chunk::Global(_) | Chunk::End => definitions.learn(&contiguous(record), delta),
        _ => Learnt::default(),
    }
}

impl From<Sent> for Round {
    fn from(sent: Sent) -> Round {
        match sent {
            Sent::Bytes(_) => Round::More,
            Sent::Full => Round::Full,
            Sent::Later => Round::Later,
            Sent::Gone => Round::Gone,
        }
    }
}
