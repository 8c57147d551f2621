//! A table by 64-bit key whose copies share what has not changed since.
//!
//! Keys are addresses and other numbers without any order, so they are distributed over shards by a
//! hash. A copy of the table copies a pointer for each shard; a shard is copied when it is next
//! written to while a copy shares it. The number of shards grows with the table, so a shard stays
//! small.

use rustc_hash::FxHashMap;
use std::hash::{BuildHasher, BuildHasherDefault};
use std::sync::Arc;

/// The largest mean number of items of a shard.
const FULL: usize = 256;
const MOST_SHARDS: usize = 1 << 16;
/// A shard with room for fewer items does not give memory back.
const FEW: usize = 16;

type Shard<T> = FxHashMap<u64, T>;

/// The table.
#[derive(Clone, Debug)]
pub(crate) struct Table<T> {
    /// Their number is a power of two.
    shards: Vec<Arc<Shard<T>>>,
    len: usize,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self {
            shards: vec![Arc::default()],
            len: 0,
        }
    }
}

/// The shard of a key. Its maps use the high bits of the same hash and the lowest ones, so this
/// takes those between.
#[inline]
fn shard(key: u64, shards: usize) -> usize {
    let hash = BuildHasherDefault::<rustc_hash::FxHasher>::default().hash_one(key);
    (hash >> 32) as usize & (shards - 1)
}

impl<T: Clone> Table<T> {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub(crate) fn get(&self, key: u64) -> Option<&T> {
        self.shards[shard(key, self.shards.len())].get(&key)
    }

    #[inline]
    pub(crate) fn contains(&self, key: u64) -> bool {
        self.get(key).is_some()
    }

    /// The shard of a key, to be written to; `None` if it is shared and does not have the key: no
    /// shard is copied in vain.
    #[inline]
    fn shard_with(&mut self, key: u64) -> Option<&mut Shard<T>> {
        let at = shard(key, self.shards.len());
        let shard = &mut self.shards[at];
        if Arc::strong_count(shard) > 1 && !shard.contains_key(&key) {
            return None;
        }
        Some(Arc::make_mut(shard))
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, key: u64) -> Option<&mut T> {
        self.shard_with(key)?.get_mut(&key)
    }

    /// The item of a key. If there is none, `new` makes it.
    #[inline]
    pub(crate) fn get_or_insert_with(&mut self, key: u64, new: impl FnOnce() -> T) -> &mut T {
        self.make_room();
        let at = shard(key, self.shards.len());
        let len = &mut self.len;
        let shard = Arc::make_mut(&mut self.shards[at]);
        shard.entry(key).or_insert_with(|| {
            *len += 1;
            new()
        })
    }

    /// Puts an item into the table; returns the one that was there.
    pub(crate) fn insert(&mut self, key: u64, item: T) -> Option<T> {
        self.make_room();
        let at = shard(key, self.shards.len());
        let before = Arc::make_mut(&mut self.shards[at]).insert(key, item);
        self.len += usize::from(before.is_none());
        before
    }

    pub(crate) fn remove(&mut self, key: u64) -> Option<T> {
        let shard = self.shard_with(key)?;
        let gone = shard.remove(&key);
        if shard.capacity() >= FEW && shard.len() * 4 < shard.capacity() {
            shard.shrink_to(shard.len() * 2);
        }
        self.len -= usize::from(gone.is_some());
        gone
    }

    /// Makes sure that shards stay small when an item is added.
    #[inline]
    fn make_room(&mut self) {
        if self.len >= self.shards.len() * FULL && self.shards.len() < MOST_SHARDS {
            self.spread();
        }
    }

    /// Multiplies the number of shards by eight.
    #[cold]
    fn spread(&mut self) {
        let count = self.shards.len() * 8;
        let mut shards: Vec<Shard<T>> = Vec::new();
        shards.resize_with(count, Shard::default);
        for old in self.shards.drain(..) {
            let old = Arc::try_unwrap(old).unwrap_or_else(|shared| (*shared).clone());
            for (key, item) in old {
                shards[shard(key, count)].insert(key, item);
            }
        }
        self.shards = shards.into_iter().map(Arc::new).collect();
    }

    /// All items, in no particular order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, &T)> {
        let items = self.shards.iter().flat_map(|shard| shard.iter());
        items.map(|(&key, item)| (key, item))
    }

    /// In no particular order, the items whose shard is not shared with the other table: all that
    /// differ are among them.
    pub(crate) fn iter_beside<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = (u64, &'a T)> {
        let alike = self.shards.len() == other.shards.len();
        let shards = self.shards.iter().enumerate();
        let shards =
            shards.filter(move |(at, shard)| !alike || !Arc::ptr_eq(shard, &other.shards[*at]));
        shards.flat_map(|(_, shard)| shard.iter().map(|(&key, item)| (key, item)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// Compared with a plain map, with copies taken on the way that must not change.
    #[test]
    fn like_a_map() {
        let mut seed = 1u64;
        let mut next = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) % below
        };
        let mut table = Table::default();
        let mut map = BTreeMap::new();
        let mut copies = Vec::new();
        for step in 0..100_000u64 {
            let key = next([50, 20_000][(step / 1000 % 2) as usize]) * 16;
            match next(5) {
                0 | 1 => assert_eq!(table.insert(key, step), map.insert(key, step)),
                4 => {
                    let ours = *table.get_or_insert_with(key, || step);
                    assert_eq!(ours, *map.entry(key).or_insert(step));
                }
                2 => assert_eq!(table.remove(key), map.remove(&key)),
                _ => {
                    assert_eq!(table.get(key), map.get(&key));
                    let (ours, theirs) = (table.get_mut(key), map.get_mut(&key));
                    assert_eq!(ours, theirs);
                    if let (Some(ours), Some(theirs)) = (ours, theirs) {
                        (*ours, *theirs) = (step, step);
                    }
                }
            }
            assert_eq!(table.len(), map.len());
            if step % 10_000 == 0 {
                copies.push((table.clone(), map.clone()));
            }
        }
        copies.push((table, map));
        for (table, map) in &copies {
            let ours: BTreeMap<_, _> = table.iter().map(|(key, item)| (key, *item)).collect();
            assert_eq!(&ours, map);
        }
        for pair in copies.windows(2) {
            let ours: BTreeMap<_, _> = pair[1].0.iter_beside(&pair[0].0).collect();
            let changed = pair[1]
                .1
                .iter()
                .filter(|(key, item)| pair[0].1.get(key) != Some(item));
            for (key, item) in changed {
                assert_eq!(ours.get(key), Some(&item));
            }
        }
    }
}
