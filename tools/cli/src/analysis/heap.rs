//! The size of things: heap, live data, allocation.

use ghc_eventlog::{Allocations, Event, EventBody};

/// A quantity that goes up and down.
#[derive(Clone, Copy, Debug, Default)]
pub struct Gauge {
    /// The value with the latest time.
    pub last: Option<u64>,
    last_at: u64,
    /// The highest value, and when.
    peak: u64,
    pub peak_at: u64,
}

impl Gauge {
    /// The highest value, if there was any.
    pub fn peak(&self) -> Option<u64> {
        self.last.is_some().then_some(self.peak)
    }

    pub fn record(&mut self, time: u64, value: u64) {
        if time >= self.last_at {
            (self.last, self.last_at) = (Some(value), time);
        }
        if value > self.peak {
            (self.peak, self.peak_at) = (value, time);
        }
    }
}

/// Follows the heap.
#[derive(Clone, Debug, Default)]
pub struct Heap {
    pub allocations: Allocations,
    /// Whether anything was told about allocation.
    pub told_allocations: bool,
    pub size: Gauge,
    pub live: Gauge,
    pub blocks: Gauge,
    /// Megablocks held, wanted, given back at the last such event.
    pub memory: Option<(u32, u32, u32)>,
}

impl Heap {
    /// Whether the event told something.
    #[inline]
    pub fn event(&mut self, event: &Event<'_>) -> bool {
        match event.body {
            EventBody::HeapAllocated { .. } => {
                self.told_allocations |= self.allocations.observe(event).is_some();
            }
            EventBody::HeapSize { bytes, .. } => self.size.record(event.time, bytes),
            EventBody::HeapLive { bytes, .. } => self.live.record(event.time, bytes),
            EventBody::BlocksSize { bytes, .. } => self.blocks.record(event.time, bytes),
            EventBody::MemReturn {
                current,
                needed,
                returned,
                ..
            } => {
                self.memory = Some((current, needed, returned));
            }
            _ => return false,
        }
        true
    }
}
