//! What a log can tell at all: which classes of events are in it.
//!
//! The runtime system writes only the classes that it was asked for, and says
//! nowhere which these were. Of a class that never shows, nothing is known: "no
//! collections" and "collections were not logged" look the same.

use crate::filter::class_of;
use ghc_eventlog::{Event, ids};

/// Told where a number would stand that needs events of a collector: they come with `-lg`.
pub const NEEDS_GC: &str = "not in the log (needs -lg)";
/// The same of events of the scheduler.
pub const NEEDS_SCHEDULER: &str = "not in the log (needs -ls)";
/// The same of the counters of sparks, which only the threaded runtime system has.
pub const NEEDS_SPARKS: &str = "not in the log (needs -lp, and a program linked with -threaded)";
/// Where neither of the first two is there.
pub const NEEDS_BOTH: &str = "not in the log (needs -lsg)";
/// What the class is there for, but not this event.
pub const NOT_TOLD: &str = "not in the log";

/// Types are numbered up to here.
const TYPES: usize = 256;

/// The classes met so far.
#[derive(Clone, Debug)]
pub struct Classes {
    seen: [bool; TYPES],
    /// What threads do (`-ls`).
    pub scheduler: bool,
    /// Collections, and the size of the heap (`-lg`).
    pub gc: bool,
}

impl Default for Classes {
    fn default() -> Self {
        Self {
            seen: [false; TYPES],
            scheduler: false,
            gc: false,
        }
    }
}

impl Classes {
    /// Takes note of the event's class.
    #[inline]
    pub fn event(&mut self, event: &Event<'_>) {
        let id = event.id();
        if let Some(seen) = self.seen.get_mut(usize::from(id))
            && !*seen
        {
            *seen = true;
            self.first(id);
        }
    }

    /// The first event of its type.
    #[cold]
    fn first(&mut self, id: u16) {
        match class_of(id) {
            // Labels are repeated to whoever comes late, whatever else is logged.
            Some("thread") if id != ids::THREAD_LABEL => self.scheduler = true,
            Some("task") => self.scheduler = true,
            Some("gc" | "heap") => self.gc = true,
            // The sizes of the heap's parts, written with the events of collections.
            _ if id == ids::HEAP_INFO_GHC => self.gc = true,
            _ => {}
        }
    }
}
