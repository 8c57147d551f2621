//! A watched program: its log is read and folded on one thread, and other threads can collect
//! its metrics at any time.

use crate::collected::Collected;
use crate::feed::Feed;
use crate::fold::{Live, Options, Out};
use crate::process;
use crate::resource::Resource;
use eventlog_source::{Arrival, Connection, Error, Reconnecting};
use ghc_eventlog::{UnixTime, WallClock};
use std::io::{ErrorKind, Read};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Bytes that are read at a time.
const BUFFER: usize = 64 << 10;
/// How long to wait for the time of day in a log before assuming that it has none.
const CLOCK_PATIENCE: Duration = Duration::from_secs(10);

/// A program, or the log of one.
#[derive(Debug)]
pub struct Program {
    name: String,
    /// Whether it runs: only then is the age of its newest event meaningful.
    runs: bool,
    /// Whether its process is on this machine.
    local: bool,
    feed: Mutex<Feed>,
    connections: AtomicU64,
    reconnections: AtomicU64,
}

/// The name of this machine.
pub fn host_name() -> String {
    let name = rustix::system::uname();
    name.nodename().to_string_lossy().into_owned()
}

/// Now, in nanoseconds of Unix time.
pub(crate) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    })
}

impl Program {
    /// A log, to be read to its end. `name` distinguishes it from others.
    pub fn of_log(name: String, options: Options) -> Self {
        Self::new(name, options, (false, false))
    }

    /// A running program. `local`: on this machine.
    pub fn that_runs(name: String, options: Options, local: bool) -> Self {
        Self::new(name, options, (true, local))
    }

    fn new(name: String, options: Options, (runs, local): (bool, bool)) -> Self {
        Self {
            name,
            runs,
            local,
            feed: Mutex::new(Feed::new(options, runs)),
            connections: AtomicU64::new(0),
            reconnections: AtomicU64::new(0),
        }
    }

