//! The thread that flushes the RTS's buffers.
//!
//! That can take long (the world has to stop) and, on some versions, never returns
//! when the program exits meanwhile. So it has a thread of its own, which nothing
//! joins, behind the gate that the exit hook closes. It has the signal mask of the
//! program: the RTS may start a worker from it, which inherits the mask.
//!
//! While somebody listens (a client, or a ring file), it flushes by interval. An interval of
//! the RTS's own is taken over meanwhile, so that two do not flush at once.

use std::ffi::c_void;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::clock::monotonic;
use crate::gate::GATE;
use crate::instance::Instance;
use crate::lock::{Changes, Lock};
use crate::renewable::Renewable;
use crate::rts::Rts;
use crate::status::Result;
use crate::threads::{self, Signals};
use crate::{alone, fork, futex};

#[derive(Debug, Default)]
struct Work {
    flush: bool,
    client_connected: bool,
}

static WORK: Renewable<Lock<Work>> = Renewable::new(Lock::new(Work::NONE));
static WORK_CHANGED: Changes = Changes::new();

impl Work {
    const NONE: Work = Work {
        flush: false,
        client_connected: false,
    };
}

/// In a child, which has not the threads of its parent.
///
/// # Safety
/// As for [`Renewable::renew`].
pub(crate) unsafe fn renew() {
    // SAFETY: the contract is the same.
    unsafe { WORK.renew(Lock::new(Work::NONE)) };
    // Relaxed: `fork` publishes it.
    TURN.store(NOBODY, Ordering::Relaxed);
}

/// Tell of a client that has come or gone. One that has come is followed by a
/// flush: what a quiet program said is in the RTS's buffers.
pub(crate) fn client_changed(connected: bool) {
    let mut work = WORK.lock();
    work.client_connected = connected;
    // One that was asked for before is not taken back.
    work.flush |= connected;
    WORK_CHANGED.tell();
}

/// Ask for a flush.
pub(crate) fn request() {
    let mut work = WORK.lock();
    work.flush = true;
    WORK_CHANGED.tell();
}

/// Whose turn it is to flush: the RTS never has two flushes that wait for the same capabilities
/// at once. Not a guard that is dropped: a flush may never return.
static TURN: AtomicU32 = AtomicU32::new(NOBODY);
const NOBODY: u32 = 0;
const SOMEBODY: u32 = 1;
const EXIT: u32 = 2;

/// False if the RTS is exiting.
fn take_turn() -> bool {
    loop {
        // Acquire: pairs with the Release in `end_turn`: one flush after the other.
        match TURN.compare_exchange(NOBODY, SOMEBODY, Ordering::Acquire, Ordering::Relaxed) {
            Ok(_) => return true,
            Err(EXIT) => return false,
            Err(taken) => futex::wait(&TURN, taken, None),
        }
    }
}

fn end_turn() {
    // Not if the exit has taken it over. Release: pairs with the Acquire above.
    let _ = TURN.compare_exchange(SOMEBODY, NOBODY, Ordering::Release, Ordering::Relaxed);
    futex::wake_all(&TURN);
}

/// The RTS is exiting, and the gate is closed: callers that wait for a turn give up.
pub(crate) fn stop() {
    // Relaxed: it publishes nothing.
    TURN.store(EXIT, Ordering::Relaxed);
    futex::wake_all(&TURN);
}

/// Flush here, unless the RTS is exiting. False if it is.
pub(crate) fn flush(instance: &Instance, flush: impl Fn()) -> bool {
    if !take_turn() {
        return false;
    }
    let begun = monotonic();
    let open = GATE.enter(flush);
    if open {
        instance.flushes.note(begun, monotonic());
    }
    end_turn();
    open
}

/// Start the thread, if this RTS can be called by one.
pub(crate) fn spawn(instance: &'static Instance, rts: Rts) -> Result<()> {
    if rts.flush_from_any_thread().is_none() {
        return Ok(());
    }
    fork::in_each_child(give_back_in_child);
    let argument = std::ptr::from_ref(instance).cast_mut().cast();
    threads::start(Signals::Inherited, run, argument)
}

/// The RTS of a child flushes by itself again: the thread that did so in its place does not
/// exist there.
fn give_back_in_child() {
    if let Some(rts) = Rts::get() {
        rts.give_back_flushes();
    }
}

extern "C" fn run(instance: *mut c_void) -> *mut c_void {
    alone::join_ours();
    threads::name_this(c"eventlog-flush");
    // SAFETY: the instance that `spawn` handed over.
    let instance: &'static Instance = unsafe { &*instance.cast_const().cast::<Instance>() };
    if let Some(rts) = Rts::get()
        && let Some(call) = rts.flush_from_any_thread()
    {
        work(instance, rts, call);
    }
    null_mut()
}

/// Until the RTS is exiting.
fn work(instance: &Instance, rts: Rts, call: impl Fn()) {
    let mut interval = Interval {
        ours: instance.tuning.flush_interval,
        of_rts: None,
        in_use: false,
    };
    let mut flushed = monotonic();
    loop {
        let open = match next(instance, &interval, flushed) {
            Next::Flush => {
                let open = flush(instance, &call);
                flushed = monotonic();
                open
            }
            Next::Listened(listened) => GATE.enter(|| interval.use_it(listened, rts)),
        };
        if !open {
            return;
        }
    }
}

/// How often to flush.
#[derive(Debug)]
struct Interval {
    ours: Option<Duration>,
    /// What was taken over.
    of_rts: Option<Duration>,
    in_use: bool,
}

impl Interval {
    fn use_it(&mut self, wanted: bool, rts: Rts) {
        if wanted {
            self.of_rts = rts.take_flushes();
        } else {
            rts.give_back_flushes();
        }
        self.in_use = wanted;
    }

    /// If it is in use.
    fn get(&self) -> Option<Duration> {
        let both = [self.ours, self.of_rts];
        both.into_iter().flatten().min().filter(|_| self.in_use)
    }
}

enum Next {
    Flush,
    /// Somebody listens, or nobody does any more.
    Listened(bool),
}

/// Wait for what is next. `flushed` is when the last flush was.
fn next(instance: &Instance, interval: &Interval, flushed: Duration) -> Next {
    let flushes = &instance.flushes;
    let mut work = WORK.lock();
    loop {
        let records = instance.recording.is_some_and(|file| !file.is_lost());
        let listened = work.client_connected || records;
        if listened != interval.in_use {
            return Next::Listened(listened);
        }
        // No listener, or no interval: no reason to wake up.
        let by_interval = interval
            .get()
            .map(|time| flushes.next().max(flushed + time));
        let awaited = work.flush.then(|| flushes.next_if_awaited());
        let due = by_interval.into_iter().chain(awaited).min();
        let left = due.map(|due| due.saturating_sub(monotonic()));
        if left.is_some_and(|left| left.is_zero()) {
            work.flush = false;
            return Next::Flush;
        }
        work = WORK_CHANGED.wait(&WORK, work, left);
    }
}
