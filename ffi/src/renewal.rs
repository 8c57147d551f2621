//! A child of `forkProcess` that is to stream by itself.
//!
//! It is inert like every child, and becomes a process like any other when it asks for a start, or for what a start is to
//! find (tuning, hooks, commands): then whatever the library knew in the parent is made anew. A child of a plain fork has no
//! RTS that works, and stays inert.
//!
//! Where the parent had not started (or could not), a child is not inert. What its threads may have had locked is made anew
//! all the same.

use crate::instance::Instance;
use crate::net::listener;
use crate::{
    alone, control, exit, faults, flush_thread, fork, gate, last_problem, lifecycle, recording,
    status,
};

/// Before anything is started, registered or set.
pub(crate) fn renew_if_forked() {
    fork::renew_with(|| {
        // SAFETY: the first call in this process, of which nothing has used any of this but `fork`: whoever uses it calls
        // this first, and waits for its end, or finds no instance. (What could come before is a call that neither starts
        // nor registers anything, on another thread at this very moment: its answer would be the parent's.)
        unsafe {
            last_problem::renew();
            status::renew();
            listener::renew();
            lifecycle::renew();
            recording::renew();
            control::renew();
            flush_thread::renew();
            faults::renew();
        }
        gate::renew();
        exit::renew();
        alone::renew();
        Instance::forget();
    });
}
