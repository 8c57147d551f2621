//! The numbers of the event types, named as in GHC's `EventLogFormat.h`.
//!
//! They are generated from the table that defines
//! [`EventBody`](crate::EventBody), the only place that has them. Their machine
//! names are in [`names`](crate::names).

use std::ops::RangeInclusive;

pub use crate::body::constants::*;

/// Reserved for Eden, a parallel Haskell.
pub const EDEN: RangeInclusive<u16> = 60..=80;
/// Reserved for Mercury.
pub const MERCURY: RangeInclusive<u16> = 100..=139;
/// Reserved for events made from records of Linux's perf.
pub const PERF: RangeInclusive<u16> = 140..=159;

#[cfg(test)]
mod tests {
    use crate::body::CONSTANTS;
    use crate::names;

    #[test]
    fn constants_and_machine_names_are_the_same_words() {
        for &(id, constant) in CONSTANTS {
            assert_eq!(names::name_of(id), Some(&*constant.to_lowercase()), "{id}");
        }
        assert_eq!(CONSTANTS.len(), names::known().count());
        // No number is used for two types.
        let mut ids: Vec<u16> = CONSTANTS.iter().map(|&(id, _)| id).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), CONSTANTS.len());
    }
}
