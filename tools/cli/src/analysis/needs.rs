//! What is printed in place of a number that is not in the log.
//!
//! The runtime system writes only the classes of events that it was asked for, and does not record
//! which these were. If a class never appears, nothing is known about it: "no collections" and
//! "collections were not logged" look the same.

/// For a number that needs events of the collector, which are logged with `-lg`.
pub const NEEDS_GC: &str = "not in the log (needs -lg)";
/// The same for events of the scheduler.
pub const NEEDS_SCHEDULER: &str = "not in the log (needs -ls)";
/// The same for the counters of sparks, which only the threaded runtime system has.
pub const NEEDS_SPARKS: &str = "not in the log (needs -lp, and a program linked with -threaded)";
/// If neither of the first two classes is in the log.
pub const NEEDS_BOTH: &str = "not in the log (needs -lsg)";
/// If the class is in the log, but not this event.
pub const NOT_TOLD: &str = "not in the log";
