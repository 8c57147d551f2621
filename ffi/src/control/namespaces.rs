//! The commands that the program has registered.

use std::ffi::{CString, c_char, c_void};

use eventlog_control::{BUILTIN_NAMESPACE, RTS_NAMESPACE};

use crate::fork;
use crate::lock::{Held, Lock};
use crate::memory::{OutOfMemory, boxed, c_string};
use crate::renewable::Renewable;
use crate::status::{Error, Result};

/// `EventlogSocketControlCommandHandler`.
pub type CommandHandler = unsafe extern "C" fn(*const Namespace, u8, *const c_void);

/// `EventlogSocketControlNamespace`: what programs hold a pointer to. Never freed.
#[derive(Debug)]
pub struct Namespace {
    name: CString,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Handler {
    pub call: CommandHandler,
    pub data: *const c_void,
}

/// A registered command, to be called without any lock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Registered {
    pub namespace: &'static Namespace,
    pub id: u8,
    pub handler: Handler,
}

#[derive(Debug)]
struct Entry {
    namespace: &'static Namespace,
    /// By number, all 256 of them.
    handlers: Vec<Option<Handler>>,
}

// SAFETY: `data` is only handed back to the handler, on a thread that the caller of
// `register_command` has agreed to.
unsafe impl Send for Handler {}

static NAMESPACES: Renewable<Lock<Vec<Entry>>> = Renewable::new(Lock::new(Vec::new()));

/// In a child, with the locks of its parent.
///
/// # Safety
/// As for [`Renewable::renew`].
pub(crate) unsafe fn renew() {
    // SAFETY: the contract is the same.
    unsafe { NAMESPACES.renew(Lock::new(Vec::new())) };
}

/// All of them. An error in a forked child, where another thread may have held the
/// lock forever.
fn namespaces() -> Result<Held<'static, Vec<Entry>>> {
    if fork::is_inert() {
        return Err(Error::Sys(libc::EOPNOTSUPP));
    }
    Ok(NAMESPACES.lock())
}

/// Names are compared whole.
pub(crate) fn register(name: &[u8]) -> Result<&'static Namespace> {
    if name.is_empty() || !super::threads_may_enter() {
        let error = match name {
            [] => Error::Sys(libc::EINVAL),
            _ => Error::CtlNoSupport,
        };
        return Err(error);
    }
    let name = c_string(name)?.ok_or(Error::Sys(libc::EINVAL))?;
    let mut all = namespaces()?;
    let own = [BUILTIN_NAMESPACE, RTS_NAMESPACE];
    let is_own = own.iter().any(|own| own.as_bytes() == name.as_bytes());
    if is_own || all.iter().any(|entry| entry.namespace.name == name) {
        return Err(Error::CtlExists);
    }
    all.try_reserve(1).map_err(OutOfMemory::from)?;
    let mut handlers = Vec::new();
    handlers.try_reserve_exact(256).map_err(OutOfMemory::from)?;
    handlers.resize(256, None);
    // Nothing can fail from here on.
    let namespace: &'static Namespace = Box::leak(boxed(Namespace { name })?);
    all.push(Entry {
        namespace,
        handlers,
    });
    Ok(namespace)
}

/// The name of what may be a namespace.
pub(crate) fn name(namespace: *const Namespace) -> Option<*const c_char> {
    let all = namespaces().ok()?;
    let found = find(&all, namespace)?;
    Some(all[found].namespace.name.as_ptr())
}

pub(crate) fn register_command(
    namespace: *const Namespace,
    id: u8,
    call: CommandHandler,
    data: *const c_void,
) -> Result<()> {
    let mut all = namespaces()?;
    let found = find(&all, namespace).ok_or(Error::Sys(libc::EINVAL))?;
    let slot = &mut all[found].handlers[usize::from(id)];
    if slot.is_some() {
        return Err(Error::CtlExists);
    }
    *slot = Some(Handler { call, data });
    Ok(())
}

/// A pointer from a program is compared, never followed.
fn find(all: &[Entry], namespace: *const Namespace) -> Option<usize> {
    all.iter()
        .position(|entry| std::ptr::eq(entry.namespace, namespace))
}

pub(crate) fn lookup(name: &[u8], id: u8) -> Option<Registered> {
    let all = namespaces().ok()?;
    let entry = all
        .iter()
        .find(|entry| entry.namespace.name.as_bytes() == name)?;
    Some(Registered {
        namespace: entry.namespace,
        id,
        handler: entry.handlers[usize::from(id)]?,
    })
}
