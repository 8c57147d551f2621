//! The memory of a ring, borrowed from the caller.

use core::fmt;

use crate::GRANULE;
use crate::granule::{Granule, Span};
use crate::layout::{HeaderWord, Position, header_index};
use crate::shim::Ordering;

/// Why memory cannot hold a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StorageError {
    /// The capacity is not a power of two.
    NotPowerOfTwo,
    /// There are fewer than two granules.
    TooSmall,
    /// The numbers of headers and granules differ.
    LengthMismatch,
    /// The region does not start on a granule boundary.
    Misaligned,
    /// Headers and granules together would exceed the address space.
    TooLarge,
}

impl fmt::Display for StorageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotPowerOfTwo => "the capacity of a ring must be a power of two",
            Self::TooSmall => "a ring needs at least two granules",
            Self::LengthMismatch => "a ring needs as many headers as granules",
            Self::Misaligned => "the region of a ring must start at a multiple of 64 bytes",
            Self::TooLarge => "the capacity of a ring must leave room for its headers",
        })
    }
}

impl core::error::Error for StorageError {}

/// Headers and granules of one ring.
pub struct Storage<'a> {
    headers: &'a [HeaderWord],
    granules: &'a [Granule],
}

impl<'a> Storage<'a> {
    /// A ring in two slices of the same length, a power of two of at least two. The headers are cleared.
    ///
    /// # Errors
    /// [`StorageError`] says what is wrong with the lengths.
    ///
    /// # Examples
    /// ```
    /// use eventlog_ring::{Granule, HeaderWord, Storage};
    ///
    /// let mut headers = [HeaderWord::ZERO; 8];
    /// let mut granules = [Granule::ZERO; 8];
    /// assert!(Storage::new(&mut headers, &mut granules).is_ok());
    /// ```
    pub fn new(
        headers: &'a mut [HeaderWord],
        granules: &'a mut [Granule],
    ) -> Result<Self, StorageError> {
        if headers.len() != granules.len() {
            return Err(StorageError::LengthMismatch);
        }
        check_granules(granules.len())?;
        for header in &mut *headers {
            // Relaxed: the borrow is unique, and sharing the ring with a thread later orders this before it (I2).
            header.0.store(0, Ordering::Relaxed);
        }
        Ok(Self { headers, granules })
    }

    /// Bytes that [`from_region`](Self::from_region) needs for `capacity` bytes of records: the granules at offset 0, an
    /// eighth of that for the headers behind them. From 32 KiB of capacity on, both are whole 4 KiB pages.
    ///
    /// `usize::MAX`, which no allocator can provide, if the sum overflows.
    pub const fn region_size(capacity: usize) -> usize {
        let headers = (capacity / GRANULE).saturating_mul(size_of::<HeaderWord>());
        capacity.saturating_add(headers)
    }

    /// A ring in one region of memory, as a mapping provides it. Touches none of it.
    ///
    /// # Errors
    /// [`StorageError`] if `capacity` is not a power of two of at least 128, or the region is not aligned.
    ///
    /// # Safety
    /// For all of `'a` the region must be valid for reads and writes of [`region_size(capacity)`](Self::region_size)
    /// bytes and belong to this storage alone. It must be zeroed.
    #[cfg(not(loom))]
    pub unsafe fn from_region(
        region: core::ptr::NonNull<u8>,
        capacity: usize,
    ) -> Result<Storage<'a>, StorageError> {
        if !capacity.is_power_of_two() {
            return Err(StorageError::NotPowerOfTwo);
        }
        let count = capacity / GRANULE;
        check_granules(count)?;
        if Self::region_size(capacity) > isize::MAX as usize {
            return Err(StorageError::TooLarge);
        }
        if !region.cast::<Granule>().is_aligned() {
            return Err(StorageError::Misaligned);
        }
        // SAFETY: the caller guarantees validity, exclusive use and zeroes, which are valid granules and free headers
        // (I2); the alignment was checked, and the headers start at a multiple of 64 from an aligned start.
        unsafe {
            let granules = core::slice::from_raw_parts(region.as_ptr().cast(), count);
            let headers = core::slice::from_raw_parts(region.as_ptr().add(capacity).cast(), count);
            Ok(Storage { headers, granules })
        }
    }

    /// Capacity in granules.
    #[inline]
    pub(crate) fn granules(&self) -> u64 {
        self.granules.len() as u64
    }

    /// Index of the granule at a position.
    #[inline]
    fn index(&self, position: Position) -> usize {
        // The length is a power of two.
        position as usize & (self.granules.len() - 1)
    }

    /// Header of the granule at a position.
    #[inline]
    pub(crate) fn header(&self, position: Position) -> &'a HeaderWord {
        let index = header_index(self.index(position), self.granules.len());
        debug_assert!(index < self.headers.len());
        // SAFETY: the permutation maps granule indices to granule indices, and there are as many headers.
        unsafe { self.headers.get_unchecked(index) }
    }

    /// `len` bytes from the granule at a position on.
    #[inline]
    pub(crate) fn span(&self, position: Position, len: usize) -> Span<'a> {
        Span::new(self.granules, self.index(position), len)
    }
}

fn check_granules(count: usize) -> Result<(), StorageError> {
    if count < 2 {
        Err(StorageError::TooSmall)
    } else if !count.is_power_of_two() {
        Err(StorageError::NotPowerOfTwo)
    } else {
        Ok(())
    }
}

impl fmt::Debug for Storage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Storage")
            .field("granules", &self.granules.len())
            .finish_non_exhaustive()
    }
}
