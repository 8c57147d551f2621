//! Pushing to a receiver of OpenTelemetry's protocol.
//!
//! Each signal has its own queue and thread, so that none waits for the others. A queue is
//! bounded: when it is full, the oldest request is dropped, counted and reported. With a
//! directory the queue is on disk and survives the end of this process, even a crash.

mod client;
mod queue;
mod retry;
mod split;

use crate::own::{Own, Reason, Signal};
use client::{Client, Outcome};
pub use client::{Endpoint, Identity};
use prost::Message;
use queue::Queue;
use retry::Backoff;
pub(crate) use split::points;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How to push.
pub struct Options {
    /// The endpoint of each signal. A signal without one is not accepted.
    pub endpoints: Vec<(Signal, Endpoint)>,
    /// The size of each signal's queue in bytes.
    pub queue_bytes: u64,
    /// The directory of the queues; `None` keeps them in memory.
    pub queue_dir: Option<PathBuf>,
    /// The pause after the first failure, and the longest.
    pub pauses: (Duration, Duration),
    /// The callback for notices.
    pub notices: Arc<dyn Fn(&Notice) + Send + Sync>,
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("endpoints", &self.endpoints)
            .field("queue_bytes", &self.queue_bytes)
            .field("queue_dir", &self.queue_dir)
            .field("pauses", &self.pauses)
            .finish_non_exhaustive()
    }
}

/// Something to report.
#[derive(Clone, Debug)]
pub enum Notice {
    /// A request failed and will be sent again.
    Failing {
        /// The URL of the receiver.
        url: String,
        /// Why.
        why: String,
    },
    /// The receiver accepts requests again.
    Recovered {
        /// The URL of the receiver.
        url: String,
    },
    /// Items were dropped.
    Dropped {
        /// Their signal.
        signal: Signal,
        /// How many.
        items: u64,
        /// Why.
        reason: Reason,
        /// The receiver's explanation, if there is one.
        why: String,
    },
}

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) signal: Signal,
    /// Data points, records or spans.
    pub(crate) items: u64,
    /// The uncompressed message.
    pub(crate) body: Vec<u8>,
}

/// The shared state of a worker.
struct Shared {
    queue: Queue,
    own: Arc<Own>,
    notices: Arc<dyn Fn(&Notice) + Send + Sync>,
    /// Shutting down: stop soon.
    stop: AtomicBool,
    pauses: (Duration, Duration),
}

impl Shared {
    fn dropped(&self, signal: Signal, reason: Reason, items: u64, why: &str) {
        self.own.dropped(signal, reason, items);
        (self.notices)(&Notice::Dropped {
            signal,
            items,
            reason,
            why: why.to_owned(),
        });
    }
}

/// Sends requests to a receiver.
pub struct Pusher {
    workers: Vec<(Signal, Arc<Shared>, JoinHandle<()>)>,
    own: Arc<Own>,
    limit: u64,
    on_disk: bool,
}

impl std::fmt::Debug for Pusher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pusher").finish_non_exhaustive()
    }
}

/// What was left unsent at the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Left {
    /// Requests that wait on disk for the next time.
    pub kept: u64,
    /// Items that were dropped.
    pub dropped: u64,
}

impl Pusher {
    /// Starts pushing. Requests that are left on disk are sent first.
    ///
    /// # Errors
    ///
    /// If the directory cannot be used, or another process uses it; or if a certificate is
    /// not valid.
    pub fn start(options: Options, own: &Arc<Own>) -> std::io::Result<Self> {
        let mut workers = Vec::new();
        for (signal, endpoint) in options.endpoints {
            let dir = options
                .queue_dir
                .as_ref()
                .map(|dir| dir.join(signal.name()));
            let client = Client::new(endpoint)?;
            let shared = Arc::new(Shared {
                queue: Queue::open(signal, options.queue_bytes, dir)?,
                own: Arc::clone(own),
                notices: Arc::clone(&options.notices),
                stop: AtomicBool::new(false),
                pauses: options.pauses,
            });
            let of_thread = Arc::clone(&shared);
            let thread = std::thread::Builder::new()
                .name(format!("push-{}", signal.name()))
                .spawn(move || work(&client, &of_thread))?;
            workers.push((signal, shared, thread));
        }
        let pusher = Self {
            workers,
            own: Arc::clone(own),
            limit: options.queue_bytes,
            on_disk: options.queue_dir.is_some(),
        };
        pusher.tell_queue();
        Ok(pusher)
    }

    fn worker(&self, signal: Signal) -> Option<&Arc<Shared>> {
        let mut workers = self.workers.iter();
        workers
            .find(|(of, ..)| *of == signal)
            .map(|(_, shared, _)| shared)
    }

    /// Whether this signal is pushed.
    pub fn wants(&self, signal: Signal) -> bool {
        self.worker(signal).is_some()
    }

    /// Queues a message. With `wait` it waits until there is room, unless `stop` returns true;
    /// otherwise the oldest message is dropped.
    pub fn push(
        &self,
        signal: Signal,
        message: &impl Message,
        items: u64,
        wait: bool,
        stop: &dyn Fn() -> bool,
    ) {
        let Some(shared) = self.worker(signal) else {
            return;
        };
        let request = Request {
            signal,
            items,
            body: message.encode_to_vec(),
        };
        while wait && !stop() && !shared.queue.has_room(request.body.len() as u64) {
            shared.queue.wait_for_change(Duration::from_millis(50));
        }
        for lost in shared.queue.push(request) {
            shared.dropped(signal, lost.reason, lost.items, &lost.why);
        }
        self.tell_queue();
    }

