//! From the bytes of a log to its fold, in the order of time.

use crate::fold::{Fold, Options, Out};
use eventlog_state::{Merge, MergeOptions, Step};
use ghc_eventlog::Error;

/// How long a capability of a running program may be silent before the others stop waiting for
/// it, in nanoseconds of the log.
const STALE: u64 = 2_000_000_000;

/// Folds the bytes of a log as they arrive.
#[derive(Debug)]
pub struct Feed {
    merge: Merge,
    live: bool,
    complete: bool,
    /// The fold.
    pub fold: Fold,
}

impl Feed {
    /// A feed without input. `live`: the program runs.
    pub fn new(options: Options, live: bool) -> Self {
        Self {
            merge: merge(live),
            live,
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
        self.fold.received(bytes.len());
        self.merge.push_bytes(bytes);
        self.drain(out)
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
        self.merge = merge(self.live);
        result
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
        result
    }

    fn drain(&mut self, out: Out<'_>) -> Result<(), Error> {
        let (fold, complete) = (&mut self.fold, &mut self.complete);
        self.merge.drain(&mut |step| match step {
            Step::Session(header) => {
                *complete = false;
                fold.session(header, out);
            }
            Step::End => *complete = true,
            Step::Block(block) => fold.block(block),
            Step::Event(event, turn) => fold.event(event, turn, out),
            Step::Gap(gap) => fold.gap(gap),
        })
    }
}

fn merge(live: bool) -> Merge {
    Merge::new(MergeOptions {
        stale_after: live.then_some(STALE),
        recovery: true,
        ..MergeOptions::default()
    })
}

#[cfg(test)]
mod tests;
