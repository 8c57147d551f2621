//! Spans that end or begin between two moments, as messages.

use super::Transition;
use super::reader::Reader;
use crate::spans::OpenSpan;
use crate::states::ThreadState;
use ghc_eventlog::{EventBody, Text};
use rustc_hash::FxHashMap;
use std::collections::{BTreeMap, BTreeSet};

impl<F: FnMut(Option<u16>, &[u8])> Transition<'_, F> {
    /// Ends spans, the latest first. The message belongs to the thread that is running: the thread
    /// of the span is started for it, if it still exists.
    ///
    /// If it does not exist, or if another span of that name is open in it, the message would be
    /// ambiguous. Then all spans of that name end, and those that go on begin again: these are
    /// returned. The same is done where a span would belong to another thread for the reader than
    /// it does: a reader that missed that a number was used again may take two threads of that
    /// number for one.
    pub(super) fn spans_end(&mut self) -> BTreeSet<u64> {
        let owners = self.to.spans.open().map(|span| {
            let owner = self.to.thread_of(span).map(|(id, _)| id);
            (span.offset(), owner)
        });
        let open: BTreeMap<u64, Option<u32>> = owners.collect();
        let all: Vec<&OpenSpan> = self.from.spans.open().collect();
        let mut go_on: FxHashMap<_, Vec<&OpenSpan>> = FxHashMap::default();
        for &span in all.iter().filter(|span| open.contains_key(&span.offset())) {
            go_on.entry((&span.name, span.id)).or_default().push(span);
        }
        let from = self.from;
        let alive = |span: &OpenSpan, reader: &Reader<'_>| {
            let (id, _) = from.thread_of(span)?;
            Some((id, reader.thread(id)?))
        };
        let mut again = BTreeSet::new();
        for &span in &all {
            let Some(others) = go_on.get(&(&span.name, span.id)) else {
                continue;
            };
            let owner = span.owner(from);
            let unclear = match open.get(&span.offset()) {
                Some(is) => *is != owner.filter(|&id| self.goes_on(id)),
                None => {
                    let is_over = alive(span, &self.reader).is_none();
                    is_over || others.iter().any(|other| other.owner(from) == owner)
                }
            };
            if unclear {
                again.extend(others.iter().map(|other| other.offset()));
            }
        }
        for &span in all.iter().rev() {
            let goes_on = open.contains_key(&span.offset());
            if goes_on && !again.contains(&span.offset()) {
                continue;
            }
            let thread = alive(span, &self.reader);
            self.say("STOP", span, thread.map(|(id, thread)| (id, thread.cap)));
        }
        again
    }

    /// Begins the spans that have begun, and those that begin `again`.
    pub(super) fn spans_begin(&mut self, again: &BTreeSet<u64>) {
        let known: BTreeSet<u64> = self.from.spans.open().map(OpenSpan::offset).collect();
        let new = |span: &&OpenSpan| {
            let offset = span.offset();
            !known.contains(&offset) || again.contains(&offset)
        };
        for span in self.to.spans.open().filter(new) {
            let thread = self.to.thread_of(span);
            let home = thread.map(|(id, thread)| (id, Some(self.home(thread))));
            self.say("START", span, home);
            match thread.map(|(id, thread)| (id, thread.state, self.home(thread))) {
                // It will be started anyway.
                None | Some((_, ThreadState::Running { .. }, _)) => {}
                Some((id, state, home)) => self.stop_as(home, id, state),
            }
        }
    }

    fn say(&mut self, word: &str, span: &OpenSpan, thread: Option<(u32, Option<u16>)>) {
        let text = match span.id {
            Some(id) => format!("{word} {id} {}", span.name),
            None => format!("{word} {}", span.name),
        };
        let cap = match thread {
            Some((id, home)) => {
                let cap = home.or(span.cap).unwrap_or(0);
                self.run(cap, id);
                Some(cap)
            }
            None => {
                if let Some(cap) = span.cap {
                    self.pause(cap);
                }
                span.cap
            }
        };
        let message = Text(text.as_bytes());
        self.event(cap, &EventBody::UserMsg { message });
    }
}
