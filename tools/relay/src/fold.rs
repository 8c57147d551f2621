//! The state of a session, for readers that join late or fell behind.
//!
//! A thread reads the ring as a client does, and follows the stream. Nothing waits for it: if
//! it falls off the ring itself it continues after the gap, and the logs of all later readers
//! say so.

mod behind;

use crate::cursor::{Cursor, KnownState};
use crate::event::{Event, Notices};
use crate::notes;
use crate::options::OnLag;
use crate::ring::{Hold, Numbered, Ring, Woken};
use crate::status::{FoldStatus, ProgramStatus};
use crate::tell::Tell;
use behind::Checkpoints;
use eventlog_state::{
    Beginning, Follower, Keep, MergeOptions, Snapshot, State, Window, transition_blocks,
};
use ghc_eventlog::Header;
use ghc_eventlog::notes::{Joined, RelayLoss};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// Bytes that are taken from the ring at a time.
const BATCH: usize = 1 << 20;

/// After this time a reader is brought up to date even if a capability is silent.
const PATIENCE: Duration = Duration::from_secs(4);

/// The readers that have to be taken off before the pieces that they need are gone.
pub(crate) type Readers = Mutex<Vec<Weak<Cursor>>>;

/// Requests to the fold.
#[derive(Debug)]
pub(crate) enum Request {
    /// A reader joins late.
    Join(oneshot::Sender<Start>),
    /// A reader that was taken off is to be brought up to date.
    Resync(Resync),
    /// A recorder joins late: the piece that it begins with.
    Record(oneshot::Sender<u64>),
    /// A new file is to begin at this piece.
    Cut {
        piece: u64,
        reply: oneshot::Sender<Option<CutHere>>,
    },
}

/// A reader that is to be brought up to date.
#[derive(Debug)]
pub(crate) struct Resync {
    pub(crate) knows: Box<KnownState>,
    pub(crate) offset: u64,
    pub(crate) filled: u64,
    pub(crate) cursor: Arc<Cursor>,
    pub(crate) reply: oneshot::Sender<Start>,
}

/// Where a reader starts in the ring, and what it gets before that.
pub(crate) struct Start {
    pub(crate) cursor: Arc<Cursor>,
    /// `None`: it has been connected from the beginning.
    pub(crate) tell: Option<Tell>,
    /// Bytes that it missed.
    pub(crate) missed: u64,
}

impl std::fmt::Debug for Start {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Start").finish_non_exhaustive()
    }
}

/// The beginning of a file.
#[derive(Debug)]
pub(crate) struct CutHere {
    pub(crate) beginning: Beginning,
    pub(crate) clean: bool,
}

/// The status of the fold, and what it knows of the program.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) fold: FoldStatus,
    pub(crate) program: ProgramStatus,
    /// How far it has read, in bytes after the header.
    pub(crate) offset: u64,
}

/// Sends requests to the fold.
#[derive(Clone, Debug)]
pub(crate) struct Handle {
    requests: Sender<Request>,
    ring: Arc<Ring>,
    pub(crate) readers: Arc<Readers>,
    pub(crate) report: Arc<Mutex<Report>>,
}

impl Handle {
    pub(crate) fn ask(&self, request: Request) {
        // The sender of the request sees that there is no answer.
        let _ = self.requests.send(request);
        self.ring.poke();
    }

    /// A reader that starts at the first piece.
    pub(crate) fn first(&self) -> Option<Arc<Cursor>> {
        let cursor = Arc::new(Cursor::at(0, 0));
        register(&self.readers, &cursor);
        (self.ring.range().0 == 0).then_some(cursor)
    }
}

fn register(readers: &Readers, cursor: &Arc<Cursor>) {
    let mut readers = readers.lock().unwrap_or_else(PoisonError::into_inner);
    readers.retain(|reader| reader.strong_count() > 0);
    readers.push(Arc::downgrade(cursor));
}

/// How a session is followed.
#[derive(Clone, Debug)]
pub(crate) struct Following {
    pub(crate) relay: u64,
    pub(crate) session: u64,
    pub(crate) order_bytes: usize,
    pub(crate) on_lag: OnLag,
    /// The name of the source, and the callback for missed bytes.
    pub(crate) source: Arc<str>,
    pub(crate) notices: Notices,
}

/// Starts to follow a session.
pub(crate) fn start(
    ring: Arc<Ring>,
    header: Arc<Header>,
    how: Following,
) -> std::io::Result<Handle> {
    let (requests, inbox) = channel();
    let handle = Handle {
        requests,
        ring: ring.clone(),
        readers: Arc::default(),
        report: Arc::default(),
    };
    let mut fold = Fold {
        follower: follower(&header, &how),
        header,
        ring,
        inbox,
        readers: handle.readers.clone(),
        report: handle.report.clone(),
        how,
        next: 0,
        offset: 0,
        edge: 0,
        segment: None,
        checkpoints: Checkpoints::default(),
        waiting: Vec::new(),
        cuts: Vec::new(),
        status: FoldStatus::default(),
        finished: false,
    };
    std::thread::Builder::new()
        .name("relay-fold".into())
        .spawn(move || {
            give_way();
            fold.run();
        })?;
    Ok(handle)
}

