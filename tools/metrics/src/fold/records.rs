//! Single records: messages of the program, its spans, collections.

use crate::attribute::Attribute;
use crate::record::{LogRecord, Severity, SpanKey, SpanRecord};
use eventlog_state::{Collection, Span, State};
use ghc_eventlog::notes::Note;
use ghc_eventlog::{Event, EventBody, Text};

/// A message of the program, unless it is one of the library's own notes.
pub(super) fn message(event: &Event<'_>, state: &State) -> Option<LogRecord> {
    if Note::of(event).is_some() {
        return None;
    }
    let (kind, body) = match event.body {
        EventBody::UserMsg { message } => ("ghc.user.message", message),
        EventBody::UserMarker { marker } => ("ghc.user.marker", marker),
        _ => return None,
    };
    let mut attributes = Vec::new();
    if let Some(cap) = event.cap {
        attributes.push(("ghc.capability.id", cap.into()));
        let running = state.cap(cap).and_then(|cap| cap.running());
        if let Some((thread, _)) = running {
            attributes.push(("thread.id", Attribute::Int(thread.into())));
            let label = state.thread(thread).and_then(|thread| thread.label());
            attributes.extend(label.map(|label| ("thread.name", label.into())));
        }
    }
    Some(LogRecord {
        time: event.time,
        severity: Severity::Info,
        event: kind,
        body: body.to_string_lossy().into_owned(),
        attributes,
    })
}

/// A thread was labelled.
pub(super) fn label(time: u64, thread: u32, label: Text<'_>) -> LogRecord {
    LogRecord {
        time,
        severity: Severity::Info,
        event: "ghc.thread.label",
        body: label.to_string_lossy().into_owned(),
        attributes: vec![("thread.id", Attribute::Int(thread.into()))],
    }
}

/// A span of the program, and its parents: the spans of its thread that began before it and are
/// still open.
pub(super) fn nested(span: &Span, state: &State) -> SpanRecord {
    let around = state.spans().open().filter(|open| {
        open.thread == span.thread && open.thread.is_some() && open.start <= span.start
    });
    let around: Vec<SpanKey> = around.map(SpanKey::of_open).collect();
    let key = SpanKey::of(span);
    let mut attributes = Vec::new();
    if let Some(thread) = span.thread {
        let number = Attribute::Int(thread.into());
        attributes.push(("thread.id", number));
    }
    if let Some(label) = &span.label {
        attributes.push(("thread.name", label.as_str().into()));
    }
    let mut figure = |name, value: Option<u64>| {
        let value = value.and_then(|value| i64::try_from(value).ok());
        attributes.extend(value.map(|value| (name, Attribute::Int(value))));
    };
    figure("ghc.user_span.id", span.id);
    figure("ghc.user_span.running_ns", span.running);
    figure("ghc.user_span.gc_ns", span.paused);
    SpanRecord {
        end: span.end,
        root: around.first().unwrap_or(&key).clone(),
        parent: around.last().cloned(),
        key,
        attributes,
    }
}

/// A collection as a span.
pub(super) fn collection(of: &Collection) -> SpanRecord {
    let key = SpanKey {
        kind: "collection",
        name: "garbage collection".into(),
        start: of.start,
        numbers: (Some(of.cap.into()), None),
    };
    let mut attributes = vec![("ghc.capability.id", of.cap.into())];
    if let Some(stats) = of.stats {
        let copied = i64::try_from(stats.copied).unwrap_or(i64::MAX);
        attributes.push(("ghc.gc.generation", stats.generation.into()));
        attributes.push(("ghc.gc.copied", Attribute::Int(copied)));
    }
    SpanRecord {
        end: of.end,
        root: key.clone(),
        parent: None,
        key,
        attributes,
    }
}
