#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod csv;
mod drive;
mod exporter;
mod folded;
mod hp;
mod perfetto;
mod place;
mod seconds;
mod speedscope;
mod stacks;
mod stopping;
pub mod text;
mod trace_events;

pub use csv::Csv;
pub use drive::Export;
pub use exporter::{Error, Exporter, Range, What};
pub use folded::Folded;
pub use hp::Hp;
pub use perfetto::{Perfetto, Written};
pub use seconds::Seconds;
pub use speedscope::Speedscope;
pub use trace_events::TraceEvents;
