//! From init to the end of the process.
//!
//! ```text
//!            init              RTS: init, header        ready
//!  (nothing) ----> listening ----------------> attached -----> clients begin
//!                                                                  |
//!   RTS: stop (or exit without it)                                 |
//!  drained, closed, file removed <---------------------------------+
//!            |
//!            +--> RTS: init again --> listening
//! ```
//! Started from Haskell, the RTS has another writer (a file, usually) when `start`
//! runs: `ready` ends that log and starts one with ours, once. No log is started
//! or ended after that, whoever connects.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use crate::definitions_feed::DefinitionsFeed;
use crate::gate::GATE;
use crate::instance::{Instance, Parts};
use crate::net::listener::{Address, ClientOptions, Listener};
use crate::poll_thread::{self, PollThread};
use crate::recording::{self, Wish};
use crate::rts::Rts;
use crate::status::{Error, Result};
use crate::storage::RingMemory;
use crate::tuning::{self, Tuning};
use crate::wake::Wake;
use crate::writer::EventLogSocketWriter;
use crate::{control, flush_thread, fork, net};

/// What a program set in code. Also serialises `init`.
static TUNING: Mutex<Option<Tuning>> = Mutex::new(None);
/// Why a start without a status failed.
static SILENT_FAILURE: Mutex<Option<Error>> = Mutex::new(None);

/// How much longer than its deadline a drain may take to report.
const REPORT: std::time::Duration = std::time::Duration::from_millis(500);
/// A call into the RTS that has not returned after this long is stuck; the exit goes
/// on.
const STUCK: std::time::Duration = std::time::Duration::from_secs(2);

pub(crate) fn set_tuning(tuning: Tuning) -> Result<()> {
    if fork::is_inert() {
        return Err(Error::Sys(libc::EOPNOTSUPP));
    }
    let mut slot = TUNING.lock().unwrap_or_else(|e| e.into_inner());
    if Instance::get().is_some() {
        return Err(Error::Sys(libc::EALREADY));
    }
    *slot = Some(tuning);
    Ok(())
}

/// What is recorded into, from the next `init` on.
pub(crate) fn set_ring_file(wish: Option<Wish>) -> Result<()> {
    if fork::is_inert() {
        return Err(Error::Sys(libc::EOPNOTSUPP));
    }
    // Held, so that `init` has either not begun or is over.
    let _turn = TUNING.lock().unwrap_or_else(|e| e.into_inner());
    if Instance::get().is_some() {
        return Err(Error::Sys(libc::EALREADY));
    }
    recording::wish(wish);
    Ok(())
}

/// What a program wishes of a client's socket; 0 for nothing.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SocketOptions {
    /// Bytes.
    pub sndbuf: i32,
    /// Seconds.
    pub linger: i32,
}

/// Open the socket and start the poll thread.
pub(crate) fn init(address: Option<&Address>, wishes: SocketOptions) -> Result<()> {
    // Before the lock, which another thread may have held when this process was
    // forked.
    if fork::is_inert() {
        return Err(Error::Sys(libc::EOPNOTSUPP));
    }
    let tuning = TUNING.lock().unwrap_or_else(|e| e.into_inner());
    if Instance::get().is_some() {
        return Err(Error::Sys(libc::EALREADY));
    }
    if Rts::get().is_some_and(|rts| !rts.supports_eventlog()) {
        return Err(Error::RtsNoSupport);
    }
    let settings = tuning.unwrap_or_default().overridden_by_env()?;
    let options = ClientOptions {
        sndbuf: tuning::sndbuf_from_env()?.unwrap_or(wishes.sndbuf),
        linger: wishes.linger,
        control: settings.control,
    };
    fork::watch();
    // In this order, so that a failure leaves nothing: what fails likely comes
    // first, and memory that cannot be taken back comes last.
    let listener = address
        .map(|address| Listener::open(address, options))
        .transpose()?;
    let wake = Wake::new()?;
    let poll_thread = poll_thread::prepare()?;
    let wish = recording::wished()?;
    if address.is_none() && wish.is_none() {
        // Neither a socket nor a file.
        return Err(Error::Sys(libc::EINVAL));
    }
    let (chunks, definitions) = (
        RingMemory::new(settings.buffer_size)?,
        RingMemory::for_definitions()?,
    );
    // The file before this one is `PATH.1` from here on.
    let recording = wish.as_ref().map(recording::prepare).transpose()?;
    let recording = recording.map(|prepared| prepared.start()).transpose()?;
    let (chunks, memory) = chunks.leak()?;
    let (definitions, _) = definitions.leak()?;
    let ring_size = chunks.capacity();
    let (chunks, chunks_end) = chunks.mpsc();
    let (definitions, definitions_end) = definitions.mpsc();
    let instance: &'static Instance = Box::leak(Box::new(Instance::new(Parts {
        chunks,
        definitions,
        ring_size,
        wake,
        tuning: settings,
        recording,
        has_socket: address.is_some(),
    })));
    let feed = DefinitionsFeed::new(definitions_end);
    let thread = PollThread::new(
        instance,
        address.cloned(),
        options,
        listener,
        chunks_end,
        memory,
        feed,
    );
    // What is logged from now on is kept for the first client.
    control::INBOX.log_begins();
    // It waits for this, so that there is somebody to take it.
    let _ = poll_thread.send(thread);
    if !instance.has_socket {
        instance.progress(|progress| progress.closed = true);
    }
    Instance::publish(instance);
    register_exit_handler();
    Ok(())
}

