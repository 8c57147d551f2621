//! What the writers, the poll thread and the callers of the API share.
//!
//! One per process, made by `init` and kept for good: the RTS may call a writer
//! at any time, also while the process exits.

use std::num::NonZeroU64;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU16, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use eventlog_ring::{Doorbell, mpsc};

use crate::definitions::Definitions;
use crate::facts::{Facts, Moment};
use crate::flushes::Flushes;
use crate::fork;
use crate::lock::{Changes, Held, Lock};
use crate::memory::Shared;
use crate::recording::Recording;
use crate::space::Space;
use crate::status::{Error, Result};
use crate::tuning::Tuning;
use crate::wake::Wake;

/// What the poll thread is asked to do.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    /// Fill the gaps of the definitions.
    pub facts: Option<(Shared<Facts>, Moment)>,
    /// Deliver what is there until this time on the monotonic clock, then end the
    /// stream and close everything.
    pub finish: Option<Duration>,
    /// The log was started again after its end: listen again.
    pub reopen: bool,
}

/// What the poll thread tells those who wait.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// Clients accepted, ever. From that moment on the ring keeps for them whatever
    /// is logged, also while their stream waits for the RTS.
    pub begun: u64,
    /// A client is connected.
    pub connected: bool,
    /// Ends of the log that were dealt with.
    pub finished: u64,
    /// No client can connect any more.
    pub closed: bool,
    /// Why the poll thread gave up.
    pub failure: Option<Error>,
}

/// Counters that the poll thread publishes.
#[derive(Debug, Default)]
pub(crate) struct Published {
    pub high_water: AtomicU64,
    pub definition_bytes: AtomicU64,
    pub definitions_left_out: AtomicU64,
    pub connections: AtomicU64,
    pub received: AtomicU64,
    /// Times the poll thread went to sleep.
    pub sleeps: AtomicU64,
    pub port: AtomicU16,
}

#[derive(Debug)]
pub(crate) struct Instance {
    /// The ring of chunks for the client.
    pub chunks: mpsc::Producer<'static>,
    pub chunks_bell: Doorbell,
    /// The ring of headers and definitions.
    pub definitions: mpsc::Producer<'static>,
    pub definitions_bell: Doorbell,
    pub ring_size: usize,
    pub wake: Wake,
    pub wakeups: AtomicU64,
    pub flushes: Flushes,
    pub space: Space,
    pub tuning: Tuning,
    pub recording: Option<&'static Recording>,
    /// Clients can connect.
    pub has_socket: bool,

    /// Global chunks go the way of all chunks: the RTS has written what it
    /// defines when it starts. Before that they are definitions only.
    pub globals_flow: AtomicBool,
    /// The RTS has called the writer's init, and not its stop.
    pub attached: AtomicBool,
    /// In a child of `forkProcess`: what the RTS writes is of a log that has begun before,
    /// without a header for us, until it begins one for this instance.
    pub awaits_start: AtomicBool,
    /// The program runs without `+RTS -l`, and no event class was asked for since.
    pub logs_nothing: AtomicBool,
    /// `signal_ghc_rts_ready` was called.
    pub ready: AtomicBool,
    /// The result of that call.
    pub readied: OnceLock<Result<()>>,
    /// Clients may begin before that call: the older API did not ask for it.
    pub begin_unready: AtomicBool,
    /// The RTS ends and starts the log only to empty its buffers (GHC 9.0).
    pub restarting: AtomicBool,
    /// Between the start and the header of a log.
    pub header_due: AtomicBool,
    /// Tells the header of the log from others.
    pub header_hash: AtomicU64,
    /// A client is connected.
    pub connected: AtomicBool,
    /// Its stream has begun: somebody makes room.
    pub serving: AtomicBool,
    /// Writers inside a push, counted with the `block` policy.
    pub inside: AtomicU32,
    /// The program exits: only the exiting thread may wait.
    pub exiting: AtomicBool,
    /// Nanoseconds that waiting may still delay the exit.
    pub exit_budget: AtomicU64,
    /// The end of the block that was handed over last, in nanoseconds of the log.
    pub latest: AtomicU64,
    /// The same of the last global block. Written when the block is where it belongs.
    pub latest_global: AtomicU64,
    /// Global chunks that the ring of chunks has taken.
    pub globals_accepted: AtomicU64,
    /// Nanoseconds since 1970 when the log's clock was 0; 0 if that is not known. One word,
    /// so that two who note it do not mix.
    log_epoch: AtomicU64,

    pub published: Published,
    requests: Lock<Requests>,
    progress: Lock<Progress>,
    progressed: Changes,
}

static INSTANCE: AtomicPtr<Instance> = AtomicPtr::new(std::ptr::null_mut());

/// Everything of an [`Instance`] that has to be made.
#[derive(Debug)]
pub(crate) struct Parts {
    pub chunks: mpsc::Producer<'static>,
    pub definitions: mpsc::Producer<'static>,
    pub ring_size: usize,
    pub wake: Wake,
    pub tuning: Tuning,
    pub recording: Option<&'static Recording>,
    pub has_socket: bool,
    pub awaits_start: bool,
}

