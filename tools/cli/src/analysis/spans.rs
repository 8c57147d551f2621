//! Spans between two messages of the program: `START name` to `STOP name`, or
//! any others.
//!
//! A span belongs to the thread that ran when its messages were written. Spans
//! of one name may nest, and may move with their thread to another capability;
//! several that run at the same time in one thread can be told apart by a
//! number: `START 3 request`.
//!
//! Needs events in the order of time.

use super::classes::Classes;
use super::gc::Collections;
use super::identity::shortened;
use super::threads::{State, Threads};
use ghc_eventlog::{Event, EventBody, Header};
use regex::{Regex, RegexBuilder};
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

/// How messages begin and end spans.
pub const START: &str = r"^START (?:(?P<id>\d+) )?(?P<name>.+)$";
pub const STOP: &str = r"^(?:STOP|END) (?:(?P<id>\d+) )?(?P<name>.+)$";

/// At most so many spans are open at a time.
const MOST_OPEN: usize = 1 << 20;
/// At most so many names are kept for use again.
const MOST_NAMES: usize = 1 << 14;
/// Among so many open spans of one name the right thread's is looked for.
const NEAREST: usize = 256;

/// Which messages begin and end a span.
#[derive(Clone, Debug)]
pub struct Rules {
    start: Rule,
    stop: Rule,
    pairs: Pairs,
}

/// Which beginning and which end belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pairs {
    /// Those that tell the same name.
    Named,
    /// Any two. One message may do both.
    Any,
}

impl Rules {
    /// Messages that tell the same name: the group `name`, or the first group,
    /// or all that matches.
    pub fn named(start: &str, stop: &str) -> Result<Self, regex::Error> {
        Ok(Self {
            start: Rule::new(start)?,
            stop: Rule::new(stop)?,
            pairs: Pairs::Named,
        })
    }

    /// Any two messages. Where both rules have a group for it, they must tell
    /// the same name; the others are called after the two rules.
    pub fn between(from: &str, to: &str) -> Result<Self, regex::Error> {
        let (mut start, mut stop) = (Rule::new(from)?, Rule::new(to)?);
        if start.group.is_none() || stop.group.is_none() {
            let name: Rc<str> = format!("{from} -> {to}").into();
            (start.fixed, stop.fixed) = (Some(Rc::clone(&name)), Some(name));
        }
        let ids = start.ids && stop.ids;
        (start.ids, stop.ids) = (ids, ids);
        Ok(Self {
            start,
            stop,
            pairs: Pairs::Any,
        })
    }
}

impl eventlog_state::Rule for Rules {
    fn concerns(&self, message: &[u8]) -> bool {
        let usual = self.start.regex.as_str() == START && self.stop.regex.as_str() == STOP;
        !usual || eventlog_state::StartStop.concerns(message)
    }

    fn begins<'t>(&'t self, message: &'t str) -> Option<(&'t str, Option<u64>)> {
        self.start.parts(message)
    }

    fn ends<'t>(&'t self, message: &'t str) -> Option<(&'t str, Option<u64>)> {
        self.stop.parts(message)
    }

    fn pairs(&self) -> eventlog_state::Pairs {
        match self.pairs {
            Pairs::Named => eventlog_state::Pairs::Named,
            Pairs::Any => eventlog_state::Pairs::Any,
        }
    }
}

/// A pattern of messages.
#[derive(Clone, Debug)]
struct Rule {
    regex: Regex,
    /// The group that is the name.
    group: Option<usize>,
    /// The name, whatever the message says.
    fixed: Option<Rc<str>>,
    /// Whether its group `id` tells spans of one name apart.
    ids: bool,
}

impl Rule {
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

/// A complete span.
#[derive(Clone, Debug)]
pub struct Span {
    pub name: Rc<str>,
    pub id: Option<u64>,
    /// The thread that began it.
    pub thread: Option<u32>,
    pub label: Option<String>,
    pub start: u64,
    pub end: u64,
    /// Nanoseconds of it in which the thread was running.
    pub running: Option<u64>,
    /// Nanoseconds of it in which the program was stopped for collections;
    /// `None` if the log does not tell of any.
    pub gc: Option<u64>,
}

#[derive(Debug)]
struct Open {
    thread: Option<u32>,
    start: u64,
    gc: u64,
    ran: Option<u64>,
}

type Key = (Rc<str>, Option<u64>);

/// Each name once in memory.
#[derive(Debug, Default)]
struct Names(HashSet<Rc<str>>);

impl Names {
    fn get(&mut self, name: &str) -> Rc<str> {
        if let Some(known) = self.0.get(name) {
            return Rc::clone(known);
        }
        let name: Rc<str> = shortened(name).into();
        if self.0.len() < MOST_NAMES {
            self.0.insert(Rc::clone(&name));
        }
        name
    }
}

/// Pairs the messages.
#[derive(Debug)]
pub struct Spans {
    rules: Rules,
    threads: Threads,
    running: HashMap<u16, u32>,
    collections: Collections,
    classes: Classes,
    /// Nanoseconds in collections so far.
    gc: u64,
    open: HashMap<Key, Vec<Open>>,
    open_count: usize,
    names: Names,
    /// Ends without a beginning.
    pub unopened: u64,
    /// Beginnings that were too many to follow.
    pub unfollowed: u64,
}

impl Spans {
    pub fn new(rules: Rules) -> Self {
        Self {
            rules,
            threads: Threads::default(),
            running: HashMap::new(),
            collections: Collections::default(),
            classes: Classes::default(),
            gc: 0,
            open: HashMap::new(),
            open_count: 0,
            names: Names::default(),
            unopened: 0,
            unfollowed: 0,
        }
    }

