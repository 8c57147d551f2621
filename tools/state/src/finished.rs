//! Which threads have ended, so that a late event does not bring one back.

use std::collections::BTreeMap;

/// The number of groups of 64 that are kept: the last four million threads that ended.
const MOST: usize = 1 << 16;

/// Numbers of threads that have ended.
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
            // Numbers grow: the oldest are the lowest.
            self.groups.pop_first();
        }
    }

    #[inline]
    pub(crate) fn contains(&self, number: u32) -> bool {
        let (group, bit) = place(number);
        self.groups.get(&group).is_some_and(|bits| bits & bit != 0)
    }

    /// Forgets a number, because it is reused.
    pub(crate) fn remove(&mut self, number: u32) {
        let (group, bit) = place(number);
        if let Some(bits) = self.groups.get_mut(&group) {
            *bits &= !bit;
        }
    }
}
