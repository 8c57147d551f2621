//! The thread that reads a source.

use crate::event::{Event, Notices};
use crate::fold;
use crate::framer::{Framed, Framer};
use crate::intake::Intake;
use crate::options::OnLag;
use crate::piece::{Piece, PieceKind};
use crate::ring::Ring;
use crate::session::Session;
use crate::source::Source;
use eventlog_source::Arrival;
use ghc_eventlog::notes::Note;
use ghc_eventlog::{Decoder, Header, Item};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

/// How sources are read.
#[derive(Clone, Debug)]
pub(crate) struct ReadOptions {
    pub(crate) relay: u64,
    pub(crate) ring_bytes: usize,
    pub(crate) order_bytes: usize,
    pub(crate) on_lag: OnLag,
    pub(crate) notices: Notices,
    /// Stop reading all sources.
    pub(crate) stop: Arc<AtomicBool>,
}

struct Reads {
    source: Arc<Source>,
    how: ReadOptions,
    may_wait: bool,
    session: Option<Arc<Session>>,
    /// Pieces that were not passed on yet.
    pieces: Vec<Piece>,
    /// The last piece was the mark at the end.
    marked: bool,
    /// Reading was stopped.
    refused: bool,
    /// A thread could not be started.
    failed: Option<std::io::Error>,
}

/// Starts the thread.
pub(crate) fn start(source: Arc<Source>, intake: Intake, how: ReadOptions) -> std::io::Result<()> {
    let reads = Reads {
        source,
        how,
        may_wait: intake.may_wait,
        session: None,
        pieces: Vec::new(),
        marked: false,
        refused: false,
        failed: None,
    };
    std::thread::Builder::new()
        .name("relay-reads".into())
        .spawn(move || reads.run(intake))?;
    Ok(())
}

impl Reads {
    fn run(mut self, mut intake: Intake) {
        let mut framer = Framer::new();
        let name = self.source.name.clone();
        let notices = self.how.notices.clone();
        let ended = |error: Option<&(dyn std::error::Error + 'static)>| {
            let source = &name;
            notices.tell(&Event::SourceEnded { source, error });
        };
        while !self.how.stop.load(Ordering::Relaxed) {
            match intake.arrivals.next(framer.room()) {
                Ok(Arrival::NewLog) => {
                    self.finish(std::mem::take(&mut framer));
                    self.source.commands.connect(intake.arrivals.commands());
                }
                Ok(Arrival::Bytes(count)) => {
                    let garbage = framer.garbage();
                    framer.filled(count, &mut |framed| self.take(framed));
                    self.source.garbage(framer.garbage() - garbage);
                    if !self.hand_on() {
                        break;
                    }
                }
                Ok(Arrival::Lost(cause)) => {
                    self.finish(std::mem::take(&mut framer));
                    self.source.commands.connect(None);
                    self.source.lost();
                    self.how.notices.tell(&Event::SourceLost {
                        source: &name,
                        cause: cause.as_ref(),
                    });
                }
                Ok(Arrival::End) => {
                    self.finish(framer);
                    self.source.end();
                    return ended(None);
                }
                // A followed file does not end when its log does.
                Ok(Arrival::Idle) if self.marked => self.end(0),
                Ok(_) => {}
                Err(error) => {
                    self.finish(framer);
                    self.source.end();
                    return ended(Some(&error));
                }
            }
        }
        self.finish(framer);
        self.source.end();
        match &self.failed {
            Some(error) => ended(Some(error)),
            None => ended(None),
        }
    }

    fn take(&mut self, framed: Framed) {
        match framed {
            Framed::Began { header, .. } => {
                self.hand_on();
                self.end(0);
                self.begin(header);
            }
            Framed::Piece(piece) => {
                if piece.offset == 0 {
                    self.look_at_first(&piece);
                }
                self.marked = piece.kind == PieceKind::End;
                self.pieces.push(piece);
            }
            Framed::Garbage(error) => self.how.notices.tell(&Event::Garbage {
                source: &self.source.name,
                error: &error,
            }),
        }
    }

    fn begin(&mut self, header: Arc<Header>) {
        let number = self.source.next_number();
        let ring = Arc::new(Ring::new(self.how.ring_bytes, self.may_wait));
        let following = fold::Following {
            relay: self.how.relay,
            session: number,
            order_bytes: self.how.order_bytes,
            on_lag: self.how.on_lag,
            source: self.source.name.clone(),
            notices: self.how.notices.clone(),
        };
        let fold = match fold::start(ring.clone(), header.clone(), following) {
            Ok(fold) => fold,
            Err(error) => {
                (self.refused, self.failed) = (true, Some(error));
                return;
            }
        };
        let session = Arc::new(Session {
            number,
            header,
            since: SystemTime::now(),
            ring,
            fold,
            joined_late: AtomicBool::new(false),
        });
        self.session = Some(session.clone());
        self.source.begin(session);
        self.how.notices.tell(&Event::SessionBegan {
            source: &self.source.name,
            session: number,
        });
    }

    /// A relay that has joined late says so in its first block.
    fn look_at_first(&mut self, piece: &Piece) {
        let Some(session) = &self.session else { return };
        let Some(relay) = joined(&session.header, piece) else {
            return;
        };
        session.joined_late.store(true, Ordering::Relaxed);
        if relay == self.how.relay {
            self.refused = true;
            self.how.notices.tell(&Event::OwnStream {
                source: &self.source.name,
            });
        }
    }

    /// Passes on the pieces. Returns whether to keep reading.
    fn hand_on(&mut self) -> bool {
        if self.refused {
            return false;
        }
        match &self.session {
            Some(session) => session.ring.push(&mut self.pieces),
            None => true,
        }
    }

    /// The log has ended, or its source.
    fn finish(&mut self, framer: Framer) {
        let cut_off = framer.finish(&mut |framed| self.take(framed));
        self.hand_on();
        self.end(cut_off);
    }

    fn end(&mut self, cut_off: u64) {
        self.pieces.clear();
        self.marked = false;
        let Some(session) = self.session.take() else {
            return;
        };
        session.ring.end(cut_off);
        self.source.ended();
        let end = session.ring.ended();
        self.how.notices.tell(&Event::SessionEnded {
            source: &self.source.name,
            session: session.number,
            marked: end.is_some_and(|end| end.marked),
            cut_off,
        });
    }
}

/// The id of the relay that says in the first block of a log that it has joined late.
fn joined(header: &Arc<Header>, piece: &Piece) -> Option<u64> {
    if piece.kind != PieceKind::Block || piece.cap.is_some() {
        return None;
    }
    let mut decoder = Decoder::at(header.clone(), None, 0, 0);
    let mut rest = &piece.bytes[..];
    while let Ok(item) = decoder.decode(&mut rest) {
        match item {
            Item::Block(_) => {}
            Item::Event(event) => {
                return match Note::of(&event)? {
                    Note::Joined(joined) => Some(joined.relay),
                    _ => None,
                };
            }
            _ => return None,
        }
    }
    None
}
