//! Memory that can hold a ring, and memory that cannot.
#![cfg(not(loom))]

mod common;

use common::{drain, pattern};
use eventlog_ring::{Granule, HeaderWord, Ring, Storage, StorageError};
use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::ptr::NonNull;

fn slices(headers: usize, granules: usize) -> Result<(), StorageError> {
    let mut headers: Vec<_> = (0..headers).map(|_| HeaderWord::new()).collect();
    let mut granules: Vec<_> = (0..granules).map(|_| Granule::new()).collect();
    Storage::new(&mut headers, &mut granules).map(drop)
}

#[test]
fn lengths_are_checked() {
    assert_eq!(slices(0, 0), Err(StorageError::TooSmall));
    assert_eq!(slices(1, 1), Err(StorageError::TooSmall));
    assert_eq!(slices(3, 3), Err(StorageError::NotPowerOfTwo));
    assert_eq!(slices(4, 8), Err(StorageError::LengthMismatch));
    assert_eq!(slices(2, 2), Ok(()));
}

#[test]
fn used_storage_starts_empty() {
    let mut headers = [HeaderWord::ZERO; 4];
    let mut granules = [Granule::ZERO; 4];
    let mut ring = Ring::new(Storage::new(&mut headers, &mut granules).unwrap());
    let (producer, _) = ring.mpsc();
    producer.push(b"left").unwrap();
    let mut ring = Ring::new(Storage::new(&mut headers, &mut granules).unwrap());
    let (_, consumer) = ring.mpsc();
    assert!(consumer.is_empty() && consumer.is_idle());
}

/// A zeroed allocation.
struct Region {
    start: NonNull<u8>,
    layout: Layout,
}

impl Region {
    fn new(size: usize, align: usize) -> Self {
        let layout = Layout::from_size_align(size, align).unwrap();
        // SAFETY: the size is not zero.
        let start = NonNull::new(unsafe { alloc_zeroed(layout) }).unwrap();
        Self { start, layout }
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout.
        unsafe { dealloc(self.start.as_ptr(), self.layout) };
    }
}

#[test]
fn a_region_makes_a_ring() {
    for capacity in if cfg!(miri) {
        [128, 256, 1024]
    } else {
        [128, 4096, 1 << 16]
    } {
        let size = Storage::region_size(capacity);
        assert_eq!(size, capacity / 8 * 9);
        let region = Region::new(size, 64);
        // SAFETY: zeroed, of the right size, and ours until the end of the block.
        let storage = unsafe { Storage::from_region(region.start, capacity) }.unwrap();
        let mut ring = Ring::new(storage);
        assert_eq!(ring.capacity(), capacity);
        let (producer, mut consumer) = ring.mpsc();
        for lap in 0..3 {
            let chunk = pattern(lap, capacity);
            producer.push(&chunk).unwrap();
            assert_eq!(drain(&mut consumer), [chunk]);
            for _ in 0..capacity / 64 {
                producer.push(b"x").unwrap();
            }
            assert_eq!(drain(&mut consumer).len(), capacity / 64);
            producer.push(b"shift the next lap").unwrap();
            drain(&mut consumer);
        }
    }
}

#[test]
fn a_region_is_checked() {
    let region = Region::new(Storage::region_size(256), 128);
    // SAFETY: the region is large enough for every capacity that is accepted, and none is used.
    let attempt = |offset: usize, capacity: usize| unsafe {
        Storage::from_region(region.start.add(offset), capacity)
            .map(drop)
            .unwrap_err()
    };
    assert_eq!(attempt(0, 0), StorageError::NotPowerOfTwo);
    assert_eq!(attempt(0, 192), StorageError::NotPowerOfTwo);
    assert_eq!(attempt(0, 64), StorageError::TooSmall);
    assert_eq!(attempt(8, 128), StorageError::Misaligned);
    let huge = 1 << (usize::BITS - 1);
    assert_eq!(attempt(0, huge), StorageError::TooLarge);
    assert_eq!(Storage::region_size(usize::MAX), usize::MAX);
}

#[test]
fn errors_speak() {
    assert!(StorageError::TooSmall.to_string().contains("two granules"));
}
