//! The hooks that the program has registered.

use std::ffi::c_void;

use super::INBOX;
use crate::fork;
use crate::lock::{Held, Lock};
use crate::memory::push;
use crate::renewable::Renewable;
use crate::status::{Error, Result};

/// `EventlogSocketHookHandler`.
pub type HookHandler = unsafe extern "C" fn(*const c_void);

/// `EventlogSocketHook`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    PostStart,
    PreEnd,
}

#[derive(Debug)]
struct Hook {
    moment: Moment,
    handler: HookHandler,
    data: *const c_void,
    /// The log it was called for last.
    told: u64,
    /// It was there when a log began, or while one ran: told of both moments of a log,
    /// or of none.
    known: bool,
}

// SAFETY: `data` is only handed back to the handler, on a thread that the caller of
// `register` has agreed to.
unsafe impl Send for Hook {}

static HOOKS: Renewable<Lock<Vec<Hook>>> = Renewable::new(Lock::new(Vec::new()));

/// In a child, with the locks of its parent.
///
/// # Safety
/// As for [`Renewable::renew`].
pub(crate) unsafe fn renew() {
    // SAFETY: the contract is the same.
    unsafe { HOOKS.renew(Lock::new(Vec::new())) };
}

fn hooks() -> Held<'static, Vec<Hook>> {
    HOOKS.lock()
}

pub(crate) fn register(moment: Moment, handler: HookHandler, data: *const c_void) -> Result<()> {
    // Before the lock, which another thread may have held when this process was
    // forked.
    if fork::is_inert() {
        return Err(Error::Sys(libc::EOPNOTSUPP));
    }
    let hook = Hook {
        moment,
        handler,
        data,
        told: 0,
        known: false,
    };
    push(&mut hooks(), hook)?;
    INBOX.hook_registered();
    Ok(())
}

/// All that were registered so far have seen the log begin, as far as there was anybody
/// to tell them.
pub(crate) fn admit_all() {
    hooks().iter_mut().for_each(|hook| hook.known = true);
}

/// The first of those of `moment` that were not called for this log, in the order of their
/// registration, also of those that were registered since the last one. It counts as called.
pub(crate) fn next(moment: Moment, log: u64) -> Option<(HookHandler, *const c_void)> {
    let mut hooks = hooks();
    let ends = moment == Moment::PreEnd;
    let due = |hook: &&mut Hook| hook.moment == moment && hook.told < log && (hook.known || !ends);
    let Some(hook) = hooks.iter_mut().find(due) else {
        if !ends {
            hooks.iter_mut().for_each(|hook| hook.known = true);
        }
        return None;
    };
    hook.told = log;
    Some((hook.handler, hook.data))
}

/// Call them all, on a thread of the program.
pub(crate) fn call(moment: Moment, log: u64) {
    while let Some((handler, data)) = next(moment, log) {
        // SAFETY: a handler and its data, valid for as long as the process lives, by
        // the contract of `eventlog_socket_register_hook`.
        unsafe { handler(data) };
    }
}
