//! Binary messages of libraries that define something for later messages.
//!
//! For two protocols it is known which messages do this:
//!
//! * ghc-stack-profiler, all numbers big-endian: `FF C0` (its version), `FF CC`
//!   (gives a string a number of eight bytes) and `FF CD` (does the same for a
//!   location in the source). Samples (`FF CA`, `FF CB`) refer to them.
//! * opentelemetry, all numbers little-endian: `O T 03`, then the type in one
//!   byte. Type 8 gives an instrument a number, permanently. Type 1 gives a
//!   span a number, 3 (a tag), 5, 6 and 7 (its context) add to it, until type 2
//!   ends it. Events in a span (4) and measurements of an instrument (9) define
//!   nothing.

use crate::raw::Raw;
use crate::table::Table;
use ghc_eventlog::{Event, EventBody, Header, encode_event};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The largest number of messages about one span.
const MOST_OF_SPAN: usize = 256;

/// What a message is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Subject {
    /// The version of ghc-stack-profiler's messages.
    Version,
    /// A string of ghc-stack-profiler's.
    String(u64),
    /// A location of ghc-stack-profiler's.
    Location(u64),
    /// An instrument of opentelemetry's.
    Instrument(u64),
    /// The beginning of a span of opentelemetry's.
    Span(u64),
    /// More about it.
    OfSpan(u64),
    /// Its end.
    SpanEnd(u64),
}

const OPEN_TELEMETRY: [u8; 3] = *b"OT\x03";
const END_SPAN: u8 = 2;

fn subject(data: &[u8]) -> Option<Subject> {
    let big = |at: usize| data[at..].first_chunk().map(|id| u64::from_be_bytes(*id));
    let little = |at: usize| Some(u64::from_le_bytes(*data.get(at..)?.first_chunk()?));
    Some(match *data.first_chunk::<4>()? {
        [0xff, 0xcc, ..] => Subject::String(big(2)?),
        [0xff, 0xcd, ..] => Subject::Location(big(2)?),
        [b'O', b'T', 3, kind] => match kind {
            1 => Subject::Span(little(4)?),
            END_SPAN => Subject::SpanEnd(little(4)?),
            3 | 5 | 6 | 7 => Subject::OfSpan(little(4)?),
            8 => Subject::Instrument(little(5)?),
            _ => return None,
        },
        _ => return None,
    })
}

/// A message that is kept.
#[derive(Clone, Debug)]
struct Message {
    arrival: u64,
    cap: Option<u16>,
    raw: Raw,
}

/// A span that has not ended.
#[derive(Clone, Debug)]
struct Span {
    begins: Message,
    more: Arc<Vec<Message>>,
}

impl Span {
    fn messages(&self) -> impl Iterator<Item = &Message> {
        std::iter::once(&self.begins).chain(self.more.iter())
    }
}

/// The messages that later ones depend on. A copy shares what has not changed
/// since.
#[derive(Clone, Debug, Default)]
pub struct Messages {
    version: Option<Message>,
    strings: Table<Message>,
    locations: Table<Message>,
    instruments: Table<Message>,
    spans: Table<Span>,
    arrivals: u64,
    bytes: usize,
    refused: u64,
}

impl Messages {
    /// Bytes of all messages that are kept.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many are kept.
    pub fn count(&self) -> usize {
        self.all().count()
    }

    /// How many were refused because there were too many.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// How many have been accepted.
    pub(crate) fn arrivals(&self) -> u64 {
        self.arrivals
    }

    /// Takes a message; it may be any event.
    #[inline]
    pub(crate) fn event(&mut self, event: &Event<'_>, limit: usize) {
        let EventBody::UserBinaryMsg { data } = event.body else {
            return;
        };
        // The version is the only one of less than four bytes.
        let version = data.starts_with(&[0xff, 0xc0]).then_some(Subject::Version);
        if let Some(subject) = version.or_else(|| subject(data)) {
            self.take(subject, event, limit);
        }
    }

