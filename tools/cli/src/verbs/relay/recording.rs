//! Recording what is relayed: each session into a directory of its own.

use super::news::News;
use super::teller::MessageSender;
use super::watch::Recordings;
use crate::errors;
use crate::units;
use eventlog_relay::{Began, Recorded, Recorder, Relay};
use eventlog_sessions::{
    Cut, EndReason, Limits, Notice, Origin, Piece, Recording, Rotation, Store,
};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How soon the recording thread notices that it has something other to do than take blocks.
const TICK: Duration = Duration::from_millis(200);

/// Options of recording.
#[derive(Clone, Debug, clap::Args)]
pub struct RecordArgs {
    /// Record each session, too: into a directory of its own in DIR (see `eventlog sessions`)
    #[arg(long, value_name = "DIR")]
    pub record: Option<PathBuf>,

    /// Begin a new part of a recording when the present one has this size: 256M, 1G
    #[arg(long, value_name = "SIZE", requires = "record", value_parser = units::some_bytes)]
    rotate_size: Option<u64>,

    /// Begin a new part of a recording after this time: 10m, 1h
    #[arg(long, value_name = "TIME", requires = "record", value_parser = units::some_time)]
    rotate_age: Option<Duration>,

    /// Keep only this many parts of each session: the oldest are deleted
    #[arg(long, value_name = "COUNT", requires = "record", value_parser = at_least_one)]
    keep: Option<usize>,

    /// Keep only so much in DIR: the oldest parts are deleted, of sessions that are over first
    #[arg(long, value_name = "SIZE", requires = "record", value_parser = room)]
    max_bytes: Option<u64>,
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("it must be a number, and 1 at least".to_owned()),
        Ok(count) => Ok(count),
    }
}

/// Less is not useful: a header alone takes kilobytes.
const LEAST_ROOM: u64 = 1 << 20;

fn room(text: &str) -> Result<u64, String> {
    match units::bytes(text)? {
        bytes @ LEAST_ROOM.. => Ok(bytes),
        _ => Err("it must be 1M at least".to_owned()),
    }
}

impl RecordArgs {
    /// The directory, ready to be recorded into.
    pub fn store(&self, told: &MessageSender) -> anyhow::Result<Option<Store>> {
        let Some(dir) = &self.record else {
            return Ok(None);
        };
        let rotation = Rotation {
            size: self.rotate_size,
            age: self.rotate_age,
        };
        if self.keep.is_some() && !rotation.is_wanted() && self.max_bytes.is_none() {
            return Err(errors::usage(
                "--keep counts parts: say with --rotate-size or --rotate-age when one is complete",
            ));
        }
        let limits = Limits {
            rotation,
            keep: self.keep,
            max_bytes: self.max_bytes,
        };
        let told = told.clone();
        let store = Store::open(dir, limits)?;
        Ok(Some(store.notices(move |notice| {
            if let Some(news) = news_of(notice) {
                told.tell(news);
            }
        })))
    }
}

fn news_of(notice: &Notice<'_>) -> Option<News> {
    let message = notice.to_string();
    Some(match notice {
        Notice::Began { source, session } => News::RecordingBegan {
            source: (*source).to_owned(),
            directory: session.display().to_string(),
            message,
        },
        Notice::Failed { source, .. } => News::RecordingFailed {
            source: (*source).to_owned(),
            message,
        },
        Notice::Resumed {
            source,
            session,
            blocks,
            bytes,
        } => News::RecordingResumed {
            source: (*source).to_owned(),
            directory: session.display().to_string(),
            lost_blocks: *blocks,
            lost_bytes: *bytes,
            message,
        },
        _ => return None,
    })
}

/// Requests to the threads that record. It guards no other data.
#[derive(Clone, Debug, Default)]
pub struct Orders {
    reopen: Arc<AtomicU64>,
    stopping: Arc<AtomicBool>,
}

impl Orders {
    /// Each recording goes on in a new part; in a new directory if its own was moved away.
    pub fn reopen(&self) {
        self.reopen.fetch_add(1, Ordering::Relaxed);
    }
}

/// The threads that record, one for each source.
#[derive(Debug, Default)]
pub struct Recorders {
    threads: Vec<JoinHandle<()>>,
    orders: Orders,
    recordings: Recordings,
}

impl Recorders {
    /// Records these sources of a relay, with their origins, from their first byte on.
    pub fn start(
        relay: &Relay,
        store: &Store,
        sources: impl IntoIterator<Item = (String, String)>,
    ) -> anyhow::Result<Self> {
        let mut recorders = Self::default();
        for (name, from) in sources {
            let recording = Record {
                recorder: relay.recorder(&name)?,
                store: store.clone(),
                origin: Origin { name, from },
                orders: recorders.orders.clone(),
                recordings: recorders.recordings.clone(),
            };
            let thread = std::thread::Builder::new().name("record".to_owned());
            recorders
                .threads
                .push(thread.spawn(move || recording.run())?);
        }
        Ok(recorders)
    }

