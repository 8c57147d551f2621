//! Records a session.
//!
//! Pieces are always accepted, whatever happens to the disk: what cannot be written is counted, and
//! the recording goes on in a new part, which is valid by itself, when there is space again.

use crate::clock::unix_ns;
use crate::entry::Head;
use crate::error::{Doing, Error};
use crate::files::{Locked, as_name};
use crate::learned::{Learned, Learner};
use crate::manifest::{EndReason, Ended, Lost, Manifest, PartSummary};
use crate::notice::{Notice, Status};
use crate::part::{Part, Unwritten};
use crate::piece::{Cut, Piece};
use crate::room::{keep_newest, make_room};
use crate::store::{Origin, Store};
use ghc_eventlog::Header;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// The largest number of bytes that are held before they are written: a system call for each of
/// many small blocks would be expensive.
const BATCH: usize = 256 << 10;
/// The shortest time between two updates of the manifest for new data.
const MANIFEST_EVERY: Duration = Duration::from_secs(1);
/// The shortest and the longest time before writing is tried again.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// How often old parts are removed while `max_bytes` bytes are written.
const CHECKS: u64 = 64;
/// A failure this soon after another one counts as the same problem.
const LASTING: Duration = Duration::from_secs(60);

/// A session that is being recorded. If it is dropped without [`end`](Self::end), its manifest
/// does not say how it ended.
pub struct Recording {
    store: Store,
    origin: Origin,
    header: Arc<Header>,
    began: SystemTime,
    learner: Learner,
    /// The directory of the session.
    home: Option<Locked>,
    part: Option<Part>,
    /// The number of the last part.
    number: u32,
    /// Parts that are complete.
    parts: Vec<PartSummary>,
    failure: Option<Failure>,
    lost: Lost,
    reopen: bool,
    /// How long to wait after the next failure, and when the last one ended.
    pause: Duration,
    resumed: Option<Instant>,
    manifest: Written,
    /// Bytes written since old parts were last removed.
    since_room: u64,
    status: Arc<Mutex<Status>>,
}

/// Why nothing is written, and until when.
#[derive(Debug)]
struct Failure {
    retry: Instant,
    /// What had been lost before the failure.
    lost: Lost,
}

/// What the manifest on disk contains.
#[derive(Debug, Default)]
struct Written {
    at: Option<Instant>,
    learned: Learned,
    lost: Lost,
}

impl fmt::Debug for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recording")
            .field("store", &self.store)
            .field("home", &self.home)
            .field("part", &self.part)
            .field("failure", &self.failure)
            .finish_non_exhaustive()
    }
}

impl Recording {
    /// Begins to record a session whose log has this header, which arrived at that time: from its
    /// first byte on, or from a cut on. If the directory cannot be written to, this is tried again
    /// later.
    pub fn begin(
        store: &Store,
        origin: &Origin,
        header: &Arc<Header>,
        began: SystemTime,
        cut: Option<&Cut>,
    ) -> Self {
        let status = Status {
            source: origin.name.clone(),
            ..Status::default()
        };
        let mut recording = Self {
            store: store.clone(),
            origin: origin.clone(),
            header: Arc::clone(header),
            began,
            learner: Learner::new(header),
            home: None,
            part: None,
            number: 0,
            parts: Vec::new(),
            failure: None,
            lost: Lost::default(),
            reopen: false,
            pause: RETRY.0,
            resumed: None,
            manifest: Written::default(),
            since_room: 0,
            status: Arc::new(Mutex::new(status)),
        };
        let begun = match cut {
            Some(cut) => recording.begin_part_at(cut),
            None => recording.begin_first_part(),
        };
        match begun {
            Ok(()) => {
                recording.make_room();
                recording.write_manifest(true);
                recording.tell_began();
            }
            Err(error) => recording.fail(&error),
        }
        recording
    }

    /// Begins the first part, which begins with the stream.
    fn begin_first_part(&mut self) -> Result<(), Error> {
        let length = self.header.as_bytes().len() as u64;
        let head = Head {
            body: length,
            offset: length,
            at: 0,
        };
        let header = Arc::clone(&self.header);
        self.begin_part(header.as_bytes(), head)
    }

    /// Its status, which other threads can read during the recording.
    pub fn status(&self) -> Arc<Mutex<Status>> {
        Arc::clone(&self.status)
    }

    /// The directory of the session, if there is one.
    pub fn directory(&self) -> Option<&Path> {
        self.home.as_ref().map(Locked::path)
    }

    /// Takes the next piece. If a part has to begin after it, `cut` is called for the beginning of
    /// that part; it returns `None` if the log cannot be followed up to there.
    pub fn piece(&mut self, piece: &Piece<'_>, mut cut: impl FnMut() -> Option<Cut>) {
        let events = self.learner.piece(piece);
        match &mut self.part {
            Some(part) => {
                part.push(piece, events);
                if part.pending() >= BATCH {
                    self.flush();
                }
            }
            None => self.lose(u64::from(piece.is_block), piece.bytes.len() as u64),
        }
        if piece.is_whole {
            self.between(&mut cut);
        }
    }

