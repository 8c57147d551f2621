//! The thread that reads a source, and passes on what it has read to the one that folds it.

use crate::folding::Folding;
use crate::heap_file::MAGIC;
use crate::input::Input;
use crate::raw::Raw;
use crate::registry::Registry;
use crate::session::{Origin, Session};
use eventlog_relay::framer::{Framed, Framer};
use eventlog_source::Arrival;
use std::fs::File;
use std::sync::Arc;

/// The bytes of one read of a heap profile.
const READ: usize = 64 << 10;

/// What the bytes of a source are.
enum Form {
    /// It is not known yet: the first bytes, and how many there are.
    Unknown([u8; MAGIC.len()], usize),
    /// An eventlog.
    Log(Box<Framer>),
    /// A heap profile as text (`.hp`).
    Heap(Vec<u8>),
}

impl Default for Form {
    fn default() -> Self {
        Self::Unknown([0; MAGIC.len()], 0)
    }
}

impl Form {
    /// The buffer to read into.
    fn room(&mut self) -> &mut [u8] {
        match self {
            Self::Unknown(first, filled) => &mut first[*filled..],
            Self::Log(framer) => framer.room(),
            Self::Heap(buffer) => buffer,
        }
    }
}

/// Reads until the source ends, or the monitor is dropped.
pub(crate) struct Reading {
    registry: Arc<Registry>,
    origin: Arc<Origin>,
    folding: Folding,
    /// The latest session, and the number of earlier ones.
    session: Arc<Session>,
    number: u64,
    /// The file that contains the log unpacked.
    file: Option<File>,
}

impl Reading {
    pub(crate) fn new(registry: Arc<Registry>, origin: Origin, folding: Folding) -> Self {
        let origin = Arc::new(origin);
        let session = registry.session(&origin, 0);
        Self {
            registry,
            origin,
            folding,
            session,
            number: 0,
            file: None,
        }
    }

    pub(crate) fn run(mut self, mut input: Input) {
        let mut form = Form::default();
        while !self.registry.is_stopped() {
            match input.next(form.room()) {
                Ok(Arrival::NewLog) => self.finish(std::mem::take(&mut form)),
                Ok(Arrival::Bytes(count)) => self.filled(&mut form, count, &mut input),
                Ok(Arrival::Lost(cause)) => {
                    if let Some(cause) = cause {
                        self.session.fail(format!("the connection broke: {cause}"));
                    }
                    self.finish(std::mem::take(&mut form));
                }
                Ok(Arrival::End) => break,
                Ok(_) => self.idle(),
                Err(error) => {
                    let cause = std::error::Error::source(&error);
                    let cause = cause.map(|cause| format!(": {cause}")).unwrap_or_default();
                    // The connection ends, usually without an error.
                    if !self.session.is_begun() || !self.origin.live {
                        self.session.fail(format!("{error}{cause}"));
                    }
                    break;
                }
            }
        }
        self.finish(form);
        if !self.session.is_begun() {
            self.session.end(0);
        }
    }

    /// This many bytes were read into the room.
    fn filled(&mut self, form: &mut Form, count: usize, input: &mut Input) {
        match form {
            Form::Log(framer) => {
                framer.filled(count, &mut |framed| self.take(framed));
                self.folding.begin();
            }
            Form::Heap(buffer) => self.session.push_heap(&buffer[..count]),
            Form::Unknown(first, filled) => {
                *filled += count;
                let first = &first[..*filled];
                if first == MAGIC {
                    self.fresh();
                    self.session.begin_heap();
                    self.session.push_heap(first);
                    *form = Form::Heap(vec![0; READ]);
                } else if !MAGIC.starts_with(first) {
                    self.file = input.file();
                    *form = Form::Log(self.log(first));
                }
            }
        }
    }

    /// A log that begins with these bytes.
    fn log(&mut self, first: &[u8]) -> Box<Framer> {
        let mut framer = Box::new(Framer::new());
        framer.room()[..first.len()].copy_from_slice(first);
        framer.filled(first.len(), &mut |framed| self.take(framed));
        framer
    }

    /// Goes on to the next session if this one has begun.
    fn fresh(&mut self) {
        if self.session.is_begun() {
            self.end(0);
            self.number += 1;
            self.session = self.registry.session(&self.origin, self.number);
        }
    }

    fn take(&mut self, framed: Framed) {
        match framed {
            Framed::Began { header, at } => {
                self.fresh();
                let raw = match self.file.as_ref().map(File::try_clone) {
                    Some(Ok(file)) => Raw::file(file, at),
                    _ => self.registry.keep(self.origin.live),
                };
                self.session.begin(header, raw);
            }
            Framed::Piece(piece) => {
                self.session.push(&piece);
                self.folding.push(&self.session, piece);
            }
            Framed::Garbage(error) => {
                let name = &self.origin.from;
                let message = format!(
                    "{name} is not an eventlog and not a heap profile (.hp), or its beginning is \
                     missing: {error}"
                );
                self.session.fail(message);
            }
            _ => {}
        }
    }

    /// The bytes so far are all.
    fn finish(&mut self, form: Form) {
        let cut_off = match form {
            Form::Heap(_) => 0,
            Form::Unknown(_, 0) => 0,
            Form::Unknown(first, filled) => {
                let framer = self.log(&first[..filled]);
                framer.finish(&mut |framed| self.take(framed))
            }
            Form::Log(framer) => framer.finish(&mut |framed| self.take(framed)),
        };
        if self.session.is_begun() {
            self.end(cut_off);
        }
    }

    /// The session has ended. What its end means is known when everything is folded.
    fn end(&self, cut_off: u64) {
        if !self.folding.finish(&self.session) {
            let name = &self.origin.from;
            self.session.fail(format!(
                "the events of {name} are not followed any further because of a fault in this \
                 program; please report it"
            ));
        }
        self.session.end(cut_off);
    }

    /// Nothing has arrived for a moment.
    fn idle(&self) {
        if self.session.idle() {
            self.folding.flush(&self.session);
        }
    }
}
