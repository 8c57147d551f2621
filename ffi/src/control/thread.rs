//! The thread that runs commands and calls handlers.

use std::cell::Cell;
use std::ffi::c_void;
use std::ptr::null_mut;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};
use std::time::Duration;

use super::call::Call;
use super::commands::{Commands, Outcome};
use super::delegate::DELEGATE;
use super::hooks::{self, Moment};
use super::inbox::{Command, INBOX, Next};
use super::namespaces::Registered;
use crate::clock::{self, monotonic};
use crate::gate::HANDLERS;
use crate::instance::Instance;
use crate::memory::boxed;
use crate::renewable::Renewable;
use crate::rts::Rts;
use crate::status::{Error, Result};
use crate::threads::{self, Signals};
use crate::{alone, flush_thread, fork};

/// Whether the thread could be started.
static STARTED: Renewable<OnceLock<Result<()>>> = Renewable::new(OnceLock::new());

/// The state of the thread. Never read: a leak checker finds here what nothing else points to
/// when the thread has ended. `used`, or the optimiser takes out what is only written.
#[used]
static STATE: AtomicPtr<ControlThread> = AtomicPtr::new(null_mut());

/// In a child, which has not the threads of its parent.
///
/// # Safety
/// As for [`Renewable::renew`].
pub(crate) unsafe fn renew() {
    // In a handler the parent may have forked.
    IS_CONTROL.set(false);
    // SAFETY: the contract is the same.
    unsafe { STARTED.renew(OnceLock::new()) };
}

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
    // Without memory now there may be some when a command comes.
    let _ = INBOX.make_room();
    INBOX.thread_works(true);
    let signals = if super::threads_may_enter() {
        Signals::Inherited
    } else {
        // Signals interrupt the one thread of the RTS, not this one.
        Signals::Blocked
    };
    let rts = Rts::get();
    // In C where there is an RTS: see `call`.
    let run = rts.and_then(Rts::call_handlers).unwrap_or(run);
    let state = boxed(ControlThread::new(instance, rts)).map_err(Error::from);
    // The state is the thread's, for as long as the process lives.
    let started = state.map(Box::into_raw).and_then(|state| {
        // Relaxed: see there.
        STATE.store(state, Ordering::Relaxed);
        threads::start(signals, run, state.cast()).inspect_err(|_| {
            STATE.store(null_mut(), Ordering::Relaxed);
            // SAFETY: from a box, and no thread has it.
            drop(unsafe { Box::from_raw(state) });
        })
    });
    started.inspect_err(|_| INBOX.thread_works(false))
}

/// What the thread has to do, and is at. It lives as long as the process, and owns nothing:
/// the thread may end in any handler.
#[derive(Debug)]
pub struct ControlThread {
    commands: Commands,
    command: Command,
    meter: Meter,
    /// It has been asked for a call.
    runs: bool,
    under_way: UnderWay,
}

/// The calls that were handed out last.
#[derive(Clone, Copy, Debug)]
enum UnderWay {
    Nothing,
    /// Hooks are told of this moment of this log; some of them were.
    Hooks {
        moment: Moment,
        log: u64,
        called: bool,
    },
    /// A command's handler.
    Command {
        command: Registered,
        called: bool,
    },
}

extern "C" fn run(thread: *mut c_void) -> *mut c_void {
    // SAFETY: the state that `spawn` handed over to this thread alone.
    let thread = unsafe { &mut *thread.cast::<ControlThread>() };
    while let Some(call) = thread.next_call() {
        call.make();
    }
    null_mut()
}

impl ControlThread {
    fn new(instance: &'static Instance, rts: Option<Rts>) -> ControlThread {
        ControlThread {
            commands: Commands::new(instance, rts),
            command: Command::empty(),
            meter: Meter::default(),
            runs: false,
            under_way: UnderWay::Nothing,
        }
    }

    /// The next handler to be called, waiting for it; the one before has returned. `None`:
    /// the thread is to end.
    pub(crate) fn next_call(&mut self) -> Option<Call> {
        if !std::mem::replace(&mut self.runs, true) {
            begin_thread();
        }
        loop {
            // A handler has forked, and returned in the child: there is nothing to do there.
            if fork::is_inert() {
                return None;
            }
            if let Some(call) = self.go_on() {
                if !DELEGATE.is_expected() {
                    return Some(call);
                }
                DELEGATE.call(call);
                continue;
            }
            match INBOX.next(&mut self.command) {
                Next::Start(log) => self.tell_hooks(Moment::PostStart, log),
                Next::End(log) => self.tell_hooks(Moment::PreEnd, log),
                Next::Command => self.execute(),
                Next::Finish => {
                    INBOX.thread_works(false);
                    return None;
                }
            }
        }
    }

    fn tell_hooks(&mut self, moment: Moment, log: u64) {
        if HANDLERS.try_enter() {
            self.under_way = UnderWay::Hooks {
                moment,
                log,
                called: false,
            };
        }
    }

    /// The next of the calls that are under way, or what comes after them.
    fn go_on(&mut self) -> Option<Call> {
        match &mut self.under_way {
            UnderWay::Nothing => return None,
            UnderWay::Hooks {
                moment,
                log,
                called,
            } => {
                if let Some((handler, data)) = hooks::next(*moment, *log) {
                    *called = true;
                    return Some(Call::of_hook(handler, data));
                }
                HANDLERS.leave();
                // At a start what they logged is for this client, and for now. At an end it
                // has gone: what they logged, and what it did not get before, is not for the
                // next one; at the exit the RTS flushes by itself.
                let starts = *moment == Moment::PostStart;
                if *called && (starts || !INBOX.is_finishing()) {
                    flush_thread::request();
                }
            }
            UnderWay::Command { command, called } => {
                if !std::mem::replace(called, true) {
                    return Some(Call::of_command(command));
                }
                HANDLERS.leave();
                count(&INBOX.counters.run);
                self.meter.after(&self.command);
            }
        }
        self.under_way = UnderWay::Nothing;
        None
    }

    /// Run the command, but for a handler of the program, which is to be called.
    fn execute(&mut self) {
        let counters = &INBOX.counters;
        match self.commands.run(&self.command) {
            Outcome::Run => count(&counters.run),
            Outcome::Unknown => count(&counters.unknown),
            Outcome::Handler(command) if HANDLERS.try_enter() => {
                self.under_way = UnderWay::Command {
                    command,
                    called: false,
                };
                return;
            }
            Outcome::Refused | Outcome::Handler(_) => count(&counters.refused),
        }
        self.meter.after(&self.command);
    }
}

/// On the thread, before anything else.
fn begin_thread() {
    alone::join_ours();
    threads::name_this(c"eventlog-ctl");
    IS_CONTROL.set(true);
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

fn count(counter: &AtomicU64) {
    // Relaxed: a statistic.
    counter.fetch_add(1, Ordering::Relaxed);
}
