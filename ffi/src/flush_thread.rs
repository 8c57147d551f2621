//! The thread that flushes the RTS's buffers.
//!
//! That can take long (the world has to stop) and, on some versions, never returns
//! when the program exits meanwhile. So it has a thread of its own, which nothing
//! joins, behind the gate that the exit hook closes. It has the signal mask of the
//! program: the RTS may start a worker from it, which inherits the mask.

use std::ffi::c_void;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::clock::monotonic;
use crate::gate::GATE;
use crate::instance::Instance;
use crate::lock::{Changes, Lock};
use crate::renewable::Renewable;
use crate::rts::Rts;
use crate::status::Result;
use crate::threads::{self, Signals};
use crate::{alone, futex};

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

/// Whose turn it is to flush: two at once, waiting for the same capabilities, is what the RTS
/// meets nowhere else. Nothing that would be dropped: a flush may never return.
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

/// The RTS is exiting, and the gate is closed: whoever waits for a turn waits in vain.
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
    let open = GATE.enter(flush);
    end_turn();
    if open {
        // Relaxed: a statistic.
        instance.flushes.fetch_add(1, Ordering::Relaxed);
    }
    open
}

/// Start the thread, if this RTS can be called by one.
pub(crate) fn spawn(instance: &'static Instance, rts: Rts) -> Result<()> {
    if rts.flush_from_any_thread().is_none() {
        return Ok(());
    }
    let argument = std::ptr::from_ref(instance).cast_mut().cast();
    threads::start(Signals::Inherited, run, argument)
}

extern "C" fn run(instance: *mut c_void) -> *mut c_void {
    alone::join_ours();
    threads::name_this(c"eventlog-flush");
    // SAFETY: the instance that `spawn` handed over.
    let instance: &'static Instance = unsafe { &*instance.cast_const().cast::<Instance>() };
    if let Some(call) = Rts::get().and_then(Rts::flush_from_any_thread) {
        flush_when_asked(instance, call);
    }
    null_mut()
}

fn flush_when_asked(instance: &Instance, call: impl Fn()) {
    loop {
        await_work(instance);
        if !flush(instance, &call) {
            return;
        }
    }
}

/// Until a flush was asked for, or the interval between flushes is over.
fn await_work(instance: &Instance) {
    let begun = monotonic();
    let mut work = WORK.lock();
    while !work.flush {
        let records = instance.recording.is_some_and(|file| !file.is_lost());
        // Nobody listens, or nobody asked for it: no reason to wake up.
        let interval = instance.tuning.flush_interval;
        let interval = interval.filter(|_| work.client_connected || records);
        let left = interval.map(|interval| (begun + interval).saturating_sub(monotonic()));
        if left.is_some_and(|left| left.is_zero()) {
            return;
        }
        work = WORK_CHANGED.wait(&WORK, work, left);
    }
    work.flush = false;
}
