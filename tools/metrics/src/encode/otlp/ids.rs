//! Ids of traces and spans. They are computed from the spans' keys, so that a log gives the same
//! ids each time it is read.

use crate::record::SpanKey;
use uuid::Uuid;

/// The id of the trace whose root is this span.
pub(super) fn trace(instance: &str, root: &SpanKey) -> Vec<u8> {
    id("trace", instance, root).as_bytes().to_vec()
}

/// The id of a span.
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
