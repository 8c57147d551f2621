//! The thread that runs commands and calls handlers.

use std::ffi::c_void;
use std::io;
use std::ptr::{null, null_mut};
use std::sync::OnceLock;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::commands::{Commands, Outcome};
use super::hooks::{self, Moment};
use super::inbox::{Command, INBOX, Next};
use crate::flush_thread;
use crate::instance::Instance;
use crate::rts::{GATE, Rts};
use crate::status::{Error, Result};

/// The thread, if it could be started.
static THREAD: OnceLock<std::result::Result<libc::pthread_t, Error>> = OnceLock::new();

/// The RTS is ready: start the thread, and have the hooks told of the log that has
/// begun. Returns when they were.
pub(crate) fn ready(instance: &'static Instance) -> Result<()> {
    let hooks_here = !super::handlers_have_a_thread();
    if hooks_here {
        INBOX.keep_hooks_elsewhere();
    }
    let started = THREAD.get_or_init(|| spawn(instance));
    if !hooks_here {
        INBOX.await_start();
    } else if let Some(log) = INBOX.take_start() {
        hooks::call(Moment::PostStart, log);
    }
    started.clone().map(|_| ())
}

/// The program exits: tell the hooks that the log ends, as long as the RTS runs.
/// Returns at the deadline, on the monotonic clock, at the latest.
pub(crate) fn finish(deadline: Duration) {
    if !super::handlers_have_a_thread() {
        if let Some(log) = INBOX.take_end() {
            hooks::call(Moment::PreEnd, log);
        }
        return;
    }
    if matches!(THREAD.get(), Some(Ok(_))) {
        INBOX.finish(deadline);
    }
}

/// A handler is calling.
pub(crate) fn is_this_thread() -> bool {
    let Some(Ok(thread)) = THREAD.get() else {
        return false;
    };
    // SAFETY: two threads, one of them this one.
    unsafe { libc::pthread_equal(*thread, libc::pthread_self()) != 0 }
}

/// Why no commands are run, if that is so.
pub(crate) fn status() -> Result<()> {
    match THREAD.get() {
        Some(Err(error)) => Err(error.clone()),
        _ => Ok(()),
    }
}

/// It has the signal mask of the program: the RTS may start a worker from it, which
/// inherits the mask.
fn spawn(instance: &'static Instance) -> Result<libc::pthread_t> {
    let mut thread = std::mem::MaybeUninit::uninit();
    let argument = std::ptr::from_ref(instance).cast_mut().cast();
    INBOX.thread_works(true);
    // SAFETY: room for the thread's id, default attributes, and an argument that
    // lives as long as the process.
    let error = unsafe { libc::pthread_create(thread.as_mut_ptr(), null(), run, argument) };
    if error != 0 {
        INBOX.thread_works(false);
        return Err(io::Error::from_raw_os_error(error).into());
    }
    // SAFETY: initialised by the call above, which succeeded. Nobody joins it.
    unsafe {
        let thread = thread.assume_init();
        libc::pthread_detach(thread);
        Ok(thread)
    }
}

extern "C" fn run(instance: *mut c_void) -> *mut c_void {
    // SAFETY: the instance that `spawn` handed over.
    let instance: &'static Instance = unsafe { &*instance.cast_const().cast::<Instance>() };
    #[cfg(target_os = "linux")]
    // SAFETY: a name of at most 15 bytes that ends in NUL.
    unsafe {
        libc::pthread_setname_np(libc::pthread_self(), c"eventlog-ctl".as_ptr());
    }
    let mut commands = Commands::new(instance, Rts::get());
    let mut command = Command::empty();
    loop {
        match INBOX.next(&mut command) {
            Next::Start(log) => GATE.enter(|| start(instance, log)),
            Next::End(log) => GATE.enter(|| end(log)),
            Next::Command => {
                let open = GATE.enter(|| execute(&mut commands, &command));
                if !open {
                    count(Outcome::Refused);
                }
                open
            }
            Next::Finish => {
                INBOX.thread_works(false);
                return null_mut();
            }
        };
    }
}

fn start(instance: &'static Instance, log: u64) {
    let called = hooks::call(Moment::PostStart, log);
    // What they logged is for this client, and for now.
    if called && instance.connected.load(Ordering::Relaxed) {
        flush_thread::request();
    }
}

fn end(log: u64) {
    let called = hooks::call(Moment::PreEnd, log);
    // The client has gone: what they logged, and what it did not get before, is not
    // for the next one. At the exit the RTS flushes by itself.
    if called && !INBOX.is_finishing() {
        flush_thread::request();
    }
}

fn execute(commands: &mut Commands, command: &Command) {
    count(commands.run(command));
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
