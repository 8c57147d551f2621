//! Which threads are over: what comes late of one does not bring it back.

use std::collections::BTreeMap;

/// At most so many groups of 64 are remembered: four million threads, lately over.
const MOST: usize = 1 << 16;

/// Numbers of threads that are over.
#[derive(Clone, Debug, Default)]
pub(crate) struct Finished {
    groups: BTreeMap<u32, u64>,
}

fn place(number: u32) -> (u32, u64) {
    (number >> 6, 1 << (number & 63))
}

impl Finished {
    pub(crate) fn add(&mut self, number: u32) {
        let (group, bit) = place(number);
        *self.groups.entry(group).or_default() |= bit;
        if self.groups.len() > MOST {
            // Numbers grow: those of long ago are the lowest.
            self.groups.pop_first();
        }
    }

    #[inline]
    pub(crate) fn contains(&self, number: u32) -> bool {
        let (group, bit) = place(number);
        self.groups.get(&group).is_some_and(|bits| bits & bit != 0)
    }

    /// The number is used again.
    pub(crate) fn remove(&mut self, number: u32) {
        let (group, bit) = place(number);
        if let Some(bits) = self.groups.get_mut(&group) {
            *bits &= !bit;
        }
    }
}
