//! What a file that goes on with a recording tells first: it repeats what was
//! told in the files before it.

use ghc_eventlog::Event;
use ghc_eventlog::notes::Note;

/// What a log has of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prologue {
    /// Where it ends in the file.
    pub end: u64,
    /// How many events it has.
    pub events: u64,
    /// The byte of the stream that comes behind it. Files of earlier versions
    /// do not say it: there only the definitions are marked. What else such a
    /// file repeats is known when the files are put together.
    pub offset: Option<u64>,
}

/// Finds it.
#[derive(Debug, Default)]
pub struct Search {
    events: u64,
    /// Where in the stream it says it is.
    begun: Option<u64>,
    over: bool,
}

impl Search {
    /// Takes note of an event, from the first one on.
    #[inline]
    pub fn event(&mut self, event: &Event<'_>) -> Option<Prologue> {
        match self.over {
            true => None,
            false => self.look_at(event),
        }
    }

    fn look_at(&mut self, event: &Event<'_>) -> Option<Prologue> {
        self.events += 1;
        let found = |offset| Prologue {
            end: event.offset + event.raw.len() as u64,
            events: self.events,
            offset,
        };
        let found = match Note::of(event) {
            Some(Note::Prologue { offset, .. }) if self.events == 1 => {
                self.begun = Some(offset);
                None
            }
            Some(Note::PrologueEnd { offset }) if self.begun == Some(offset) => {
                Some(found(Some(offset)))
            }
            Some(Note::Continues { .. }) if self.begun.is_none() => Some(found(None)),
            _ => None,
        };
        // Without the mark at the beginning, only global blocks precede the other.
        self.over = found.is_some() || (self.begun.is_none() && event.cap.is_some());
        found
    }
}
