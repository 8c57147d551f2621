//! How each program is folded.

use super::known::known;
use eventlog_metrics::{About, Options, Program, Records};
use eventlog_source::Source;
use std::sync::Arc;
use std::time::Duration;

/// What all programs have in common.
pub struct Making {
    pub about: About,
    /// What the user says about the program.
    pub interval: Option<Duration>,
    /// The interval for programs that run and for metrics that are pushed, if the user gives none.
    pub usual: Duration,
    pub records: Records,
    pub needs_clock: bool,
    /// The most bands and spans that are distinguished.
    pub most: usize,
    pub follow: bool,
    pub pushes: bool,
}

impl Making {
    fn options(&self, name: &str, interval: Option<Duration>) -> Options {
        Options {
            about: About {
                source: name.to_owned(),
                ..self.about.clone()
            },
            interval: interval.map(|interval| interval.as_nanos() as u64),
            records: self.records,
            need_clock: self.needs_clock,
            most: self.most,
            ..Options::default()
        }
    }

    /// A source that was named. Returns whether its metrics are only reported at its end, too.
    pub fn named(&self, source: &Source) -> (Arc<Program>, bool) {
        let name = source.to_string();
        let runs = self.follow || source.is_socket();
        let interval = self
            .interval
            .or((runs || self.pushes).then_some(self.usual));
        let mut options = self.options(&name, interval);
        if !self.follow {
            (options.clock, options.programs) = known(source);
        }
        let program = match runs {
            true => Program::that_runs(name, options, matches!(source, Source::Unix(_))),
            false => Program::of_log(name, options),
        };
        (Arc::new(program), interval.is_none())
    }

    /// A program that was found.
    pub fn found(&self, name: &str) -> Arc<Program> {
        let options = self.options(name, Some(self.interval.unwrap_or(self.usual)));
        Arc::new(Program::that_runs(name.to_owned(), options, true))
    }
}
