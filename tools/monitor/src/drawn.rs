//! Tiles that were made a moment ago: pages that follow the same program ask for the same ones at
//! the same time.

use eventlog_series::Row;
use rustc_hash::FxHashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The most bytes of tiles.
const MOST: usize = 4 << 20;

/// A tile: its row, zoom, and index.
pub(crate) type Key = (Row, u8, u64);

/// Tiles that were made a moment ago, and all that are final.
#[derive(Debug, Default)]
pub(crate) struct Drawn {
    /// Counts the changes that clients may have heard of.
    version: AtomicU64,
    tiles: Mutex<Tiles>,
}

#[derive(Debug, Default)]
struct Tiles {
    /// Each with its version; `None` if it is final.
    all: FxHashMap<Key, (Option<u64>, Arc<[u8]>)>,
    bytes: usize,
}

impl Drawn {
    /// The log has grown, and clients are about to hear of it.
    pub(crate) fn grown(&self) {
        // Release: who sees the new version sees what the log has grown by.
        self.version.fetch_add(1, Ordering::Release);
    }

    /// To be asked for before a tile is made.
    pub(crate) fn version(&self) -> u64 {
        // Acquire: pairs with `grown`.
        self.version.load(Ordering::Acquire)
    }

    /// A tile that has everything that clients have heard of.
    pub(crate) fn get(&self, key: Key) -> Option<Arc<[u8]>> {
        let version = self.version();
        let tiles = self.tiles.lock().unwrap_or_else(PoisonError::into_inner);
        let (of, tile) = tiles.all.get(&key)?;
        let fresh = of.is_none_or(|of| of >= version);
        fresh.then(|| Arc::clone(tile))
    }

    /// Keeps a tile that was made at a version.
    pub(crate) fn keep(&self, key: Key, version: u64, is_final: bool, tile: &Arc<[u8]>) {
        let mut tiles = self.tiles.lock().unwrap_or_else(PoisonError::into_inner);
        if tiles.bytes + tile.len() > MOST {
            *tiles = Tiles::default();
        }
        let of = Some(version).filter(|_| !is_final);
        tiles.bytes += tile.len();
        if let Some((_, old)) = tiles.all.insert(key, (of, Arc::clone(tile))) {
            tiles.bytes -= old.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tile(length: usize) -> Arc<[u8]> {
        vec![7; length].into()
    }

    #[test]
    fn a_tile_is_told_until_clients_may_know_more() {
        let drawn = Drawn::default();
        let (grows, stays) = ((Row::Cap(0), 3, 4), (Row::Threads, 3, 4));
        let version = drawn.version();
        drawn.keep(grows, version, false, &tile(5));
        drawn.keep(stays, version, true, &tile(6));
        assert_eq!(drawn.get(grows), Some(tile(5)));
        assert_eq!(drawn.get((Row::Cap(1), 3, 4)), None);
        drawn.grown();
        assert_eq!(drawn.get(grows), None);
        assert_eq!(drawn.get(stays), Some(tile(6)));
        // One that was begun before the log grew.
        drawn.keep(grows, version, false, &tile(7));
        assert_eq!(drawn.get(grows), None);
    }

    #[test]
    fn they_never_take_much_memory() {
        let drawn = Drawn::default();
        for index in 0..10_000 {
            drawn.keep((Row::Threads, 9, index % 3000), 0, true, &tile(2048));
            let tiles = drawn.tiles.lock().unwrap();
            let bytes: usize = tiles.all.values().map(|(_, tile)| tile.len()).sum();
            assert_eq!(bytes, tiles.bytes);
            assert!(bytes <= MOST);
        }
    }
}
