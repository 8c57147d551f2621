//! Up to where each capability's events can be passed on without regard to the others.

use super::fronts::Front;

/// Nowhere.
const NONE: Front = (u64::MAX, u64::MAX, u32::MAX);

/// For each lane, the next event that has to be in its place among those of other capabilities: the
/// time with which it counts, or less; where its block is in the stream; and the lane. The least of
/// all lanes is at hand; that of any lane can change.
#[derive(Clone, Debug)]
pub(super) struct Stops {
    /// A tree whose leaves are the lanes: each node is the lesser of the two below it, `2n` and
    /// `2n + 1`, and the first is number 1.
    tree: Vec<Front>,
}

impl Default for Stops {
    fn default() -> Self {
        Self {
            tree: vec![NONE; 2],
        }
    }
}

impl Stops {
    /// The least of all.
    #[inline]
    pub(super) fn first(&self) -> Front {
        self.tree[1]
    }

    /// Sets the stop of a lane; `None` if it has no events.
    #[inline]
    pub(super) fn set(&mut self, lane: usize, stop: Option<Front>) {
        while lane >= self.tree.len() / 2 {
            self.grow();
        }
        let mut at = self.tree.len() / 2 + lane;
        self.tree[at] = stop.unwrap_or(NONE);
        while at > 1 {
            at /= 2;
            self.tree[at] = self.tree[2 * at].min(self.tree[2 * at + 1]);
        }
    }

    #[cold]
    fn grow(&mut self) {
        let lanes = self.tree.split_off(self.tree.len() / 2);
        *self = Self {
            tree: vec![NONE; 4 * lanes.len()],
        };
        for (lane, stop) in lanes.into_iter().enumerate() {
            self.set(lane, Some(stop));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_of_all_is_first() {
        let mut seed = 3u64;
        let mut next = move |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) % below
        };
        let mut stops = Stops::default();
        assert_eq!(stops.first(), NONE);
        let mut plain = vec![NONE; 40];
        for round in 0..4000 {
            let lane = next(1 + round / 100) as usize;
            let stop = (next(50), next(50), lane as u32);
            let stop = Some(stop).filter(|_| next(4) > 0);
            stops.set(lane, stop);
            plain[lane] = stop.unwrap_or(NONE);
            assert_eq!(Some(stops.first()), plain.iter().min().copied());
        }
    }
}
