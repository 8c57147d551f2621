//! Why a filter lets nothing through.

use super::Filter;
use crate::units::Nanos;

/// Which conditions were met by events, each by itself, until one event met all of them.
#[derive(Debug, Default)]
pub struct Seen {
    /// An event met all. Then the rest is of no interest.
    pub matched: bool,
    pub events: u64,
    pub types: bool,
    pub times: bool,
    pub caps: bool,
    pub threads: bool,
    pub texts: bool,
    /// The earliest and the latest time.
    pub range: Option<(u64, u64)>,
}

impl Filter {
    /// What to say at the end of a log: which condition nothing met.
    pub fn complaint(&self) -> Option<String> {
        let seen = &self.seen;
        if seen.events == 0 {
            return None;
        }
        if seen.matched {
            return self
                .unknown_labels()
                .map(|labels| format!("no thread was called {labels}"));
        }
        let why = match seen {
            Seen { types: false, .. } => "the log has no events of these types".to_owned(),
            Seen { caps: false, .. } => "the log has no events of these capabilities".to_owned(),
            Seen { times: false, .. } => {
                let (first, last) = seen.range.unwrap_or_default();
                let (first, last) = (Nanos(first), Nanos(last));
                format!("the log goes from {first} to {last}")
            }
            Seen { threads: false, .. } => match self.unknown_labels() {
                Some(labels) => format!("no thread was called {labels}"),
                None => "the log has no events of these threads".to_owned(),
            },
            Seen { texts: false, .. } => "no text in the log matches".to_owned(),
            _ => "there are events for each filter, but none for all of them at once".to_owned(),
        };
        Some(format!("nothing matched: {why}"))
    }

    /// Wanted labels that no thread had.
    fn unknown_labels(&self) -> Option<String> {
        let labels = self.threads.iter().flat_map(|threads| &threads.labels);
        let unknown: Vec<String> = labels
            .filter(|(_, seen)| !**seen)
            .map(|(label, _)| format!("{label:?}"))
            .collect();
        (!unknown.is_empty()).then(|| unknown.join(" or "))
    }
}
