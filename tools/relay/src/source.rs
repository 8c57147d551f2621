//! A named source and its sessions, one after the other.

use crate::commands::Commands;
use crate::ring::Hold;
use crate::session::Session;
use crate::status::SourceStatus;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use tokio::sync::watch;

/// Counters of a source.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) name: Arc<str>,
    pub(crate) commands: Commands,
    state: Mutex<State>,
    changed: watch::Sender<()>,
    /// Notified when the recorder has begun with another session.
    recorded: Condvar,
}

/// The most sessions that are kept for readers that have not finished them.
const BEFORE: usize = 64;
/// How much of a ring finished sessions without a reader may take, and how many there may be.
const SHORT: u64 = 16;
const FEW: usize = 8;
/// How many sessions the recorder may be behind.
const BEHIND: usize = 2;

#[derive(Debug, Default)]
struct State {
    /// Whether it is being read, or was.
    taken: bool,
    over: bool,
    /// The latest session, live or ended.
    latest: Option<Arc<Session>>,
    /// Those before it, the latest first.
    before: VecDeque<Before>,
    sessions: u64,
    lost: u64,
    garbage: u64,
    /// Whether there is a recorder, and the sessions that it has not begun with.
    recorder: bool,
    to_record: VecDeque<Arc<Session>>,
}

/// A session that has ended. It is kept while it has readers, and a small one a little
/// longer: clients that wait for it may not have noticed yet that it has begun.
#[derive(Debug)]
struct Before {
    session: Weak<Session>,
    kept: Option<Arc<Session>>,
}

impl State {
    /// The earlier sessions that are not kept any more: together they may take as much memory
    /// as a ring. The last one is always kept, and those that the recorder needs.
    fn too_old(&mut self, limit: u64) -> Vec<Arc<Session>> {
        let (mut bytes, mut short, mut kept) = (0, 0, VecDeque::new());
        let mut old = Vec::new();
        for mut before in std::mem::take(&mut self.before) {
            let Some(session) = before.session.upgrade() else {
                continue;
            };
            let of_this = session.ring.fill().bytes;
            bytes += of_this;
            if short + of_this > limit / SHORT || kept.len() >= FEW {
                before.kept = None;
            } else {
                short += of_this;
            }
            let small = bytes <= limit && kept.len() < BEFORE;
            if kept.is_empty() || small || session.ring.held(Hold::Recorder).is_some() {
                kept.push_back(before);
            } else {
                old.push(session);
            }
        }
        self.before = kept;
        old
    }
}

/// What is available for a new reader.
#[derive(Clone, Debug)]
pub(crate) enum Found {
    /// A running session, or the last one.
    Session(Arc<Session>),
    /// None yet, and the number of earlier ones.
    Nothing {
        /// Before.
        sessions: u64,
    },
    /// None, and there will be none.
    Over,
}

