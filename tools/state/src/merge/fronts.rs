//! Which capability is next: a heap of the fronts of all capabilities.
//!
//! Only the first entry ever changes, so that is all that this heap supports;
//! and the second entry can be found quickly.

/// The next event of a capability: the time with which it counts, where its
/// block is in the stream, and its capability. The least is the first.
pub(super) type Front = (u64, u64, u32);

#[derive(Clone, Debug, Default)]
pub(super) struct Fronts(Vec<Front>);

impl Fronts {
    #[inline]
    pub(super) fn first(&self) -> Option<Front> {
        self.0.first().copied()
    }

    #[inline]
    pub(super) fn second(&self) -> Option<Front> {
        match (self.0.get(1), self.0.get(2)) {
            (Some(left), Some(right)) => Some(*left.min(right)),
            (left, _) => left.copied(),
        }
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn push(&mut self, front: Front) {
        self.0.push(front);
        let mut at = self.0.len() - 1;
        while at > 0 {
            let above = (at - 1) / 2;
            if self.0[above] <= self.0[at] {
                break;
            }
            self.0.swap(above, at);
            at = above;
        }
    }

    /// Removes the first.
    pub(super) fn pop(&mut self) {
        if let Some(last) = self.0.pop()
            && !self.0.is_empty()
        {
            self.replace(last);
        }
    }

    /// Replaces the first.
    #[inline]
    pub(super) fn replace(&mut self, front: Front) {
        let heap = &mut self.0[..];
        let mut at = 0;
        loop {
            let mut below = 2 * at + 1;
            let Some(&left) = heap.get(below) else { break };
            let mut least = left;
            if let Some(&right) = heap.get(below + 1)
                && right < left
            {
                below += 1;
                least = right;
            }
            if front <= least {
                break;
            }
            heap[at] = least;
            at = below;
        }
        heap[at] = front;
    }
}

#[cfg(test)]
mod tests {
    use super::Fronts;

    #[test]
    fn like_sorting() {
        let mut seed = 7u64;
        let mut next = move |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) % below
        };
        for size in 0..40 {
            let mut fronts = Fronts::default();
            let mut plain = Vec::new();
            for lane in 0..size {
                let front = (next(10), next(10), lane);
                fronts.push(front);
                plain.push(front);
            }
            for _ in 0..400 {
                plain.sort_unstable();
                assert_eq!(fronts.first(), plain.first().copied());
                assert_eq!(fronts.second(), plain.get(1).copied());
                let Some(first) = plain.first_mut() else {
                    break;
                };
                if next(8) == 0 {
                    plain.remove(0);
                    fronts.pop();
                } else {
                    *first = (first.0 + next(5), next(10), first.2);
                    fronts.replace(*first);
                }
            }
        }
    }
}
