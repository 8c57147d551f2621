//! Threads of the program that are cancelled (`pthread_cancel`) while they are in here.
//!
//! Cancellation acts at any system call and unwinds the stack: what is locked there stays
//! locked, what is half done stays half done. So it is deferred until the call is over.

use crate::system::CANCEL_DISABLE;

/// Call something with cancellation of this thread deferred.
pub(crate) fn put_off<T>(work: impl FnOnce() -> T) -> T {
    use std::ffi::c_int;
    unsafe extern "C" {
        fn pthread_setcancelstate(state: c_int, before: *mut c_int) -> c_int;
    }
    let mut before = 0;
    // SAFETY: of the calling thread; room for its state.
    unsafe { pthread_setcancelstate(CANCEL_DISABLE, &mut before) };
    let done = work();
    // SAFETY: the state that it had. The old value is not asked for.
    unsafe { pthread_setcancelstate(before, std::ptr::null_mut()) };
    done
}
