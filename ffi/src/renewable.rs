//! State that a child of `forkProcess` makes anew when it starts streaming of its own.
//!
//! It inherits a copy of what its parent had, in which locks may be held by threads that it does not have, and data may be
//! half changed. None of that is used, or even dropped.

use std::cell::UnsafeCell;
use std::ops::Deref;

use crate::fork;
use crate::lock::{Held, Lock};

/// What is kept here for whoever asks. `None` in a forked child that has not made it anew:
/// there another thread may have held the lock forever.
pub(crate) fn unless_forked<T>(kept: &'static Lock<T>) -> Option<Held<'static, T>> {
    (!fork::has_state_of_parent()).then(|| kept.lock())
}

/// A static whose value can be replaced, by who knows that nobody uses it.
#[derive(Debug)]
pub(crate) struct Renewable<T>(UnsafeCell<T>);

// SAFETY: a shared `T` for all threads, but for `renew`, whose caller sees to it that there are no others.
unsafe impl<T: Sync> Sync for Renewable<T> {}

impl<T> Renewable<T> {
    pub(crate) const fn new(value: T) -> Renewable<T> {
        Renewable(UnsafeCell::new(value))
    }

    /// Put `value` in the place of what is there, which is forgotten.
    ///
    /// # Safety
    /// No thread of this process uses what is there, or goes on to use it: those that did were the parent's.
    pub(crate) unsafe fn renew(&self, value: T) {
        // SAFETY: nobody else uses it, by the contract of this function.
        unsafe { self.0.get().write(value) };
    }
}

impl<T> Deref for Renewable<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: replaced only while nobody uses it.
        unsafe { &*self.0.get() }
    }
}
