//! From init to a log that clients can read, and how it goes. `log` has the ends.
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

use std::mem::MaybeUninit;
use std::sync::Mutex;
use std::sync::atomic::Ordering;

use ghc_eventlog::notes::Note;

use crate::definitions::Definitions;
use crate::definitions_feed::DefinitionsFeed;
use crate::format::note_block;
use crate::instance::{Instance, Parts};
use crate::lock::Lock;
use crate::memory::{OutOfMemory, Shared, boxed};
use crate::net::client::ClientOptions;
use crate::net::listener::{self, Address, Listener};
use crate::poll_thread::{self, PollThread};
use crate::recording::{self, RingFileRequest};
use crate::renewable::{Renewable, unless_forked};
use crate::rts::Rts;
use crate::status::{self, Error, Result};
use crate::storage::RingMemory;
use crate::tuning::{self, Control, Tuning};
use crate::wake::Wake;
use crate::writer::{self, EventLogSocketWriter};
use crate::{alone, control, exit, flush_thread, fork, log};

/// What a program set in code. Also serialises `init`, which may wait for a name server or a
/// disk with it: so signals do come while it is held, and the end of the program, which may
/// be in one of them, never takes it.
static TUNING: Renewable<Mutex<Option<Tuning>>> = Renewable::new(Mutex::new(None));
/// Why a start without a status failed.
static SILENT_FAILURE: Renewable<Lock<Option<Error>>> = Renewable::new(Lock::new(None));

/// In a child, with the locks of its parent. What the program has set stays set.
///
/// # Safety
/// As for [`Renewable::renew`].
pub(crate) unsafe fn renew() {
    // A thread that is not here may have been setting it.
    let tuning = TUNING.try_lock().map_or(None, |tuning| *tuning);
    // SAFETY: the contract is the same.
    unsafe {
        TUNING.renew(Mutex::new(tuning));
        SILENT_FAILURE.renew(Lock::new(None));
    }
}

/// What holds when nothing is set, in a program that was built as this one.
pub(crate) fn default_tuning() -> Tuning {
    let mut tuning = Tuning::default();
    let Some(rts) = Rts::get() else {
        return tuning;
    };
    if rts.obeys_by_default() {
        tuning.control = Control::On;
    }
    if rts.flushes_by_default() {
        tuning.flush_interval = Some(tuning::FLUSH_INTERVAL);
    }
    if let Some(capabilities) = rts.capabilities() {
        tuning.buffer_size = tuning::default_buffer_size(capabilities);
    }
    tuning
}

pub(crate) fn set_tuning(tuning: Tuning) -> Result<()> {
    if fork::is_inert() {
        return Err(Error::Sys(libc::EOPNOTSUPP));
    }
    let mut slot = TUNING.lock().unwrap_or_else(|e| e.into_inner());
    not_started_before()?;
    *slot = Some(tuning);
    Ok(())
}

/// Set the file that is recorded into, from the next `init` on.
pub(crate) fn set_ring_file(request: Option<RingFileRequest>) -> Result<()> {
    if fork::is_inert() {
        return Err(Error::Sys(libc::EOPNOTSUPP));
    }
    // Held, so that `init` has either not begun or is over.
    let _turn = TUNING.lock().unwrap_or_else(|e| e.into_inner());
    not_started_before()?;
    recording::request(request);
    Ok(())
}

/// What a program has asked for a client's socket; 0 for the default.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SocketOptions {
    /// Bytes.
    pub sndbuf: i32,
    /// Seconds.
    pub linger: i32,
}