/// The RTS runs: attach if it has another writer, have it hand over what it
/// defined so far, and let clients begin.
pub(crate) fn ready() -> Result<()> {
    let Some(instance) = Instance::get() else {
        return Err(not_started());
    };
    // AcqRel: the first caller alone goes on.
    if instance.ready.swap(true, Ordering::AcqRel) {
        return Ok(());
    }
    let mut spawned = Ok(());
    if let Some(rts) = Rts::get() {
        // Acquire: pairs with the Release in `log_starts`.
        if !instance.attached.load(Ordering::Acquire)
            && let Err(error) = rts.attach(&EventLogSocketWriter)
        {
            end(instance, std::time::Duration::ZERO);
            return Err(error);
        }
        rts.flush_here();
        let facts = Arc::new(rts.facts());
        if let Some(recording) = instance.recording {
            recording.add_facts(Arc::clone(&facts), instance.moment());
        }
        instance.request(|requests| requests.facts = Some(facts));
        spawned = flush_thread::spawn(instance, rts);
    }
    if let Some(recording) = instance.recording {
        // What is recorded from here on can be read: its header is in the file.
        recording.settle();
    }
    // Release: pairs with the Acquire in the writer. All that the flush above
    // wrote went to the definitions.
    instance.globals_flow.store(true, Ordering::Release);
    instance.wake_poll_thread();
    control::ready(instance);
    // Without that thread the stream works, but is not flushed.
    spawned
}

/// `init` and `ready`, for an RTS that runs.
pub(crate) fn start(address: Option<&Address>, wishes: SocketOptions) -> Result<()> {
    if Rts::get().is_none() {
        return Err(Error::RtsNoSupport);
    }
    init(address, wishes)?;
    ready()
}

/// Until a client is connected and its stream has begun.
pub(crate) fn wait() -> Result<()> {
    let Some(instance) = Instance::get() else {
        return Err(not_started());
    };
    let mut before = None;
    let came = instance.await_progress(None, |progress| {
        // One that came and left while nobody looked counts, too.
        let begun = *before.get_or_insert(progress.begun);
        if progress.connected || progress.begun > begun {
            Some(true)
        } else {
            progress.closed.then_some(false)
        }
    })?;
    match came {
        Some(true) => Ok(()),
        // The log has ended, or the program is about to.
        _ => Err(Error::Sys(libc::ENOTCONN)),
    }
}

fn not_started() -> Error {
    if fork::is_inert() {
        return Error::Sys(libc::EOPNOTSUPP);
    }
    silent_failure().unwrap_or(Error::Sys(libc::ENOTCONN))
}

fn silent_failure() -> Option<Error> {
    let failure = SILENT_FAILURE.lock().unwrap_or_else(|e| e.into_inner());
    failure.clone()
}

/// Keep the failure of a function that returns no status.
pub(crate) fn remember_failure(result: Result<()>) {
    let mut failure = SILENT_FAILURE.lock().unwrap_or_else(|e| e.into_inner());
    *failure = result.err();
}

/// What made the poll thread give up, or a function without status fail.
pub(crate) fn worker_status() -> Result<()> {
    if let Some(failure) = silent_failure() {
        return Err(failure);
    }
    match Instance::get() {
        None => Ok(()),
        Some(instance) => instance
            .await_progress(Some(std::time::Duration::ZERO), |_| None::<()>)
            .map(|_| ()),
    }
}

