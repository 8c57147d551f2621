//! The thread that reads a source.

use crate::input::Input;
use crate::raw::Raw;
use crate::registry::Registry;
use crate::session::{Origin, Session};
use eventlog_relay::framer::{Framed, Framer};
use eventlog_source::Arrival;
use std::fs::File;
use std::sync::Arc;

/// Reads until the source ends, or the monitor is dropped.
pub(crate) struct Reading {
    registry: Arc<Registry>,
    origin: Arc<Origin>,
    /// The latest session, and the number of earlier ones.
    session: Arc<Session>,
    number: u64,
    /// The file that contains the log unpacked.
    file: Option<File>,
}

impl Reading {
    pub(crate) fn new(registry: Arc<Registry>, origin: Origin) -> Self {
        let origin = Arc::new(origin);
        let session = registry.session(&origin, 0);
        Self {
            registry,
            origin,
            session,
            number: 0,
            file: None,
        }
    }

    pub(crate) fn run(mut self, mut input: Input) {
        let mut framer = Framer::new();
        let mut fresh = true;
        while !self.registry.is_stopped() {
            match input.next(framer.room()) {
                Ok(Arrival::NewLog) => {
                    self.finish(std::mem::take(&mut framer));
                    fresh = true;
                }
                Ok(Arrival::Bytes(count)) => {
                    if std::mem::take(&mut fresh) {
                        self.file = input.file();
                    }
                    framer.filled(count, &mut |framed| self.take(framed));
                }
                Ok(Arrival::Lost(cause)) => {
                    if let Some(cause) = cause {
                        self.session.fail(format!("the connection broke: {cause}"));
                    }
                    self.finish(std::mem::take(&mut framer));
                }
                Ok(Arrival::End) => break,
                Ok(_) => self.session.idle(),
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
        self.finish(framer);
        if !self.session.is_begun() {
            self.session.end(0);
        }
    }

    fn take(&mut self, framed: Framed) {
        match framed {
            Framed::Began { header, at } => {
                if self.session.is_begun() {
                    self.session.end(0);
                    self.number += 1;
                    self.session = self.registry.session(&self.origin, self.number);
                }
                let raw = match self.file.as_ref().map(File::try_clone) {
                    Some(Ok(file)) => Raw::file(file, at),
                    _ => self.registry.keep(self.origin.live),
                };
                self.session.begin(header, raw);
            }
            Framed::Piece(piece) => self.session.push(&piece),
            Framed::Garbage(error) => {
                let name = &self.origin.from;
                let message =
                    format!("{name} is not an eventlog, or its beginning is missing: {error}");
                self.session.fail(message);
            }
            _ => {}
        }
    }

    /// The bytes so far are a whole log.
    fn finish(&mut self, framer: Framer) {
        let cut_off = framer.finish(&mut |framed| self.take(framed));
        if self.session.is_begun() {
            self.session.end(cut_off);
        }
    }
}