    /// Its name, which distinguishes it from others.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn feed(&self) -> MutexGuard<'_, Feed> {
        // A fold does not panic; if it did, its counts would still be the best available.
        self.feed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Folds, and hands on the output when the feed is free again: whoever takes it may be waiting for
    /// the values of this program, and would wait forever while this one waits to hand on more.
    fn fold<T>(&self, out: Out<'_>, fold: impl FnOnce(&mut Feed, Out<'_>) -> T) -> T {
        let mut told = Vec::new();
        let result = fold(&mut self.feed(), &mut |output| told.push(output));
        told.into_iter().for_each(out);
        result
    }

    /// Its metrics as of now; `None` before its log has begun.
    pub fn collect(&self) -> Option<Collected> {
        let mut feed = self.feed();
        let live = self.runs.then(|| self.live_of(&feed));
        feed.fold.collect(live.as_ref())
    }

    /// The values that change without events, as of now. `None` for a log.
    pub fn live(&self) -> Option<Collected> {
        let feed = self.feed();
        let live = self.runs.then(|| self.live_of(&feed))?;
        feed.fold.live(&live)
    }

    /// The identity of the program; `None` before its log has begun.
    pub fn resource(&self) -> Option<Arc<Resource>> {
        self.feed().fold.resource()
    }

    fn live_of(&self, feed: &Feed) -> Live {
        let process = feed.fold.process().filter(|_| self.local);
        Live {
            now: now(),
            // Independent counters: relaxed ordering is enough.
            connections: self.connections.load(Ordering::Relaxed),
            reconnections: self.reconnections.load(Ordering::Relaxed),
            process: process.and_then(|(pid, started)| process::look(pid, started)),
        }
    }

    #[cfg(test)]
    pub(crate) fn feed_for_tests(&self, log: &[u8]) {
        self.feed().bytes(log, &mut |_| {}).expect("a log");
    }

    /// Whether a log has arrived.
    pub fn is_begun(&self) -> bool {
        self.feed().fold.is_begun()
    }

    /// Reads a log to its end. `stop` is called at least at each tick of the connection.
    /// Returns whether a log arrived, and how many bytes of it could not be decoded.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub fn read(
        &self,
        connection: &mut Connection,
        stop: impl Fn() -> bool,
        out: Out<'_>,
    ) -> std::io::Result<Result<(), ghc_eventlog::Error>> {
        let mut buffer = vec![0; BUFFER];
        self.connections.store(1, Ordering::Relaxed);
        let began = Instant::now();
        let fault = loop {
            if stop() {
                break None;
            }
            match connection.read(&mut buffer) {
                Ok(0) => break None,
                Ok(count) => {
                    let bytes = &buffer[..count];
                    if let Err(fault) = self.fold(out, |feed, out| feed.bytes(bytes, out)) {
                        break Some(fault);
                    }
                }
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) =>
                {
                    if let Err(fault) = self.fold(out, Feed::idle) {
                        break Some(fault);
                    }
                }
                Err(error) => {
                    self.connections.store(0, Ordering::Relaxed);
                    // The error says that it ends in the middle.
                    let _ = self.end(out);
                    return Err(error);
                }
            }
            self.assume_clock(began, out);
        };
        self.connections.store(0, Ordering::Relaxed);
        let end = self.end(out);
        Ok(fault.map_or(end, Err))
    }

    /// Reads a program over all its connections until it ends; or only until its log is
    /// complete.
    ///
    /// # Errors
    ///
    /// If the source cannot be opened or read at all.
    pub fn follow(
        &self,
        mut source: Reconnecting,
        until_end: bool,
        out: Out<'_>,
    ) -> Result<(), Error> {
        let mut buffer = vec![0; BUFFER];
        let mut began = Instant::now();
        let mut lost = false;
        let result = loop {
            match source.next(&mut buffer) {
                Ok(Arrival::NewLog) => {
                    began = Instant::now();
                    self.connections.store(1, Ordering::Relaxed);
                    if std::mem::take(&mut lost) {
                        self.reconnections.fetch_add(1, Ordering::Relaxed);
                    }
                    // An error in the earlier log ended with it.
                    let _ = self.fold(out, Feed::restart);
                }
                Ok(Arrival::Bytes(count)) => {
                    // After an error nothing can be decoded until a new log begins, after a
                    // reconnection.
                    let bytes = &buffer[..count];
                    let is_complete = self.fold(out, |feed, out| {
                        let _ = feed.bytes(bytes, out);
                        feed.is_complete()
                    });
                    if until_end && is_complete {
                        break Ok(());
                    }
                }
                Ok(Arrival::Lost(_)) => {
                    lost = true;
                    self.connections.store(0, Ordering::Relaxed);
                }
                Ok(Arrival::Idle) => {
                    // As with bytes.
                    let _ = self.fold(out, Feed::idle);
                }
                Ok(Arrival::End) => break Ok(()),
                Ok(_) => {}
                Err(error) => break Err(error),
            }
            self.assume_clock(began, out);
        };
        self.connections.store(0, Ordering::Relaxed);
        let _ = self.end(out);
        result
    }

    /// For a program that has not logged the time of day, assumes that its newest event happened
    /// now.
    fn assume_clock(&self, began: Instant, out: Out<'_>) {
        if !self.runs || began.elapsed() < CLOCK_PATIENCE {
            return;
        }
        self.fold(out, |feed, out| {
            if feed.fold.is_begun() && !feed.fold.is_identified() {
                let clock = clock_at(feed.fold.reached(), now());
                feed.fold.assume_clock(clock, out);
            }
        });
    }

    fn end(&self, out: Out<'_>) -> Result<(), ghc_eventlog::Error> {
        self.fold(out, Feed::finish)
    }
}

/// The clock of a log whose time `log` is `unix`.
fn clock_at(log: u64, unix: u64) -> WallClock {
    let zero = UnixTime::from_unix_nanos(i128::from(unix) - i128::from(log)).unix_nanos();
    let seconds = u64::try_from(zero.max(0) / 1_000_000_000).unwrap_or(0);
    WallClock::new(0, seconds, (zero.max(0) % 1_000_000_000) as u32)
}
