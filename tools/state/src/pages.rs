//! A table by number whose copies share what has not changed since.
//!
//! Numbers of threads grow, and threads that are alive at the same time mostly
//! have numbers close together: so a page holds those of 64 numbers, packed.
//! Memory depends on how much is in the table, however sparse the numbers are.
//!
//! A page belongs to one table alone until the table is [sealed](Pages::seal):
//! then copies of the table share it, and it is copied when it is next written
//! to. Writing to an unshared page needs no atomic operation, which would be
//! most of the cost of a look-up.

use rustc_hash::FxHashMap;
use std::sync::Arc;

/// Bits of a number that select the item within a page.
const BITS: u32 = 6;
const NUMBERS: usize = 1 << BITS;

/// How many look-ups are remembered.
const FOUND: usize = 16;
/// None. No page has this key.
const NOTHING: (u32, u32) = (u32::MAX, u32::MAX);

/// The items of 64 numbers.
#[derive(Clone, Debug)]
struct Page<T> {
    key: u32,
    present: u64,
    /// Where in `items` each of them is.
    places: [u8; NUMBERS],
    items: Vec<T>,
}

#[derive(Clone, Debug)]
enum Slot<T> {
    Empty,
    Own(Box<Page<T>>),
    Shared(Arc<Page<T>>),
}

impl<T> Slot<T> {
    fn page(&self) -> Option<&Page<T>> {
        match self {
            Self::Empty => None,
            Self::Own(page) => Some(page),
            Self::Shared(page) => Some(page),
        }
    }
}

/// The table.
#[derive(Clone, Debug)]
pub(crate) struct Pages<T> {
    /// Which slot has the page of a key.
    index: FxHashMap<u32, u32>,
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
    len: usize,
    /// Keys and slots of pages that were looked up, by the low bits of the key: with the threads of
    /// several capabilities in turns, the page is seldom the one before.
    found: [(u32, u32); FOUND],
}

impl<T> Default for Pages<T> {
    fn default() -> Self {
        Self {
            index: FxHashMap::default(),
            slots: Vec::new(),
            free: Vec::new(),
            len: 0,
            found: [NOTHING; FOUND],
        }
    }
}

#[inline]
fn place(number: u32) -> (u32, usize) {
    (number >> BITS, (number & ((1 << BITS) - 1)) as usize)
}

impl<T: Clone> Pages<T> {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// From now on, copies share the contents of the table.
    pub(crate) fn seal(&mut self) {
        for slot in &mut self.slots {
            if let Slot::Own(_) = slot
                && let Slot::Own(page) = std::mem::replace(slot, Slot::Empty)
            {
                *slot = Slot::Shared(Arc::from(page));
            }
        }
    }

    #[inline]
    pub(crate) fn get(&self, number: u32) -> Option<&T> {
        let (key, bit) = place(number);
        let slot = match self.found[key as usize % FOUND] {
            (found, slot) if found == key => slot,
            _ => *self.index.get(&key)?,
        };
        let page = self.slots.get(slot as usize)?.page()?;
        let there = page.key == key && page.present & 1 << bit != 0;
        there.then(|| &page.items[usize::from(page.places[bit])])
    }

    /// The page of a key, to be written to.
    #[inline(always)]
    fn page_mut(&mut self, key: u32) -> Option<&mut Page<T>> {
        let mut found = self.found[key as usize % FOUND];
        if found.0 != key {
            found = self.find(key)?;
        }
        match self.slots.get_mut(found.1 as usize)? {
            Slot::Own(page) => Some(page),
            slot => own(slot),
        }
    }

    /// Looks up a page that is not among those found last.
    #[inline(never)]
    fn find(&mut self, key: u32) -> Option<(u32, u32)> {
        let found = (key, *self.index.get(&key)?);
        self.found[key as usize % FOUND] = found;
        Some(found)
    }

    #[inline(always)]
    pub(crate) fn get_mut(&mut self, number: u32) -> Option<&mut T> {
        let (key, bit) = place(number);
        let page = self.page_mut(key)?;
        if page.present & 1 << bit == 0 {
            return None;
        }
        let at = usize::from(page.places[bit]);
        page.items.get_mut(at)
    }

    /// Puts an item into the table; returns the one that was there.
    pub(crate) fn insert(&mut self, number: u32, item: T) -> Option<T> {
        let (key, bit) = place(number);
        if !self.index.contains_key(&key) {
            let page = Slot::Own(Box::new(Page {
                key,
                present: 0,
                places: [0; NUMBERS],
                items: Vec::new(),
            }));
            let slot = match self.free.pop() {
                Some(slot) => {
                    self.slots[slot as usize] = page;
                    slot
                }
                None => {
                    self.slots.push(page);
                    (self.slots.len() - 1) as u32
                }
            };
            self.index.insert(key, slot);
        }
        let page = self.page_mut(key)?;
        if page.present & 1 << bit != 0 {
            let at = usize::from(page.places[bit]);
            return Some(std::mem::replace(&mut page.items[at], item));
        }
        let count = page.items.len();
        if count == page.items.capacity() {
            // Grows little at first, because a single remaining item keeps its
            // page.
            let more = count.clamp(4, NUMBERS).min(NUMBERS - count);
            page.items.reserve_exact(more);
        }
        page.places[bit] = count as u8;
        page.items.push(item);
        page.present |= 1 << bit;
        self.len += 1;
        None
    }

