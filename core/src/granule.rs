//! Payload cells and the circular byte range that a record occupies in them.

use core::fmt;

use crate::GRANULE;
use crate::shim::const_unless_loom;

#[cfg(not(loom))]
use core::cell::UnsafeCell;
#[cfg(loom)]
use loom::cell::UnsafeCell;

/// One unit of payload space: [`GRANULE`] bytes on a cache line of their own.
///
/// Records start on a granule, so two producers never write to the same line.
#[repr(C, align(64))]
pub struct Granule(UnsafeCell<[u8; GRANULE]>);

// SAFETY: nothing outside this crate can look into a granule, and inside it bytes are touched only by the one producer
// that claimed them (I1) or, once that producer has committed, by the one consumer (I3).
unsafe impl Sync for Granule {}

// As with atomics: a panic between two accesses leaves nothing half done, since an unfinished reservation is aborted.
impl core::panic::RefUnwindSafe for Granule {}

impl Granule {
    /// A granule of zero bytes, for array repeat expressions in statics.
    #[cfg(not(loom))]
    #[allow(
        clippy::declare_interior_mutable_const,
        reason = "meant to be copied into an array, as AtomicU64::new(0) would be"
    )]
    pub const ZERO: Self = Self::new();

    const_unless_loom! {
        /// A granule of zero bytes.
        pub fn new() -> Self {
            Self(UnsafeCell::new([0; GRANULE]))
        }
    }
}

impl Default for Granule {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Granule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the bytes: a producer may be writing them right now.
        f.write_str("Granule(..)")
    }
}

/// A run of bytes in the granule array that may continue at its start.
#[derive(Clone, Copy)]
pub(crate) struct Span<'a> {
    granules: &'a [Granule],
    /// Byte offset of the first byte in the array.
    start: usize,
    len: usize,
}

