//! Tiles: pieces of a row, for drawing.

use crate::row::{Interval, Row};

/// Pixels of a tile.
pub const PIXELS: usize = 512;

/// The most intervals that a tile lists.
pub(crate) const MOST_INTERVALS: usize = 1024;

/// A piece of a row: tile `index` at zoom `z` covers the times from `index * 512 << z`
/// to `(index + 1) * 512 << z`; one pixel is `1 << z` nanoseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tile {
    /// What is in it.
    pub shows: Shows,
    /// Nothing of it will change any more, whatever is added to the log.
    pub is_final: bool,
}

/// The content of a tile. Time that it does not cover is unknown: not delivered yet, or
/// lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shows {
    /// Nothing is known.
    Unknown,
    /// All known intervals, in the order of time, clipped to the tile.
    Intervals(Vec<Interval>),
    /// For each state but `unknown` ([`Row::states`]), for each of 512 pixels: its
    /// share of the time, where 255 is all of it.
    Shares(Vec<u8>),
}

/// The time that a tile covers: from, and to (exclusive), limited to the range of `u64`.
pub fn span(z: u8, index: u64) -> (u64, u64) {
    let at = |index: u64| {
        let pixels = index.checked_mul(PIXELS as u64);
        let time = pixels.and_then(|pixels| match z {
            0..64 => pixels.checked_mul(1 << z),
            _ => (pixels == 0).then_some(0),
        });
        time.unwrap_or(u64::MAX)
    };
    (at(index), index.checked_add(1).map_or(u64::MAX, at))
}

impl Tile {
    /// The tile as bytes.
    ///
    /// The first byte is the kind: 0 nothing known, 1 intervals, 2 shares; the second is
    /// 1 if the tile is final. Then, for intervals, LEB128 numbers: their count, and for
    /// each the time from the end of the one before (the first: from the start of the
    /// tile), its length, its state ([`Doing::index`](crate::Doing::index)) and its
    /// detail ([`Doing::detail`](crate::Doing::detail)). For shares, 512 bytes for each
    /// state but `unknown`.
    pub fn encode(&self, z: u8, index: u64) -> Vec<u8> {
        let mut out = Vec::new();
        let kind = match &self.shows {
            Shows::Unknown => 0,
            Shows::Intervals(_) => 1,
            Shows::Shares(_) => 2,
        };
        out.extend([kind, self.is_final.into()]);
        match &self.shows {
            Shows::Unknown => {}
            Shows::Intervals(intervals) => {
                crate::varint::push(&mut out, intervals.len() as u64);
                let (mut end, _) = span(z, index);
                for interval in intervals {
                    let gap = interval.from.saturating_sub(end);
                    let length = interval.to.saturating_sub(interval.from);
                    let state = interval.doing.index() as u64;
                    for number in [gap, length, state, interval.doing.detail()] {
                        crate::varint::push(&mut out, number);
                    }
                    end = interval.to;
                }
            }
            Shows::Shares(shares) => out.extend(shares),
        }
        out
    }
}

/// A part of a whole, of 255.
fn share(spent: u64, whole: u128) -> u8 {
    // The numbers are nearly always small enough for 64-bit division, which is ten
    // times as fast.
    let share = match u64::try_from(whole) {
        Ok(whole) if whole < 1 << 54 && spent < 1 << 54 => (spent * 255 + whole / 2) / whole,
        _ => {
            let share = (u128::from(spent) * 255 + whole / 2) / whole;
            u64::try_from(share).unwrap_or(u64::MAX)
        }
    };
    share.min(255) as u8
}

/// Sums of time by state at the 513 edges of pixels, made into shares.
///
/// `edges` are the sums of each known state, at each edge; `whole` is the total that a
/// pixel's sums are shares of.
pub(crate) fn shares(row: Row, edges: &[[u64; 8]], whole: impl Fn(usize) -> u128) -> Shows {
    let states = row.known_states();
    let mut shares = vec![0; states * PIXELS];
    let mut any = false;
    for (pixel, pair) in edges.windows(2).take(PIXELS).enumerate() {
        let whole = whole(pixel);
        if whole == 0 {
            continue;
        }
        for state in 0..states {
            let spent = pair[1][state].wrapping_sub(pair[0][state]);
            if spent > 0 {
                any = true;
                shares[state * PIXELS + pixel] = share(spent, whole);
            }
        }
    }
    match any {
        true => Shows::Shares(shares),
        false => Shows::Unknown,
    }
}
