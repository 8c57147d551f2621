//! What stands where a number would that the log cannot tell.
//!
//! The runtime system writes only the classes of events that it was asked for,
//! and says nowhere which these were. Of a class that never shows, nothing is
//! known: "no collections" and "collections were not logged" look the same.

/// Of a number that needs events of the collector: they come with `-lg`.
pub const NEEDS_GC: &str = "not in the log (needs -lg)";
/// The same of events of the scheduler.
pub const NEEDS_SCHEDULER: &str = "not in the log (needs -ls)";
/// The same of the counters of sparks, which only the threaded runtime system has.
pub const NEEDS_SPARKS: &str = "not in the log (needs -lp, and a program linked with -threaded)";
/// Where neither of the first two is there.
pub const NEEDS_BOTH: &str = "not in the log (needs -lsg)";
/// What the class is there for, but not this event.
pub const NOT_TOLD: &str = "not in the log";