impl<'a> Span<'a> {
    /// `first` is the index of a granule, `len` at most the size of the array.
    pub(crate) fn new(granules: &'a [Granule], first: usize, len: usize) -> Self {
        debug_assert!(first < granules.len() && len <= granules.len() * GRANULE);
        Self {
            granules,
            start: first * GRANULE,
            len,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Where the bytes from `offset` on are: the array offset, and how many of `len` come before the array ends.
    fn locate(&self, offset: usize, len: usize) -> (usize, usize) {
        let size = self.granules.len() * GRANULE;
        let mut at = self.start + offset;
        if at >= size {
            at -= size;
        }
        (at, len.min(size - at))
    }

    /// Copies `bytes` into the run at `offset`.
    ///
    /// # Panics
    /// If they do not fit.
    ///
    /// # Safety
    /// The run was claimed by the caller and is not yet committed (I1).
    #[inline]
    pub(crate) unsafe fn write(&self, offset: usize, bytes: &[u8]) {
        assert!(
            offset <= self.len && bytes.len() <= self.len - offset,
            "write past the end of a reservation"
        );
        let (at, before_wrap) = self.locate(offset, bytes.len());
        // SAFETY: all parts lie inside the array (`locate`) and inside the run, which only the caller may access (I1).
        unsafe {
            if before_wrap == bytes.len() {
                cells::write(self.granules, at, bytes);
            } else {
                let (first, second) = bytes.split_at(before_wrap);
                cells::write(self.granules, at, first);
                cells::write(self.granules, 0, second);
            }
        }
    }

    /// Copies the run from `offset` on into `bytes`.
    ///
    /// # Panics
    /// If the run has fewer bytes.
    ///
    /// # Safety
    /// The run was committed, the caller is the consumer that saw the commit and has not released it (I3).
    #[inline]
    pub(crate) unsafe fn read(&self, offset: usize, bytes: &mut [u8]) {
        assert!(
            offset <= self.len && bytes.len() <= self.len - offset,
            "read past the end of a record"
        );
        let (at, before_wrap) = self.locate(offset, bytes.len());
        let (first, second) = bytes.split_at_mut(before_wrap);
        // SAFETY: both parts lie inside the array (`locate`) and inside the run, which no producer writes to (I3).
        unsafe {
            cells::read(self.granules, at, first);
            if !second.is_empty() {
                cells::read(self.granules, 0, second);
            }
        }
    }

    /// The run in place, in two parts of which the second is empty unless it wraps.
    ///
    /// # Safety
    /// As for [`read`](Self::read), for as long as the slices live.
    #[cfg(not(loom))]
    #[inline]
    pub(crate) unsafe fn slices(&self) -> (&'a [u8], &'a [u8]) {
        let (at, first) = self.locate(0, self.len);
        let base = self.granules.as_ptr().cast::<u8>();
        // SAFETY: both parts lie inside the array (`locate`); no producer writes to them until they are released (I3).
        unsafe {
            (
                core::slice::from_raw_parts(base.add(at), first),
                core::slice::from_raw_parts(base, self.len - first),
            )
        }
    }

    /// The run in place for writing, split like [`slices`](Self::slices).
    ///
    /// # Safety
    /// As for [`write`](Self::write), for as long as the slices live, and no other access through this claim meanwhile.
    #[cfg(not(loom))]
    #[inline]
    pub(crate) unsafe fn slices_mut(self) -> (&'a mut [u8], &'a mut [u8]) {
        let (at, first) = self.locate(0, self.len);
        let base = self.granules.as_ptr().cast::<u8>().cast_mut();
        // SAFETY: the parts are disjoint, lie inside the array (`locate`) and only the caller may access them (I1); the
        // bytes were initialised when the storage was made, and a pointer to the granules may write as they are
        // `UnsafeCell`s.
        unsafe {
            (
                core::slice::from_raw_parts_mut(base.add(at), first),
                core::slice::from_raw_parts_mut(base, self.len - first),
            )
        }
    }
}

#[cfg(not(loom))]
mod cells {
    use super::Granule;
    use crate::GRANULE;

    /// # Safety
    /// `at + bytes.len()` lies inside the array, and nothing else accesses those bytes.
    #[inline]
    pub(super) unsafe fn write(granules: &[Granule], at: usize, bytes: &[u8]) {
        debug_assert!(at + bytes.len() <= granules.len() * GRANULE);
        // SAFETY: in bounds and exclusive as the caller promises; granules are `UnsafeCell`s without padding, so the
        // pointer to the slice may write to every byte of it. `bytes` cannot overlap what is exclusively claimed.
        unsafe {
            let to = granules.as_ptr().cast::<u8>().cast_mut().add(at);
            core::ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len());
        }
    }

    /// # Safety
    /// `at + bytes.len()` lies inside the array, and nothing writes to those bytes.
    #[inline]
    pub(super) unsafe fn read(granules: &[Granule], at: usize, bytes: &mut [u8]) {
        debug_assert!(at + bytes.len() <= granules.len() * GRANULE);
        // SAFETY: in bounds and unwritten as the caller promises; `bytes` is a unique borrow, so it does not overlap.
        unsafe {
            let from = granules.as_ptr().cast::<u8>().add(at);
            core::ptr::copy_nonoverlapping(from, bytes.as_mut_ptr(), bytes.len());
        }
    }
}

/// Loom tracks whole cells, so bytes are copied granule by granule.
#[cfg(loom)]
mod cells {
    use super::Granule;
    use crate::GRANULE;

    /// # Safety
    /// `at + bytes.len()` lies inside the array, and nothing else accesses those granules.
    pub(super) unsafe fn write(granules: &[Granule], mut at: usize, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let within = at % GRANULE;
            let (part, rest) = bytes.split_at(bytes.len().min(GRANULE - within));
            granules[at / GRANULE].0.with_mut(|cell| {
                // SAFETY: exclusive as the caller promises; loom fails the model if it is not.
                unsafe { (&mut *cell)[within..within + part.len()].copy_from_slice(part) }
            });
            at += part.len();
            bytes = rest;
        }
    }

    /// # Safety
    /// `at + bytes.len()` lies inside the array, and nothing writes to those granules.
    pub(super) unsafe fn read(granules: &[Granule], mut at: usize, mut bytes: &mut [u8]) {
        while !bytes.is_empty() {
            let within = at % GRANULE;
            let (part, rest) = bytes.split_at_mut(bytes.len().min(GRANULE - within));
            granules[at / GRANULE].0.with(|cell| {
                // SAFETY: unwritten as the caller promises; loom fails the model if it is not.
                unsafe { part.copy_from_slice(&(&*cell)[within..within + part.len()]) }
            });
            at += part.len();
            bytes = rest;
        }
    }
}
