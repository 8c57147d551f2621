//! What is told one by one: messages, losses, spans.

use crate::collected::Attributes;
use crate::resource::Resource;
use eventlog_state::{Lost, OpenSpan, Span};
use ghc_eventlog::WallClock;
use std::sync::Arc;

/// What of it is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Records {
    /// Messages, markers, losses.
    pub logs: bool,
    /// Spans of the program, and collections.
    pub traces: bool,
    /// With the traces: what threads do.
    pub threads: bool,
    /// With the logs: the names of threads.
    pub labels: bool,
}

/// How serious it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// Something that the program tells.
    Info,
    /// Something is missing.
    Warn,
}

/// A line of a log.
#[derive(Clone, Debug)]
pub struct LogRecord {
    /// When: nanoseconds of the log.
    pub time: u64,
    /// How serious it is.
    pub severity: Severity,
    /// What kind of record it is.
    pub event: &'static str,
    /// Its text.
    pub body: String,
    /// Its attributes.
    pub attributes: Attributes,
}

/// What tells a span apart from others of its program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpanKey {
    /// What kind of span it is.
    pub kind: &'static str,
    /// Its name.
    pub name: Arc<str>,
    /// When it began.
    pub start: u64,
    /// Its thread or capability, and its own number.
    pub numbers: (Option<u32>, Option<u64>),
}

impl SpanKey {
    pub(crate) fn of(span: &Span) -> Self {
        Self {
            kind: "span",
            name: Arc::clone(&span.name),
            start: span.start,
            numbers: (span.thread, span.id),
        }
    }

    pub(crate) fn of_open(span: &OpenSpan) -> Self {
        Self {
            kind: "span",
            name: Arc::clone(&span.name),
            start: span.start,
            numbers: (span.thread, span.id),
        }
    }
}

/// A span of a trace.
#[derive(Clone, Debug)]
pub struct SpanRecord {
    /// What it is.
    pub key: SpanKey,
    /// When it ended: nanoseconds of the log.
    pub end: u64,
    /// The span in which it lies.
    pub parent: Option<SpanKey>,
    /// The outermost span, itself if there is no other: all of a trace have the same.
    pub root: SpanKey,
    /// Its attributes.
    pub attributes: Attributes,
}

/// Some of them, of one program.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The program.
    pub resource: Arc<Resource>,
    /// Its clock.
    pub clock: Option<WallClock>,
    /// Lines of the log.
    pub logs: Vec<LogRecord>,
    /// Spans.
    pub spans: Vec<SpanRecord>,
}

/// A loss as a sentence.
pub(crate) fn loss(lost: &Lost) -> String {
    match lost {
        Lost::Chunks { chunks, bytes, .. } => {
            format!("the program has dropped {chunks} chunks ({bytes} bytes) of its eventlog")
        }
        Lost::Blocks { blocks } => {
            format!("a recorder has dropped {blocks} blocks of the eventlog")
        }
        Lost::Relayed { bytes, .. } => {
            format!("a reader of a relay was too slow for about {bytes} bytes of the eventlog")
        }
        Lost::Unwritten { bytes, .. } => {
            format!("{bytes} bytes of the eventlog could not be recorded")
        }
        Lost::Overwritten { chunks, bytes } => {
            format!("a full ring has overwritten {chunks} chunks ({bytes} bytes) of the eventlog")
        }
    }
}
