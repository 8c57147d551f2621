//! One log: its bytes, its fold, and its rows; or one heap profile.
//!
//! Two threads write to a log, and any number of others look at it. The one that reads the source
//! calls `push` for each piece, `idle`, `fail` and `end`; the one that folds calls `fold` for each
//! piece after that, `flush` and `finish`, in the order in which the first one asked for them. What
//! the list says of a log (its bytes, its events, whether it has ended) follows the fold, which is
//! behind. The end is waited for: `end` is called when `finish` has returned.

use crate::drawn::Drawn;
use crate::fold::Fold;
use crate::heap_file::HeapFile;
use crate::places::Places;
use crate::raw::Raw;
use crate::scan::Log;
use crate::shared::Shared;
use crate::summary::Summary;
use eventlog_relay::{Piece, PieceKind};
use eventlog_series::{Limits, Rows};
use eventlog_state::Patience;
use ghc_eventlog::Header;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How often the summary is updated while bytes arrive: as often as pages hear of it. Tiles are
/// made again at most as often, however many pages ask for them.
const OFTEN: Duration = Duration::from_millis(250);
/// How long events of a running program wait for other capabilities: less than [`Patience::LIVE`],
/// so that pages show what was flushed about a second later. Events of a file wait until there is no
/// more of it to read, and no longer: a program may only have paused, but what it has written to a
/// file is there.
const LIVE: Duration = Duration::from_secs(1);
/// The most rows of threads that are alive; one that was on several capabilities counts for each.
const THREADS: usize = 3 << 18;
/// A file that has not grown for this long is not shown as growing.
const QUIET: Duration = Duration::from_secs(10);

/// The origin of sessions.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    /// Its name.
    pub(crate) name: String,
    /// Its address or path.
    pub(crate) from: String,
    /// Whether it is a running program.
    pub(crate) live: bool,
}

/// What a session has.
#[derive(Debug)]
pub(crate) enum Data {
    /// An eventlog.
    Log(Box<Contents>),
    /// A heap profile as text.
    Heap(Box<Shared<HeapFile>>),
}

/// A session: from one header to the next. Before the first header it is a source that
/// is waited for.
#[derive(Debug)]
pub(crate) struct Session {
    id: String,
    origin: Arc<Origin>,
    data: OnceLock<Data>,
    status: Mutex<Status>,
    /// Held while the summary is made.
    summing: Mutex<()>,
}

/// The data of a log that has begun.
#[derive(Debug)]
pub(crate) struct Contents {
    pub(crate) header: Arc<Header>,
    pub(crate) raw: Raw,
    pub(crate) places: Shared<Places>,
    pub(crate) rows: Shared<Rows>,
    pub(crate) fold: Shared<Fold>,
    pub(crate) drawn: Drawn,
}

impl Contents {
    /// For reading parts of it again.
    pub(crate) fn log(&self) -> Log<'_> {
        Log {
            header: &self.header,
            raw: &self.raw,
        }
    }
}

#[derive(Debug)]
struct Status {
    summary: Summary,
    told: Instant,
    /// When bytes last arrived.
    came: Instant,
    reaches: u64,
    ended: bool,
    error: Option<String>,
    /// For how long the fold may hold events that wait for others.
    patience: Patience,
}

impl Session {
    /// A session that has not begun.
    pub(crate) fn new(id: String, origin: &Arc<Origin>, number: u64) -> Self {
        let now = Instant::now();
        let summary = Summary {
            id: id.clone(),
            name: origin.name.clone(),
            source: origin.from.clone(),
            live: origin.live,
            restarts: number,
            ..Summary::default()
        };
        Self {
            id,
            origin: Arc::clone(origin),
            data: OnceLock::new(),
            status: Mutex::new(Status {
                summary,
                told: now,
                came: now,
                reaches: 0,
                ended: false,
                error: None,
                patience: Patience::new(match origin.live {
                    true => LIVE,
                    false => Duration::ZERO,
                }),
            }),
            summing: Mutex::default(),
        }
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        &self.origin.name
    }

