//! Spans between two messages of the program: `START name` to `STOP name`, or
//! any others.
//!
//! A span belongs to the thread that ran when its messages were written. Spans of one name may
//! nest, and may move with their thread to another capability; several that are open at the same
//! time in one thread can be distinguished by a number: `START 3 request`.
//!
//! Needs events ordered by time.

use crate::limits::Limits;
use crate::table::Table;
use crate::text::shortened;
use ghc_eventlog::{Encoded, Event, EventBody, Text, ids};
use rustc_hash::{FxHashSet, FxHasher};
use std::borrow::Cow;
use std::collections::VecDeque;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// The number of names that are kept for reuse.
const MOST_NAMES: usize = 1 << 14;
/// The largest number of bytes of a name.
const LONGEST: usize = 1024;
/// The number of open spans of one name that are searched for one of the right thread.
const NEAREST: usize = 256;
/// The number of names without an open span that keep their groups.
const MOST_IDLE: usize = 1 << 10;

/// Which beginning and which end belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pairs {
    /// Those with the same name. A message either begins or ends a span.
    Named,
    /// Any two. One message may both begin and end spans.
    Any,
}

/// Which messages begin and end spans.
pub trait Rule {
    /// Whether the message can begin or end a span at all. Called for every message, before
    /// anything else is done with it.
    #[inline]
    fn concerns(&self, message: &[u8]) -> bool {
        let _ = message;
        true
    }

    /// Name and number of the span that the message begins.
    fn begins<'t>(&'t self, message: &'t str) -> Option<(&'t str, Option<u64>)>;

    /// Name and number of the span that the message ends.
    fn ends<'t>(&'t self, message: &'t str) -> Option<(&'t str, Option<u64>)>;

    /// Which beginnings and ends belong together.
    fn pairs(&self) -> Pairs {
        Pairs::Named
    }
}

/// `START name` begins a span, `STOP name` or `END name` ends it. A number in
/// ASCII digits before the name distinguishes spans of one name. As regular
/// expressions, where a dot matches any character:
/// `^START (?:(?P<id>[0-9]+) )?(?P<name>.+)$` and the same with `(?:STOP|END)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StartStop;

impl Rule for StartStop {
    #[inline]
    fn concerns(&self, message: &[u8]) -> bool {
        message.starts_with(b"START ")
            || message.starts_with(b"STOP ")
            || message.starts_with(b"END ")
    }

    fn begins<'t>(&'t self, message: &'t str) -> Option<(&'t str, Option<u64>)> {
        name_and_number(message.strip_prefix("START ")?)
    }

    fn ends<'t>(&'t self, message: &'t str) -> Option<(&'t str, Option<u64>)> {
        let rest = message.strip_prefix("STOP ");
        name_and_number(rest.or_else(|| message.strip_prefix("END "))?)
    }
}

/// Parses what follows the first word.
fn name_and_number(rest: &str) -> Option<(&str, Option<u64>)> {
    if rest.is_empty() {
        return None;
    }
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (number, after) = rest.split_at(digits);
    match after.strip_prefix(' ') {
        // A number that is too large is ignored, but is not part of the name either.
        Some(name) if digits > 0 && !name.is_empty() => Some((name, number.parse().ok())),
        _ => Some((rest, None)),
    }
}

/// What spans need to know about the runtime system.
pub trait Running {
    /// The thread that runs on a capability.
    fn thread_on(&self, cap: u16) -> Option<u32>;

    /// Distinguishes a thread from others that had the same number: the result differs for each of
    /// them. `None` if the one with this number has ended, and no other has the number.
    fn life(&self, thread: u32) -> Option<u64> {
        let _ = thread;
        Some(0)
    }

    /// For how long a thread has run up to a moment, in nanoseconds.
    fn ran(&self, thread: u32, time: u64) -> Option<u64>;

    /// The name of a thread.
    fn label(&self, thread: u32) -> Option<&str>;

    /// For how long the program was stopped for collections so far, in nanoseconds; `None` if the
    /// log has no collections.
    fn paused(&self) -> Option<u64>;
}

/// A complete span.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Span {
    /// Its name.
    pub name: Arc<str>,
    /// What distinguishes it from others of that name.
    pub id: Option<u64>,
    /// The thread that began it.
    pub thread: Option<u32>,
    /// That thread's name.
    pub label: Option<String>,
    /// When it began, in nanoseconds, like all times here.
    pub start: u64,
    /// When it ended; never before its start.
    pub end: u64,
    /// For how long its thread ran meanwhile.
    pub running: Option<u64>,
    /// For how long the program was stopped for collections meanwhile; `None` if the log has no
    /// collections.
    pub paused: Option<u64>,
}