    /// Their state.
    pub fn recordings(&self) -> Recordings {
        self.recordings.clone()
    }

    /// The handle for requests to them.
    pub fn orders(&self) -> Option<Orders> {
        (!self.threads.is_empty()).then(|| self.orders.clone())
    }

    /// The relay is about to end: sessions that end from now on were stopped.
    pub fn stop(&self) {
        self.orders.stopping.store(true, Ordering::Relaxed);
    }

    /// Waits until everything is written, but no longer than this. Returns whether it is.
    pub fn finish(self, limit: Duration) -> bool {
        let until = Instant::now() + limit;
        let are_done = || self.threads.iter().all(JoinHandle::is_finished);
        while !are_done() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(2));
        }
        are_done()
    }
}

/// Records one source.
struct Record {
    recorder: Recorder,
    store: Store,
    origin: Origin,
    orders: Orders,
    recordings: Recordings,
}

/// A session of it.
struct Session {
    began: Began,
    /// `None` if it has to begin in the middle, which is not possible yet.
    recording: Option<Recording>,
}

impl Record {
    fn run(mut self) {
        let mut session: Option<Session> = None;
        let mut patience = TICK;
        let mut reopened = 0;
        loop {
            match self.recorder.next(patience) {
                Recorded::Began(began) => session = Some(self.begin(began)),
                Recorded::Piece(piece) => {
                    patience = Duration::ZERO;
                    if let Some(session) = &mut session {
                        self.piece(session, &piece);
                    }
                }
                Recorded::Idle => {
                    patience = TICK;
                    let session = session.as_mut();
                    let recording = session.and_then(|it| it.recording.as_mut());
                    if let Some(recording) = recording {
                        recording.idle(|| cut(&mut self.recorder));
                    }
                }
                Recorded::Ended { marked, .. } => self.end(session.take(), marked),
                Recorded::Over => break self.end(session.take(), false),
                _ => {}
            }
            let reopen = self.orders.reopen.load(Ordering::Relaxed);
            if std::mem::replace(&mut reopened, reopen) != reopen
                && let Some(recording) = session.as_mut().and_then(|it| it.recording.as_mut())
            {
                recording.reopen();
            }
        }
    }

    fn begin(&mut self, began: Began) -> Session {
        let from_first = began.offset == 0;
        let mut session = Session {
            began,
            recording: None,
        };
        if from_first {
            self.record(&mut session, None);
        } else if let Some(cut) = cut(&mut self.recorder) {
            self.record(&mut session, Some(&cut));
        }
        session
    }

    fn record(&self, session: &mut Session, cut: Option<&Cut>) {
        let Began { header, since, .. } = &session.began;
        let recording = Recording::begin(&self.store, &self.origin, header, *since, cut);
        self.recordings.set(&self.origin.name, recording.status());
        session.recording = Some(recording);
    }

    fn piece(&mut self, session: &mut Session, piece: &eventlog_relay::Piece) {
        let header = session.began.header.as_bytes().len() as u64;
        let Some(recording) = &mut session.recording else {
            if let Some(cut) = cut(&mut self.recorder) {
                self.record(session, Some(&cut));
            }
            return;
        };
        use eventlog_relay::PieceKind::{Block, Events, Faulty, Part};
        let of_block = matches!(piece.kind, Block | Part);
        let piece = Piece {
            bytes: &piece.bytes,
            offset: header + piece.offset,
            cap: piece.cap,
            begin: piece.begin,
            end: piece.end,
            is_block: of_block,
            is_sound: of_block || piece.kind == Events,
            // Faulty bytes go on as long as they do.
            is_whole: piece.ends_whole() && piece.kind != Faulty,
        };
        recording.piece(&piece, || cut(&mut self.recorder));
    }

    fn end(&self, session: Option<Session>, marked: bool) {
        let stopping = self.orders.stopping.load(Ordering::Relaxed);
        let how = match (marked, stopping) {
            (true, _) => EndReason::Complete,
            (false, true) => EndReason::Stopped,
            (false, false) => EndReason::Lost,
        };
        if let Some(recording) = session.and_then(|session| session.recording) {
            recording.end(how);
        }
    }
}

/// What a part that continues here has to begin with.
fn cut(recorder: &mut Recorder) -> Option<Cut> {
    let cut = recorder.cut()?;
    Some(Cut {
        offset: cut.header.as_bytes().len() as u64 + cut.offset,
        beginning: cut.beginning,
        is_clean: cut.clean,
    })
}
