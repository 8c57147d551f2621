//! The queue of requests: in memory, or each in its own file.

use super::Request;
use crate::own::{Reason, Signal};
use rustix::fs::{FlockOperation, flock};
use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Dropped items.
#[derive(Debug)]
pub(super) struct Lost {
    pub(super) signal: Signal,
    pub(super) items: u64,
    pub(super) reason: Reason,
    pub(super) why: String,
}

/// A request that waits.
#[derive(Debug)]
struct Waiting {
    items: u64,
    bytes: u64,
    body: Body,
}

#[derive(Debug)]
enum Body {
    Memory(Vec<u8>),
    File(PathBuf),
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Waiting>,
    bytes: u64,
    /// The request that is being sent: its items, and its file.
    sending: Option<(u64, Option<PathBuf>)>,
    closed: bool,
    /// The number of the next file.
    next: u64,
}

/// The requests of one signal.
#[derive(Debug)]
pub(super) struct Queue {
    signal: Signal,
    limit: u64,
    dir: Option<PathBuf>,
    state: Mutex<State>,
    changed: Condvar,
    /// The lock on the directory, held as long as this queue uses it.
    _lock: Option<File>,
}

const SUFFIX: &str = "otlp";

impl Queue {
    /// An empty queue, or the requests in the directory.
    pub(super) fn open(signal: Signal, limit: u64, dir: Option<PathBuf>) -> io::Result<Self> {
        let mut state = State::default();
        let mut lock = None;
        if let Some(dir) = &dir {
            fs::create_dir_all(dir)?;
            let file = File::create(dir.join("lock"))?;
            flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|error| {
                let why = "is used by another process; use another directory";
                match error {
                    rustix::io::Errno::WOULDBLOCK => {
                        io::Error::other(format!("{} {why}", dir.display()))
                    }
                    other => other.into(),
                }
            })?;
            lock = Some(file);
            load(dir, &mut state)?;
        }
        Ok(Self {
            signal,
            limit,
            dir,
            state: Mutex::new(state),
            changed: Condvar::new(),
            _lock: lock,
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every change is complete before anything could panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of requests, and their total size.
    pub(super) fn size(&self) -> (u64, u64) {
        let state = self.state();
        let sending = u64::from(state.sending.is_some());
        (state.waiting.len() as u64 + sending, state.bytes)
    }

    /// Whether everything was sent.
    pub(super) fn is_idle(&self) -> bool {
        let state = self.state();
        state.waiting.is_empty() && state.sending.is_none()
    }

    /// The number of requests and items that are left.
    pub(super) fn left(&self) -> (u64, u64) {
        let state = self.state();
        let items = state.waiting.iter().map(|waiting| waiting.items).sum();
        (state.waiting.len() as u64, items)
    }

    pub(super) fn has_room(&self, bytes: u64) -> bool {
        let state = self.state();
        state.closed || state.waiting.is_empty() || state.bytes + bytes <= self.limit
    }

    /// Waits until the queue changes, or the time is over.
    pub(super) fn wait_for_change(&self, limit: Duration) {
        let state = self.state();
        let _ = self.changed.wait_timeout(state, limit);
    }

    /// Adds a request, and drops the oldest ones if there is no room for it.
    pub(super) fn push(&self, request: Request) -> Vec<Lost> {
        let mut lost = Vec::new();
        let mut state = self.state();
        let bytes = request.body.len() as u64;
        if bytes > self.limit {
            // Others that wait are not dropped for what never has room.
            let why = format!("the request has {bytes} bytes");
            lost.push(self.lost(request.items, Reason::QueueFull, why));
            return lost;
        }
        while state.bytes + bytes > self.limit
            && let Some(oldest) = state.waiting.pop_front()
        {
            state.bytes -= oldest.bytes;
            if let Body::File(path) = &oldest.body {
                let _ = fs::remove_file(path);
            }
            lost.push(self.lost(oldest.items, Reason::QueueFull, String::new()));
        }
        let mut body = Body::Memory(request.body);
        if let (Some(dir), Body::Memory(bytes)) = (&self.dir, &body) {
            let number = state.next;
            state.next += 1;
            match store(dir, number, request.items, bytes) {
                Ok(path) => body = Body::File(path),
                Err(error) => {
                    // The disk is full, for instance: then it is kept in memory.
                    let why = format!("{}: {error}", dir.display());
                    lost.push(self.lost(0, Reason::Unreadable, why));
                }
            }
        }
        state.waiting.push_back(Waiting {
            items: request.items,
            bytes,
            body,
        });
        state.bytes += bytes;
        drop(state);
        self.changed.notify_all();
        lost
    }

    fn lost(&self, items: u64, reason: Reason, why: String) -> Lost {
        Lost {
            signal: self.signal,
            items,
            reason,
            why,
        }
    }

    /// The next request, as soon as there is one; `None` once the queue is closed.
    pub(super) fn take(&self) -> Option<Result<Request, Lost>> {
        let mut state = self.state();
        loop {
            if state.closed {
                return None;
            }
            if let Some(waiting) = state.waiting.pop_front() {
                state.bytes -= waiting.bytes;
                let (body, path) = match waiting.body {
                    Body::Memory(body) => (Ok(body), None),
                    Body::File(path) => (fs::read(&path), Some(path)),
                };
                state.sending = Some((waiting.items, path));
                return Some(match body {
                    Ok(body) => Ok(Request {
                        signal: self.signal,
                        items: waiting.items,
                        body,
                    }),
                    Err(error) => {
                        Err(self.lost(waiting.items, Reason::Unreadable, error.to_string()))
                    }
                });
            }
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The current request was sent or dropped.
    pub(super) fn done(&self) {
        let mut state = self.state();
        if let Some((_, Some(path))) = state.sending.take() {
            let _ = fs::remove_file(path);
        }
        drop(state);
        self.changed.notify_all();
    }

    /// The current request was not sent.
    pub(super) fn put_back(&self, request: Request) {
        let mut state = self.state();
        let path = state.sending.take().and_then(|(_, path)| path);
        let bytes = request.body.len() as u64;
        state.waiting.push_front(Waiting {
            items: request.items,
            bytes,
            body: path.map_or(Body::Memory(request.body), Body::File),
        });
        state.bytes += bytes;
    }

    /// Closes the queue.
    pub(super) fn close(&self) {
        self.state().closed = true;
        self.changed.notify_all();
    }
}

/// Writes a request to its own file, which gets its name once it is complete.
fn store(dir: &Path, number: u64, items: u64, body: &[u8]) -> io::Result<PathBuf> {
    let path = dir.join(format!("{number:020}-{items}.{SUFFIX}"));
    let new = path.with_extension("new");
    let mut file = File::create(&new)?;
    let written = file.write_all(body).and_then(|()| fs::rename(&new, &path));
    if let Err(error) = written {
        let _ = fs::remove_file(&new);
        return Err(error);
    }
    Ok(path)
}

/// Loads the requests that another process has left in a directory.
fn load(dir: &Path, state: &mut State) -> io::Result<()> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let extension = path.extension().and_then(|it| it.to_str());
        if extension == Some("new") {
            // An incomplete file.
            let _ = fs::remove_file(&path);
            continue;
        }
        let numbers = path.file_stem().and_then(|it| it.to_str());
        let numbers = numbers.and_then(|name| name.split_once('-'));
        let numbers = numbers.and_then(|(number, items)| {
            Some((number.parse::<u64>().ok()?, items.parse::<u64>().ok()?))
        });
        if let (Some(SUFFIX), Some((number, items))) = (extension, numbers) {
            let bytes = fs::metadata(&path)?.len();
            found.push((number, items, bytes, path));
        }
    }
    found.sort();
    for (number, items, bytes, path) in found {
        state.next = number + 1;
        state.bytes += bytes;
        state.waiting.push_back(Waiting {
            items,
            bytes,
            body: Body::File(path),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(bytes: usize) -> Request {
        Request {
            signal: Signal::Metrics,
            items: 1,
            body: vec![0; bytes],
        }
    }

    #[test]
    fn what_never_has_room_drops_nothing_else() {
        let queue = Queue::open(Signal::Metrics, 100, None).expect("in memory");
        assert!(queue.push(request(40)).is_empty());
        assert!(queue.push(request(60)).is_empty());
        let lost = queue.push(request(101));
        assert_eq!(lost.len(), 1, "{lost:?}");
        assert_eq!(queue.size(), (2, 100));
        // What has room takes the place of the oldest.
        assert_eq!(queue.push(request(1)).len(), 1);
        assert_eq!(queue.size(), (2, 61));
    }
}