/// On a busy machine, passing on blocks has priority over folding them.
fn give_way() {
    // On Linux this affects only the calling thread, elsewhere the whole process.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::nice(5);
}

fn follower(header: &Header, how: &Following) -> Follower {
    let options = MergeOptions {
        max_bytes: how.order_bytes,
        recovery: true,
        ..MergeOptions::default()
    };
    let keep = Keep {
        oddities: false,
        ..Keep::all()
    };
    let mut follower = Follower::new(options, keep);
    push(&mut follower, header.as_bytes());
    follower
}

/// With recovery there are no errors.
fn push(follower: &mut Follower, bytes: &[u8]) {
    let _ = follower.push_bytes(bytes, &mut |_| {});
}

struct Fold {
    header: Arc<Header>,
    ring: Arc<Ring>,
    inbox: Receiver<Request>,
    readers: Arc<Readers>,
    report: Arc<Mutex<Report>>,
    how: Following,
    follower: Follower,
    /// The next piece, and its offset, in bytes after the header.
    next: u64,
    offset: u64,
    /// Readers before this piece were taken off.
    edge: u64,
    /// The segment of the one before it.
    segment: Option<u64>,
    checkpoints: Checkpoints,
    /// Readers that wait to be brought up to date.
    waiting: Vec<(Instant, Resync)>,
    /// Files that are to begin at a piece that has not arrived yet.
    cuts: Vec<(u64, oneshot::Sender<Option<CutHere>>)>,
    status: FoldStatus,
    /// The session has ended, and all of it is in the state.
    finished: bool,
}

impl Fold {
    fn run(&mut self) {
        let mut pokes = 0;
        loop {
            if self.finished {
                self.ring.wait_for_poke(&mut pokes);
                if self.ring.is_closed() {
                    return;
                }
            } else {
                let deadline = (!self.waiting.is_empty()).then(|| Instant::now() + PATIENCE / 4);
                match self.ring.wait(self.next, BATCH, &mut pokes, deadline) {
                    Woken::Pieces(pieces) => self.take(pieces),
                    Woken::Gone { first } => self.miss(first),
                    Woken::Ended(_) => self.finish(),
                    Woken::Closed => return,
                    Woken::Poked => {}
                }
            }
            self.keep_readers();
            self.let_go();
            if !self.answer() {
                return;
            }
            self.resync();
            self.tell();
        }
    }

    fn take(&mut self, pieces: Vec<Numbered>) {
        for numbered in pieces {
            self.answer_cuts();
            if self.segment != Some(numbered.segment) {
                self.segment = Some(numbered.segment);
                self.checkpoints.add(self.next, &mut self.follower);
                let recorder = self.ring.held(Hold::Recorder);
                self.checkpoints.keep(&self.standing(), recorder);
            }
            push(&mut self.follower, &numbered.piece.bytes);
            self.next = numbered.number + 1;
            self.offset = numbered.piece.reaches();
        }
        self.answer_cuts();
    }

    /// Releases pieces that are not needed any more, if the source may wait for this: those that
    /// were folded, except those of readers that have yet to be taken off.
    fn let_go(&self) {
        if self.finished {
            return;
        }
        let spared = self.edge.min(self.next);
        let from = match self.ring.asks_fold() {
            // A very large block may not fit otherwise.
            Some(first) if spared <= first => self.next,
            _ => spared,
        };
        self.ring.hold(Hold::Fold, Some(from));
    }

    /// Continues after a gap.
    fn miss(&mut self, first: u64) {
        let missed = self.ring.offset_of(first).saturating_sub(self.offset);
        self.next = first;
        self.offset += missed;
        self.status.missed_bytes += missed;
        // Earlier copies of the state cannot be compared any more.
        self.checkpoints = Checkpoints::default();
        self.segment = None;
        self.how.notices.tell(&Event::FoldMissed {
            source: &self.how.source,
            bytes: missed,
        });
    }

    fn finish(&mut self) {
        self.answer_cuts();
        self.finished = true;
        let _ = self.follower.finish(&mut |_| {});
        for (_, reply) in self.cuts.drain(..) {
            let _ = reply.send(None);
        }
        self.ring.hold(Hold::Fold, None);
    }

    /// The positions of readers.
    fn standing(&self) -> Vec<u64> {
        let readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        let standing = readers.iter().filter_map(Weak::upgrade);
        standing.map(|cursor| cursor.standing()).collect()
    }

