//! All bytes that one reader gets, from the first to the last: the same over a socket and in
//! this process.

use crate::cursor::{Cursor, Moved, Off, Rest};
use crate::event::{Event, Gone, Notices};
use crate::fold::{self, Request, Resync};
use crate::notes;
use crate::ring::End;
use crate::session::Session;
use crate::source::{Found, Source};
use crate::start::Start;
use crate::tell;
use bytes::{Buf, Bytes};
use ghc_eventlog::DATA_END;
use ghc_eventlog::notes::RelayLoss;
use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tokio::sync::{mpsc, oneshot, watch};

/// How logs are passed on.
#[derive(Clone, Debug)]
pub(crate) struct FeedOptions {
    pub(crate) relay: u64,
    pub(crate) follow_restarts: bool,
    pub(crate) mark_ends: bool,
    pub(crate) notices: Notices,
}

/// What a reader has received, for the status.
#[derive(Debug, Default)]
pub(crate) struct ReaderStats {
    pub(crate) bytes: AtomicU64,
    pub(crate) missed: AtomicU64,
    pub(crate) resyncs: AtomicU64,
    /// Its position.
    pub(crate) at: Mutex<Option<(Weak<Session>, Weak<Cursor>)>>,
}

/// One reader.
#[derive(Debug)]
pub(crate) struct Feed {
    source: Arc<Source>,
    how: FeedOptions,
    start: Start,
    /// Sessions begin and end.
    changed: watch::Receiver<()>,
    /// It does not read the sessions up to this one.
    seen: u64,
    /// It was connected before the next session began.
    waited: bool,
    stage: Stage,
    got: Arc<ReaderStats>,
}

/// Its state.
#[derive(Debug)]
enum Stage {
    /// It waits for a session.
    Waiting,
    /// It has asked the fold where it starts.
    Asked(Reading, oneshot::Receiver<fold::Start>),
    /// The fold has answered, or cannot.
    Answered(Reading, Option<fold::Start>),
    /// It gets bytes that are not in the ring.
    CatchUp(CatchUp),
    Live(Reading),
    Over(Gone),
}

/// The session that it reads.
#[derive(Debug)]
struct Reading {
    session: Arc<Session>,
    /// There are more pieces.
    changed: watch::Receiver<()>,
    cursor: Option<Arc<Cursor>>,
}

#[derive(Debug)]
struct CatchUp {
    queue: VecDeque<Bytes>,
    more: Option<mpsc::Receiver<Bytes>>,
    then: Then,
}

/// What follows when it has received all of it.
#[derive(Debug)]
enum Then {
    Live(Reading),
    Resync(Reading, Box<Resync>, oneshot::Receiver<fold::Start>),
    Wait,
    Over(Gone),
}

/// The result of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// This many bytes were written.
    Wrote(usize),
    /// There is nothing to write for now: [`Feed::wait`].
    Waits,
    Over(Gone),
}

impl Feed {
    pub(crate) fn new(source: Arc<Source>, how: FeedOptions, start: Start) -> Self {
        Self {
            changed: source.watch(),
            source,
            how,
            start,
            seen: 0,
            waited: false,
            stage: Stage::Waiting,
            got: Arc::default(),
        }
    }

    /// Registers the reader: if there is no session yet, it gets the next one from its first
    /// byte.
    pub(crate) fn come(&mut self) {
        if matches!(self.stage, Stage::Waiting) {
            self.look();
        }
    }

    pub(crate) fn got(&self) -> &Arc<ReaderStats> {
        &self.got
    }

