//! Commands of clients, and handlers of the program.
//!
//! ```text
//!  client --> socket --> poll thread: parser --> [ waiting: 64 KiB ] --> control thread
//!                             |                                            |  the RTS
//!                             +--- logs that begin and end ----------------+  handlers
//! ```
//!
//! * `inbox`: what the poll thread leaves for the control thread, and never waits
//!   for.
//! * `thread`: takes it from there, one thing at a time, in order: ends and starts
//!   of logs, for the hooks, before commands.
//! * `commands`: what a command does.
//! * `hooks`, `namespaces`: what the program has registered, at any time, from any
//!   thread, also from within a handler: none of their locks is held during a call.
//!
//! The poll thread parses, because it reads the socket, and it always does: what
//! it has no room for is dropped and counted, so that a close never resets what
//! the client has not read yet. Who may send commands is decided when a client is
//! accepted (`net::peer`).
//!
//! The control thread is not the one that flushes: a handler that sleeps keeps
//! neither the stream nor the flushes waiting, only other commands.
//!
//! * `call`: handlers are called by a loop in C (`eventlog_socket_rts.c`), which asks for the
//!   next one: when the RTS exits while a handler is inside it, the RTS ends the thread with
//!   `pthread_exit`, and there is no frame of Rust on it at that moment.

pub(crate) mod call;
mod commands;
pub(crate) mod delegate;
pub(crate) mod hooks;
mod inbox;
pub(crate) mod namespaces;
mod thread;

pub(crate) use delegate::DELEGATE;
pub(crate) use inbox::INBOX;
pub(crate) use thread::{ControlThread, finish, finish_without_rts_exit, ready, status};

use crate::fork;
use crate::rts::Rts;
use crate::session::Said;

/// In a child, with the locks of its parent, and without its threads and handlers.
///
/// # Safety
/// As for [`crate::renewable::Renewable::renew`].
pub(crate) unsafe fn renew() {
    // SAFETY: the contract is the same.
    unsafe {
        inbox::renew();
        delegate::renew();
        hooks::renew();
        namespaces::renew();
        thread::renew();
    }
}

/// Take what a client said.
pub(crate) fn hear(said: Said<'_>) {
    match said {
        Said::Command(item, may) => INBOX.receive(item, may),
        Said::Garbage(bytes) => INBOX.count_garbage(bytes),
    }
}

/// Threads that the RTS does not know can enter it only if it is `-threaded`. Without
/// an RTS there is nothing to enter.
fn threads_may_enter() -> bool {
    Rts::get().is_none_or(Rts::is_threaded)
}

/// Handlers may run on the control thread. That needs an RTS that tells its exit, too:
/// a handler that enters it while it shuts down takes the program down.
fn control_thread_may_enter() -> bool {
    threads_may_enter() && Rts::get().is_none_or(Rts::tells_its_exit)
}

/// The control thread has them called, by itself or by a thread of the program's.
fn handlers_have_a_thread() -> bool {
    control_thread_may_enter() || DELEGATE.is_expected()
}

/// A thread of the program's is needed, and can be: it will come with
/// [`DELEGATE`]`.next()`.
pub(crate) fn expect_delegate() -> bool {
    let needed = !fork::is_inert() && threads_may_enter() && !control_thread_may_enter();
    if needed {
        DELEGATE.expect();
        INBOX.keep_hooks_elsewhere(false);
    }
    needed
}