    /// Nothing has arrived for a moment: writes what is pending.
    pub fn idle(&mut self, mut cut: impl FnMut() -> Option<Cut>) {
        self.flush();
        self.write_manifest(false);
        self.between(&mut cut);
    }

    /// At the next possible place, goes on in a new part: in a new directory if the current one was
    /// moved or removed.
    pub fn reopen(&mut self) {
        self.reopen = true;
    }

    /// Ends the session.
    pub fn end(mut self, how: EndReason) {
        self.flush();
        if let Some(part) = self.part.take() {
            self.parts.push(part.summary());
        }
        let ended = Ended {
            how,
            at_unix_ns: unix_ns(SystemTime::now()),
        };
        if let Some(home) = &self.home {
            let _ = self.manifest_now(Some(ended)).write(home.path());
        }
        self.set_status(|status| status.ended = true);
    }

    /// Called between two whole pieces: begins a new part if one is due.
    fn between(&mut self, cut: &mut impl FnMut() -> Option<Cut>) {
        if let Some(failure) = &self.failure {
            if (self.reopen || Instant::now() >= failure.retry)
                && let Some(cut) = cut()
            {
                self.resume(&cut);
            }
            return;
        }
        let reopens = self.reopen;
        if !reopens && !self.is_due(1) {
            return;
        }
        self.flush();
        let Some(cut) = cut().filter(|_| self.part.is_some()) else {
            return;
        };
        if cut.is_clean || reopens || self.is_due(2) {
            self.rotate(&cut, reopens);
        }
    }

    fn is_due(&self, times: u32) -> bool {
        let rotation = &self.store.limits().rotation;
        self.part.as_ref().is_some_and(|part| {
            rotation.is_wanted()
                && rotation.has_reached(
                    times,
                    part.bytes(),
                    part.prologue(),
                    part.opened().elapsed(),
                )
        })
    }

    /// Goes on in a new part.
    fn rotate(&mut self, cut: &Cut, reopens: bool) {
        self.reopen = false;
        let before = self.part.take();
        let moved = before.as_ref().is_some_and(|part| !part.is_in_place());
        match self.begin_part_at(cut) {
            Ok(()) => {
                if let Some(part) = before {
                    let summary = part.end_with_mark();
                    if !moved {
                        self.parts.push(summary);
                    }
                }
                if let (Some(keep), Some(home)) = (self.store.limits().keep, &self.home) {
                    keep_newest(home.path(), keep);
                }
                self.make_room();
                self.write_manifest(true);
                if reopens {
                    self.tell_began();
                }
            }
            // There is no space for the new part, but perhaps still in this one.
            Err(error) if !moved => {
                self.part = before;
                if self.part.is_none() {
                    self.fail(&error);
                }
            }
            Err(error) => self.fail(&error),
        }
    }

    /// Tries to write again.
    fn resume(&mut self, cut: &Cut) {
        if let Err(error) = self.begin_part_at(cut) {
            self.fail(&error);
            return;
        }
        let Some(failure) = self.failure.take() else {
            return;
        };
        self.reopen = false;
        self.resumed = Some(Instant::now());
        self.set_status(|status| status.failing = None);
        self.make_room();
        self.write_manifest(true);
        if let Some(home) = &self.home {
            self.store.tell(&Notice::Resumed {
                source: &self.origin.name,
                session: home.path(),
                blocks: self.lost.blocks - failure.lost.blocks,
                bytes: self.lost.bytes - failure.lost.bytes,
            });
        }
    }

    /// Begins a part that goes on at a cut.
    fn begin_part_at(&mut self, cut: &Cut) -> Result<(), Error> {
        let before = match self.number {
            0 => "the beginning of the stream".to_owned(),
            number => format!("{number:04}.eventlog"),
        };
        let begins = cut.beginning.prologue(cut.offset, &before);
        let head = Head {
            body: begins.len() as u64,
            offset: cut.offset,
            at: cut.beginning.at(),
        };
        self.begin_part(&begins, head)
    }

    /// Begins a part, in a new directory if there is none, or if it was moved away.
    fn begin_part(&mut self, begins: &[u8], head: Head) -> Result<(), Error> {
        let home = match self.home.take().filter(Locked::is_in_place) {
            Some(home) => home,
            None => {
                self.forget_live();
                self.parts.clear();
                let dir = self.store.dir();
                Locked::create(dir, &as_name(&self.origin.name)).doing("make a session in", dir)?
            }
        };
        let part = loop {
            self.number += 1;
            match Part::begin(home.path(), self.number, begins, head) {
                Err(Error::Io { cause, .. }) if cause.kind() == io::ErrorKind::AlreadyExists => {}
                begun => break begun,
            }
        };
        let path = home.path().to_owned();
        self.home = Some(home);
        let number = self.number;
        self.part = Some(part.inspect_err(|_| self.number -= 1)?);
        self.store.live().insert(path, number);
        let directory = self.directory().map(Path::to_owned);
        self.set_status(|status| {
            status.directory = directory;
            status.part = number;
        });
        self.since_room += begins.len() as u64;
        Ok(())
    }

