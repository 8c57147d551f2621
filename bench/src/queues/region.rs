//! Memory for rings and copies.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::fmt;
use std::hint::black_box;
use std::ptr::NonNull;

/// Zeroed memory on a page boundary, whose pages have all been touched.
pub struct Region {
    start: NonNull<u8>,
    layout: Layout,
}

// SAFETY: a region owns its memory and does nothing with it by itself.
unsafe impl Send for Region {}

impl Region {
    /// A region of this many bytes. Panics if that is not a valid size.
    pub fn new(size: usize) -> Self {
        assert_ne!(size, 0, "a region is not empty");
        let layout = Layout::from_size_align(size, 4096).expect("a sane size");
        // SAFETY: the size is not zero.
        let start = unsafe { alloc_zeroed(layout) };
        let Some(start) = NonNull::new(start) else {
            handle_alloc_error(layout)
        };
        // SAFETY: freshly allocated with this size.
        unsafe { black_box(start).write_bytes(0, size) };
        Self { start, layout }
    }

    /// Its first byte. The memory is valid until the region is dropped, even if the region is
    /// moved.
    pub fn start(&self) -> NonNull<u8> {
        self.start
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout.
        unsafe { dealloc(self.start.as_ptr(), self.layout) };
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Region").field(&self.layout.size()).finish()
    }
}
