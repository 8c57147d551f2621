//! The memory of the rings: anonymous mappings, made once, kept for the rest of
//! the process (a writer may be inside one at any time).

use std::mem::{ManuallyDrop, MaybeUninit};
use std::ptr::NonNull;

use eventlog_ring::{Ring, Storage};
use memmap2::{MmapOptions, MmapRaw};

use crate::memory::boxed;
use crate::status::{Error, Result};
use crate::system;

/// Virtual size of the ring that carries definitions. Its pages are used while
/// the poll thread is behind, and given back: the size costs nothing, and lets
/// a table of any realistic size pass in one burst.
const DEFINITIONS_RING: usize = 64 << 20;
/// Where that much address space is not available.
const SMALL_DEFINITIONS_RING: usize = 16 << 20;

/// How much of a ring is populated ahead of its use.
const POPULATED: usize = 32 << 20;
/// How much at a time: the system holds a lock on the address space meanwhile,
/// which a thread of the program may want.
const POPULATE_SLICE: usize = 64 << 10;

/// A ring over memory of its own.
#[derive(Debug)]
pub(crate) struct RingMemory {
    map: MmapRaw,
    capacity: usize,
    /// Where its ring is to be, so that nothing fails once this is there.
    place: Option<Box<MaybeUninit<Ring<'static>>>>,
}

impl RingMemory {
    /// `capacity` is a power of two.
    pub(crate) fn new(capacity: usize) -> Result<RingMemory> {
        let place = boxed(MaybeUninit::uninit())?;
        let map = MmapOptions::new()
            .len(Storage::region_size(capacity))
            .map_anon()
            .map_err(Error::from)?;
        let map = MmapRaw::from(map);
        // Keep the ring out of core dumps (best effort).
        system::keep_from_dumps(&map);
        Ok(RingMemory {
            map,
            capacity,
            place: Some(place),
        })
    }

    pub(crate) fn for_definitions() -> Result<RingMemory> {
        RingMemory::new(DEFINITIONS_RING).or_else(|_| RingMemory::new(SMALL_DEFINITIONS_RING))
    }

    /// The ring, and its memory for hints. What is left of it is the mapping, and the ring,
    /// which whoever has a handle of it points to: nothing that a leak checker would report.
    pub(crate) fn leak(self) -> Result<(&'static mut Ring<'static>, ManuallyDrop<RingMemory>)> {
        let no_memory = Error::Sys(libc::ENOMEM);
        let mut memory = ManuallyDrop::new(self);
        let place = memory.place.take().ok_or(no_memory)?;
        let start = NonNull::new(memory.map.as_mut_ptr()).ok_or(no_memory)?;
        // SAFETY: a fresh anonymous mapping: zeroed, page-aligned, as large as
        // `region_size` says, used by nothing else, and never unmapped.
        let storage = unsafe { Storage::from_region(start, memory.capacity) }
            .map_err(|_| Error::Sys(libc::EINVAL))?;
        Ok((Box::leak(Box::write(place, Ring::new(storage))), memory))
    }

    /// Get real memory behind one more slice of the ring, so that writers do not
    /// pay for it page by page while a client listens. `done` is how far it has got;
    /// false if that is far enough.
    pub(crate) fn populate_more(&self, done: &mut usize) -> bool {
        let records = self.capacity.min(POPULATED);
        // They lie behind the records, and belong to those at the same place.
        let headers = Storage::region_size(records) - records;
        let (start, left) = match *done {
            done if done < headers => (self.capacity + done, headers - done),
            done => (done - headers, records.saturating_sub(done - headers)),
        };
        if left == 0 {
            return false;
        }
        let slice = left.min(POPULATE_SLICE);
        // Without it the pages come when they are touched.
        system::populate(&self.map, start, slice);
        *done += slice;
        true
    }
}