    /// Answers requests; `false` when no reader is left.
    fn answer(&mut self) -> bool {
        loop {
            match self.inbox.try_recv() {
                Ok(Request::Join(reply)) => {
                    let start = self.join();
                    self.status.joins += u64::from(start.tell.is_some());
                    let _ = reply.send(start);
                }
                Ok(Request::Record(reply)) => {
                    let _ = reply.send(self.record());
                }
                Ok(Request::Resync(resync)) => self.waiting.push((Instant::now(), resync)),
                Ok(Request::Cut { piece, reply }) => {
                    if piece > self.next && !self.finished {
                        self.cuts.push((piece, reply));
                    } else {
                        let _ = reply.send(self.cut_at(piece));
                    }
                }
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
    }

    fn cursor(&self) -> Arc<Cursor> {
        let cursor = Arc::new(Cursor::at(self.next, self.offset));
        register(&self.readers, &cursor);
        cursor
    }

    /// A reader joins now.
    fn join(&mut self) -> Start {
        let beginning = match self.next {
            0 => None,
            _ => self.follower.beginning(),
        };
        let tell = beginning.map(|beginning| {
            let header = self.header.clone();
            let relay = self.how.relay;
            let whole = self.status.missed_bytes == 0;
            let joined = Joined {
                relay,
                session: self.how.session,
                at: self.follower.at(),
            };
            let tell: Tell = Box::new(move |out| {
                let time = beginning.begins_at();
                out(&notes::joined(&header, joined, time));
                if !whole {
                    out(&notes::not_whole(&header, relay, time));
                }
                if beginning.state().is_incomplete() {
                    out(&notes::not_all(&header, time));
                }
                beginning.write(&mut |bytes| out(bytes));
            });
            tell
        });
        Start {
            cursor: self.cursor(),
            tell,
            missed: 0,
        }
    }

    /// Brings the readers up to date that can be.
    fn resync(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        self.waiting.retain(|(_, resync)| !resync.reply.is_closed());
        let waiting = std::mem::take(&mut self.waiting);
        for (since, resync) in waiting {
            let passed = self.finished || self.follower.has_passed(&resync.knows.position);
            let to = if passed {
                self.follower.cut()
            } else if since.elapsed() >= PATIENCE {
                // A capability is silent. Its events of earlier times may arrive late.
                let state = self.follower.delivered();
                state.map(|state| (state, Window::default()))
            } else {
                None
            };
            match to {
                Some(to) => self.put_on(resync, to, passed),
                None if self.finished => {}
                None => self.waiting.push((since, resync)),
            }
        }
    }

    fn put_on(&mut self, resync: Resync, (state, window): (Snapshot, Window), passed: bool) {
        let since = resync.knows.position.time();
        let at = match passed {
            true => self.follower.at(),
            false => self.follower.position().time(),
        };
        let at = at.max(since);
        let passed_by = self.offset.saturating_sub(resync.offset);
        let missed = passed_by.saturating_sub(window.len() as u64) + resync.filled;
        let loss = RelayLoss {
            relay: self.how.relay,
            bytes: missed,
            between: (since, at),
        };
        let (header, relay) = (self.header.clone(), self.how.relay);
        let whole = passed && self.status.missed_bytes == 0;
        let tell: Tell = Box::new(move |out| {
            out(&notes::loss(&header, loss));
            if !whole {
                out(&notes::not_whole(&header, relay, at));
            }
            let knows = &resync.knows.state;
            transition_blocks(Some(knows), &state, at, None, &mut |bytes| out(bytes));
            window.write(&mut |bytes| out(bytes));
        });
        self.status.resyncs += 1;
        resync.cursor.put_on(self.next, self.offset);
        let _ = resync.reply.send(Start {
            cursor: resync.cursor,
            tell: Some(tell),
            missed,
        });
    }

    /// Answers the requests for this piece.
    fn answer_cuts(&mut self) {
        if self.cuts.iter().all(|(piece, _)| *piece != self.next) {
            return;
        }
        for (piece, reply) in std::mem::take(&mut self.cuts) {
            if piece == self.next {
                let _ = reply.send(cut(&mut self.follower));
            } else {
                self.cuts.push((piece, reply));
            }
        }
    }

    /// The beginning of a file that starts at a piece which was folded already.
    fn cut_at(&mut self, piece: u64) -> Option<CutHere> {
        if piece == self.next {
            return cut(&mut self.follower);
        }
        let (from, mut follower) = self.before(piece)?;
        behind::walk(&self.ring, &mut follower, from, piece).then(|| cut(&mut follower))?
    }

    fn tell(&mut self) {
        let mut report = self.report.lock().unwrap_or_else(PoisonError::into_inner);
        self.status.at = self.follower.at();
        self.status.waiting = self.waiting.len() as u64;
        if let Some(state) = self.follower.state() {
            self.status.threads = state.thread_count() as u64;
            program(state, &mut report.program);
        }
        report.fold = self.status;
        report.offset = self.offset;
    }
}

fn cut(follower: &mut Follower) -> Option<CutHere> {
    let clean = follower.may_cut();
    let beginning = follower.beginning()?;
    Some(CutHere { beginning, clean })
}

/// Identifies the program, if that is known now.
fn program(state: &State, told: &mut ProgramStatus) {
    let Some(program) = state.programs().first() else {
        return;
    };
    if told.pid != program.pid {
        told.pid = program.pid;
    }
    if told.rts.as_deref() != program.rts.as_deref() {
        told.rts = program.rts.as_deref().map(str::to_owned);
    }
    let known = told.arguments.as_ref().map_or(0, Vec::len);
    if known != program.args.len() {
        let arguments = program.args.iter().map(|text| text.to_string());
        told.arguments = Some(arguments.collect());
    }
}
