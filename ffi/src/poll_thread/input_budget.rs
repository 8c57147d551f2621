//! What input may cost.
//!
//! Whoever may connect can send as fast as the program reads. So reading, and running what
//! was read, have a share of one processor: when it is spent nothing is read for a while,
//! the sockets' buffers fill, and the sender waits. Nothing that was sent is lost. Normal clients
//! never use it up.
//!
//! Clients that come and go have a share of their own: when it is spent, the next one waits
//! in the queue for a moment.

use std::time::Duration;

/// One part in so many of a processor's time.
const SHARE: u32 = 40;
/// What may be spent at once after a quiet time: tens of thousands of commands.
const BURST: Duration = Duration::from_millis(40);
/// The largest debt: no pause is longer than `SHARE` times this.
const DEBT: Duration = Duration::from_millis(500);
/// The same for clients that come and go: no pause of theirs is longer than 400 ms.
const DEBT_OF_VISITS: Duration = Duration::from_millis(10);
/// For what one of them costs besides what is measured: accepting it, and the flush that it
/// gets from another thread.
pub(super) const VISIT: Duration = Duration::from_micros(100);
/// For being woken, which is not measured: a byte at a time costs more than it seems to.
const WAKE_UP: Duration = Duration::from_micros(10);
/// No pause is shorter, as each ends with a wake-up.
const SHORTEST: Duration = Duration::from_millis(10);
/// When more commands wait than are run soon, reading waits for room; but no longer than
/// this while none is run at all: a client that is not read from can lose what it was sent.
const PATIENCE: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct InputBudget {
    left: Duration,
    /// Spent before it was there.
    owed: Duration,
    as_of: Duration,
    rests_until: Option<Duration>,
    /// Commands that had been run when room was first waited for, and when that was.
    waits: Option<(u64, Duration)>,
    most_owed: Duration,
}

/// How to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// Not now.
    Rests,
    /// While there is room for commands.
    WhileRoom,
    /// Whether there is room or not.
    Anyhow,
}

impl InputBudget {
    /// For what clients send.
    pub(super) fn new() -> InputBudget {
        InputBudget::with_debt(DEBT)
    }

    /// For their coming and going.
    pub(super) fn of_visits() -> InputBudget {
        InputBudget::with_debt(DEBT_OF_VISITS)
    }

    fn with_debt(most_owed: Duration) -> InputBudget {
        InputBudget {
            left: BURST,
            owed: Duration::ZERO,
            as_of: Duration::ZERO,
            rests_until: None,
            waits: None,
            most_owed,
        }
    }

    /// When reading goes on, if it is paused.
    pub(super) fn rests_until(&self, now: Duration) -> Option<Duration> {
        self.rests_until.filter(|end| now < *end)
    }

    /// Processor time was spent on input.
    pub(super) fn spend(&mut self, now: Duration, spent: Duration) {
        let earned = now.saturating_sub(self.as_of) / SHARE;
        self.as_of = now;
        self.left = (self.left + earned.saturating_sub(self.owed)).min(BURST);
        self.owed = self.owed.saturating_sub(earned);
        self.owed = (self.owed + spent.saturating_sub(self.left)).min(self.most_owed);
        self.left = self.left.saturating_sub(spent);
        if !self.owed.is_zero() {
            self.rests_until = Some(now + (self.owed * SHARE).max(SHORTEST));
        }
    }

    /// There is input. `waiting`: more commands wait than are run soon; so many were run,
    /// ever.
    pub(super) fn reading(&mut self, now: Duration, waiting: Option<u64>) -> Reading {
        self.spend(now, WAKE_UP);
        if self.rests_until(now).is_some() {
            return Reading::Rests;
        }
        let Some(run) = waiting else {
            self.waits = None;
            return Reading::WhileRoom;
        };
        match self.waits {
            Some((before, since)) if before == run => {
                if now.saturating_sub(since) >= PATIENCE {
                    return Reading::Anyhow;
                }
            }
            _ => self.waits = Some((run, now)),
        }
        self.rests_until = Some(now + SHORTEST);
        Reading::Rests
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Time that passes, in milliseconds.
    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn a_flood_gets_its_share_and_no_more() {
        let (mut budget, mut now, mut spent) = (InputBudget::new(), ms(1000), Duration::ZERO);
        let cost = Duration::from_micros(300);
        while now < ms(61_000) {
            if budget.reading(now, None) == Reading::Rests {
                now = budget.rests_until(now).expect("the end of the rest");
            } else {
                budget.spend(now, cost);
                spent += cost + WAKE_UP;
                now += cost + WAKE_UP;
            }
        }
        let most = BURST + ms(60_000) / SHARE + cost;
        assert!(
            spent <= most && spent > most * 9 / 10,
            "{spent:?} of {most:?}"
        );
    }

    #[test]
    fn now_and_then_is_never_delayed() {
        let mut budget = InputBudget::new();
        for second in 1..1000 {
            let now = ms(1000 * second);
            assert_eq!(budget.reading(now, None), Reading::WhileRoom);
            budget.spend(now, ms(20));
        }
    }

    #[test]
    fn a_rest_ends_whatever_was_spent() {
        let mut budget = InputBudget::new();
        budget.spend(ms(1000), Duration::MAX);
        let end = budget.rests_until(ms(1000)).expect("a rest");
        assert_eq!(end, ms(1000) + DEBT * SHARE);
        assert_eq!(
            budget.reading(end, None),
            Reading::Rests,
            "this wake-up is owed"
        );
        let end = budget.rests_until(end).expect("a rest");
        assert_eq!(budget.reading(end + ms(1), None), Reading::WhileRoom);
    }

    #[test]
    fn room_is_waited_for_while_commands_are_run() {
        let mut budget = InputBudget::new();
        let mut now = ms(1000);
        for run in 0..1000 {
            assert_eq!(budget.reading(now, Some(run)), Reading::Rests);
            now = budget.rests_until(now).expect("the end of the rest");
        }
        assert_eq!(budget.reading(now, None), Reading::WhileRoom);
        let begun = now;
        while budget.reading(now, Some(1000)) == Reading::Rests {
            now = budget.rests_until(now).expect("the end of the rest");
        }
        assert!(now - begun >= PATIENCE && now - begun < PATIENCE * 2);
        assert_eq!(budget.reading(now + ms(1), Some(1000)), Reading::Anyhow);
        assert_eq!(budget.reading(now + ms(2), Some(1001)), Reading::Rests);
    }
}
