//! Sizes: heap, live data, allocation.

use crate::fact::{HeapKind, HeapValue};
use crate::turn::Turn;
use ghc_eventlog::{Event, EventBody};
use std::collections::BTreeMap;

/// The latest sizes of one heap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Heap {
    size: Option<LatestValue>,
    live: Option<LatestValue>,
    blocks: Option<LatestValue>,
    returned: Option<Returned>,
}

/// A value, when it was logged, and by which capability.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LatestValue {
    pub(crate) time: u64,
    pub(crate) cap: Option<u16>,
    pub(crate) bytes: u64,
}

/// Memory that was offered back to the operating system; in megablocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Returned {
    /// When.
    pub time: u64,
    /// The capability that logs it.
    pub cap: Option<u16>,
    /// Megablocks held.
    pub current: u32,
    /// Megablocks needed.
    pub needed: u32,
    /// Megablocks given back.
    pub returned: u32,
}

impl Heap {
    /// Its size in bytes, in whole megablocks.
    pub fn size(&self) -> Option<u64> {
        self.size.map(|told| told.bytes)
    }

    /// Live bytes, as the last major collection found them.
    pub fn live(&self) -> Option<u64> {
        self.live.map(|told| told.bytes)
    }

    /// Bytes in blocks that are in use.
    pub fn blocks(&self) -> Option<u64> {
        self.blocks.map(|told| told.bytes)
    }

    /// What was offered back to the operating system last.
    pub fn returned(&self) -> Option<Returned> {
        self.returned
    }

    pub(crate) fn told(&self) -> [(HeapKind, Option<LatestValue>); 3] {
        [
            (HeapKind::Size, self.size),
            (HeapKind::Live, self.live),
            (HeapKind::Blocks, self.blocks),
        ]
    }
}

/// The heaps of all programs in the log, by capability set.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heaps {
    heaps: BTreeMap<u32, Heap>,
}

/// The number of heaps that are kept: a log may claim any number.
const MOST: usize = 1 << 10;

impl Heaps {
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &Heap)> {
        self.heaps.iter().map(|(&capset, heap)| (capset, heap))
    }

    pub(crate) fn get(&self, capset: u32) -> Option<&Heap> {
        self.heaps.get(&capset)
    }

    fn heap(&mut self, capset: u32) -> Option<&mut Heap> {
        if self.heaps.len() >= MOST && !self.heaps.contains_key(&capset) {
            return None;
        }
        Some(self.heaps.entry(capset).or_default())
    }

    /// The size in the event (not what capabilities have allocated).
    pub(crate) fn event(&mut self, event: &Event<'_>, turn: Turn) -> Option<HeapValue> {
        let (capset, kind, bytes) = match event.body {
            EventBody::HeapSize { capset, bytes } => (capset, HeapKind::Size, bytes),
            EventBody::HeapLive { capset, bytes } => (capset, HeapKind::Live, bytes),
            EventBody::BlocksSize { capset, bytes } => (capset, HeapKind::Blocks, bytes),
            EventBody::MemReturn {
                capset,
                current,
                needed,
                returned,
            } => {
                self.heap(capset)?.returned = Some(Returned {
                    time: event.time,
                    cap: event.cap,
                    current,
                    needed,
                    returned,
                });
                return None;
            }
            _ => return None,
        };
        if let Some(heap) = self.heap(capset) {
            let place = match kind {
                HeapKind::Size => &mut heap.size,
                HeapKind::Live => &mut heap.live,
                _ => &mut heap.blocks,
            };
            // Some events are dated back: of events in order, the last one
            // counts.
            if !turn.is_late() || place.is_none_or(|known| known.time <= event.time) {
                *place = Some(LatestValue {
                    time: event.time,
                    cap: event.cap,
                    bytes,
                });
            }
        }
        Some(HeapValue {
            capset,
            cap: event.cap,
            kind,
            time: event.time,
            bytes,
            growth: 0,
        })
    }
}
