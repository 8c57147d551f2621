//! Pushing what the programs report.

use super::environment;
use crate::errors;
use crate::units::Nanos;
use anyhow::Result;
use eventlog_metrics::encode::otlp::{self, Deltas, Histograms, Temporality};
use eventlog_metrics::push::{Notice, Options, Pusher};
use eventlog_metrics::{Collected, Output, Own, Reason, Signal, data_points};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The pause after the first failure, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// A program that runs reports something at each interval. A program that has reported nothing for
/// this long has nothing left to push.
const REMEMBERED: Duration = Duration::from_secs(3600);

/// Encodes and pushes.
pub struct Push {
    pusher: Pusher,
    histograms: Histograms,
    temporality: Temporality,
    /// For each program, by its instance: what it reported last, and when.
    deltas: BTreeMap<String, (Deltas, Instant)>,
}

impl Push {
    /// Starts. Returns `None` if the environment says that nothing is to be pushed.
    pub fn start(
        url: &str,
        signals: &[Signal],
        (queue_bytes, queue_dir): (u64, Option<PathBuf>),
        own: &Arc<Own>,
    ) -> Result<Option<Self>> {
        let endpoints = environment::endpoints(url, signals)?;
        if endpoints.is_empty() {
            return Ok(None);
        }
        let place = queue_dir
            .as_ref()
            .map(|dir| format!("--queue {}", dir.display()));
        let options = Options {
            endpoints,
            queue_bytes,
            queue_dir,
            pauses: PAUSES,
            notices: Arc::new(tell),
        };
        let pusher = Pusher::start(options, own).map_err(|error| {
            let place = place.unwrap_or_else(|| "cannot push".to_owned());
            errors::io(format_args!("{place}: {error}"))
        })?;
        Ok(Some(Self {
            pusher,
            histograms: environment::histograms()?,
            temporality: environment::temporality()?,
            deltas: BTreeMap::new(),
        }))
    }

    /// Whether this signal is pushed.
    pub fn wants(&self, signal: Signal) -> bool {
        self.pusher.wants(signal)
    }

    /// Takes the output of a program. `wait`: it can wait until there is room in the queue.
    pub fn take(&mut self, told: &Output, wait: bool, stop: &dyn Fn() -> bool) {
        match told {
            Output::Metrics(collected) => self.metrics(collected, wait, stop),
            Output::Records(batch) => {
                if let Some(logs) = otlp::logs(batch) {
                    let items = batch.logs.len() as u64;
                    self.pusher.push(Signal::Logs, &logs, items, wait, stop);
                }
                if let Some(spans) = otlp::traces(batch) {
                    let items = batch.spans.len() as u64;
                    self.pusher.push(Signal::Traces, &spans, items, wait, stop);
                }
            }
        }
    }

    /// Takes metrics.
    pub fn metrics(&mut self, collected: &Collected, wait: bool, stop: &dyn Fn() -> bool) {
        let instance = collected.resource.instance();
        let temporality = self.temporality;
        let deltas = self.deltas.entry(instance);
        let now = Instant::now();
        let (deltas, used) = deltas.or_insert_with(|| (Deltas::new(temporality), now));
        *used = now;
        let request = otlp::metrics(collected, self.histograms, deltas);
        let items = data_points(&request);
        self.pusher
            .push(Signal::Metrics, &request, items, wait, stop);
    }

    /// Forgets programs from which nothing has arrived for long.
    pub fn forget(&mut self) {
        self.deltas
            .retain(|_, (_, used)| used.elapsed() < REMEMBERED);
    }

    /// Waits until everything is sent, and reports what was not. Returns whether everything was
    /// sent.
    pub fn finish(self, limit: Duration, stop: &dyn Fn() -> bool, own: &Own) -> bool {
        self.pusher.drain(limit, stop);
        let left = self.pusher.finish();
        if left.kept > 0 {
            errors::warn(format_args!(
                "{} requests wait in the queue on disk; they are sent the next time",
                left.kept
            ));
        }
        let dropped: u64 = Reason::ALL
            .iter()
            .map(|reason| own.total_dropped(*reason))
            .sum();
        if dropped > 0 {
            let sent = own.total_sent();
            errors::warn(format_args!(
                "{dropped} items were given up, {sent} were sent"
            ));
        }
        dropped == 0 && left.kept == 0
    }
}

/// Reports what happens to the requests.
fn tell(notice: &Notice) {
    match notice {
        Notice::Failing { url, why } => errors::warn(format_args!(
            "cannot push to {url}: {why}; it is tried again, for {} at most between two attempts",
            Nanos(PAUSES.1.as_nanos() as u64)
        )),
        Notice::Recovered { url } => errors::note(format_args!("{url} takes what is pushed again")),
        Notice::Dropped {
            signal,
            items,
            reason,
            why,
        } => {
            let signal = match signal {
                Signal::Metrics => "data points",
                Signal::Logs => "log records",
                Signal::Traces => "spans",
            };
            let reason = match reason {
                Reason::QueueFull => "the queue was full (see --queue-bytes)",
                Reason::Rejected => "the receiver does not take them",
                Reason::TooLarge => "they are too large for the receiver",
                Reason::Ended => "they could not be sent in time",
                Reason::Unreadable => "the queue on disk does not work",
            };
            let why = match why.is_empty() {
                true => String::new(),
                false => format!(": {}", crate::printable::printable(why)),
            };
            errors::warn(format_args!("{items} {signal} given up: {reason}{why}"));
        }
    }
}
