//! Single records: messages, losses, spans.

use crate::collected::Attributes;
use crate::resource::Resource;
use eventlog_state::{Lost, OpenSpan, Span};
use ghc_eventlog::WallClock;
use std::sync::Arc;

/// Which records are exported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Records {
    /// Messages, markers, losses.
    pub logs: bool,
    /// Spans of the program, and collections.
    pub traces: bool,
    /// With the traces: the states of threads.
    pub threads: bool,
    /// With the logs: the names of threads.
    pub labels: bool,
}

/// How serious it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// A message of the program.
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
    /// The kind of record.
    pub event: &'static str,
    /// Its text.
    pub body: String,
    /// Its attributes.
    pub attributes: Attributes,
}

/// The identity of a span within its program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpanKey {
    /// The kind of span.
    pub kind: &'static str,
    /// Its name.
    pub name: Arc<str>,
    /// When it began.
    pub start: u64,
    /// Its thread or capability, and the span's own number.
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
    /// Its identity.
    pub key: SpanKey,
    /// When it ended: nanoseconds of the log.
    pub end: u64,
    /// Its parent span.
    pub parent: Option<SpanKey>,
    /// The root span of its trace; the span itself if it has no parent.
    pub root: SpanKey,
    /// Its attributes.
    pub attributes: Attributes,
}

/// Some records of one program.
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
