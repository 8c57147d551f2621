//! How long to wait.

use std::time::Duration;

/// How long to wait for something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Until it happens.
    Forever,
    /// For this long; zero means a single attempt.
    For(Duration),
}

impl Wait {
    /// What is left of it after waiting for some time.
    pub(crate) fn left(self, waited: Duration) -> Duration {
        match self {
            Self::Forever => Duration::MAX,
            Self::For(time) => time.saturating_sub(waited),
        }
    }
}

impl From<Duration> for Wait {
    fn from(time: Duration) -> Self {
        Self::For(time)
    }
}
