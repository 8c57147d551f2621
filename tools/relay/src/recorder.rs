//! A reader that misses nothing: the source waits for it.

use crate::block_on::block_on;
use crate::fold::Request;
use crate::piece::Piece;
use crate::ring::{Hold, Woken};
use crate::session::Session;
use crate::source::{Found, Source};
use crate::status::ProgramStatus;
use eventlog_state::Beginning;
use ghc_eventlog::Header;
use std::collections::VecDeque;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::{oneshot, watch};

/// How many bytes of pieces are taken at a time.
const BATCH: usize = 1 << 20;

/// Gets every piece of a source. Pieces that it has not taken stay in the ring, and when the
/// ring is full of them, the source is not read until it takes more.
///
/// A source has at most one recorder. It gets the sessions one after the other.
#[derive(Debug)]
pub struct Recorder {
    source: Arc<Source>,
    changed: watch::Receiver<()>,
    session: Option<Recording>,
    /// The session that existed when the recorder was made.
    first: Option<Arc<Session>>,
}

/// The session that is recorded.
#[derive(Debug)]
struct Recording {
    session: Arc<Session>,
    told: bool,
    /// The next piece, and its offset, in bytes after the header.
    next: u64,
    offset: u64,
    taken: VecDeque<Piece>,
    pokes: u64,
}

/// What [`Recorder::next`] returns.
#[derive(Debug)]
#[non_exhaustive]
pub enum Recorded {
    /// A session begins. This is also the first result if the source has a session already.
    Began(Began),
    /// The next piece of it.
    Piece(Piece),
    /// Nothing has arrived within the time limit.
    Idle,
    /// The session is over.
    Ended {
        /// Whether its log has an end mark (which was the last piece).
        marked: bool,
        /// Bytes at its end that were not a whole block.
        cut_off: u64,
    },
    /// There will be no more sessions.
    Over,
}

/// A session that begins.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Began {
    /// Its number among those of its source, from 1 on.
    pub number: u64,
    /// The header of its log.
    pub header: Arc<Header>,
    /// When the header arrived.
    pub since: SystemTime,
    /// Offset of the first piece, in bytes after the header. If it is not 0 the recorder joined
    /// late, and the recording has to begin with a [`Cut`].
    pub offset: u64,
}

/// The beginning of a file that continues after the last piece that the recorder got.
#[derive(Debug)]
#[non_exhaustive]
pub struct Cut {
    /// The header.
    pub header: Arc<Header>,
    /// The state there: written after the header.
    pub beginning: Beginning,
    /// The place, in bytes after the header of the log.
    pub offset: u64,
    /// Whether the cut splits nothing: no heap sample is open.
    pub clean: bool,
}

impl Recording {
    /// From its first piece on, unless the recorder joins late.
    fn new(session: Arc<Session>, late: bool) -> Self {
        let mut next = 0;
        if late {
            let (reply, answer) = oneshot::channel();
            session.fold.ask(Request::Record(reply));
            // There is always an answer, unless the relay is gone.
            next = block_on(answer, None).and_then(Result::ok).unwrap_or(0);
        }
        Self {
            told: false,
            offset: session.ring.offset_of(next),
            next,
            session,
            taken: VecDeque::new(),
            pokes: 0,
        }
    }

    /// The number of the next piece to be returned.
    fn here(&self) -> u64 {
        self.next - self.taken.len() as u64
    }

    fn began(&self) -> Began {
        Began {
            number: self.session.number,
            header: self.session.header.clone(),
            since: self.session.since,
            offset: self.offset,
        }
    }
}

impl Recorder {
    pub(crate) fn new(source: Arc<Source>, first: Option<Arc<Session>>) -> Self {
        Self {
            changed: source.watch(),
            source,
            session: None,
            first,
        }
    }

    /// Returns what is next, and waits for it no longer than this.
    pub fn next(&mut self, patience: Duration) -> Recorded {
        let until = Instant::now() + patience;
        loop {
            let Some(recording) = &mut self.session else {
                self.changed.borrow_and_update();
                if let Some(first) = self.first.take() {
                    self.session = Some(Recording::new(first, true));
                    continue;
                }
                match self.source.to_record() {
                    Found::Session(session) => self.session = Some(Recording::new(session, false)),
                    Found::Over => return Recorded::Over,
                    Found::Nothing { .. } => {
                        if block_on(self.changed.changed(), Some(until)).is_none() {
                            return Recorded::Idle;
                        }
                    }
                }
                continue;
            };
            if !std::mem::replace(&mut recording.told, true) {
                return Recorded::Began(recording.began());
            }
            if let Some(piece) = recording.taken.pop_front() {
                recording.offset = piece.reaches();
                let ring = &recording.session.ring;
                ring.hold(Hold::Recorder, Some(recording.here()));
                return Recorded::Piece(piece);
            }
            let ring = &recording.session.ring;
            match ring.wait(recording.next, BATCH, &mut recording.pokes, Some(until)) {
                Woken::Pieces(pieces) => {
                    recording.next += pieces.len() as u64;
                    recording
                        .taken
                        .extend(pieces.into_iter().map(|it| it.piece));
                }
                Woken::Poked if Instant::now() < until => {}
                Woken::Poked => return Recorded::Idle,
                Woken::Ended(end) => {
                    ring.hold(Hold::Recorder, None);
                    self.session = None;
                    return Recorded::Ended {
                        marked: end.marked,
                        cut_off: end.cut_off,
                    };
                }
                // The relay is gone.
                Woken::Gone { .. } | Woken::Closed => return Recorded::Over,
            }
        }
    }

    /// The beginning of a file that continues here. `None` if there is no session, or its log
    /// cannot be followed to this place.
    pub fn cut(&mut self) -> Option<Cut> {
        let recording = self.session.as_ref()?;
        let (reply, answer) = oneshot::channel();
        let piece = recording.here();
        recording.session.fold.ask(Request::Cut { piece, reply });
        let here = block_on(answer, None)?.ok()??;
        Some(Cut {
            header: recording.session.header.clone(),
            beginning: here.beginning,
            offset: recording.offset,
            clean: here.clean,
        })
    }

    /// The program, as far as its log identifies it so far.
    pub fn program(&self) -> ProgramStatus {
        let report = self.session.as_ref().map(|it| &it.session.fold.report);
        let report = report.map(|it| it.lock().unwrap_or_else(PoisonError::into_inner));
        report.map_or_else(ProgramStatus::default, |it| it.program.clone())
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.source.no_recorder();
        let sessions = self.session.take().map(|it| it.session);
        for session in sessions.into_iter().chain(self.first.take()) {
            session.ring.hold(Hold::Recorder, None);
        }
    }
}
