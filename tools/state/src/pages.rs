//! A table by number whose copies share what has not changed since.
//!
//! Numbers of threads grow, and threads that live at one time mostly have
//! numbers close together: so a page holds those of 64 numbers, packed. A copy
//! of the table copies the directory only; a page is copied when it is next
//! written to while a copy shares it. Memory follows what is in the table,
//! however sparse the numbers are.

use rustc_hash::FxHashMap;
use std::sync::Arc;

/// Numbers of a page.
const BITS: u32 = 6;

/// Those of 64 numbers that are there, in order.
#[derive(Clone, Debug)]
struct Page<T> {
    present: u64,
    items: Vec<T>,
}

impl<T> Page<T> {
    /// Where the item of a number is, or would be.
    #[inline]
    fn rank(&self, bit: u64) -> usize {
        (self.present & (bit - 1)).count_ones() as usize
    }
}

/// The table.
#[derive(Clone, Debug)]
pub(crate) struct Pages<T> {
    pages: FxHashMap<u32, Arc<Page<T>>>,
    len: usize,
}

impl<T> Default for Pages<T> {
    fn default() -> Self {
        Self {
            pages: FxHashMap::default(),
            len: 0,
        }
    }
}

#[inline]
fn place(number: u32) -> (u32, u64) {
    (number >> BITS, 1 << (number & ((1 << BITS) - 1)))
}

impl<T: Clone> Pages<T> {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub(crate) fn get(&self, number: u32) -> Option<&T> {
        let (page, bit) = place(number);
        let page = self.pages.get(&page)?;
        (page.present & bit != 0).then(|| &page.items[page.rank(bit)])
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, number: u32) -> Option<&mut T> {
        let (page, bit) = place(number);
        let page = self.pages.get_mut(&page)?;
        if page.present & bit == 0 {
            return None;
        }
        let at = page.rank(bit);
        Some(&mut Arc::make_mut(page).items[at])
    }

    /// Puts an item into the table; the answer is the one that was there.
    pub(crate) fn insert(&mut self, number: u32, item: T) -> Option<T> {
        let (page, bit) = place(number);
        let page = self.pages.entry(page).or_insert_with(|| {
            Arc::new(Page {
                present: 0,
                items: Vec::new(),
            })
        });
        let page = Arc::make_mut(page);
        let at = page.rank(bit);
        if page.present & bit != 0 {
            return Some(std::mem::replace(&mut page.items[at], item));
        }
        if page.items.len() == page.items.capacity() {
            // Little at first, since a lone survivor keeps its page.
            let more = page.items.len().clamp(4, 64 - page.items.len().min(60));
            page.items.reserve_exact(more);
        }
        page.items.insert(at, item);
        page.present |= bit;
        self.len += 1;
        None
    }

    pub(crate) fn remove(&mut self, number: u32) -> Option<T> {
        let (key, bit) = place(number);
        let page = self.pages.get_mut(&key)?;
        if page.present & bit == 0 {
            return None;
        }
        self.len -= 1;
        let at = page.rank(bit);
        if page.present == bit {
            let page = self.pages.remove(&key)?;
            return match Arc::try_unwrap(page) {
                Ok(mut page) => page.items.pop(),
                Err(shared) => shared.items.first().cloned(),
            };
        }
        let page = Arc::make_mut(page);
        page.present &= !bit;
        let gone = page.items.remove(at);
        if page.items.len() * 4 < page.items.capacity() {
            page.items.shrink_to(page.items.len() * 2);
        }
        Some(gone)
    }

    /// All of them by number.
    pub(crate) fn sorted(&self) -> impl Iterator<Item = (u32, &T)> {
        let mut keys: Vec<_> = self.pages.iter().collect();
        keys.sort_unstable_by_key(|(key, _)| **key);
        keys.into_iter().flat_map(|(&key, page)| items(key, page))
    }

    /// By number, those whose page is not shared with the other table: all
    /// that differ are among them.
    pub(crate) fn sorted_beside<'a>(
        &'a self,
        other: &'a Self,
    ) -> impl Iterator<Item = (u32, &'a T)> {
        let mut keys: Vec<_> = self
            .pages
            .iter()
            .filter(|(key, page)| {
                other
                    .pages
                    .get(key)
                    .is_none_or(|theirs| !Arc::ptr_eq(page, theirs))
            })
            .collect();
        keys.sort_unstable_by_key(|(key, _)| **key);
        keys.into_iter().flat_map(|(&key, page)| items(key, page))
    }
}

fn items<T>(key: u32, page: &Page<T>) -> impl Iterator<Item = (u32, &T)> {
    let mut left = page.present;
    page.items.iter().map(move |item| {
        let bit = left.trailing_zeros();
        left &= left - 1;
        (key << BITS | bit, item)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// Against a plain map, with copies taken on the way that must not change.
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
