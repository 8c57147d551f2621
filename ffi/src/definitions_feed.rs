//! The reading end of the ring that carries headers and definitions.
//!
//! Chunks are put there when they must not be lost: headers, what the RTS
//! defines before it is ready, and any global chunk that the main ring refused.
//! The poll thread empties it whatever the client does.

use eventlog_ring::{Consumer, Record};

use crate::memory::OutOfMemory;
use crate::system;

/// Memory is given back, and records released, when this much was read.
const HOLD_BYTES: usize = 1 << 20;
const HOLD_RECORDS: usize = 2048;

#[derive(Debug)]
pub(crate) struct DefinitionsFeed {
    ring: Consumer<'static>,
    /// Records that were read and are not yet released, and their bytes.
    held: usize,
    held_bytes: usize,
}

impl DefinitionsFeed {
    pub(crate) fn new(ring: Consumer<'static>) -> DefinitionsFeed {
        DefinitionsFeed {
            ring,
            held: 0,
            held_bytes: 0,
        }
    }

    /// Hand the chunks that are there to `take`, each once, up to about `limit` of them, as
    /// long as it returns true. How many there were.
    pub(crate) fn drain(
        &mut self,
        limit: usize,
        mut take: impl FnMut(&Record<'_>) -> bool,
    ) -> usize {
        let (mut taken, mut more) = (0, true);
        while more && taken < limit {
            let before = self.held;
            for record in self.ring.records().skip(before) {
                more = take(&record);
                self.held += 1;
                self.held_bytes += record.len();
                if !more || self.held >= HOLD_RECORDS || self.held_bytes >= HOLD_BYTES {
                    break;
                }
            }
            if self.held == before {
                break;
            }
            taken += self.held - before;
            if self.held >= HOLD_RECORDS || self.held_bytes >= HOLD_BYTES {
                self.release();
            }
        }
        taken
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ring.records().nth(self.held).is_none()
    }

    /// Give the pages back first: the ring is far larger than what it usually
    /// carries, and would otherwise become resident as a whole, lap by lap.
    fn release(&mut self) {
        let mut run: Option<(usize, usize)> = None;
        for record in self.ring.records().take(self.held) {
            let (first, second) = record.slices();
            for slice in [first, second].iter().filter(|slice| !slice.is_empty()) {
                let start = slice.as_ptr().expose_provenance();
                let end = start + slice.len();
                run = match run {
                    // Records follow each other but for padding and notes, which
                    // belong to them.
                    Some((from, to)) if start >= to && start - to < 4096 => Some((from, end)),
                    other => {
                        if let Some((from, to)) = other {
                            give_back(from, to);
                        }
                        Some((start, end))
                    }
                };
            }
        }
        if let Some((from, to)) = run {
            give_back(from, to);
        }
        self.ring.release(self.held);
        self.held = 0;
        self.held_bytes = 0;
    }
}

/// The whole pages within these addresses.
fn give_back(from: usize, to: usize) {
    // SAFETY: no pointers.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    let Some(page) = usize::try_from(page).ok().filter(|page| *page > 0) else {
        return;
    };
    let start = from.next_multiple_of(page);
    let end = to - to % page;
    if start < end {
        // SAFETY: whole pages of an anonymous mapping, all of them within records
        // that were committed and not yet released: until then they belong to the
        // consumer alone. They read as zeroes afterwards; nobody reads them before
        // a producer has written them again.
        unsafe {
            let start_ptr = std::ptr::with_exposed_provenance_mut(start);
            libc::madvise(start_ptr, end - start, system::GIVE_BACK)
        };
    }
}

/// A buffer for a record that wraps around the end of its ring, so that it can be read as
/// one piece.
#[derive(Debug, Default)]
pub(crate) struct WrapBuffer(Vec<u8>);

/// What a chunk of the RTS has at most; the pages are used as far as one needs them.
const SEAM: usize = 2 << 20;

impl WrapBuffer {
    /// Enough for every chunk that the RTS makes.
    pub(crate) fn with_room() -> Result<WrapBuffer, OutOfMemory> {
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(SEAM)?;
        Ok(WrapBuffer(bytes))
    }

    /// The bytes of a record; copied only where it wraps around. There may be no memory
    /// for one that is longer than any of the RTS.
    pub(crate) fn whole<'a>(&'a mut self, record: &Record<'a>) -> Result<&'a [u8], OutOfMemory> {
        let (first, second) = record.slices();
        if second.is_empty() {
            return Ok(first);
        }
        let WrapBuffer(bytes) = self;
        bytes.clear();
        bytes.try_reserve(first.len() + second.len())?;
        bytes.extend_from_slice(first);
        bytes.extend_from_slice(second);
        Ok(bytes)
    }
}