    fn take(&mut self, subject: Subject, event: &Event<'_>, limit: usize) {
        let known = match subject {
            Subject::Version => self.version.as_ref(),
            Subject::String(id) => self.strings.get(id),
            Subject::Location(id) => self.locations.get(id),
            Subject::Instrument(id) => self.instruments.get(id),
            Subject::Span(_) => None,
            Subject::OfSpan(id) => match self.spans.get(id) {
                Some(span) if span.more.len() < MOST_OF_SPAN => None,
                Some(_) => {
                    self.refused += 1;
                    return;
                }
                None => return,
            },
            Subject::SpanEnd(id) => return self.end(id),
        };
        if known.is_some_and(|message| message.raw.says(event)) {
            return;
        }
        let replaced = known.map_or(0, |message| message.raw.len());
        if self.bytes - replaced + event.raw.len() > limit {
            self.refused += 1;
            return;
        }
        self.bytes = self.bytes - replaced + event.raw.len();
        self.arrivals += 1;
        let message = Message {
            arrival: self.arrivals,
            cap: event.cap,
            raw: Raw::of(event),
        };
        match subject {
            Subject::Version => self.version = Some(message),
            Subject::String(id) => drop(self.strings.insert(id, message)),
            Subject::Location(id) => drop(self.locations.insert(id, message)),
            Subject::Instrument(id) => drop(self.instruments.insert(id, message)),
            Subject::Span(id) => {
                // A span with that number that has not ended is not needed any
                // more.
                self.end(id);
                let span = Span {
                    begins: message,
                    more: Arc::default(),
                };
                self.spans.insert(id, span);
            }
            Subject::OfSpan(id) => {
                if let Some(span) = self.spans.get_mut(id) {
                    Arc::make_mut(&mut span.more).push(message);
                }
            }
            Subject::SpanEnd(_) => {}
        }
    }

    fn end(&mut self, id: u64) {
        if let Some(span) = self.spans.remove(id) {
            self.bytes -= span.messages().map(|it| it.raw.len()).sum::<usize>();
        }
    }

    fn all(&self) -> impl Iterator<Item = &Message> {
        let tables = [&self.strings, &self.locations, &self.instruments];
        let tables = tables.into_iter().flat_map(|table| table.iter());
        let spans = self.spans.iter().flat_map(|(_, span)| span.messages());
        let version = self.version.iter();
        version.chain(tables.map(|(_, it)| it)).chain(spans)
    }

    /// All messages, in their order.
    fn sorted(&self) -> Vec<&Message> {
        let mut all: Vec<&Message> = self.all().collect();
        all.sort_unstable_by_key(|message| message.arrival);
        all
    }

    /// Whether readers of the two have the same information. The order matters
    /// only within each span.
    pub(crate) fn same(&self, other: &Self) -> bool {
        let same = |ours: &Table<Message>, theirs: &Table<Message>| {
            let other = |id, raw: &Raw| theirs.get(id).is_some_and(|it| it.raw == *raw);
            ours.len() == theirs.len() && ours.iter().all(|(id, it)| other(id, &it.raw))
        };
        let raws = |span: &Span| -> Vec<Raw> { span.messages().map(|it| it.raw.clone()).collect() };
        let version = |of: &Self| of.version.as_ref().map(|it| it.raw.clone());
        version(self) == version(other)
            && same(&self.strings, &other.strings)
            && same(&self.locations, &other.locations)
            && same(&self.instruments, &other.instruments)
            && self.spans.len() == other.spans.len()
            && self.spans.iter().all(|(id, span)| {
                let theirs = other.spans.get(id);
                theirs.is_some_and(|it| raws(it) == raws(span))
            })
    }

    /// The events that bring a reader from `from` to this state. The first
    /// `known` messages are the same in both.
    pub(crate) fn changes(
        &self,
        (from, known): (&Self, u64),
        (header, at): (&Header, u64),
        out: &mut impl FnMut(Option<u16>, &[u8]),
    ) {
        let mut raw = Vec::new();
        let theirs = from.spans.iter_beside(&self.spans);
        let mut gone: Vec<(u64, &Message)> = theirs
            .filter(|(id, span)| {
                let ours = self.spans.get(*id).map(|ours| ours.begins.arrival);
                let latest = span.messages().last().map(|it| it.arrival);
                latest > Some(known) || ours != Some(span.begins.arrival)
            })
            .map(|(id, span)| (id, &span.begins))
            .collect();
        gone.sort_unstable_by_key(|(_, begins)| begins.arrival);
        let mut again = BTreeSet::new();
        for (id, begins) in gone {
            // If it exists here nevertheless, all its messages are repeated.
            let span = self.spans.get(id);
            again.extend(
                span.into_iter()
                    .flat_map(Span::messages)
                    .map(|it| it.arrival),
            );
            let mut data = OPEN_TELEMETRY.to_vec();
            data.push(END_SPAN);
            data.extend_from_slice(&id.to_le_bytes());
            let body = EventBody::UserBinaryMsg { data: &data };
            raw.clear();
            if encode_event(header, at, &body, &mut raw).is_ok() {
                out(begins.cap, &raw);
            }
        }
        for message in self.sorted() {
            if message.arrival > known || again.contains(&message.arrival) {
                raw.clear();
                message.raw.dated(at, &mut raw);
                out(message.cap, &raw);
            }
        }
    }
}

#[cfg(test)]
#[path = "binary/tests.rs"]
mod tests;
