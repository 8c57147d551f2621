#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod attribute;
mod bands;
mod collected;
mod counts;
pub mod encode;
pub mod eventlog_live;
mod feed;
mod fold;
mod histogram;
mod names;
mod own;
mod process;
pub mod push;
mod record;
mod resource;
mod serve;
pub mod table;
mod watch;
mod watched;

pub use collected::{Attribute, Attributes, Collected, Family, Point, Value, seconds};
pub use feed::Feed;
pub use fold::{Fold, Live, Options, Out, Output, Process};
pub use histogram::{EXPLICIT, Histogram};
pub use own::{OWN, Own, Reason, Signal};
pub use record::{Batch, LogRecord, Records, Severity, SpanKey, SpanRecord};
pub use resource::{About, Resource};
pub use serve::{Exposition, serve};
pub use watch::{Program, host_name};
pub use watched::Watched;

/// The number of data points in a request.
pub fn data_points(
    request: &opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest,
) -> u64 {
    let scopes = request
        .resource_metrics
        .iter()
        .flat_map(|of| &of.scope_metrics);
    let metrics = scopes.flat_map(|scope| &scope.metrics);
    metrics.map(push::points).sum()
}
