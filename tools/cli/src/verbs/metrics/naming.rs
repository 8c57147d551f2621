//! The names of metrics.

use super::Names;
use crate::errors::{self, Advise};
use anyhow::Result;
use eventlog_metrics::eventlog_live::{Config, EventlogLive, Group, Rate};
use eventlog_metrics::{Output, Signal};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How often a program flushes its log, if nothing else is known.
const FLUSH: Duration = Duration::from_secs(1);

/// The configuration in a file; without a file, one with eventlog-live's names alone.
pub fn config(file: Option<&Path>) -> Result<Config> {
    let Some(path) = file else {
        return Ok(Config::default());
    };
    let shown = path.display();
    let text = std::fs::read_to_string(path).advise(format_args!("--config {shown}"), "")?;
    Config::parse(&text).map_err(|fault| {
        errors::usage_with(
            format_args!("--config {shown}: {fault}"),
            "`eventlog metrics --print-config` prints all that there is",
        )
    })
}

/// The names of the table, or those of eventlog-live.
#[derive(Clone, Debug)]
pub struct Naming {
    pub eventlog_live: Option<Arc<EventlogLive>>,
    /// How often values are taken, if the configuration says so.
    pub interval: Option<Duration>,
}

impl Naming {
    /// As the command line says.
    pub fn of(
        names: Option<Names>,
        file: Option<&Path>,
        threads: bool,
        flush: Option<Duration>,
    ) -> Result<Self> {
        let its_own = match names {
            Some(Names::Opentelemetry) if file.is_some() => {
                return Err(errors::usage("--config is for --names eventlog-live"));
            }
            Some(Names::EventlogLive) => true,
            _ => file.is_some(),
        };
        if !its_own {
            return Ok(Self {
                eventlog_live: None,
                interval: None,
            });
        }
        let mut config = config(file)?;
        if threads {
            config.tell_threads();
        }
        for (of, setting) in config.settings() {
            if of.group == Group::Profiles && setting.export != Rate::Never {
                errors::warn(format_args!(
                    "profiles are not told: processors.profiles.{} is left out",
                    of.key
                ));
            }
        }
        Ok(Self {
            eventlog_live: Some(Arc::new(EventlogLive::new(&config))),
            interval: file.and_then(|_| config.interval(flush.unwrap_or(FLUSH))),
        })
    }

    /// Whether there is anything of this signal.
    pub fn tells(&self, signal: Signal) -> bool {
        let names = self.eventlog_live.as_ref();
        names.is_none_or(|names| names.tells(signal))
    }

    /// Whether the names of threads are reported one by one.
    pub fn tells_labels(&self) -> bool {
        let names = self.eventlog_live.as_ref();
        names.is_some_and(|names| names.tells_labels())
    }

    /// The same output under these names.
    pub fn output(&self, told: Output) -> Output {
        match (told, &self.eventlog_live) {
            (told, None) => told,
            (Output::Metrics(collected), Some(names)) => Output::Metrics(names.metrics(&collected)),
            (Output::Records(batch), Some(names)) => Output::Records(names.records(&batch)),
        }
    }
}