    /// Writes the next bytes, up to about the given number. `write` must not wait; bytes that it
    /// does not take are offered again.
    pub(crate) fn step(
        &mut self,
        most: usize,
        write: &mut dyn FnMut(&[Bytes]) -> io::Result<usize>,
    ) -> io::Result<Step> {
        loop {
            match &mut self.stage {
                Stage::Over(gone) => return Ok(Step::Over(*gone)),
                Stage::Waiting => {
                    if !self.look() {
                        return Ok(Step::Waits);
                    }
                }
                Stage::Asked(_, reply) => match reply.try_recv() {
                    Ok(start) => self.answered(Some(start)),
                    Err(oneshot::error::TryRecvError::Empty) => return Ok(Step::Waits),
                    Err(oneshot::error::TryRecvError::Closed) => self.answered(None),
                },
                Stage::Answered(..) => self.begin(),
                Stage::CatchUp(told) => {
                    if !told.queue.is_empty() {
                        let wrote = told.write(most, write)?;
                        self.got.bytes.fetch_add(wrote as u64, Ordering::Relaxed);
                        return Ok(Step::Wrote(wrote));
                    }
                    match told.more.as_mut().map(mpsc::Receiver::try_recv) {
                        Some(Ok(bytes)) => told.queue.push_back(bytes),
                        Some(Err(mpsc::error::TryRecvError::Empty)) => return Ok(Step::Waits),
                        Some(Err(mpsc::error::TryRecvError::Disconnected)) | None => self.go_on(),
                    }
                }
                Stage::Live(reading) => {
                    reading.changed.borrow_and_update();
                    let Some(cursor) = &reading.cursor else {
                        self.stage = Stage::Over(Gone::NoResources);
                        continue;
                    };
                    match cursor.advance(&reading.session.ring, most, write)? {
                        Moved::Wrote(wrote) => {
                            self.got.bytes.fetch_add(wrote as u64, Ordering::Relaxed);
                            return Ok(Step::Wrote(wrote));
                        }
                        Moved::Waits => return Ok(Step::Waits),
                        Moved::Off(off) => self.off(off),
                        Moved::Lost { offset, time } => self.off(Off {
                            rest: Rest::default(),
                            knows: None,
                            offset,
                            time,
                        }),
                        Moved::Ended(end) => self.ended(end),
                        Moved::Closed => self.stage = Stage::Over(Gone::TooSlow),
                    }
                }
            }
        }
    }

    /// Waits until there may be something to write. It can be dropped at any time.
    pub(crate) async fn wait(&mut self) {
        match &mut self.stage {
            Stage::Waiting => {
                if self.changed.changed().await.is_err() {
                    self.stage = Stage::Over(Gone::Ended);
                }
            }
            Stage::Asked(_, reply) => {
                let start = reply.await.ok();
                self.answered(start);
            }
            Stage::CatchUp(told) => {
                if let Some(more) = &mut told.more {
                    match more.recv().await {
                        Some(bytes) => told.queue.push_back(bytes),
                        None => told.more = None,
                    }
                }
            }
            Stage::Live(reading) => {
                if reading.changed.changed().await.is_err() {
                    self.stage = Stage::Over(Gone::Ended);
                }
            }
            Stage::Answered(..) | Stage::Over(_) => {}
        }
    }

    /// Looks for a session. Returns whether there is anything to do.
    fn look(&mut self) -> bool {
        self.changed.borrow_and_update();
        match self.source.find(self.seen, self.waited) {
            Found::Nothing { sessions } => {
                if !std::mem::replace(&mut self.waited, true) {
                    self.seen = sessions;
                }
                false
            }
            Found::Over => {
                self.stage = Stage::Over(Gone::Ended);
                true
            }
            Found::Session(session) => {
                self.enter(session);
                true
            }
        }
    }

    fn enter(&mut self, session: Arc<Session>) {
        self.seen = session.number;
        let first = self.waited || self.start == Start::First;
        let cursor = first.then(|| session.fold.first()).flatten();
        let reading = Reading {
            changed: session.ring.watch(),
            cursor: cursor.clone(),
            session,
        };
        self.stage = match cursor {
            Some(cursor) => {
                self.stands(&reading.session, &cursor);
                Stage::CatchUp(CatchUp {
                    queue: [header(&reading.session)].into(),
                    more: None,
                    then: Then::Live(reading),
                })
            }
            None => {
                let (reply, answer) = oneshot::channel();
                reading.session.fold.ask(Request::Join(reply));
                Stage::Asked(reading, answer)
            }
        };
    }

    fn stands(&self, session: &Arc<Session>, cursor: &Arc<Cursor>) {
        let at = (Arc::downgrade(session), Arc::downgrade(cursor));
        *self.got.at.lock().unwrap_or_else(PoisonError::into_inner) = Some(at);
    }

    fn answered(&mut self, start: Option<fold::Start>) {
        let stage = std::mem::replace(&mut self.stage, Stage::Waiting);
        self.stage = match stage {
            Stage::Asked(reading, _) => Stage::Answered(reading, start),
            other => other,
        };
    }