    /// What has arrived, once it has begun.
    pub(crate) fn data(&self) -> Option<&Data> {
        self.data.get()
    }

    /// The log, if it is one that has begun.
    fn contents(&self) -> Option<&Contents> {
        match self.data.get() {
            Some(Data::Log(contents)) => Some(contents),
            _ => None,
        }
    }

    fn status(&self) -> MutexGuard<'_, Status> {
        // Every change under this lock is complete before anything could panic.
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its header has arrived.
    pub(crate) fn begin(&self, header: Arc<Header>, raw: Raw) {
        let limits = Limits {
            threads: THREADS,
            ..Limits::default()
        };
        let contents = Contents {
            rows: Shared::new(Rows::with_limits(Arc::clone(&header), limits)),
            fold: Shared::new(Fold::new(&header, self.origin.live)),
            places: Shared::new(Places::default()),
            drawn: Drawn::default(),
            header,
            raw,
        };
        // It begins once.
        let _ = self.data.set(Data::Log(Box::new(contents)));
        self.status().error = None;
        self.summarise();
    }

    /// It is a heap profile.
    pub(crate) fn begin_heap(&self) {
        let _ = self
            .data
            .set(Data::Heap(Box::new(Shared::new(HeapFile::default()))));
        self.status().error = None;
    }

    /// Whether it has begun.
    pub(crate) fn is_begun(&self) -> bool {
        self.data.get().is_some()
    }

    /// Adds the next bytes of a heap profile.
    pub(crate) fn push_heap(&self, bytes: &[u8]) {
        let Some(Data::Heap(file)) = self.data.get() else {
            return;
        };
        let pushed = file.change().push(bytes);
        self.status().came = Instant::now();
        if let Err(error) = pushed {
            let name = &self.origin.from;
            self.fail(format!(
                "{name} cannot be read further: {error}. The samples before that are shown; the \
                 file may be damaged"
            ));
        }
        let due = self.status().told.elapsed() >= OFTEN;
        if due {
            self.summarise();
        }
    }

    /// Adds the next piece to everything but the fold.
    pub(crate) fn push(&self, piece: &Piece) {
        let Some(contents) = self.contents() else {
            return;
        };
        match contents.raw.push(piece.offset, &piece.bytes) {
            // Whole files of what is kept are removed, so this changes seldom.
            Ok(kept_from) if contents.places.change().forget(kept_from) => {
                contents.rows.change().forget(kept_from);
            }
            Ok(_) => {}
            Err(error) => {
                // No part can be read again.
                contents.places.change().forget(u64::MAX);
                self.fail(format!(
                    "the log cannot be stored, so it has no timeline ({error}); check that the \
                     disk is not full (XDG_CACHE_HOME sets the directory)"
                ));
            }
        }
        match piece.kind {
            PieceKind::Block => contents.rows.change().block(piece.offset, &piece.bytes),
            PieceKind::End => contents.rows.change().finish(),
            _ => {}
        }
        if piece.kind != PieceKind::Faulty {
            contents.places.change().push(piece);
        }
        self.status().came = Instant::now();
    }

    /// Folds the next piece, which was pushed before.
    pub(crate) fn fold(&self, piece: &Piece) {
        let Some(contents) = self.contents() else {
            return;
        };
        // Before this piece, since what belongs between is about to arrive: a flush hands over one
        // capability after the other.
        if self.origin.live && self.status().patience.is_over(Instant::now()) {
            self.hurry(contents);
        }
        let has_moved = {
            let mut fold = contents.fold.change();
            let before = fold.totals().events();
            fold.push(piece);
            fold.totals().events() != before
        };
        let now = Instant::now();
        let mut status = self.status();
        status.patience.came(has_moved, now);
        status.reaches = status.reaches.max(piece.reaches());
        status.ended = piece.kind == PieceKind::End;
        let due = status.ended || now.duration_since(status.told) >= OFTEN;
        drop(status);
        if due {
            self.summarise();
        }
    }

    /// Folds the events that wait for others, after [`idle`](Self::idle) asked for it.
    pub(crate) fn flush(&self) {
        if let Some(contents) = self.contents() {
            self.hurry(contents);
            self.summarise();
        }
    }

