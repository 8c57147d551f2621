//! How long to wait before a request is sent again.

use std::time::Duration;

/// The longest pause that a receiver may ask for.
const BELIEVED: Duration = Duration::from_secs(300);

/// Pauses that grow by half each time, with random variation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Backoff {
    next: Duration,
    most: Duration,
}

impl Backoff {
    pub(super) fn new((first, most): (Duration, Duration)) -> Self {
        Self { next: first, most }
    }

    /// The next pause: as long as the receiver asks for, or longer.
    pub(super) fn pause(&mut self, asked: Option<Duration>) -> Duration {
        let pause = self.next;
        self.next = pause.mul_f64(1.5).min(self.most);
        // Between 3/4 and 5/4 of it, so that many clients that failed together do not retry
        // together.
        let chance = f64::from(uuid_byte()) / 255.0;
        let pause = pause.mul_f64(0.75 + chance / 2.0);
        pause.max(asked.unwrap_or_default().min(BELIEVED))
    }
}

/// A random number: the standard library's hasher has a new key each time.
fn uuid_byte() -> u8 {
    use std::hash::{BuildHasher, RandomState};
    (RandomState::new().hash_one(0) & 0xff) as u8
}

/// The header `Retry-After`: seconds, or a date. `now`: Unix time.
pub(super) fn retry_after(value: &str, now: std::time::SystemTime) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::UNIX_EPOCH;

    #[test]
    fn pauses_grow_up_to_the_longest() {
        let (first, most) = (Duration::from_secs(1), Duration::from_secs(30));
        let mut backoff = Backoff::new((first, most));
        let pauses: Vec<Duration> = (0..20).map(|_| backoff.pause(None)).collect();
        let within =
            |pause: Duration, of: Duration| (of.mul_f64(0.74)..=of.mul_f64(1.26)).contains(&pause);
        assert!(within(pauses[0], first), "{pauses:?}");
        assert!(within(pauses[2], first.mul_f64(2.25)), "{pauses:?}");
        assert!(within(pauses[19], most), "{pauses:?}");
        let asked = Duration::from_secs(70);
        assert_eq!(backoff.pause(Some(asked)), asked);
        // A pause of a year is not accepted.
        assert_eq!(backoff.pause(Some(Duration::from_secs(1 << 25))), BELIEVED);
    }

    #[test]
    fn seconds_and_dates_are_understood() {
        let now = UNIX_EPOCH + Duration::from_secs(784_111_777);
        assert_eq!(retry_after("7", now), Some(Duration::from_secs(7)));
        let date = "Sun, 06 Nov 1994 08:49:47 GMT";
        assert_eq!(retry_after(date, now), Some(Duration::from_secs(10)));
        let past = "Sun, 06 Nov 1994 08:49:07 GMT";
        assert_eq!(retry_after(past, now), Some(Duration::ZERO));
        assert_eq!(retry_after("soon", now), None);
    }
}
