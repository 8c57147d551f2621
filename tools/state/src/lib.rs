//! One model of GHC's runtime system, folded from the events of an eventlog.
#![forbid(unsafe_code)]
#![allow(dead_code, unused_imports, missing_docs)]

mod binary;
mod cap;
mod collections;
mod definitions;
mod difference;
mod fact;
mod finished;
mod heap;
mod limits;
mod losses;
mod oddity;
mod pages;
mod profile;
mod program;
mod raw;
mod scheduler;
mod segments;
#[cfg(feature = "serde")]
mod serial;
mod snapshot;
mod spans;
mod sparks;
mod state;
mod states;
mod symbols;
mod table;
mod tasks;
#[cfg(test)]
mod test_log;
mod text;
mod thread;
mod ticky;
mod transition;

pub use binary::Messages;
pub use definitions::{Definitions, TickyCounter};
pub use fact::Fact;
pub use limits::{Keep, Limits};
pub use losses::{Loss, Losses, Lost};
pub use profile::{Band, Frames, HeapProfile, Sample, Samples};
pub use program::{Capset, HeapParameters, Program, Programs};
pub use spans::{OpenSpan, Pairs, Rule, Running, Span, Spans, StartStop};
pub use state::{State, Turn};
pub use symbols::{CostCentre, InfoTable, Symbols};
pub use tasks::Task;
pub use ticky::{Ticky, TickySample};