impl Instance {
    pub(crate) fn new(parts: Parts) -> Instance {
        let budget = u64::try_from(parts.tuning.exit_timeout.as_nanos()).unwrap_or(u64::MAX);
        Instance {
            chunks: parts.chunks,
            chunks_bell: Doorbell::new(),
            definitions: parts.definitions,
            definitions_bell: Doorbell::new(),
            ring_size: parts.ring_size,
            wake: parts.wake,
            wakeups: AtomicU64::new(0),
            flushes: Flushes::default(),
            space: Space::default(),
            tuning: parts.tuning,
            recording: parts.recording,
            has_socket: parts.has_socket,
            globals_flow: AtomicBool::new(false),
            attached: AtomicBool::new(false),
            awaits_start: AtomicBool::new(parts.awaits_start),
            logs_nothing: AtomicBool::new(false),
            ready: AtomicBool::new(false),
            readied: OnceLock::new(),
            begin_unready: AtomicBool::new(false),
            restarting: AtomicBool::new(false),
            header_due: AtomicBool::new(false),
            header_hash: AtomicU64::new(0),
            connected: AtomicBool::new(false),
            serving: AtomicBool::new(false),
            inside: AtomicU32::new(0),
            exiting: AtomicBool::new(false),
            exit_budget: AtomicU64::new(budget),
            latest: AtomicU64::new(0),
            latest_global: AtomicU64::new(0),
            globals_accepted: AtomicU64::new(0),
            log_epoch: AtomicU64::new(0),
            published: Published::default(),
            requests: Lock::default(),
            progress: Lock::default(),
            progressed: Changes::new(),
        }
    }

    /// The one of this process; `None` before init, and in a forked child.
    #[inline]
    pub(crate) fn get() -> Option<&'static Instance> {
        if fork::is_inert() {
            return None;
        }
        // Acquire: pairs with the Release in `publish`; what it points to is whole.
        let instance = INSTANCE.load(Ordering::Acquire);
        // SAFETY: null, or a leaked box that is never changed through this pointer.
        unsafe { instance.as_ref() }
    }

    /// Make it the one of this process.
    pub(crate) fn publish(instance: &'static Instance) {
        // Release: pairs with the Acquire in `get`.
        INSTANCE.store(std::ptr::from_ref(instance).cast_mut(), Ordering::Release);
    }

    /// In a child: the parent's is not used.
    pub(crate) fn forget() {
        // Relaxed: `fork` publishes it.
        INSTANCE.store(std::ptr::null_mut(), Ordering::Relaxed);
    }

    /// The result of `ready`, if that was an error.
    pub(crate) fn failed(&self) -> Option<Error> {
        self.readied.get().and_then(|outcome| outcome.err())
    }

    /// Global chunks in the ring of chunks, of which there may be more that were not counted
    /// yet: those that came before one that was learnt from are.
    pub(crate) fn globals_in_ring(&self, definitions: &Definitions) -> u64 {
        // Acquire: pairs with the Release in the writer.
        let accepted = self.globals_accepted.load(Ordering::Acquire);
        accepted.saturating_sub(definitions.globals_of_ring)
    }

    /// Wake the poll thread.
    pub(crate) fn wake_poll_thread(&self) {
        self.wake.wake();
    }

    pub(crate) fn requests(&self) -> Held<'_, Requests> {
        self.requests.lock()
    }

    /// Ask the poll thread for something.
    pub(crate) fn request(&self, ask: impl FnOnce(&mut Requests)) {
        ask(&mut self.requests());
        self.wake_poll_thread();
    }

    /// Tell those who wait.
    pub(crate) fn progress(&self, tell: impl FnOnce(&mut Progress)) {
        tell(&mut self.progress.lock());
        self.progressed.tell();
    }

    /// Wait until `done` returns something, or the poll thread has given up, or
    /// `deadline` is over (`None`: never).
    pub(crate) fn await_progress<T>(
        &self,
        deadline: Option<Duration>,
        mut done: impl FnMut(&Progress) -> Option<T>,
    ) -> Result<Option<T>> {
        let mut progress = self.progress.lock();
        loop {
            if let Some(outcome) = done(&progress) {
                return Ok(Some(outcome));
            }
            if let Some(failure) = &progress.failure {
                return Err(*failure);
            }
            let left = deadline.map(|deadline| deadline.saturating_sub(crate::clock::monotonic()));
            if left.is_some_and(|left| left.is_zero()) {
                return Ok(None);
            }
            progress = self.progressed.wait(&self.progress, progress, left);
        }
    }

    /// Note what time it is, for an RTS that does not tell the wall clock.
    /// `event_ns` is the time on the log's own clock.
    pub(crate) fn note_moment(&self, event_ns: u64) {
        let wall = u64::try_from(crate::clock::wall().as_nanos()).unwrap_or(0);
        // Relaxed: read after a request that a mutex orders behind this.
        self.log_epoch
            .store(wall.saturating_sub(event_ns), Ordering::Relaxed);
    }

    pub(crate) fn knows_the_moment(&self) -> bool {
        // Relaxed: a thread that does not see it notes the same once more.
        self.log_epoch.load(Ordering::Relaxed) != 0
    }

    pub(crate) fn moment(&self) -> Moment {
        Moment {
            // Acquire: pairs with the Release in the writer; that block is where it belongs.
            reached: self.latest_global.load(Ordering::Acquire),
            epoch: NonZeroU64::new(self.log_epoch.load(Ordering::Relaxed)),
        }
    }
}