/// The RTS has begun a log with our writer.
pub(crate) fn log_starts(instance: &Instance) {
    // Relaxed: the header is handed over by the thread that starts the log.
    instance.header_due.store(true, Ordering::Relaxed);
    // Relaxed: this thread, or the stopped world, restarts.
    if instance.restarting.load(Ordering::Relaxed) {
        return;
    }
    // Release: pairs with the Acquire in `ready`.
    instance.attached.store(true, Ordering::Release);
    if let Some(recording) = instance.recording {
        recording.note_end(false);
    }
    instance.progress(|progress| progress.closed = !instance.has_socket);
    instance.request(|requests| requests.reopen = true);
}

/// The RTS has ended the log: at exit, or because somebody called
/// `endEventLogging`. The client gets what is there; nothing comes after it.
pub(crate) fn log_ends(instance: &Instance) {
    // Relaxed: as above.
    if !instance.restarting.load(Ordering::Relaxed) {
        end_log(instance, true);
    }
}

/// `in_order`: the RTS has handed over all that it had.
fn end_log(instance: &Instance, in_order: bool) {
    instance.attached.store(false, Ordering::Release);
    // Relaxed: spent by this thread, or by others that have stopped.
    let budget = if instance.exiting.load(Ordering::Relaxed) {
        std::time::Duration::from_nanos(instance.exit_budget.load(Ordering::Relaxed))
    } else {
        instance.tuning.exit_timeout
    };
    end(instance, budget);
    if let Some(recording) = instance.recording {
        // All that was logged is recorded; what it defines follows.
        let settled = recording.settle();
        recording.note_end(in_order && settled);
    }
}

/// Have the poll thread deliver the rest, and wait until it has.
fn end(instance: &Instance, patience: std::time::Duration) {
    let deadline = crate::clock::monotonic() + patience;
    let mut before = None;
    // The number of ends so far, before another is asked for.
    let _ = instance.await_progress(Some(std::time::Duration::ZERO), |progress| {
        before = Some(progress.finished);
        Some(())
    });
    instance.request(|requests| {
        requests.finish = Some(deadline);
        // The start of the log that ends here.
        requests.reopen = false;
    });
    instance.space.made();
    let before = before.unwrap_or(0);
    let _ = instance.await_progress(Some(deadline + REPORT), |progress| {
        (progress.finished > before).then_some(())
    });
}

/// The RTS begins to exit: no thread of ours is in it when this returns (but for a
/// handler that does not), and
/// whoever waits for room waits by the rules of the exit.
pub(crate) fn rts_exiting() {
    if let Some(instance) = Instance::get() {
        // Nobody who waits for a client keeps the program.
        instance.progress(|progress| progress.closed = true);
        // What the hooks log now is part of the log that ends. The program still runs:
        // nothing yet goes by the rules of the exit.
        control::finish();
        // Relaxed: the wake-up below is ordered by the futex word.
        instance.exiting.store(true, Ordering::Relaxed);
        instance.space.made();
        GATE.close(crate::clock::monotonic() + STUCK);
    }
}

/// The log that runs is ours.
pub(crate) fn is_attached() -> bool {
    // Relaxed: asked with the world stopped, in which nobody starts or ends a log.
    Instance::get().is_some_and(|instance| instance.attached.load(Ordering::Relaxed))
}

/// The RTS ends and starts its log to empty its buffers.
pub(crate) fn rts_restarting(begin: bool) {
    if let Some(instance) = Instance::get() {
        // Relaxed: the writer is called by this thread until it is reset.
        instance.restarting.store(begin, Ordering::Relaxed);
    }
}

/// `exit` may be called while the RTS runs, which then never ends its log. The
/// client gets what the ring holds, and the socket's file goes.
extern "C" fn at_exit() {
    let Some(instance) = Instance::get() else {
        return;
    };
    // Acquire: pairs with the Release in `log_starts` and `log_ends`.
    if instance.attached.load(Ordering::Acquire) {
        control::finish_without_rts_exit();
        end_log(instance, false);
    }
    net::listener::remove_socket_file();
}

fn register_exit_handler() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        // SAFETY: a function without arguments. If it cannot be registered, a
        // socket's file may stay behind.
        unsafe { libc::atexit(at_exit) };
    });
}
