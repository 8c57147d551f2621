//! Converts a log's own time to the time of day.
//!
//! A log counts nanoseconds from the start of the program. One event contains
//! what the wall clock showed at the moment when *that event* was written, not
//! when the program started, so its own time has to be subtracted:
//! `wall = clock - event's time + time`.

use crate::body::EventBody;
use crate::event::Event;
use std::fmt;

/// The relation of log time and wall clock.
///
/// ```
/// use ghc_eventlog::WallClock;
///
/// // The clock showed 1000 s when the program was 2 ns old.
/// let clock = WallClock::new(2, 1000, 0);
/// assert_eq!(clock.at(5).unix_nanos(), 1_000_000_000_003);
/// assert_eq!(clock.at(5).to_string(), "1970-01-01T00:16:40.000000003Z");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WallClock {
    /// Unix time, in nanoseconds, of the log's time 0.
    start: i128,
}

impl WallClock {
    /// Made from the fields of a `wall_clock_time` event and its own time.
    pub fn new(event_time: u64, seconds: u64, nanoseconds: u32) -> Self {
        let told = i128::from(seconds) * 1_000_000_000 + i128::from(nanoseconds);
        Self {
            start: told - i128::from(event_time),
        }
    }

    /// Made from any event; `None` if it is not a wall clock event.
    pub fn from_event(event: &Event<'_>) -> Option<Self> {
        match event.body {
            EventBody::WallClockTime {
                seconds,
                nanoseconds,
                ..
            } => Some(Self::new(event.time, seconds, nanoseconds)),
            _ => None,
        }
    }

    /// The wall clock at a time of the log.
    pub fn at(&self, time: u64) -> UnixTime {
        UnixTime(self.start + i128::from(time))
    }

    /// The time of the log at a wall clock time; `None` if it is before the
    /// start of the program, or too far away.
    pub fn log_time(&self, wall: UnixTime) -> Option<u64> {
        u64::try_from(wall.0 - self.start).ok()
    }
}

/// A moment, in nanoseconds since 1970 in UTC.
///
/// Displayed in the format of RFC 3339, with all nine decimals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixTime(i128);

impl UnixTime {
    /// The moment `nanos` nanoseconds after 1970 began.
    pub fn from_unix_nanos(nanos: i128) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since 1970.
    pub fn unix_nanos(self) -> i128 {
        self.0
    }
}

impl fmt::Display for UnixTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.rem_euclid(1_000_000_000);
        let seconds = self.0.div_euclid(1_000_000_000);
        let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        let (year, month, day) = civil(days);
        let (hour, minute) = (second / 3600, second / 60 % 60);
        let second = second % 60;
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{nanos:09}Z"
        )
    }
}

/// Year, month and day of a number of days since 1970-01-01.
///
/// Years are counted from March, so that a leap day is the last day of its
/// year; 146 097 days are 400 years, 153 days are five months from March on.
fn civil(days: i128) -> (i128, i128, i128) {
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let leaps = day_of_era / 1460 - day_of_era / 36_524 + day_of_era / 146_096;
    let year_of_era = (day_of_era - leaps) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year_of_era + i128::from(month <= 2), month, day)
}