    /// A log begins anew: nothing of the one before can end any more.
    pub fn session(&mut self, header: &Header) {
        self.threads = Threads::default();
        self.collections = Collections::new(header);
        self.classes = Classes::default();
        self.running.clear();
        self.open.clear();
        (self.open_count, self.gc) = (0, 0);
    }

    /// The span that the event ends.
    pub fn event(&mut self, event: &Event<'_>) -> Option<Span> {
        self.classes.event(event);
        let text = match event.body {
            EventBody::UserMsg { message } => message,
            EventBody::UserMarker { marker } => marker,
            EventBody::RunThread { thread } => {
                self.running.insert(event.cap?, thread);
                self.threads.event(event);
                return None;
            }
            EventBody::StopThread { .. } => {
                self.running.remove(&event.cap?);
                self.threads.event(event);
                return None;
            }
            _ => {
                if let Some(step) = self.collections.event(event) {
                    self.gc += step.collection.map_or(0, |collection| collection.pause());
                } else {
                    self.threads.event(event);
                }
                return None;
            }
        };
        let text = text.to_string_lossy();
        let thread = event.cap.and_then(|cap| self.running.get(&cap).copied());
        let key = |names: &mut Names, (name, id): (&str, Option<u64>)| (names.get(name), id);
        let begins = self.rules.start.parts(&text);
        let begins = begins.map(|parts| key(&mut self.names, parts));
        let ends = match (&begins, self.rules.pairs) {
            (Some(_), Pairs::Named) => None,
            _ => self.rules.stop.parts(&text),
        };
        let ends = ends.map(|parts| key(&mut self.names, parts));
        // What ends and begins a span at once ends the one before.
        let ended = ends.and_then(|key| {
            let span = self.end(key, thread, event.time);
            self.unopened += u64::from(span.is_none() && begins.is_none());
            span
        });
        if let Some(key) = begins {
            self.begin(key, thread, event.time);
        }
        ended
    }

    fn begin(&mut self, key: Key, thread: Option<u32>, start: u64) {
        if self.open_count >= MOST_OPEN {
            self.unfollowed += 1;
            return;
        }
        let (gc, ran) = (self.gc, thread.and_then(|thread| self.ran(thread, start)));
        self.open.entry(key).or_default().push(Open {
            thread,
            start,
            gc,
            ran,
        });
        self.open_count += 1;
    }

    fn end(&mut self, key: Key, thread: Option<u32>, end: u64) -> Option<Span> {
        let open = self.open.get_mut(&key)?;
        let nearest = open.iter().enumerate().rev().take(NEAREST);
        let own = nearest
            .filter(|(_, open)| open.thread == thread)
            .map(|(at, _)| at)
            .next();
        // Another thread may end it: then the latest is meant, or among any
        // messages the one that has waited longest.
        let other = match self.rules.pairs {
            Pairs::Named => open.len() - 1,
            Pairs::Any => 0,
        };
        let found = open.remove(own.unwrap_or(other));
        if open.is_empty() {
            self.open.remove(&key);
        }
        self.open_count -= 1;
        let ran = found.thread.and_then(|thread| self.ran(thread, end));
        let label = found
            .thread
            .and_then(|thread| self.threads.get(thread)?.label.clone());
        Some(Span {
            name: key.0,
            id: key.1,
            thread: found.thread,
            label,
            start: found.start,
            end: end.max(found.start),
            running: ran
                .zip(found.ran)
                .map(|(now, before)| now.saturating_sub(before)),
            gc: self.classes.gc.then(|| self.gc - found.gc),
        })
    }

    /// How long a thread has run up to a moment.
    fn ran(&self, thread: u32, time: u64) -> Option<u64> {
        let thread = self.threads.get(thread)?;
        Some(match thread.state {
            State::Running(_) => thread.running + time.saturating_sub(thread.since),
            _ => thread.running,
        })
    }

    /// What the session tells at all.
    pub fn classes(&self) -> &Classes {
        &self.classes
    }

    /// How many spans have not ended.
    pub fn open(&self) -> usize {
        self.open_count
    }
}