/// Open the socket and start the poll thread.
pub(crate) fn init(address: Option<Address>, options: SocketOptions) -> Result<()> {
    // Before the lock, which another thread may have held when this process was
    // forked.
    if fork::is_inert() {
        return Err(Error::Sys(libc::EOPNOTSUPP));
    }
    fork::watch().map_err(Error::Sys)?;
    let tuning = TUNING.lock().unwrap_or_else(|e| e.into_inner());
    not_started_before()?;
    if Rts::get().is_some_and(|rts| !rts.supports_eventlog()) {
        return Err(Error::RtsNoSupport);
    }
    let settings = tuning.unwrap_or_else(default_tuning).overridden_by_env()?;
    let options = ClientOptions {
        sndbuf: tuning::sndbuf_from_env()?.unwrap_or(options.sndbuf),
        linger: options.linger,
        control: settings.control,
    };
    status::forget_files();
    // Before there is a file that would stay behind.
    exit::register();
    listener::tell_ports_in(tuning::port_file_from_env()?);
    // In this order, so that a failure leaves nothing behind: what is likely to fail comes
    // first, and memory that cannot be taken back comes last.
    let listener = address
        .as_ref()
        .map(|address| Listener::open(address, options))
        .transpose()?;
    let wake = Wake::new()?;
    let poll_thread = poll_thread::prepare()?;
    let definitions_kept = Definitions::with_room()?;
    let place = boxed(MaybeUninit::<Instance>::uninit())?;
    let request = recording::requested()?;
    if address.is_none() && request.is_none() {
        // Neither a socket nor a file.
        return Err(Error::Sys(libc::EINVAL));
    }
    let (chunks, definitions) = (
        RingMemory::new(settings.buffer_size)?,
        RingMemory::for_definitions()?,
    );
    // The file before this one is `PATH.1` from here on.
    let recording = request.as_ref().map(recording::prepare).transpose()?;
    let recording = recording.map(|prepared| prepared.start()).transpose()?;
    let (chunks, memory) = chunks.leak()?;
    let (definitions, _) = definitions.leak()?;
    let ring_size = chunks.capacity();
    let (chunks, chunks_end) = chunks.mpsc();
    let (definitions, definitions_end) = definitions.mpsc();
    let instance: &'static Instance = Box::leak(Box::write(
        place,
        Instance::new(Parts {
            chunks,
            definitions,
            ring_size,
            wake,
            tuning: settings,
            recording,
            has_socket: address.is_some(),
            awaits_start: fork::has_inherited_writer(),
        }),
    ));
    let feed = DefinitionsFeed::new(definitions_end);
    let thread = PollThread::new(
        instance,
        address,
        options,
        listener,
        (chunks_end, memory),
        feed,
        definitions_kept,
    );
    // What is logged from now on is kept for the first client.
    control::INBOX.log_begins();
    poll_thread.give(thread);
    if !instance.has_socket {
        instance.progress(|progress| progress.closed = true);
    }
    fork::started();
    Instance::publish(instance);
    alone::watch(wake_poll_thread);
    Ok(())
}

fn wake_poll_thread() {
    if let Some(instance) = Instance::get() {
        instance.wake_poll_thread();
    }
}

/// The RTS runs: attach if it has another writer, have it hand over what it
/// defined so far, and let clients begin.
pub(crate) fn ready() -> Result<()> {
    let Some(instance) = Instance::get() else {
        return Err(not_started());
    };
    // Relaxed: the first caller alone goes on; what it does is published by `readied`.
    if instance.ready.swap(true, Ordering::Relaxed) {
        // Known before the first call has hooks called, which may be where this is called.
        return *instance.readied.wait();
    }
    let attached = attach(instance);
    // Without a thread that flushes the stream works, and without facts, of which it may
    // lack definitions then; the caller is told.
    let outcome = attached.and_then(|facts| begin(instance).and(facts.map_err(Error::from)));
    let _ = instance.readied.set(outcome);
    if attached.is_ok() {
        control::ready(instance);
    }
    outcome
}

/// Have the RTS use our writer, and hand over what it has defined so far.
///
/// The inner error: there was no memory for the facts of the RTS.
fn attach(instance: &'static Instance) -> Result<Result<(), OutOfMemory>> {
    if let Some(rts) = Rts::get() {
        // Acquire: pairs with the Release in `log::starts`.
        if !instance.attached.load(Ordering::Acquire)
            && let Err(error) = rts.attach(&EventLogSocketWriter)
        {
            log::end(instance, std::time::Duration::ZERO);
            return Err(error);
        }
        // Relaxed: published with `globals_flow`.
        instance
            .logs_nothing
            .store(rts.logs_nothing(), Ordering::Relaxed);
        rts.flush_here();
        let moment = instance.moment();
        let facts = rts.facts().and_then(Shared::new);
        if let Ok(facts) = &facts {
            if let Some(recording) = instance.recording {
                recording.add_facts(facts.clone(), moment);
            }
            instance.request(|requests| requests.facts = Some((facts.clone(), moment)));
        }
        return Ok(facts.map(|_| ()));
    }
    Ok(Ok(()))
}

