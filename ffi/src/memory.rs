//! Memory that may not be had.
//!
//! The program may run out of memory at any time, and must not notice that this library does, too: the standard library's
//! own answer is a message on stderr and an abort. So whatever is allocated here is asked for in a way that can fail, and
//! whoever asks says what happens then.
//!
//! `Vec`, `VecDeque`, `HashMap` and `HashSet` have `try_reserve` for that; `Box` has nothing, hence [`boxed`]. A `BTreeMap` cannot fail softly at all, and is not used.

use std::alloc::{Layout, alloc};
use std::collections::TryReserveError;

/// There was no memory for something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OutOfMemory;

impl From<TryReserveError> for OutOfMemory {
    fn from(_: TryReserveError) -> OutOfMemory {
        OutOfMemory
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

/// One more element.
pub(crate) fn push<T>(to: &mut Vec<T>, value: T) -> Result<(), OutOfMemory> {
    to.try_reserve(1)?;
    to.push(value);
    Ok(())
}
