//! All sessions there are.

use crate::raw::Raw;
use crate::session::{Origin, Session};
use crate::summary::Summary;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Logs of one name that are kept, with the latest.
const OF_ONE: usize = 8;
/// Sessions all in all; the oldest that are over go first.
const MOST: usize = 512;

/// The sessions, and how they are kept.
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
        // Nothing is ever left half done under this lock.
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A session of this origin, which has not begun.
    pub(crate) fn session(&self, origin: &Arc<Origin>, number: u64) -> Arc<Session> {
        // Numbers must differ, nothing else.
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

    /// A place for the bytes of a log: of a program, the newest.
    pub(crate) fn keep(&self, live: bool) -> Raw {
        let mut make = DirBuilder::new();
        // If it cannot be made, the first bytes tell.
        let _ = make.recursive(true).mode(0o700).create(&self.directory);
        Raw::kept(&self.directory, live.then_some(self.keep))
    }

    /// The session of that id.
    pub(crate) fn get(&self, id: &str) -> Option<Arc<Session>> {
        self.all().iter().find(|it| it.id() == id).cloned()
    }

    /// The list.
    pub(crate) fn summaries(&self) -> Vec<Summary> {
        let all = self.all().clone();
        all.iter().map(|session| session.summary()).collect()
    }

    /// Nothing more is read.
    pub(crate) fn stop(&self) {
        // It guards no other data.
        self.stopped.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }
}
