//! What the threads that read send.

use anyhow::Result;
use eventlog_metrics::{Output, Program};
use eventlog_source::programs::Program as Found;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// How soon a signal is noticed.
pub const TICK: Duration = Duration::from_millis(100);

/// Output that has to be acted on.
pub enum Told {
    /// The output of a program. `wait`: its log can wait until there is room for it.
    Output { told: Output, wait: bool },
    /// It is time to report what changes without events.
    Tick,
}

/// What a thread sends.
pub enum Said {
    Told(Told),
    /// A program was found.
    Came(Found),
    /// It has ended.
    Went(Arc<Program>),
    /// The source is over.
    Over(Result<ExitCode>),
}

impl Said {
    pub fn output(told: Output, wait: bool) -> Self {
        Self::Told(Told::Output { told, wait })
    }
}
