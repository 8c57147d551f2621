//! The prologue: the beginning of a part of a recording that goes on in the middle of a stream.
//!
//! After the header it has the state at that place, then a copy of the blocks that a reader of this
//! part needs although they are in the part before: those of capabilities that are ahead of others.
//! All of it is between two notes, so that a tool that joins the parts can remove it: what is left
//! is the stream, byte for byte.

use crate::beginning::Beginning;
use ghc_eventlog::notes::Note;
use ghc_eventlog::{BlockBuilder, Event, EventBody, Header};

impl Beginning {
    /// The beginning of a part, header included, that goes on at this place of a stream, in bytes
    /// from its header; `before` is the name of the part before it.
    pub fn prologue(&self, offset: u64, before: &str) -> Vec<u8> {
        let header = self.state().header();
        let (begin, end) = (self.begins_at(), self.ends_at());
        let mut out = header.as_bytes().to_vec();
        let note = Note::Prologue {
            offset,
            file: before,
        };
        tell(header, begin, note, &mut out);
        if self.state().is_incomplete() {
            tell(header, begin, Note::NotAllRepeated, &mut out);
        }
        self.write(&mut |bytes| out.extend_from_slice(bytes));
        tell(header, end, Note::PrologueEnd { offset }, &mut out);
        out
    }
}

/// Writes a note in a block of its own, unless the header does not allow it.
fn tell(header: &Header, time: u64, note: Note<'_>, out: &mut Vec<u8>) {
    let text = note.to_string();
    let message = text.as_str().into();
    let mut block = BlockBuilder::new(None);
    let body = EventBody::LogMsg { message };
    if block.push_body(header, time, &body).is_ok() {
        out.extend_from_slice(block.finish());
    }
}

/// The prologue that was found in a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prologue {
    /// Where it ends in the part.
    pub end: u64,
    /// How many events it has.
    pub events: u64,
    /// The offset of the byte of the stream that follows it. Parts of earlier versions do not
    /// contain it: in them only the definitions are marked. What else such a part repeats is found
    /// when the parts are joined.
    pub offset: Option<u64>,
}

/// Finds the prologue of a part.
#[derive(Debug, Default)]
pub struct PrologueSearch {
    events: u64,
    /// The offset in the stream, according to its first note.
    begun: Option<u64>,
    over: bool,
}

impl PrologueSearch {
    /// Whether no event has been taken yet.
    pub fn is_new(&self) -> bool {
        self.events == 0
    }

    /// Takes an event. Must be called with all events, from the first one on.
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
        // Without the note at the beginning, only global blocks precede the note at the end.
        self.over = found.is_some() || (self.begun.is_none() && event.cap.is_some());
        found
    }
}