    pub(crate) fn remove(&mut self, number: u32) -> Option<T> {
        let (key, bit) = place(number);
        let page = self.page_mut(key)?;
        if page.present & 1 << bit == 0 {
            return None;
        }
        page.present &= !(1 << bit);
        let at = page.places[bit];
        let gone = page.items.swap_remove(usize::from(at));
        let moved = page.items.len() as u8;
        if moved != at {
            let mut left = page.present;
            while left != 0 {
                let other = left.trailing_zeros() as usize;
                left &= left - 1;
                if page.places[other] == moved {
                    page.places[other] = at;
                }
            }
        }
        if page.items.len() * 4 < page.items.capacity() {
            page.items.shrink_to(page.items.len() * 2);
        }
        let empty = page.present == 0;
        self.len -= 1;
        if empty && let Some(slot) = self.index.remove(&key) {
            self.slots[slot as usize] = Slot::Empty;
            self.free.push(slot);
            self.found[key as usize % FOUND] = NOTHING;
        }
        Some(gone)
    }

    /// All of them by number.
    pub(crate) fn sorted(&self) -> impl Iterator<Item = (u32, &T)> {
        sorted(self.slots.iter().filter_map(Slot::page).collect())
    }

    /// By number, the items whose page is not shared with the other table: all
    /// that differ are among them.
    pub(crate) fn sorted_beside<'a>(
        &'a self,
        other: &'a Self,
    ) -> impl Iterator<Item = (u32, &'a T)> {
        let shared = |slot: &Slot<T>| {
            let Slot::Shared(page) = slot else {
                return false;
            };
            let theirs = other.index.get(&page.key);
            match theirs.and_then(|&slot| other.slots.get(slot as usize)) {
                Some(Slot::Shared(theirs)) => Arc::ptr_eq(page, theirs),
                _ => false,
            }
        };
        let own = self.slots.iter().filter(|slot| !shared(slot));
        sorted(own.filter_map(Slot::page).collect())
    }
}

/// Makes the page writable: a shared one is copied.
#[cold]
fn own<T: Clone>(slot: &mut Slot<T>) -> Option<&mut Page<T>> {
    if let Slot::Shared(page) = std::mem::replace(slot, Slot::Empty) {
        *slot = Slot::Own(Box::new(Arc::unwrap_or_clone(page)));
    }
    match slot {
        Slot::Own(page) => Some(page),
        _ => None,
    }
}

fn sorted<T>(mut pages: Vec<&Page<T>>) -> impl Iterator<Item = (u32, &T)> {
    pages.sort_unstable_by_key(|page| page.key);
    pages.into_iter().flat_map(|page| {
        let numbers = (0..NUMBERS).filter(|bit| page.present & 1 << bit != 0);
        numbers.map(|bit| {
            let at = usize::from(page.places[bit]);
            (page.key << BITS | bit as u32, &page.items[at])
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// Compared with a plain map, with copies taken on the way that must not
    /// change.
    #[test]
    fn like_a_map() {
        let mut seed = 1u64;
        let mut next = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) % below
        };
        let mut pages = Pages::default();
        let mut map = BTreeMap::new();
        let mut copies = Vec::new();
        for step in 0..200_000u64 {
            let spread = [100, 4_000, u64::from(u32::MAX)][(step / 1000 % 3) as usize];
            let number = next(spread) as u32;
            match next(4) {
                0 | 1 => assert_eq!(pages.insert(number, step), map.insert(number, step)),
                2 => assert_eq!(pages.remove(number), map.remove(&number)),
                _ => {
                    let ours = pages.get_mut(number);
                    let theirs = map.get_mut(&number);
                    assert_eq!(ours, theirs);
                    if let (Some(ours), Some(theirs)) = (ours, theirs) {
                        (*ours, *theirs) = (step, step);
                    }
                }
            }
            assert_eq!(pages.len(), map.len());
            if step % 20_000 == 0 {
                pages.seal();
                copies.push((pages.clone(), map.clone()));
            }
        }
        copies.push((pages, map));
        for (pages, map) in &copies {
            let sorted: Vec<_> = pages
                .sorted()
                .map(|(number, item)| (number, *item))
                .collect();
            let wanted: Vec<_> = map.iter().map(|(number, item)| (*number, *item)).collect();
            assert_eq!(sorted, wanted);
        }
        for pair in copies.windows(2) {
            let changed = pair[1]
                .1
                .iter()
                .filter(|(number, item)| pair[0].1.get(number) != Some(item));
            let beside: BTreeMap<_, _> = pair[1].0.sorted_beside(&pair[0].0).collect();
            for (number, item) in changed {
                assert_eq!(beside.get(number), Some(&item));
            }
        }
    }
}