    /// Starts at the place that the fold has returned.
    fn begin(&mut self) {
        let stage = std::mem::replace(&mut self.stage, Stage::Waiting);
        let Stage::Answered(mut reading, Some(start)) = stage else {
            self.stage = Stage::Over(Gone::NoResources);
            return;
        };
        let again = reading.cursor.is_some();
        if again {
            self.got.missed.fetch_add(start.missed, Ordering::Relaxed);
            self.got.resyncs.fetch_add(1, Ordering::Relaxed);
            self.how.notices.tell(&Event::Resynced {
                source: &self.source.name,
                bytes: start.missed,
            });
        }
        self.stands(&reading.session, &start.cursor);
        reading.cursor = Some(start.cursor);
        let more = match start.tell.map(tell::start) {
            None => None,
            Some(Ok(more)) => Some(more),
            Some(Err(_)) => {
                self.stage = Stage::Over(Gone::NoResources);
                return;
            }
        };
        let mut queue = VecDeque::new();
        if !again {
            queue.push_back(header(&reading.session));
        }
        self.stage = Stage::CatchUp(CatchUp {
            queue,
            more,
            then: Then::Live(reading),
        });
    }

    /// The reader has fallen off the ring.
    fn off(&mut self, off: Off) {
        let stage = std::mem::replace(&mut self.stage, Stage::Waiting);
        let Stage::Live(reading) = stage else {
            return;
        };
        let filled = off.rest.filled();
        let mut queue: VecDeque<Bytes> = off.rest.parts().cloned().collect();
        let then = match (off.knows, &reading.cursor) {
            (Some(knows), Some(cursor)) => {
                let (reply, answer) = oneshot::channel();
                let resync = Resync {
                    knows,
                    offset: off.offset,
                    filled,
                    cursor: cursor.clone(),
                    reply,
                };
                Then::Resync(reading, Box::new(resync), answer)
            }
            _ => {
                let fill = reading.session.ring.fill();
                let missed = fill.offset.saturating_sub(off.offset) + filled;
                self.got.missed.fetch_add(missed, Ordering::Relaxed);
                let loss = RelayLoss {
                    relay: self.how.relay,
                    bytes: missed,
                    between: (off.time, fill.latest.max(off.time)),
                };
                queue.push_back(notes::loss(&reading.session.header, loss).into());
                Then::Over(Gone::Lagged)
            }
        };
        queue.retain(|bytes| !bytes.is_empty());
        self.stage = Stage::CatchUp(CatchUp {
            queue,
            more: None,
            then,
        });
    }

    /// The whole session was read.
    fn ended(&mut self, end: End) {
        let stage = std::mem::replace(&mut self.stage, Stage::Waiting);
        let Stage::Live(reading) = stage else {
            return;
        };
        let mut queue = VecDeque::new();
        if !end.marked && self.how.mark_ends {
            let mut bytes = notes::source_lost(&reading.session.header, self.how.relay, end.latest);
            bytes.extend(DATA_END.to_be_bytes());
            queue.push_back(bytes.into());
        }
        let then = match self.how.follow_restarts {
            true => Then::Wait,
            false => Then::Over(Gone::Ended),
        };
        self.waited = true;
        self.stage = Stage::CatchUp(CatchUp {
            queue,
            more: None,
            then,
        });
    }

    /// It has received all of these bytes.
    fn go_on(&mut self) {
        let stage = std::mem::replace(&mut self.stage, Stage::Waiting);
        let Stage::CatchUp(told) = stage else { return };
        self.stage = match told.then {
            Then::Live(reading) => Stage::Live(reading),
            Then::Resync(reading, resync, answer) => {
                reading.session.fold.ask(Request::Resync(*resync));
                Stage::Asked(reading, answer)
            }
            Then::Wait => Stage::Waiting,
            Then::Over(gone) => Stage::Over(gone),
        };
    }
}

impl CatchUp {
    fn write(
        &mut self,
        most: usize,
        write: &mut dyn FnMut(&[Bytes]) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let slices = self.queue.make_contiguous();
        let first = slices.len().min(64);
        let first = match slices.first() {
            Some(bytes) if bytes.len() > most => 1,
            _ => first,
        };
        let wrote = write(&slices[..first])?;
        let mut left = wrote;
        while left > 0
            && let Some(bytes) = self.queue.front_mut()
        {
            let count = left.min(bytes.len());
            bytes.advance(count);
            left -= count;
            if bytes.is_empty() {
                self.queue.pop_front();
            }
        }
        Ok(wrote)
    }
}

fn header(session: &Session) -> Bytes {
    Bytes::copy_from_slice(session.header.as_bytes())
}
