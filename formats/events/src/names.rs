//! Stable machine names of event types: what `--json`, filters and queries
//! call them. They never change once published.

use crate::body::{self, EventBody, TABLE};
use crate::event_type::{BLOCK_MARKER, EventType};

/// Types that have a name but no typed body: too old, or written by systems
/// other than GHC's.
const RAW: &[(u16, &str)] = &[
    (5, "run_spark"),
    (6, "steal_spark"),
    (13, "create_spark"),
    (14, "spark_to_thread"),
    (BLOCK_MARKER, "block_marker"),
    // Eden, a parallel Haskell.
    (60, "eden_start_receive"),
    (61, "eden_end_receive"),
    (62, "eden_create_process"),
    (63, "eden_kill_process"),
    (64, "eden_assign_thread_to_process"),
    (65, "eden_create_machine"),
    (66, "eden_kill_machine"),
    (67, "eden_send_message"),
    (68, "eden_receive_message"),
    (69, "eden_send_receive_local_message"),
    // Mercury.
    (100, "mercury_start_par_conjunction"),
    (101, "mercury_end_par_conjunction"),
    (102, "mercury_end_par_conjunct"),
    (103, "mercury_create_spark"),
    (104, "mercury_future_create"),
    (105, "mercury_future_wait_nosuspend"),
    (106, "mercury_future_wait_suspended"),
    (107, "mercury_future_signal"),
    (108, "mercury_looking_for_global_context"),
    (109, "mercury_work_stealing"),
    (110, "mercury_release_context"),
    (111, "mercury_engine_sleeping"),
    (112, "mercury_looking_for_local_spark"),
    (113, "mercury_calling_main"),
    // Put in from records of Linux's perf.
    (140, "perf_name"),
    (141, "perf_counter"),
    (142, "perf_tracepoint"),
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

/// Whether events of this type have fields of their own in
/// [`EventBody`], or only a name and a payload.
pub fn is_typed(id: u16) -> bool {
    body::name_of(id).is_some()
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

impl EventBody<'_> {
    /// The machine name of this event's type: stable, lower case. Events that
    /// are handed on raw are named after their type where that is known.
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
