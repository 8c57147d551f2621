//! The names of eventlog-live, for dashboards that were made for it, and its configuration.
//!
//! The names and attributes are those of eventlog-live, but the values are corrected: allocation
//! and the time of capabilities are totals that only grow, and the sizes of the heap are one
//! series each, not one for each capability that happened to lead a collection.

mod config;
mod processors;
mod records;
mod schema;
mod values;

pub use config::{Config, Fault, Rate, Setting};
pub use processors::{Group, PROCESSORS, Processor};
pub use schema::schema;

use crate::table::Metric;
use values::METRICS;

/// What is exported, and under which names.
#[derive(Debug)]
pub struct EventlogLive {
    /// In the order of [`METRICS`]; `None` is not exported.
    metrics: Vec<Option<&'static Metric>>,
    messages: Option<&'static str>,
    markers: Option<&'static str>,
    labels: Option<&'static str>,
    own: Option<&'static str>,
    usage: Option<String>,
    states: Option<String>,
}

impl EventlogLive {
    /// From a configuration. Metrics with configured names are kept for the life of the process.
    pub fn new(config: &Config) -> Self {
        let told = |group, key| config.told(group, key);
        let metrics = METRICS.iter().zip(values::KEYS).map(|(&usual, key)| {
            let setting = told(Group::Metrics, key)?;
            if setting.name == usual.name && setting.description == usual.help() {
                return Some(usual);
            }
            Some(&*Box::leak(Box::new(Metric {
                name: setting.name.clone().leak(),
                help: setting.description.clone().leak(),
                ..usual.clone()
            })))
        });
        let log = |key| {
            let setting = told(Group::Logs, key)?;
            Some(&*setting.name.clone().leak())
        };
        let spans = |key| Some(told(Group::Traces, key)?.name.clone());
        Self {
            metrics: metrics.collect(),
            messages: log("user_message"),
            markers: log("user_marker"),
            labels: log("thread_label"),
            own: log("internal_log_message"),
            usage: spans("capability_usage"),
            states: spans("thread_state"),
        }
    }

    /// Whether anything of this signal is exported.
    pub fn tells(&self, signal: crate::own::Signal) -> bool {
        use crate::own::Signal;
        match signal {
            Signal::Metrics => self.metrics.iter().any(Option::is_some),
            Signal::Logs => [self.messages, self.markers, self.labels, self.own]
                .iter()
                .any(Option::is_some),
            Signal::Traces => self.usage.is_some() || self.states.is_some(),
        }
    }

    /// Whether the names of threads are exported.
    pub fn tells_labels(&self) -> bool {
        self.labels.is_some()
    }

    /// Whether the states of threads are exported.
    pub fn tells_threads(&self) -> bool {
        self.usage.is_some() || self.states.is_some()
    }
}