    /// Folds the waiting events.
    fn hurry(&self, contents: &Contents) {
        if contents.fold.look().held() > 0 {
            contents.fold.change().flush();
        }
    }

    /// Folds the end of the log.
    pub(crate) fn finish(&self) {
        if let Some(contents) = self.contents() {
            contents.fold.change().finish();
        }
    }

    /// Nothing has arrived for a moment. Returns whether to [`flush`](Self::flush).
    pub(crate) fn idle(&self) -> bool {
        if !self.is_begun() {
            return false;
        }
        let is_over = self.status().patience.is_over(Instant::now());
        self.summarise();
        is_over
    }

    /// The log has ended, and its end is folded.
    pub(crate) fn end(&self, cut_off: u64) {
        if let Some(contents) = self.contents() {
            contents.rows.change().finish();
        }
        if cut_off > 0 {
            self.fail(format!(
                "the log breaks off inside an event: {cut_off} bytes at its end are left out"
            ));
        }
        if let Some(Data::Heap(file)) = self.data.get()
            && file.look().is_cut_off()
        {
            self.fail("the file breaks off inside a sample, which is left out".to_owned());
        }
        self.status().ended = true;
        self.summarise();
    }

    /// Records an error, unless there is one already.
    pub(crate) fn fail(&self, error: String) {
        self.status().error.get_or_insert(error);
        self.summarise();
    }

    /// Whether the log has ended.
    pub(crate) fn is_ended(&self) -> bool {
        self.status().ended
    }

    /// The entry in the list.
    pub(crate) fn summary(&self) -> Summary {
        let status = self.status();
        let mut summary = status.summary.clone();
        if self.is_begun() {
            summary.live = match self.origin.live {
                true => !status.ended,
                false => !status.ended && status.came.elapsed() < QUIET,
            };
            if self.origin.live && !status.ended {
                summary.lag = lag(&summary);
            }
        }
        summary
    }

    fn summarise(&self) {
        // One after the other: what is told later must not be older.
        let _alone = self.summing.lock().unwrap_or_else(PoisonError::into_inner);
        let status = self.status();
        let mut summary = status.summary.clone();
        // Before the rest is looked at: of a log that has ended, all of it is told.
        (summary.ended, summary.bytes) = (status.ended, status.reaches);
        drop(status);
        if let Some(Data::Heap(file)) = self.data.get() {
            let file = file.look();
            (summary.begin, summary.end) = file.times();
            summary.heap_file = Some(file.about());
            summary.bytes = file.bytes();
        }
        if let Some(contents) = self.contents() {
            contents.drawn.grown();
            let places = contents.places.look();
            summary.kept_from = places.kept_from();
            let delivered = places.latest();
            drop(places);
            let fold = contents.fold.look();
            let (state, totals) = (fold.state(), fold.totals());
            if let Some(program) = state.programs().first() {
                summary.program = program.name().map(str::to_owned);
                summary.pid = program.pid;
                summary.rts = program.rts.as_deref().map(str::to_owned);
                summary.args = program.args.iter().map(|arg| arg.to_string()).collect();
                let wall = program.wall_clock;
                summary.wall = wall.map(|wall| wall.at(0).unix_nanos().to_string());
            }
            summary.begin = state.first().unwrap_or(0);
            summary.end = state.time().max(delivered);
            summary.events = totals.events();
            summary.caps = state.caps().count();
            summary.threads_live = state.thread_count();
            summary.threads_ever = totals.threads_created();
        }
        let mut status = self.status();
        summary.live = self.origin.live && !summary.ended;
        summary.error.clone_from(&status.error);
        status.summary = summary;
        status.told = Instant::now();
    }
}

/// The age of the newest event.
fn lag(summary: &Summary) -> Option<u64> {
    let wall: i128 = summary.wall.as_deref()?.parse().ok()?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    let newest = wall.checked_add(i128::from(summary.end))?;
    let lag = i128::try_from(now.as_nanos()).ok()? - newest;
    // With a different clock the age is meaningless.
    u64::try_from(lag).ok()
}
