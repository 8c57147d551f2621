//! From the bytes of a log to its fold, in the order of time.

use crate::fold::{Fold, Options, Out};
use eventlog_state::{Merge, MergeOptions, Patience, Step, Take, Turn};
use ghc_eventlog::{Encoded, Error};
use std::time::Instant;

/// Folds the bytes of a log as they arrive.
#[derive(Debug)]
pub struct Feed {
    merge: Merge,
    /// Of a program that runs.
    patience: Option<Patience>,
    complete: bool,
    /// The fold.
    pub fold: Fold,
}

impl Feed {
    /// A feed without input. `live`: the program runs.
    pub fn new(options: Options, live: bool) -> Self {
        Self {
            merge: merge(live),
            patience: live.then(|| Patience::new(Patience::LIVE)),
            complete: false,
            fold: Fold::new(options),
        }
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    ///
    /// If they are not a log. Later bytes cannot be decoded either.
    pub fn bytes(&mut self, bytes: &[u8], out: Out<'_>) -> Result<(), Error> {
        let now = Instant::now();
        // Before these bytes, since what belongs between them is about to arrive: a flush hands over
        // one capability after the other.
        self.hurry(now, out)?;
        self.fold.received(bytes.len());
        self.merge.push_bytes(bytes);
        let moved = self.drain(out)?;
        if let Some(patience) = &mut self.patience {
            patience.came(moved, now);
        }
        Ok(())
    }

    /// Passes on what was held for long enough. To be called while nothing arrives.
    ///
    /// # Errors
    ///
    /// What was held is no log.
    pub fn idle(&mut self, out: Out<'_>) -> Result<(), Error> {
        self.hurry(Instant::now(), out)
    }

    fn hurry(&mut self, now: Instant, out: Out<'_>) -> Result<(), Error> {
        let patience = self.patience.as_mut();
        if patience.is_some_and(|patience| patience.is_over(now)) {
            self.merge.flush();
            self.drain(out)?;
        }
        Ok(())
    }

    /// Whether the log has ended.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// The log ends here; the following bytes are another log.
    ///
    /// # Errors
    ///
    /// If the last bytes are not a log.
    pub fn restart(&mut self, out: Out<'_>) -> Result<(), Error> {
        self.merge.flush();
        let result = self.drain(out);
        self.merge = merge(self.patience.is_some());
        result.map(drop)
    }

    /// Ends the log: passes on the rest.
    ///
    /// # Errors
    ///
    /// If the last bytes are not a log.
    pub fn finish(&mut self, out: Out<'_>) -> Result<(), Error> {
        self.merge.flush();
        let result = self.drain(out);
        self.fold.finish(out);
        result.map(drop)
    }

    /// Returns whether any event of a capability was passed on.
    fn drain(&mut self, out: Out<'_>) -> Result<bool, Error> {
        let mut passing = Passing {
            fold: &mut self.fold,
            complete: &mut self.complete,
            moved: false,
            out,
        };
        self.merge.drain_to(&mut passing)?;
        Ok(passing.moved)
    }
}

/// Passes on to the fold what a merge does.
struct Passing<'a> {
    fold: &'a mut Fold,
    complete: &'a mut bool,
    /// Whether any event of a capability was passed on.
    moved: bool,
    out: Out<'a>,
}

impl Take for Passing<'_> {
    fn step(&mut self, step: Step<'_>) {
        match step {
            Step::Session(header) => {
                *self.complete = false;
                self.fold.session(header, self.out);
            }
            Step::End => *self.complete = true,
            Step::Block(block) => self.fold.block(block),
            Step::Event(event, turn) => self.event(&event.encoded(), turn),
            Step::Gap(gap) => self.fold.gap(gap),
        }
    }

    #[inline]
    fn event(&mut self, event: &Encoded<'_>, turn: Turn) {
        self.moved |= event.cap.is_some();
        self.fold.event(event, turn, self.out);
    }
}

fn merge(live: bool) -> Merge {
    Merge::new(MergeOptions {
        stale_after: live.then_some(MergeOptions::LIVE_STALE_AFTER),
        recovery: true,
        ..MergeOptions::default()
    })
}

#[cfg(test)]
mod tests;