    fn flush(&mut self) {
        let Some(part) = &mut self.part else { return };
        let bytes = part.pending() as u64;
        match part.flush() {
            Ok(()) => {
                self.since_room += bytes;
                self.set_status(|status| status.bytes += bytes);
                self.make_room_if_due();
                if self.has_news() {
                    self.write_manifest(false);
                }
            }
            Err(unwritten) => self.part_failed(unwritten),
        }
    }

    /// Handles a part that cannot be written any further.
    fn part_failed(&mut self, unwritten: Unwritten) {
        let Some(part) = self.part.take() else { return };
        let path = match self.home.as_ref() {
            Some(home) => home.path().join(format!("{:04}.eventlog", self.number)),
            None => PathBuf::new(),
        };
        if part.is_bare() {
            part.discard();
        } else {
            self.parts.push(part.summary());
        }
        let Unwritten {
            error: cause,
            pieces,
            bytes,
        } = unwritten;
        let doing = "write";
        self.fail(&Error::Io { doing, path, cause });
        self.lose(pieces, bytes);
    }

    /// Handles an error: nothing can be written for now.
    fn fail(&mut self, error: &Error) {
        if let Some(failure) = &mut self.failure {
            self.pause = (self.pause * 2).min(RETRY.1);
            failure.retry = Instant::now() + self.pause;
            // A problem that was reported once is not reported again.
            if self.lost.times > failure.lost.times {
                return;
            }
        } else {
            let again = self.resumed.is_some_and(|at| at.elapsed() < LASTING);
            self.pause = if again {
                (self.pause * 2).min(RETRY.1)
            } else {
                RETRY.0
            };
            self.failure = Some(Failure {
                retry: Instant::now() + self.pause,
                lost: self.lost,
            });
        }
        self.lost.times += 1;
        let (cause, lost) = (std::error::Error::source(error), self.lost);
        let text = cause.map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"));
        self.set_status(|status| {
            status.failing = Some(text);
            status.lost = lost;
        });
        let source = &self.origin.name;
        self.store.tell(&Notice::Failed { source, error });
        self.write_manifest(true);
    }

    fn lose(&mut self, blocks: u64, bytes: u64) {
        self.lost.blocks += blocks;
        self.lost.bytes += bytes;
        let lost = self.lost;
        self.set_status(|status| status.lost = lost);
    }

    fn make_room_if_due(&mut self) {
        let Some(max) = self.store.limits().max_bytes else {
            return;
        };
        if self.since_room >= max / CHECKS {
            self.make_room();
        }
    }

    fn make_room(&mut self) {
        self.since_room = 0;
        if let Some(max) = self.store.limits().max_bytes {
            // Holding this lock, no other recording begins a part meanwhile.
            let live = self.store.live();
            make_room(self.store.dir(), max - max / CHECKS, &live);
        }
    }

    fn has_news(&self) -> bool {
        self.manifest.learned != *self.learner.learned() || self.manifest.lost != self.lost
    }

    /// Writes the manifest: now, or if there is something new, but not too often. If that fails,
    /// the previous manifest is still valid, and this is tried again later.
    fn write_manifest(&mut self, now: bool) {
        let recently = |at: Instant| at.elapsed() < MANIFEST_EVERY;
        if !now && (!self.has_news() || self.manifest.at.is_some_and(recently)) {
            return;
        }
        self.manifest.at = Some(Instant::now());
        let Some(home) = &self.home else { return };
        if self.manifest_now(None).write(home.path()).is_ok() {
            self.manifest.learned = self.learner.learned().clone();
            self.manifest.lost = self.lost;
        }
    }

    fn manifest_now(&self, ended: Option<Ended>) -> Manifest {
        let home = self.home.as_ref().map(Locked::path);
        // Some parts may have been removed to make room.
        let is_there = |part: &&PartSummary| {
            let path = home.map(|home| crate::files::part_path(home, part.number));
            path.is_some_and(|path| path.exists())
        };
        let mut parts: Vec<PartSummary> = self.parts.iter().filter(is_there).copied().collect();
        parts.extend(self.part.as_ref().map(Part::summary));
        Manifest {
            source: self.origin.name.clone(),
            from: self.origin.from.clone(),
            began_unix_ns: unix_ns(self.began),
            ended,
            learned: self.learner.learned().clone(),
            lost: self.lost,
            parts,
        }
    }

    fn tell_began(&self) {
        if let Some(home) = &self.home {
            let (source, session) = (&*self.origin.name, home.path());
            self.store.tell(&Notice::Began { source, session });
        }
    }

    fn forget_live(&self) {
        if let Some(directory) = self.lock_status().directory.as_ref() {
            self.store.live().remove(directory);
        }
    }

    fn lock_status(&self) -> MutexGuard<'_, Status> {
        // The data under this lock are always consistent.
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_status(&self, change: impl FnOnce(&mut Status)) {
        change(&mut self.lock_status());
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        self.forget_live();
    }
}
