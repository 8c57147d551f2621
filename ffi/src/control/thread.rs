//! The thread that runs commands and calls handlers.

use std::cell::Cell;
use std::ffi::c_void;
use std::ptr::null_mut;
use std::sync::OnceLock;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::commands::{Commands, Outcome};
use super::hooks::{self, Moment};
use super::inbox::{Command, INBOX, Next};
use crate::clock::{self, monotonic};
use crate::gate::HANDLERS;
use crate::instance::Instance;
use crate::rts::Rts;
use crate::status::Result;
use crate::threads::{self, Signals};
use crate::{alone, flush_thread, fork};

/// Whether the thread could be started.
static STARTED: OnceLock<Result<()>> = OnceLock::new();

thread_local! {
    /// This is the one.
    static IS_CONTROL: Cell<bool> = const { Cell::new(false) };
}

/// What the exit waits for handlers: one that takes longer is given up.
const PATIENCE: Duration = Duration::from_secs(2);

/// The RTS is ready: start the thread, and have the hooks told of the log that has
/// begun. Returns when they were. If the thread cannot be started, `status` says so.
pub(crate) fn ready(instance: &'static Instance) {
    let hooks_here = !super::handlers_have_a_thread();
    if hooks_here {
        INBOX.keep_hooks_elsewhere(true);
    }
    STARTED.get_or_init(|| spawn(instance));
    if !hooks_here {
        INBOX.await_start();
    } else if let Some(log) = INBOX.take_start() {
        hooks::call(Moment::PostStart, log);
    }
}

/// The program exits, and the RTS still runs: tell the hooks that the log ends, and
/// call no handler after that.
pub(crate) fn finish() {
    let deadline = monotonic() + PATIENCE;
    if IS_CONTROL.get() || !super::handlers_have_a_thread() {
        // A handler exits, which cannot wait for itself; or hooks are called here.
        if let Some(log) = INBOX.take_end() {
            hooks::admit_all();
            hooks::call(Moment::PreEnd, log);
        }
        HANDLERS.close(Duration::ZERO);
        return;
    }
    INBOX.finish(deadline);
    HANDLERS.close(deadline);
}

/// The process exits, by whatever thread, and the RTS is not told.
pub(crate) fn finish_without_rts_exit() {
    // Elsewhere no handler may be called on just any thread.
    if super::control_thread_may_enter() {
        finish();
    }
}

/// Why no commands are run, if that is so: the thread could not be started, or was not, as
/// the RTS could not be attached to.
pub(crate) fn status() -> Result<()> {
    let readied = || Instance::get()?.readied.get().cloned();
    STARTED.get().cloned().or_else(readied).unwrap_or(Ok(()))
}

fn spawn(instance: &'static Instance) -> Result<()> {
    INBOX.thread_works(true);
    let signals = if super::threads_may_enter() {
        Signals::Inherited
    } else {
        // Signals interrupt the one thread of the RTS, nobody else.
        Signals::Blocked
    };
    let argument = std::ptr::from_ref(instance).cast_mut().cast();
    threads::start(signals, run, argument).inspect_err(|_| INBOX.thread_works(false))
}

extern "C" fn run(instance: *mut c_void) -> *mut c_void {
    alone::join_ours();
    threads::name_this(c"eventlog-ctl");
    IS_CONTROL.set(true);
    // SAFETY: the instance that `spawn` handed over.
    let instance: &'static Instance = unsafe { &*instance.cast_const().cast::<Instance>() };
    let mut commands = Commands::new(instance, Rts::get());
    let mut command = Command::empty();
    let mut meter = Meter::default();
    loop {
        match INBOX.next(&mut command) {
            Next::Start(log) => start(log),
            Next::End(log) => end(log),
            Next::Command => {
                execute(&mut commands, &command);
                meter.after(&command);
            }
            Next::Finish => {
                INBOX.thread_works(false);
                return null_mut();
            }
        }
        // A handler has forked, and returned in the child: there is nothing to do there.
        if fork::is_inert() {
            return null_mut();
        }
    }
}

fn start(log: u64) {
    let mut called = false;
    HANDLERS.enter(|| called = hooks::call(Moment::PostStart, log));
    // What they logged is for this client, and for now.
    if called {
        flush_thread::request();
    }
}

fn end(log: u64) {
    let mut called = false;
    HANDLERS.enter(|| called = hooks::call(Moment::PreEnd, log));
    // The client has gone: what they logged, and what it did not get before, is not
    // for the next one. At the exit the RTS flushes by itself.
    if called && !INBOX.is_finishing() {
        flush_thread::request();
    }
}

fn execute(commands: &mut Commands, command: &Command) {
    count(commands.run(command));
}

/// The processor time that crowds of commands take, with all that is around them.
#[derive(Debug, Default)]
struct Meter {
    last: Option<Duration>,
}

impl Meter {
    fn after(&mut self, command: &Command) {
        if !command.crowded {
            self.last = None;
            return;
        }
        let now = clock::of_this_thread();
        if let Some(last) = self.last.replace(now) {
            INBOX.spend(now.saturating_sub(last));
        }
    }
}

fn count(outcome: Outcome) {
    let counters = &INBOX.counters;
    let counter = match outcome {
        Outcome::Run => &counters.run,
        Outcome::Unknown => &counters.unknown,
        Outcome::Refused => &counters.refused,
    };
    // Relaxed: a statistic.
    counter.fetch_add(1, Ordering::Relaxed);
}
