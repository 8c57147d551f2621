//! The thread that flushes the RTS's buffers.
//!
//! That can take long (the world has to stop) and, on some versions, never returns
//! when the program exits meanwhile. So it has a thread of its own, which nothing
//! joins, behind the gate that the exit hook closes. It has the signal mask of the
//! program: the RTS may start a worker from it, which inherits the mask.

use std::ffi::c_void;
use std::ptr::null_mut;
use std::sync::Mutex;
use std::sync::atomic::Ordering;

use crate::alone;
use crate::clock::monotonic;
use crate::gate::GATE;
use crate::instance::Instance;
use crate::lock::{Changes, Lock};
use crate::rts::Rts;
use crate::status::Result;
use crate::threads::{self, Signals};

#[derive(Debug, Default)]
struct Work {
    flush: bool,
    client_connected: bool,
}

static WORK: Lock<Work> = Lock::new(Work {
    flush: false,
    client_connected: false,
});
static WORK_CHANGED: Changes = Changes::new();

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

/// Flush here, unless the RTS is exiting. False if it is.
pub(crate) fn flush(instance: &Instance, flush: impl Fn()) -> bool {
    // Two at once, waiting for the same capabilities, is what the RTS meets nowhere
    // else.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(|e| e.into_inner());
    let open = GATE.enter(flush);
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
