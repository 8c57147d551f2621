//! The RTS, as far as this library calls it.
//!
//! The functions come in a table from `eventlog_socket_rts.c`, which the
//! program's own ghc compiles. Those who call them:
//!
//! * the caller of `start` or `signal_ghc_rts_ready`, on its own thread;
//! * the threads of [`crate::flush_thread`] and [`crate::control`], through the
//!   [`Gate`](crate::gate::Gate).
//!
//! The poll thread never does: on some versions such a call does not return.

use std::ffi::{c_char, c_void};
use std::sync::atomic::{AtomicPtr, Ordering};
use std::time::Duration;

use crate::facts::{self, Facts, RawFacts};
use crate::memory::OutOfMemory;
use crate::status::{Error, Result};

/// GHC's `EventLogWriter` (`rts/EventLogWriter.h`), the same in 9.0 to 9.14.
#[repr(C)]
#[derive(Debug)]
pub struct EventLogWriter {
    pub(crate) init: Option<extern "C" fn()>,
    pub(crate) write: Option<extern "C" fn(*mut c_void, usize) -> bool>,
    pub(crate) flush: Option<extern "C" fn()>,
    pub(crate) stop: Option<extern "C" fn()>,
}

static_assertions::const_assert_eq!(size_of::<EventLogWriter>(), 4 * size_of::<usize>());

// It is read by C only as a whole table.
// SAFETY: nothing in it is ever written.
unsafe impl Sync for EventLogWriter {}

type CostCentreVisitor =
    unsafe extern "C" fn(*mut c_void, u32, *const c_char, *const c_char, *const c_char, bool);

/// `EventlogSocketRts` of `eventlog_socket_rts.h`.
#[repr(C)]
#[derive(Debug)]
pub struct RtsTable {
    threaded: bool,
    control: bool,
    flush_by_default: bool,
    exit_hooked: unsafe extern "C" fn() -> bool,
    supports_eventlog: unsafe extern "C" fn() -> bool,
    capabilities: Option<unsafe extern "C" fn() -> u32>,
    can_attach: Option<unsafe extern "C" fn() -> std::ffi::c_int>,
    attach: unsafe extern "C" fn(*const EventLogWriter) -> std::ffi::c_int,
    flush_here: Option<unsafe extern "C" fn()>,
    flush: Option<unsafe extern "C" fn()>,
    take_flushes: Option<unsafe extern "C" fn() -> u64>,
    give_back_flushes: Option<unsafe extern "C" fn()>,
    make_census: Option<unsafe extern "C" fn()>,
    command: unsafe extern "C" fn(u8) -> bool,
    facts: unsafe extern "C" fn(*mut RawFacts),
    cost_centres: unsafe extern "C" fn(CostCentreVisitor, *mut c_void),
    call_handlers: Option<extern "C" fn(*mut c_void) -> *mut c_void>,
    logs_nothing: Option<unsafe extern "C" fn() -> bool>,
}

static TABLE: AtomicPtr<RtsTable> = AtomicPtr::new(std::ptr::null_mut());

/// The RTS of this program, if it has one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rts(&'static RtsTable);

pub(crate) fn register(table: *const RtsTable) {
    // Release: pairs with the Acquire in `get`.
    TABLE.store(table.cast_mut(), Ordering::Release);
}

impl Rts {
    pub(crate) fn get() -> Option<Rts> {
        // Acquire: pairs with the Release in `register`.
        let table = TABLE.load(Ordering::Acquire);
        // SAFETY: null, or the static table that the RTS part registered before
        // main.
        unsafe { table.as_ref() }.map(Rts)
    }

    /// Haskell code runs on more than one OS thread, and signals interrupt none
    /// of them inside the writer.
    pub(crate) fn is_threaded(self) -> bool {
        self.0.threaded
    }

    /// The program was built to obey commands over TCP, if nobody says otherwise.
    pub(crate) fn obeys_by_default(self) -> bool {
        self.0.control
    }

    /// Flushing costs so little that it is done by interval, if nobody says otherwise.
    pub(crate) fn flushes_by_default(self) -> bool {
        self.0.flush_by_default
    }

    /// How many it has, or, before it runs, may get.
    pub(crate) fn capabilities(self) -> Option<u32> {
        // SAFETY: a function of the table; reads variables, callable at any time.
        self.0.capabilities.map(|count| unsafe { count() })
    }

    pub(crate) fn supports_eventlog(self) -> bool {
        // SAFETY: a function of the table; reads a status, callable at any time.
        unsafe { (self.0.supports_eventlog)() }
    }

