//! Allocation that can fail.
//!
//! The program may run out of memory at any time, and must not notice that this library does, too: the standard library's
//! own answer is a message on stderr and an abort. So whatever is allocated here is asked for in a way that can fail, and
//! whoever asks says what happens then.
//!
//! `Vec`, `VecDeque`, `HashMap` and `HashSet` have `try_reserve` for that; `Box` and `Arc` have nothing, hence [`boxed`] and
//! [`Shared`]. A `BTreeMap` cannot fail softly at all, and is not used.

use std::alloc::{Layout, alloc};
use std::collections::TryReserveError;
use std::ffi::{CString, OsString};
use std::fmt;
use std::io;
use std::ops::Deref;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering, fence};

/// There was no memory for something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OutOfMemory;

impl From<TryReserveError> for OutOfMemory {
    fn from(_: TryReserveError) -> OutOfMemory {
        OutOfMemory
    }
}

impl From<OutOfMemory> for io::Error {
    fn from(_: OutOfMemory) -> io::Error {
        io::Error::from_raw_os_error(libc::ENOMEM)
    }
}

/// A box, if there is memory for one; else the value is dropped.
pub(crate) fn boxed<T>(value: T) -> Result<Box<T>, OutOfMemory> {
    const { assert!(size_of::<T>() > 0, "nothing to allocate") };
    // SAFETY: a layout of a size other than zero, as was just asserted.
    let place = unsafe { alloc(Layout::new::<T>()) }.cast::<T>();
    if place.is_null() {
        return Err(OutOfMemory);
    }
    // SAFETY: fresh memory of the layout of a `T`, from the allocator that boxes use; initialised before the box is made.
    unsafe {
        place.write(value);
        Ok(Box::from_raw(place))
    }
}

/// A copy of these bytes.
pub(crate) fn copied(bytes: &[u8]) -> Result<Vec<u8>, OutOfMemory> {
    let mut copy = Vec::new();
    append(&mut copy, bytes)?;
    Ok(copy)
}

/// All of these bytes or none of them, behind what is there.
pub(crate) fn append(to: &mut Vec<u8>, bytes: &[u8]) -> Result<(), OutOfMemory> {
    to.try_reserve(bytes.len())?;
    to.extend_from_slice(bytes);
    Ok(())
}

/// A copy of this path.
pub(crate) fn copied_path(path: &Path) -> Result<PathBuf, OutOfMemory> {
    let bytes = copied(path.as_os_str().as_bytes())?;
    Ok(PathBuf::from(OsString::from_vec(bytes)))
}

/// One more element.
pub(crate) fn push<T>(to: &mut Vec<T>, value: T) -> Result<(), OutOfMemory> {
    to.try_reserve(1)?;
    to.push(value);
    Ok(())
}

/// A string that ends in NUL, for C; `None` if it has one inside.
pub(crate) fn c_string(bytes: &[u8]) -> Result<Option<CString>, OutOfMemory> {
    if bytes.contains(&0) {
        return Ok(None);
    }
    let mut string = Vec::new();
    string.try_reserve_exact(bytes.len() + 1)?;
    string.extend_from_slice(bytes);
    // SAFETY: no NUL inside, as was just seen. It is appended here, for which there is room.
    Ok(Some(unsafe { CString::from_vec_unchecked(string) }))
}

/// A value with several owners, on any thread: an `Arc` whose making can fail.
pub(crate) struct Shared<T>(NonNull<Owned<T>>);

struct Owned<T> {
    owners: AtomicUsize,
    value: T,
}

// SAFETY: any owner may read the value, on its thread, and the last one drops it, on its own.
unsafe impl<T: Send + Sync> Send for Shared<T> {}
// SAFETY: as above; a reference gives a thread no more than an owner has.
unsafe impl<T: Send + Sync> Sync for Shared<T> {}

impl<T> Shared<T> {
    pub(crate) fn new(value: T) -> Result<Shared<T>, OutOfMemory> {
        let owners = AtomicUsize::new(1);
        let owned = boxed(Owned { owners, value })?;
        Ok(Shared(NonNull::from(Box::leak(owned))))
    }

    /// To be changed, as long as there is no other owner.
    pub(crate) fn get_mut(&mut self) -> Option<&mut T> {
        // Acquire: pairs with the Release of an owner that has gone; what it read was read before this is changed.
        let alone = self.owned().owners.load(Ordering::Acquire) == 1;
        if !alone {
            return None;
        }
        // SAFETY: the only owner is borrowed mutably, and a clone could only be made of it.
        Some(unsafe { &mut self.0.as_mut().value })
    }

    fn owned(&self) -> &Owned<T> {
        // SAFETY: freed by the last owner only, and this is one.
        unsafe { self.0.as_ref() }
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Shared<T> {
        // Relaxed: the one who clones keeps the value alive. It cannot overflow: each owner takes more bytes than the count
        // has values.
        self.owned().owners.fetch_add(1, Ordering::Relaxed);
        Shared(self.0)
    }
}

impl<T> Drop for Shared<T> {
    fn drop(&mut self) {
        // Release: pairs with the fence below, in the thread of the last owner.
        if self.owned().owners.fetch_sub(1, Ordering::Release) != 1 {
            return;
        }
        // Acquire: pairs with the Release of all other owners; what they read was read before this frees it.
        fence(Ordering::Acquire);
        // SAFETY: made from a box, and nobody else has it any more.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.owned().value
    }
}

impl<T: fmt::Debug> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.deref().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_owner_drops_the_value() {
        struct Tells<'a>(&'a AtomicUsize);
        impl Drop for Tells<'_> {
            fn drop(&mut self) {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
        let drops = AtomicUsize::new(0);
        let one = Shared::new(Tells(&drops)).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                let other = one.clone();
                scope.spawn(move || drop(other));
            }
        });
        assert_eq!(drops.load(Ordering::Relaxed), 0);
        drop(one);
        assert_eq!(drops.load(Ordering::Relaxed), 1);
    }
}