/// A span that has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct OpenSpan {
    /// Its name.
    pub name: Arc<str>,
    /// What distinguishes it from others of that name.
    pub id: Option<u64>,
    /// The thread that began it.
    pub thread: Option<u32>,
    /// The capability on which that was.
    pub cap: Option<u16>,
    /// When it began, in nanoseconds.
    pub start: u64,
    /// Where its beginning is in the stream.
    #[cfg_attr(feature = "serde", serde(skip))]
    offset: u64,
    /// Its place in the order of all spans that have begun.
    number: u64,
    paused: u64,
    ran: Option<u64>,
    /// Distinguishes its thread from others with that number.
    #[cfg_attr(feature = "serde", serde(skip))]
    life: Option<u64>,
}

impl OpenSpan {
    /// The thread that began it, unless it has ended: another thread may have the number now.
    pub(crate) fn owner(&self, running: &impl Running) -> Option<u32> {
        let thread = self.thread?;
        let life = running.life(thread);
        (life.is_some() && life == self.life).then_some(thread)
    }

    /// Where its beginning is in the stream.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }
}

/// A name in the form in which it is kept.
fn kept(name: &str) -> Cow<'_, str> {
    match name.len() <= LONGEST {
        true => Cow::Borrowed(name),
        false => Cow::Owned(shortened(name, LONGEST)),
    }
}

/// Names, each stored only once.
#[derive(Clone, Debug, Default)]
struct Names(Arc<FxHashSet<Arc<str>>>);

impl Names {
    fn get(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.0.get(name) {
            return Arc::clone(known);
        }
        let name: Arc<str> = name.into();
        if self.0.len() < MOST_NAMES {
            Arc::make_mut(&mut self.0).insert(Arc::clone(&name));
        }
        name
    }
}

/// Name and number of a span.
#[derive(Clone, Copy)]
struct Key<'a> {
    name: &'a str,
    id: Option<u64>,
}

impl Key<'_> {
    fn hash(self) -> u64 {
        let mut hasher = FxHasher::default();
        (self.name, self.id).hash(&mut hasher);
        hasher.finish()
    }

    fn is_of(self, span: &OpenSpan) -> bool {
        *span.name == *self.name && span.id == self.id
    }
}

/// Open spans of one name and number, unless two hashes are equal.
#[derive(Clone, Debug, Default)]
struct Group {
    /// In the order in which they began.
    spans: VecDeque<OpenSpan>,
    /// The name of the first of all; `None` before that.
    name: Option<Arc<str>>,
}

/// Spans that have not ended.
#[derive(Clone, Debug, Default)]
struct Open {
    /// By the hash of name and number.
    groups: Table<Group>,
    count: usize,
    /// How many groups have no span. They are kept for the next one of that name: most names come
    /// again and again.
    idle: usize,
    /// The memory of a removed group, to be reused.
    spare: VecDeque<OpenSpan>,
}

/// Pairs messages to spans. A copy shares what has not changed since.
#[derive(Clone, Debug)]
pub struct Spans<R> {
    rule: R,
    limit: usize,
    open: Open,
    begun: u64,
    unopened: u64,
    refused: u64,
    names: Names,
}

impl<R: Rule> Spans<R> {
    /// No span has begun.
    pub fn new(rule: R, limits: &Limits) -> Self {
        Self {
            rule,
            limit: limits.spans,
            open: Open::default(),
            begun: 0,
            unopened: 0,
            refused: 0,
            names: Names::default(),
        }
    }

    /// The rule.
    pub fn rule(&self) -> &R {
        &self.rule
    }

    /// Begins another log: no span of the log before can end any more. The counts stay.
    pub fn restart(&mut self) {
        self.open = Open::default();
    }

    /// How many ends had no beginning.
    pub fn unopened(&self) -> u64 {
        self.unopened
    }

    /// How many beginnings exceeded the limit.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// How many spans have not ended.
    pub fn open_count(&self) -> usize {
        self.open.count
    }

    /// The spans that have not ended, in the order in which they began.
    pub fn open(&self) -> impl Iterator<Item = &OpenSpan> {
        let groups = self.open.groups.iter();
        let mut open: Vec<_> = groups.flat_map(|(_, group)| &group.spans).collect();
        open.sort_unstable_by_key(|span| span.number);
        open.into_iter()
    }

    /// The span that the event ends. The same for an event that is not decoded.
    #[inline]
    pub fn encoded(&mut self, event: &Encoded<'_>, running: &impl Running) -> Option<Span> {
        match event.id() {
            id @ (ids::USER_MSG | ids::USER_MARKER) => self.event(&event.decode_as(id), running),
            _ => None,
        }
    }

