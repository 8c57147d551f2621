//! Stable machine names of event types, as used by `--json`, filters and
//! queries. They never change once published.

use crate::body::{self, EventBody, TABLE, UNTYPED};
use crate::event_type::EventType;
use crate::ids::BLOCK_MARKER;
use crate::layout::{EVENT_HEAD, MARKER_LEN};

/// The machine name of a type, if this crate has one for it.
pub fn name_of(id: u16) -> Option<&'static str> {
    body::name_of(id).or_else(|| {
        UNTYPED
            .iter()
            .find(|(untyped, _)| *untyped == id)
            .map(|(_, name)| *name)
    })
}

/// The type with this machine name.
pub fn id_of(name: &str) -> Option<u16> {
    known().find(|(_, known)| *known == name).map(|(id, _)| id)
}

/// Whether events of this type have fields of their own in
/// [`EventBody`], or only a name and a payload.
pub fn is_typed(id: u16) -> bool {
    body::name_of(id).is_some()
}

/// Every type that has a name.
pub fn known() -> impl Iterator<Item = (u16, &'static str)> {
    let typed = TABLE.iter().map(|&(id, name, _)| (id, name));
    typed.chain(UNTYPED.iter().copied())
}

/// The types that a header of our own declares: every typed event, and block
/// markers.
pub(crate) fn declared() -> impl Iterator<Item = (u16, &'static str, Option<u16>)> {
    let marker = UNTYPED.iter().filter(|(id, _)| *id == BLOCK_MARKER);
    let size = Some((MARKER_LEN - EVENT_HEAD) as u16);
    let marker = marker.map(move |&(id, name)| (id, name, size));
    TABLE.iter().copied().chain(marker)
}

impl EventBody<'_> {
    /// The machine name of this event's type: stable, lower case. Events that
    /// are returned raw have the name of their type if it is known.
    pub fn name(&self) -> &'static str {
        name_of(self.id()).unwrap_or("unknown")
    }
}

impl EventType {
    /// The machine name that this crate gives to the type, if it knows it.
    pub fn name(&self) -> Option<&'static str> {
        name_of(self.id)
    }
}
