//! The atomics and cells that the ring is built from: the standard ones, or loom's.
//!
//! Everything else in this crate takes its atomics, its fence and its granule cells from here, so that the code that
//! ships is the code that the models explore. Two things differ between the two builds and only here: constructors are
//! `const` when loom is absent, and bytes are moved by one `memcpy` per contiguous run instead of granule by granule.

#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

#[cfg(not(loom))]
pub(crate) use core::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

/// Spins briefly after a lost race. Not in a model: loom would treat it as a yield.
#[inline]
pub(crate) fn pause() {
    #[cfg(not(loom))]
    core::hint::spin_loop();
}

/// Declares a constructor that is `const` except under loom, whose atomics register themselves at run time.
macro_rules! const_unless_loom {
    ($(#[$meta:meta])* $vis:vis fn $name:ident($($arg:ident: $ty:ty),*) -> $ret:ty $body:block) => {
        #[cfg(not(loom))]
        $(#[$meta])*
        $vis const fn $name($($arg: $ty),*) -> $ret $body

        #[cfg(loom)]
        $(#[$meta])*
        $vis fn $name($($arg: $ty),*) -> $ret $body
    };
}
pub(crate) use const_unless_loom;
