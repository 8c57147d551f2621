//! Numbers of traces and spans. They follow from what the spans are, so that a log gives the same
//! ones whenever it is read.

use crate::record::SpanKey;
use uuid::Uuid;

/// The number of the trace that begins with this span.
pub(super) fn trace(instance: &str, root: &SpanKey) -> Vec<u8> {
    id("trace", instance, root).as_bytes().to_vec()
}

/// The number of a span.
pub(super) fn span(instance: &str, key: &SpanKey) -> Vec<u8> {
    id("span", instance, key).as_bytes()[..8].to_vec()
}

fn id(what: &str, instance: &str, key: &SpanKey) -> Uuid {
    let SpanKey {
        kind,
        name,
        start,
        numbers,
    } = key;
    let text = format!("{what}\n{instance}\n{kind}\n{start}\n{numbers:?}\n{name}");
    Uuid::new_v5(&Uuid::NAMESPACE_OID, text.as_bytes())
}
