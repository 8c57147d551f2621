//! Encoders for metrics.

pub mod json;
pub mod otlp;
mod proto;
pub mod protobuf;
pub mod text;

use crate::collected::{Attributes, Collected};
use crate::table::prometheus_word;

/// The metrics of a program, to be scraped.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// Its metrics.
    pub collected: &'a Collected,
    /// Whether each value is labelled with `job` and `instance`; not if the scraper adds these.
    pub labelled: bool,
}

/// Labels: names and values.
type Labels = Vec<(String, String)>;

impl Target<'_> {
    /// The labels of each value.
    fn labels(&self) -> Labels {
        if !self.labelled {
            return Vec::new();
        }
        let resource = &self.collected.resource;
        vec![
            ("job".to_owned(), resource.job()),
            ("instance".to_owned(), resource.instance()),
        ]
    }

    /// The labels of `target_info`: the attributes of the program that are not in `job` and
    /// `instance`.
    fn info(&self) -> Labels {
        let told = ["service.name", "service.namespace", "service.instance.id"];
        let rest = self.collected.resource.attributes.iter();
        let rest = rest.filter(|(key, _)| !told.contains(&&**key));
        let rest = rest.map(|(key, value)| (prometheus_word(key), value.to_string()));
        // Two names may be the same after translation for Prometheus.
        let mut labels = self.labels();
        for (name, value) in rest {
            if labels.iter().all(|(known, _)| *known != name) {
                labels.push((name, value));
            }
        }
        labels
    }
}

/// The labels of attributes.
fn labels(of: &Attributes) -> impl Iterator<Item = (String, String)> {
    of.iter()
        .map(|(key, value)| (prometheus_word(key), value.to_string()))
}

/// The information about the programs.
const TARGET_INFO: &str = "target_info";
const TARGET_HELP: &str = "The program: what identifies it.";
