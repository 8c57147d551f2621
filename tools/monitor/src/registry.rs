//! All sessions.

use crate::raw::Raw;
use crate::session::{Origin, Session};
use crate::summary::Summary;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The most sessions of one name that are kept, including the latest.
const OF_ONE: usize = 8;
/// The most sessions in total; the oldest finished ones are removed first.
const MOST: usize = 512;

/// The sessions, and the options for keeping them.
#[derive(Debug)]
pub(crate) struct Registry {
    keep: u64,
    directory: PathBuf,
    sessions: Mutex<Vec<Arc<Session>>>,
    next: AtomicU64,
    stopped: AtomicBool,
}

impl Registry {
    pub(crate) fn new(keep: u64, directory: PathBuf) -> Self {
        Self {
            keep,
            directory,
            sessions: Mutex::default(),
            next: AtomicU64::new(1),
            stopped: AtomicBool::new(false),
        }
    }

    fn all(&self) -> MutexGuard<'_, Vec<Arc<Session>>> {
        // Every change under this lock is complete before anything could panic.
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a session of this origin, which has not begun.
    pub(crate) fn session(&self, origin: &Arc<Origin>, number: u64) -> Arc<Session> {
        // Relaxed: numbers only have to differ.
        let id = self.next.fetch_add(1, Ordering::Relaxed).to_string();
        let session = Arc::new(Session::new(id, origin, number));
        let mut all = self.all();
        all.push(Arc::clone(&session));
        let of_one = |it: &Arc<Session>| it.name() == origin.name;
        while all.iter().filter(|it| of_one(it)).count() > OF_ONE || all.len() > MOST {
            let too_many = all.len() > MOST;
            let oldest = all
                .iter()
                .position(|it| it.is_ended() && (too_many || of_one(it)));
            match oldest {
                Some(at) => drop(all.remove(at)),
                None => break,
            }
        }
        session
    }

    /// Storage for the bytes of a log; for a program, the newest ones.
    pub(crate) fn keep(&self, live: bool) -> Raw {
        let mut make = DirBuilder::new();
        // If it cannot be created, writing the first bytes reports the error.
        let _ = make.recursive(true).mode(0o700).create(&self.directory);
        Raw::kept(&self.directory, live.then_some(self.keep))
    }

    /// The session with that id.
    pub(crate) fn get(&self, id: &str) -> Option<Arc<Session>> {
        self.all().iter().find(|it| it.id() == id).cloned()
    }

    /// The list of sessions.
    pub(crate) fn summaries(&self) -> Vec<Summary> {
        let all = self.all().clone();
        all.iter().map(|session| session.summary()).collect()
    }

    /// Stops all reading.
    pub(crate) fn stop(&self) {
        // Relaxed: it guards no other data.
        self.stopped.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }
}