/// Let clients begin.
fn begin(instance: &'static Instance) -> Result<()> {
    let flushes = Rts::get().map_or(Ok(()), |rts| flush_thread::spawn(instance, rts));
    if let Some(recording) = instance.recording {
        if instance.logs_nothing.load(Ordering::Relaxed) {
            let now = instance.moment().reached;
            writer::insert_into_file(instance, &note_block(now, now, Note::LogsNothing));
        }
        // What is recorded from here on can be read: its header is in the file.
        recording.settle();
    }
    // Release: pairs with the Acquire in the writer. All that the flush above
    // wrote went to the definitions.
    instance.globals_flow.store(true, Ordering::Release);
    instance.wake_poll_thread();
    flushes
}

/// `init` and `ready`, for an RTS that runs.
pub(crate) fn start(address: Option<Address>, options: SocketOptions) -> Result<()> {
    let rts = Rts::get().ok_or(Error::RtsNoSupport)?;
    // An instance stays for good: what would keep it from working is reported before there
    // is one, so that the program can try again.
    if Instance::get().is_none() {
        rts.can_attach()?;
    }
    init(address, options)?;
    ready()
}

/// Until a client is connected and its stream has begun.
pub(crate) fn wait() -> Result<()> {
    wait_until(None, &mut None)
}

/// The same for at most so long: ETIMEDOUT if nobody came. `before` is kept from one call
/// to the next.
pub(crate) fn wait_for(time: std::time::Duration, before: &mut Option<u64>) -> Result<()> {
    wait_until(Some(crate::clock::monotonic() + time), before)
}

fn wait_until(deadline: Option<std::time::Duration>, before: &mut Option<u64>) -> Result<()> {
    let Some(instance) = Instance::get() else {
        return Err(not_started());
    };
    let came = instance.await_progress(deadline, |progress| {
        // One that came and left in between counts, too.
        let begun = *before.get_or_insert(progress.begun);
        if progress.connected || progress.begun > begun {
            Some(true)
        } else {
            progress.closed.then_some(false)
        }
    })?;
    match came {
        Some(true) => Ok(()),
        // The start has failed; or the log has ended, or the program is about to.
        Some(false) => Err(instance.failed().unwrap_or(Error::Sys(libc::ENOTCONN))),
        None => Err(Error::Sys(libc::ETIMEDOUT)),
    }
}

/// There is no instance: at most one is made, and what kept that from working is told.
fn not_started_before() -> Result<()> {
    match Instance::get() {
        None => Ok(()),
        Some(instance) => Err(instance.failed().unwrap_or(Error::Sys(libc::EALREADY))),
    }
}

fn not_started() -> Error {
    if fork::is_inert() {
        return Error::Sys(libc::EOPNOTSUPP);
    }
    silent_failure().unwrap_or(Error::Sys(libc::ENOTCONN))
}

fn silent_failure() -> Option<Error> {
    // In a child another thread may have held the lock forever.
    *unless_forked(&SILENT_FAILURE)?
}

/// Keep the failure of a function that returns no status.
pub(crate) fn remember_failure(result: Result<()>) {
    if let Some(mut failure) = unless_forked(&SILENT_FAILURE) {
        *failure = result.err();
    }
}

/// What made the poll thread give up, `ready` fail, or a function without status.
pub(crate) fn worker_status() -> Result<()> {
    if let Some(failure) = silent_failure() {
        return Err(failure);
    }
    let Some(instance) = Instance::get() else {
        return Ok(());
    };
    match instance.failed() {
        Some(failure) => Err(failure),
        None => instance
            .await_progress(Some(std::time::Duration::ZERO), |_| None::<()>)
            .map(|_| ()),
    }
}
