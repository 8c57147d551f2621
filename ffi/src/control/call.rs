//! Calls of handlers, as the control thread makes them.
//!
//! When the RTS exits while a handler is inside it, the RTS ends the thread with
//! `pthread_exit`, which must not pass through a frame of Rust. So these calls are made by a
//! loop in C, of the RTS part; without an RTS nobody ends the thread, and the loop is here.

use std::ffi::c_void;
use std::ptr::null;

use super::hooks::HookHandler;
use super::namespaces::{CommandHandler, Registered};

/// `EventlogSocketRtsCall`: a handler, and what it is called with. A hook has neither
/// namespace nor number.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Call {
    handler: *const c_void,
    data: *const c_void,
    namespace: *const c_void,
    id: u8,
}

// SAFETY: the pointers are only handed to the handler's caller, on a thread that those
// who registered it have agreed to.
unsafe impl Send for Call {}

impl Call {
    pub(super) fn of_hook(handler: HookHandler, data: *const c_void) -> Call {
        Call {
            handler: handler as *const c_void,
            data,
            namespace: null(),
            id: 0,
        }
    }

    pub(super) fn of_command(command: &Registered) -> Call {
        Call {
            handler: command.handler.call as *const c_void,
            data: command.handler.data,
            namespace: std::ptr::from_ref(command.namespace).cast(),
            id: command.id,
        }
    }

    /// Make it, in a program without an RTS.
    pub(super) fn make(&self) {
        if self.namespace.is_null() {
            // SAFETY: made of a handler of this type.
            let hook = unsafe { std::mem::transmute::<*const c_void, HookHandler>(self.handler) };
            // SAFETY: a handler and its data, valid for as long as the process lives, by
            // the contract of `eventlog_socket_register_hook`.
            unsafe { hook(self.data) };
        } else {
            // SAFETY: as above.
            let command =
                unsafe { std::mem::transmute::<*const c_void, CommandHandler>(self.handler) };
            // SAFETY: the same, of `eventlog_socket_control_register_command`.
            unsafe { command(self.namespace.cast(), self.id, self.data) };
        }
    }
}
