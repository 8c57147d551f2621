//! Serialises values of the format.

use ghc_eventlog::{Breakdown, CapsetType, StopStatus, WallClock};
use serde::{Serialize, Serializer};

/// By name, or by number if it has no name.
pub(crate) fn status<S: Serializer>(status: &StopStatus, to: S) -> Result<S::Ok, S::Error> {
    match status.name() {
        Some(name) => to.serialize_str(name),
        None => to.serialize_u16(status.0),
    }
}

/// By name, or by number if it has no name.
pub(crate) fn breakdown<S: Serializer>(code: &Breakdown, to: S) -> Result<S::Ok, S::Error> {
    match code.name() {
        Some(name) => to.serialize_str(name),
        None => to.serialize_u32(code.0),
    }
}

/// As the time of day at the log's time 0, in the form of RFC 3339.
pub(crate) fn clock<S: Serializer>(clock: &Option<WallClock>, to: S) -> Result<S::Ok, S::Error> {
    clock.map(|clock| clock.at(0).to_string()).serialize(to)
}

/// By name, or by number if it has no name.
pub(crate) fn capset<S: Serializer>(kind: &Option<CapsetType>, to: S) -> Result<S::Ok, S::Error> {
    match kind {
        None => to.serialize_none(),
        Some(kind) => match kind.name() {
            Some(name) => to.serialize_str(name),
            None => to.serialize_u16(kind.0),
        },
    }
}
