//! Requests to the API, and errors.

use regex::{Regex, RegexBuilder};
use serde::Serialize;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// The size limit of a compiled regular expression.
const PATTERN: usize = 1 << 20;

/// The parts of a request that answers depend on.
#[derive(Debug)]
pub(crate) struct Question {
    /// The method is POST.
    pub(crate) posts: bool,
    /// The path after `/api/`.
    pub(crate) path: String,
    pub(crate) parameters: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Whether the client still waits for the answer.
    pub(crate) wanted: Arc<AtomicBool>,
}

/// An answer.
#[derive(Debug)]
pub(crate) enum Answer {
    Json(String),
    Bytes(Vec<u8>),
}

/// An error instead of an answer.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// The HTTP status.
    pub(crate) status: u16,
    /// What happened, to what, and what to do.
    pub(crate) message: String,
}

impl Refusal {
    /// The requested thing does not exist.
    pub(crate) fn missing(message: impl Into<String>) -> Self {
        Self {
            status: 404,
            message: message.into(),
        }
    }

    /// The request is not valid.
    pub(crate) fn bad(message: impl Into<String>) -> Self {
        Self {
            status: 400,
            message: message.into(),
        }
    }
}

impl From<std::io::Error> for Refusal {
    fn from(error: std::io::Error) -> Self {
        let gone = error.kind() == std::io::ErrorKind::NotFound;
        Self {
            status: if gone { 410 } else { 500 },
            message: format!("cannot read that part of the log: {error}"),
        }
    }
}

/// As JSON.
pub(crate) fn json(value: &impl Serialize) -> Result<Answer, Refusal> {
    let text = serde_json::to_string(value).map_err(|error| Refusal {
        status: 500,
        message: format!("the answer cannot be written: {error}"),
    })?;
    Ok(Answer::Json(text))
}

impl Question {
    /// The value of a parameter.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        let found = self.parameters.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| &**value)
    }

    /// The value of a parameter as a number.
    pub(crate) fn number<T: FromStr>(&self, name: &str) -> Result<Option<T>, Refusal> {
        let Some(text) = self.text(name).filter(|text| !text.is_empty()) else {
            return Ok(None);
        };
        text.parse().map(Some).map_err(|_| {
            Refusal::bad(format!(
                "the parameter {name} must be a number, not {text:?}"
            ))
        })
    }

    /// The value of a parameter as a regular expression; `None` if it is missing or empty.
    pub(crate) fn pattern(&self, name: &str) -> Result<Option<Regex>, Refusal> {
        let Some(text) = self.text(name).filter(|text| !text.is_empty()) else {
            return Ok(None);
        };
        let mut builder = RegexBuilder::new(text);
        let built = builder.size_limit(PATTERN).dfa_size_limit(PATTERN).build();
        built
            .map(Some)
            .map_err(|error| Refusal::bad(format!("{text:?} is not a regular expression: {error}")))
    }

    /// A time: a whole number of nanoseconds, possibly formatted as a double.
    pub(crate) fn time(&self, name: &str) -> Result<Option<u64>, Refusal> {
        let Some(text) = self.text(name).filter(|text| !text.is_empty()) else {
            return Ok(None);
        };
        let exact = text.parse::<u64>().ok();
        let rounded = || {
            let number = text.parse::<f64>().ok().filter(|it| it.is_finite())?;
            Some(number.round().clamp(0.0, u64::MAX as f64) as u64)
        };
        exact.or_else(rounded).map(Some).ok_or_else(|| {
            Refusal::bad(format!(
                "the parameter {name} must be a time in nanoseconds, not {text:?}"
            ))
        })
    }

    /// The requested number of items, with a default and a limit.
    pub(crate) fn count(&self, name: &str, usual: usize, most: usize) -> Result<usize, Refusal> {
        Ok(self.number(name)?.unwrap_or(usual).min(most))
    }

    /// The requested time range; by default the whole log.
    pub(crate) fn window(&self) -> Result<(u64, u64), Refusal> {
        let from = self.time("from")?.unwrap_or(0);
        let to = self.time("to")?.unwrap_or(u64::MAX);
        Ok((from, to.max(from)))
    }

    /// Whether a parameter is set to 1.
    pub(crate) fn flag(&self, name: &str) -> bool {
        matches!(self.text(name), Some("1" | "true" | "yes" | ""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(parameters: &[(&str, &str)]) -> Question {
        let owned = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
        Question {
            posts: false,
            path: String::new(),
            parameters: parameters.iter().map(owned).collect(),
            body: Vec::new(),
            wanted: Arc::default(),
        }
    }

    #[test]
    fn times_are_what_doubles_make_of_them() {
        let time = |text| question(&[("t", text)]).time("t");
        for (text, value) in [
            ("17", 17),
            ("18446744073709551615", u64::MAX),
            ("1.8446744073709552e19", u64::MAX),
            ("1e9", 1_000_000_000),
            ("2.5", 3),
            ("-4", 0),
        ] {
            assert_eq!(time(text).unwrap(), Some(value), "{text}");
        }
        assert_eq!(time("").unwrap(), None);
        for text in ["NaN", "inf", "1 s", "0x10"] {
            let refusal = time(text).unwrap_err();
            assert_eq!(refusal.status, 400, "{text}");
            assert!(refusal.message.contains(text));
        }
    }

    #[test]
    fn a_window_never_ends_before_it_begins() {
        let window = |from, to| question(&[("from", from), ("to", to)]).window();
        assert_eq!(window("5", "3").unwrap(), (5, 5));
        assert_eq!(window("", "").unwrap(), (0, u64::MAX));
        let usual = question(&[("limit", "1000000")]);
        assert_eq!(usual.count("limit", 5, 100).unwrap(), 100);
        assert_eq!(usual.count("other", 5, 100).unwrap(), 5);
    }
}
