//! Puts slices that may overlap on as few tracks as possible: on one track, slices are inside each
//! other or one after the other.

/// The largest number of tracks.
const MOST: usize = 64;
/// The number of adjacent slices of a track that are remembered.
const REMEMBERED: usize = 64;

/// Gives each slice a track. Slices must be added in the order of their ends.
#[derive(Clone, Debug, Default)]
pub struct Lanes(Vec<Lane>);

#[derive(Clone, Debug, Default)]
struct Lane {
    /// Slices that are not inside another, in order.
    outer: Vec<(u64, u64)>,
    /// The time up to which slices are forgotten.
    forgotten: u64,
}

impl Lanes {
    /// The track of a slice; `None` if there are too many at that time.
    pub fn place(&mut self, from: u64, to: u64) -> Option<u8> {
        let free = self.0.iter_mut().position(|lane| lane.takes(from, to));
        let at = match free {
            Some(at) => at,
            None if self.0.len() < MOST => {
                let mut lane = Lane::default();
                lane.takes(from, to);
                self.0.push(lane);
                self.0.len() - 1
            }
            None => return None,
        };
        u8::try_from(at).ok()
    }
}

impl Lane {
    /// Adds the slice if it nests with all others; returns whether it does.
    fn takes(&mut self, from: u64, to: u64) -> bool {
        // The ends of slices are written without a name, and beginnings count in the order in which
        // they are written: of two that begin together, the outer one is written last.
        let inside = |&(begin, end): &(u64, u64)| begin > from && end <= to;
        let inner = self.outer.iter().rev().take_while(|slice| inside(slice));
        let beside = self.outer.len() - inner.count();
        let before = self.outer[..beside].last();
        let last = before.map_or(self.forgotten, |&(_, end)| end);
        if from < last {
            return false;
        }
        self.outer.truncate(beside);
        if self.outer.len() == REMEMBERED {
            self.forgotten = self.outer.remove(0).1;
        }
        self.outer.push((from, to));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nests_shares_a_track() {
        let mut lanes = Lanes::default();
        assert_eq!(lanes.place(2, 3), Some(0));
        assert_eq!(lanes.place(3, 4), Some(0));
        assert_eq!(lanes.place(1, 4), Some(0));
        // It overlaps the last one.
        assert_eq!(lanes.place(3, 6), Some(1));
        assert_eq!(lanes.place(6, 8), Some(0));
        assert_eq!(lanes.place(7, 9), Some(1));
        assert_eq!(lanes.place(5, 10), Some(0));
        assert_eq!(lanes.place(8, 11), Some(2));
        // It begins together with one inside it.
        assert_eq!(lanes.place(20, 21), Some(0));
        assert_eq!(lanes.place(20, 22), Some(1));
    }

    #[test]
    fn what_is_forgotten_is_not_cut_through() {
        let mut lanes = Lanes::default();
        for at in 0..1000 {
            assert_eq!(lanes.place(10 * at, 10 * at + 5), Some(0));
        }
        // It overlaps a slice of long ago.
        assert_eq!(lanes.place(12, 20_000), Some(1));
        assert_eq!(lanes.place(20_000, 20_001), Some(0));
    }

    #[test]
    fn there_is_an_end_to_tracks() {
        let mut lanes = Lanes::default();
        let placed = (0..100).filter(|at| lanes.place(100 - at, 200 + at).is_some());
        assert_eq!(placed.count(), 100, "one around the other");
        let mut lanes = Lanes::default();
        let placed = (0..100).filter(|at| lanes.place(*at, 200 + at).is_some());
        assert_eq!(placed.count(), MOST);
    }
}
