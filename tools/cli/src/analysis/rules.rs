//! Messages that begin and end spans, by regular expressions.

use eventlog_state::{Pairs, Rule, StartStop};
use regex::{Regex, RegexBuilder};

/// How messages begin and end spans if nothing else is asked for. The same in other words:
/// [`StartStop`], which needs no regular expressions.
pub const START: &str = r"^START (?:(?P<id>[0-9]+) )?(?P<name>.+)$";
pub const STOP: &str = r"^(?:STOP|END) (?:(?P<id>[0-9]+) )?(?P<name>.+)$";

/// Which messages begin and end a span.
#[derive(Clone, Debug)]
pub enum Rules {
    /// The usual ones.
    Usual(StartStop),
    /// Those that match.
    Patterns(Box<Patterns>),
}

/// Patterns of beginnings and ends.
#[derive(Clone, Debug)]
pub struct Patterns {
    start: Pattern,
    stop: Pattern,
    pairs: Pairs,
}

impl Rules {
    /// Messages that contain the same name: the group `name`, or the first group, or all that
    /// matches.
    pub fn named(start: &str, stop: &str) -> Result<Self, regex::Error> {
        if (start, stop) == (START, STOP) {
            return Ok(Self::Usual(StartStop));
        }
        Ok(Self::Patterns(Box::new(Patterns {
            start: Pattern::new(start)?,
            stop: Pattern::new(stop)?,
            pairs: Pairs::Named,
        })))
    }

    /// Any two messages. If both patterns have a group for the name, the two names must be equal;
    /// otherwise spans are named after the two patterns.
    pub fn between(from: &str, to: &str) -> Result<Self, regex::Error> {
        let (mut start, mut stop) = (Pattern::new(from)?, Pattern::new(to)?);
        if start.group.is_none() || stop.group.is_none() {
            let name = format!("{from} -> {to}");
            (start.fixed, stop.fixed) = (Some(name.clone()), Some(name));
        }
        let ids = start.ids && stop.ids;
        (start.ids, stop.ids) = (ids, ids);
        Ok(Self::Patterns(Box::new(Patterns {
            start,
            stop,
            pairs: Pairs::Any,
        })))
    }
}

impl Rule for Rules {
    #[inline]
    fn concerns(&self, message: &[u8]) -> bool {
        match self {
            Self::Usual(rule) => rule.concerns(message),
            Self::Patterns(_) => true,
        }
    }

    fn begins<'t>(&'t self, message: &'t str) -> Option<(&'t str, Option<u64>)> {
        match self {
            Self::Usual(rule) => rule.begins(message),
            Self::Patterns(rules) => rules.start.parts(message),
        }
    }

    fn ends<'t>(&'t self, message: &'t str) -> Option<(&'t str, Option<u64>)> {
        match self {
            Self::Usual(rule) => rule.ends(message),
            Self::Patterns(rules) => rules.stop.parts(message),
        }
    }

    fn pairs(&self) -> Pairs {
        match self {
            Self::Usual(rule) => rule.pairs(),
            Self::Patterns(rules) => rules.pairs,
        }
    }
}

/// A pattern of messages.
#[derive(Clone, Debug)]
struct Pattern {
    regex: Regex,
    /// The group that is the name.
    group: Option<usize>,
    /// A fixed name.
    fixed: Option<String>,
    /// Whether its group `id` distinguishes spans of one name.
    ids: bool,
}

impl Pattern {
    fn new(pattern: &str) -> Result<Self, regex::Error> {
        // Messages may have several lines: a name does not end with the first.
        let regex = RegexBuilder::new(pattern)
            .dot_matches_new_line(true)
            .build()?;
        let named = regex.capture_names().position(|name| name == Some("name"));
        // Group 0 is all that matches.
        let first = || {
            let mut groups = regex.capture_names().enumerate().skip(1);
            groups
                .find(|(_, name)| *name != Some("id"))
                .map(|(at, _)| at)
        };
        Ok(Self {
            group: named.or_else(first),
            fixed: None,
            ids: regex.capture_names().flatten().any(|name| name == "id"),
            regex,
        })
    }

    /// Name and number in a message.
    fn parts<'t>(&'t self, text: &'t str) -> Option<(&'t str, Option<u64>)> {
        let found = self.regex.captures(text)?;
        let name = match &self.fixed {
            Some(name) => name,
            None => {
                let group = self.group.and_then(|group| found.get(group));
                group.or_else(|| found.get(0))?.as_str()
            }
        };
        let id = found.name("id").filter(|_| self.ids);
        Some((name, id.and_then(|id| id.as_str().parse().ok())))
    }
}