    /// What would keep `attach` from it, as far as that is known beforehand. On a thread
    /// where that may be called.
    pub(crate) fn can_attach(self) -> Result<()> {
        match self.0.can_attach {
            // SAFETY: a function of the table; the caller is on the right thread.
            Some(ask) => attached(unsafe { ask() }),
            None => Ok(()),
        }
    }

    /// Make `writer` the RTS's. On a thread where it may be called.
    pub(crate) fn attach(self, writer: &'static EventLogWriter) -> Result<()> {
        // SAFETY: a function of the table; the caller is on the right thread.
        attached(unsafe { (self.0.attach)(writer) })
    }

    /// Make the RTS hand over all buffers, on a thread where it may be called.
    pub(crate) fn flush_here(self) {
        if let Some(flush) = self.0.flush_here {
            // SAFETY: a function of the table; the caller is on the right thread.
            unsafe { flush() }
        }
    }

    /// The flush that any thread may call, if this RTS has one and its exit can be
    /// told to us: an RTS that is called while it shuts down hangs or crashes.
    pub(crate) fn flush_from_any_thread(self) -> Option<impl Fn() + Send + use<>> {
        let flush = self.0.flush.filter(|_| self.takes_calls_until_exit())?;
        // SAFETY: a function of the table that any thread may call.
        Some(move || unsafe { flush() })
    }

    /// Take over the interval by which the RTS flushes by itself, if it does: from now on the caller
    /// has to flush. Through the gate, like `give_back_flushes`.
    pub(crate) fn take_flushes(self) -> Option<Duration> {
        let take = self.0.take_flushes?;
        // SAFETY: a function of the table that any thread may call.
        let interval = Duration::from_nanos(unsafe { take() });
        (!interval.is_zero()).then_some(interval)
    }

    /// What was taken is the RTS's again. Async-signal-safe.
    pub(crate) fn give_back_flushes(self) {
        if let Some(give_back) = self.0.give_back_flushes {
            // SAFETY: a function of the table that any thread may call.
            unsafe { give_back() }
        }
    }

    /// The collection that makes a census which was asked for, on any thread, under the
    /// same condition.
    pub(crate) fn make_census_from_any_thread(self) -> Option<impl Fn()> {
        let make = self
            .0
            .make_census
            .filter(|_| self.takes_calls_until_exit())?;
        // SAFETY: as above.
        Some(move || unsafe { make() })
    }

    /// The loop in C that asks the control thread's state for calls, and makes them.
    pub(crate) fn call_handlers(self) -> Option<extern "C" fn(*mut c_void) -> *mut c_void> {
        self.0.call_handlers
    }

    fn takes_calls_until_exit(self) -> bool {
        self.tells_its_exit() && self.0.threaded
    }

    /// The exit hook is ours.
    pub(crate) fn tells_its_exit(self) -> bool {
        // SAFETY: a function of the table; reads variables of the RTS part.
        unsafe { (self.0.exit_hooked)() }
    }

    /// Do what a command of this number asks for: a store to a variable of the RTS,
    /// which any thread may do at any time. False if this RTS cannot.
    pub(crate) fn command(self, number: u8) -> bool {
        // SAFETY: a function of the table that any thread may call.
        unsafe { (self.0.command)(number) }
    }

    /// The program runs without `+RTS -l`: no event class is on.
    pub(crate) fn logs_nothing(self) -> bool {
        // SAFETY: a function of the table; reads a flag, once the RTS runs.
        self.0.logs_nothing.is_some_and(|ask| unsafe { ask() })
    }

    pub(crate) fn facts(self) -> Result<Facts, OutOfMemory> {
        let mut raw = RawFacts::empty();
        // SAFETY: a function of the table, and room for its answer.
        unsafe { (self.0.facts)(&mut raw) };
        // SAFETY: the pointers are the RTS's own strings, as the header says.
        let mut facts = unsafe { raw.to_owned() }?;
        let mut collected: facts::Collected = Ok(Vec::new());
        let context: *mut facts::Collected = &mut collected;
        // SAFETY: a function of the table, which calls the visitor with this
        // context before it returns.
        unsafe { (self.0.cost_centres)(facts::collect_cost_centre, context.cast()) };
        facts.cost_centres = collected?;
        Ok(facts)
    }
}

/// The status codes of the table.
fn attached(code: std::ffi::c_int) -> Result<()> {
    match code {
        0 => Ok(()),
        1 => Err(Error::RtsNoSupport),
        _ => Err(Error::RtsFail),
    }
}