    fn tell_queue(&self) {
        let (mut requests, mut bytes) = (0, 0);
        for (_, shared, _) in &self.workers {
            let (count, size) = shared.queue.size();
            requests += count;
            bytes += size;
        }
        let limit = self.limit.saturating_mul(self.workers.len() as u64);
        self.own.queue(requests, bytes, limit);
    }

    /// Waits until everything was sent, for at most this long, or until `stop` returns true.
    pub fn drain(&self, limit: Duration, stop: &dyn Fn() -> bool) {
        let began = Instant::now();
        let busy = |(_, shared, _): &(Signal, Arc<Shared>, JoinHandle<()>)| !shared.queue.is_idle();
        while self.workers.iter().any(busy) && began.elapsed() < limit && !stop() {
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Stops pushing. Unsent requests are kept on disk, or dropped.
    pub fn finish(self) -> Left {
        let mut left = Left::default();
        for (_, shared, _) in &self.workers {
            // Pairs with the load in `work`; the queue's lock orders the rest.
            shared.stop.store(true, Ordering::Release);
            shared.queue.close();
        }
        for (signal, shared, thread) in self.workers {
            // A worker does not panic; if it did, nothing could be done about it here.
            let _ = thread.join();
            let (requests, items) = shared.queue.left();
            if self.on_disk {
                left.kept += requests;
            } else if items > 0 {
                left.dropped += items;
                shared.dropped(signal, Reason::Ended, items, "");
            }
        }
        left
    }
}

/// Sends requests from the queue until it is closed.
fn work(client: &Client, shared: &Shared) {
    let mut limit = Limit(None);
    let mut failing = false;
    while let Some(taken) = shared.queue.take() {
        let request = match taken {
            Ok(request) => request,
            Err(lost) => {
                shared.dropped(lost.signal, lost.reason, lost.items, &lost.why);
                shared.queue.done();
                continue;
            }
        };
        match deliver(client, shared, &request, &mut limit, &mut failing) {
            true => shared.queue.done(),
            // Shutting down: the request stays in the queue.
            false => {
                shared.queue.put_back(request);
                return;
            }
        }
    }
}

/// The smallest request that the receiver has refused as too large, and when it did so last.
struct Limit(Option<(usize, Instant)>);

impl Limit {
    /// How long requests are split without asking. The receiver may take larger ones later.
    const HOLDS: Duration = Duration::from_secs(60);

    fn forbids(&self, bytes: usize) -> bool {
        let holds =
            |(limit, since): (usize, Instant)| bytes >= limit && since.elapsed() < Self::HOLDS;
        self.0.is_some_and(holds)
    }

    fn refused(&mut self, bytes: usize) {
        let known = self.0.filter(|(_, since)| since.elapsed() < Self::HOLDS);
        let smallest = known.map_or(bytes, |(limit, _)| limit.min(bytes));
        self.0 = Some((smallest, Instant::now()));
    }
}

/// Sends a request until the receiver has it, or it is dropped. `false` if the shutdown came
/// first.
fn deliver(
    client: &Client,
    shared: &Shared,
    request: &Request,
    limit: &mut Limit,
    failing: &mut bool,
) -> bool {
    let (signal, items) = (request.signal, request.items);
    let url = || client.url().to_owned();
    let mut backoff = Backoff::new(shared.pauses);
    // What cannot be split is sent in any case: only the receiver can refuse it.
    if limit.forbids(request.body.len())
        && let Some(halves) = split::halves(request)
    {
        return halves
            .iter()
            .all(|half| deliver(client, shared, half, limit, failing));
    }
    loop {
        match client.send(signal, &request.body) {
            Outcome::Taken { rejected, why } => {
                if std::mem::take(failing) {
                    (shared.notices)(&Notice::Recovered { url: url() });
                }
                let rejected = rejected.min(items);
                shared.own.sent(signal, items - rejected);
                if rejected > 0 {
                    shared.dropped(signal, Reason::Rejected, rejected, &why);
                }
                return true;
            }
            Outcome::Refused(why) => {
                shared.dropped(signal, Reason::Rejected, items, &why);
                return true;
            }
            Outcome::TooLarge => {
                let Some(halves) = split::halves(request) else {
                    let why = format!("the request has {} bytes", request.body.len());
                    shared.dropped(signal, Reason::TooLarge, items, &why);
                    return true;
                };
                limit.refused(request.body.len());
                return halves
                    .iter()
                    .all(|half| deliver(client, shared, half, limit, failing));
            }
            Outcome::Again { after, why } => {
                if !std::mem::replace(failing, true) {
                    (shared.notices)(&Notice::Failing { url: url(), why });
                }
                let until = Instant::now() + backoff.pause(after);
                while Instant::now() < until {
                    // Pairs with the store in `finish`.
                    if shared.stop.load(Ordering::Acquire) {
                        return false;
                    }
                    let left = until.saturating_duration_since(Instant::now());
                    std::thread::sleep(left.min(Duration::from_millis(50)));
                }
                if shared.stop.load(Ordering::Acquire) {
                    return false;
                }
                shared.own.retried();
            }
        }
    }
}
