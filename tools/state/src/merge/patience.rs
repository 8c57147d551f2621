//! How long the events of a running program are held.

use std::time::{Duration, Instant};

/// Decides when a [`Merge`](super::Merge) has held the events of a running program for long enough.
///
/// A merge passes on what is certain. With a running program, that may never happen: the program is
/// idle, or it does not say which capabilities there are, as with GHC 9.0. Somebody who wants to see
/// what the program does now would rather have the events in an order that may be wrong.
///
/// Ask [`is_over`](Self::is_over) now and then while nothing arrives, and before new bytes are pushed;
/// if it is, flush the merge: the stream can go on after that. Not after they are pushed: a flush of
/// the program hands over one capability after the other, and the events of the first would be
/// passed on before those of the next have arrived.
#[derive(Clone, Debug)]
pub struct Patience {
    limit: Duration,
    /// Since when something is held.
    since: Option<Instant>,
}

impl Patience {
    /// The limit for running programs: as long as their merge waits for a capability that lags.
    pub const LIVE: Duration = Duration::from_nanos(super::MergeOptions::LIVE_STALE_AFTER);

    /// Starts before any bytes have arrived.
    pub fn new(limit: Duration) -> Self {
        Self { limit, since: None }
    }

    /// Bytes have arrived. `moved`: events of capabilities were passed on since the last call.
    pub fn came(&mut self, moved: bool, now: Instant) {
        if moved || self.since.is_none() {
            self.since = Some(now);
        }
    }

    /// Returns whether bytes have arrived and nothing was passed on for too long; then begins again.
    pub fn is_over(&mut self, now: Instant) -> bool {
        let waits = self.since.map(|since| now.saturating_duration_since(since));
        let is_over = waits.is_some_and(|waits| waits >= self.limit);
        if is_over {
            self.since = None;
        }
        is_over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_held_for_longer_than_the_limit() {
        let limit = Duration::from_secs(2);
        let mut patience = Patience::new(limit);
        let at = |begin: Instant, tenths: u64| begin + Duration::from_millis(100 * tenths);
        let begin = Instant::now();
        // Nothing is held.
        assert!(!patience.is_over(at(begin, 100)));
        patience.came(false, at(begin, 100));
        // More bytes do not make it wait longer.
        patience.came(false, at(begin, 119));
        assert!(!patience.is_over(at(begin, 119)));
        assert!(patience.is_over(at(begin, 120)));
        assert!(!patience.is_over(at(begin, 200)));
        // As long as something is passed on, all is well.
        for tenths in (200..300).step_by(15) {
            patience.came(true, at(begin, tenths));
            assert!(!patience.is_over(at(begin, tenths + 15)));
        }
        // What came last may be held for others.
        assert!(patience.is_over(at(begin, 320)));
    }
}