    /// The span that the event ends.
    #[inline]
    pub fn event(&mut self, event: &Event<'_>, running: &impl Running) -> Option<Span> {
        let text = match event.body {
            EventBody::UserMsg { message } => message,
            EventBody::UserMarker { marker } => marker,
            _ => return None,
        };
        match self.rule.concerns(text.as_bytes()) {
            true => self.message(text, event, running),
            false => None,
        }
    }

    fn message(
        &mut self,
        text: Text<'_>,
        event: &Event<'_>,
        running: &impl Running,
    ) -> Option<Span> {
        // Not from_utf8_lossy at once: nearly all text is valid.
        let text = text
            .to_str()
            .map_or_else(|| text.to_string_lossy(), Cow::Borrowed);
        let pairs = self.rule.pairs();
        let begins = self.rule.begins(&text);
        let ends = match (begins, pairs) {
            (Some(_), Pairs::Named) => None,
            _ => self.rule.ends(&text),
        };
        if begins.is_none() && ends.is_none() {
            return None;
        }
        let thread = event.cap.and_then(|cap| running.thread_on(cap));
        // A message that both ends and begins a span ends the one before.
        let ended = ends.and_then(|(name, id)| {
            let name = &kept(name);
            let key = Key { name, id };
            let span = self.open.end(key, thread, event.time, (pairs, running));
            self.unopened += u64::from(span.is_none() && begins.is_none());
            span
        });
        match begins {
            Some(_) if self.open.count >= self.limit => self.refused += 1,
            Some((name, id)) => {
                let name = &kept(name);
                let key = Key { name, id };
                let number = self.begun;
                self.open.begin(key, &mut self.names, |name| OpenSpan {
                    name,
                    id,
                    thread,
                    cap: event.cap,
                    start: event.time,
                    offset: event.offset,
                    number,
                    paused: running.paused().unwrap_or(0),
                    ran: thread.and_then(|thread| running.ran(thread, event.time)),
                    life: thread.and_then(|thread| running.life(thread)),
                });
                self.begun += 1;
            }
            None => {}
        }
        ended
    }
}

impl Open {
    /// Begins a span, the latest of all.
    fn begin(&mut self, key: Key<'_>, names: &mut Names, span: impl FnOnce(Arc<str>) -> OpenSpan) {
        let spare = &mut self.spare;
        let group = self.groups.get_or_insert_with(key.hash(), || Group {
            spans: std::mem::take(spare),
            name: None,
        });
        let name = match &group.name {
            Some(known) if **known == *key.name => Arc::clone(known),
            _ => names.get(key.name),
        };
        match &group.name {
            Some(_) => self.idle -= usize::from(group.spans.is_empty()),
            None => group.name = Some(Arc::clone(&name)),
        }
        group.spans.push_back(span(name));
        self.count += 1;
    }

    /// Ends a span: finds which one, if there is any.
    fn end(
        &mut self,
        key: Key<'_>,
        thread: Option<u32>,
        end: u64,
        (pairs, running): (Pairs, &impl Running),
    ) -> Option<Span> {
        let hash = key.hash();
        let group = self.groups.get_mut(hash)?;
        let spans = &mut group.spans;
        let same = |span: &OpenSpan| key.is_of(span);
        let mut nearest = (0..spans.len()).rev().filter(|&at| same(&spans[at]));
        let own = nearest
            .by_ref()
            .take(NEAREST)
            .find(|&at| spans[at].owner(running) == thread);
        // Another thread may end it: then it is the latest, or with `Pairs::Any` the one that has
        // waited longest.
        let at = own.or_else(|| match pairs {
            Pairs::Named => spans.iter().rposition(same),
            Pairs::Any => spans.iter().position(same),
        })?;
        let found = spans.remove(at)?;
        if spans.is_empty() {
            // The memory of a group that was once large is not kept. Numbers hardly come again.
            let small = spans.capacity() <= NEAREST;
            if small && key.id.is_none() && self.idle < MOST_IDLE {
                self.idle += 1;
            } else if let Some(group) = self.groups.remove(hash)
                && small
            {
                self.spare = group.spans;
            }
        }
        self.count -= 1;
        let owner = match own {
            Some(_) => thread,
            None => found.owner(running),
        };
        let ran = owner.and_then(|thread| running.ran(thread, end));
        let label = owner.and_then(|thread| running.label(thread));
        let paused = running.paused();
        Some(Span {
            name: found.name,
            id: found.id,
            thread: found.thread,
            label: label.map(str::to_owned),
            start: found.start,
            end: end.max(found.start),
            running: ran
                .zip(found.ran)
                .map(|(now, before)| now.saturating_sub(before)),
            paused: paused.map(|now| now.saturating_sub(found.paused)),
        })
    }
}

#[cfg(test)]
#[path = "spans/tests.rs"]
mod tests;