impl Source {
    pub(crate) fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            commands: Commands::default(),
            state: Mutex::default(),
            changed: watch::Sender::new(()),
            recorded: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change under this lock is complete before anything could panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notifies whenever a session begins or ends, or the source has ended.
    pub(crate) fn watch(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Marks it as being read; `false` if it is already.
    pub(crate) fn take(&self) -> bool {
        !std::mem::replace(&mut self.lock().taken, true)
    }

    /// Undoes [`Self::take`] after a failure.
    pub(crate) fn give_back(&self) {
        self.lock().taken = false;
    }

    /// The number of the session that is about to begin.
    pub(crate) fn next_number(&self) -> u64 {
        self.lock().sessions + 1
    }

    /// A session begins. Only the last earlier ones are kept for their readers; if the
    /// recorder is further behind, this waits for it.
    pub(crate) fn begin(&self, session: Arc<Session>) {
        let mut state = self.lock();
        while state.recorder && state.to_record.len() >= BEHIND && !state.over {
            let waited = self.recorded.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
        state.sessions = session.number;
        if state.recorder {
            session.ring.hold(Hold::Recorder, Some(0));
            state.to_record.push_back(session.clone());
        }
        let limit = session.ring.fill().limit;
        if let Some(last) = state.latest.replace(session) {
            state.before.push_front(Before {
                session: Arc::downgrade(&last),
                kept: Some(last),
            });
        }
        let old = state.too_old(limit);
        drop(state);
        for session in old {
            session.ring.close();
        }
        self.changed.send_replace(());
    }

    /// The present session has ended.
    pub(crate) fn ended(&self) {
        self.changed.send_replace(());
    }

    /// The source has ended.
    pub(crate) fn end(&self) {
        self.lock().over = true;
        self.recorded.notify_all();
        self.commands.connect(None);
        self.changed.send_replace(());
    }

    /// Ends the present session, even if more would arrive.
    pub(crate) fn cut_short(&self) {
        let latest = self.lock().latest.clone();
        if let Some(session) = latest {
            session.ring.end(0);
        }
        self.end();
    }

    pub(crate) fn lost(&self) {
        self.lock().lost += 1;
    }

    pub(crate) fn garbage(&self, bytes: u64) {
        if bytes > 0 {
            self.lock().garbage += bytes;
        }
    }

    /// A session for somebody who has seen those up to `seen`. One that has ended is returned to
    /// readers that `waited` for it, and to new readers when no other session is expected.
    pub(crate) fn find(&self, seen: u64, waited: bool) -> Found {
        let state = self.lock();
        // A reader that waited misses no session that is still kept.
        let mut missed = state.before.iter().rev().filter(|_| waited);
        let missed = missed.find_map(|before| {
            let session = before.session.upgrade()?;
            (session.number > seen).then_some(session)
        });
        if let Some(session) = missed {
            return Found::Session(session);
        }
        let latest = state.latest.as_ref();
        let latest = latest.filter(|session| session.number > seen);
        match latest {
            Some(session) if waited || state.over || session.ring.ended().is_none() => {
                Found::Session(session.clone())
            }
            _ if state.over => Found::Over,
            _ => Found::Nothing {
                sessions: state.sessions,
            },
        }
    }

    /// Adds a recorder, which begins with the present session, if there is one; `None` if there is
    /// a recorder already.
    pub(crate) fn take_recorder(&self) -> Option<Option<Arc<Session>>> {
        let mut state = self.lock();
        if std::mem::replace(&mut state.recorder, true) {
            return None;
        }
        let live = |session: &&Arc<Session>| session.ring.ended().is_none();
        Some(state.latest.as_ref().filter(live).cloned())
    }

    /// Removes the recorder.
    pub(crate) fn no_recorder(&self) {
        let mut state = self.lock();
        state.recorder = false;
        let sessions = std::mem::take(&mut state.to_record);
        drop(state);
        for session in sessions {
            session.ring.hold(Hold::Recorder, None);
        }
        self.recorded.notify_all();
    }

    /// The next session for the recorder.
    pub(crate) fn to_record(&self) -> Found {
        let mut state = self.lock();
        match state.to_record.pop_front() {
            Some(session) => {
                self.recorded.notify_all();
                Found::Session(session)
            }
            None if state.over => Found::Over,
            None => Found::Nothing {
                sessions: state.sessions,
            },
        }
    }

    /// Closes all sessions.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.over = true;
        let mut sessions: Vec<_> = state.to_record.drain(..).collect();
        sessions.extend(state.latest.take());
        sessions.extend(state.before.drain(..).filter_map(|it| it.session.upgrade()));
        drop(state);
        for session in sessions {
            session.ring.close();
        }
        self.recorded.notify_all();
        self.changed.send_replace(());
    }

    pub(crate) fn status(&self) -> SourceStatus {
        let state = self.lock();
        let latest = state.latest.clone();
        let status = SourceStatus {
            name: self.name.to_string(),
            over: state.over,
            sessions: state.sessions,
            lost: state.lost,
            garbage_bytes: state.garbage,
            session: None,
        };
        drop(state);
        SourceStatus {
            session: latest.map(|session| session.status()),
            ..status
        }
    }
}
