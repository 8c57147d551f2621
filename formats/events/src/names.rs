//! Stable machine names of event types: what `--json`, filters and queries
//! call them. They never change once published.

use crate::body::{self, TABLE};
use crate::header::BLOCK_MARKER;

/// Types that have a name but no typed body: too old, or written by systems
/// other than GHC's.
const RAW: &[(u16, &str)] = &[
    (5, "run_spark"),
    (6, "steal_spark"),
    (13, "create_spark"),
    (14, "spark_to_thread"),
    (BLOCK_MARKER, "block_marker"),
];

/// The machine name of a type, if this crate has one for it.
pub fn name_of(id: u16) -> Option<&'static str> {
    body::name_of(id).or_else(|| {
        RAW.iter()
            .find(|(raw, _)| *raw == id)
            .map(|(_, name)| *name)
    })
}

/// The type of that machine name.
pub fn id_of(name: &str) -> Option<u16> {
    known().find(|(_, known)| *known == name).map(|(id, _)| id)
}

/// Every type that has a name.
pub fn known() -> impl Iterator<Item = (u16, &'static str)> {
    let typed = TABLE.iter().map(|&(id, name, _)| (id, name));
    typed.chain(RAW.iter().copied())
}

/// What a header of our own declares: every typed event, and block markers.
pub(crate) fn declared() -> impl Iterator<Item = (u16, &'static str, Option<u16>)> {
    let marker = (BLOCK_MARKER, "block_marker", Some(14));
    TABLE.iter().copied().chain(std::iter::once(marker))
}
