//! How many things are alive at a time, counted from births and deaths that
//! arrive in any order.
//!
//! Starts and ends of threads are logged by different capabilities, whose
//! blocks can arrive seconds apart: a simple counter would be far off. Time is
//! divided into slots; each counts what happened within it. When the time range
//! outgrows the table, slots are merged in pairs.
//! outgrows the table, slots are joined in pairs.

const SLOTS: usize = 1 << 15;

/// Births minus deaths, by time.
#[derive(Clone, Debug)]
pub(crate) struct Alive {
    slots: Vec<i64>,
    shift: u32,
}

impl Default for Alive {
    fn default() -> Self {
        // A slot is about a microsecond at first.
        Self {
            slots: Vec::new(),
            shift: 10,
        }
    }
}

impl Alive {
    /// Adds `by` at this time.
    pub(crate) fn change(&mut self, time: u64, by: i64) {
        while time >> self.shift >= SLOTS as u64 {
            self.shift += 1;
            let half = self.slots.len().div_ceil(2);
            for at in 0..half {
                let second = self.slots.get(2 * at + 1).copied().unwrap_or(0);
                self.slots[at] = self.slots[2 * at] + second;
            }
            self.slots.truncate(half);
        }
        let slot = (time >> self.shift) as usize;
        if self.slots.len() <= slot {
            self.slots.resize(slot + 1, 0);
        }
        self.slots[slot] += by;
    }

    /// The largest number at the end of any slot.
    pub(crate) fn peak(&self) -> u64 {
        let mut alive = 0i64;
        let mut peak = 0;
        for change in &self.slots {
            alive += change;
            peak = peak.max(alive);
        }
        peak.unsigned_abs()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_arrival_does_not_matter() {
        let mut alive = Alive::default();
        let second = 1_000_000_000;
        for n in 0..10 {
            alive.change(n * second, 1);
        }
        for n in 0..10 {
            alive.change(n * second + second / 2, -1);
        }
        assert_eq!(alive.peak(), 1);
        alive.change(0, 5);
        assert_eq!(alive.peak(), 6);
    }
}
