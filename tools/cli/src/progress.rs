//! A progress bar, for people only: it appears on standard error when that is
//! a terminal and standard output is not.

use eventlog_source::Connection;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{self, IsTerminal};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The bar that is on the terminal.
static SHOWN: Mutex<Option<ProgressBar>> = Mutex::new(None);

fn shown() -> Option<ProgressBar> {
    let shown = SHOWN.lock().unwrap_or_else(PoisonError::into_inner);
    shown.clone()
}

/// Takes the bar off the terminal for good, wherever it is in use.
pub fn clear() {
    if let Some(bar) = shown() {
        bar.finish_and_clear();
    }
}

/// Does something that writes to the terminal, with the bar out of the way.
pub fn aside<T>(write: impl FnOnce() -> T) -> T {
    match shown() {
        Some(bar) => bar.suspend(write),
        None => write(),
    }
}

/// A bar, or nothing at all.
pub struct Progress(Option<ProgressBar>);

impl Progress {
    /// A bar up to `total` bytes, or a count of bytes where that is unknown.
    pub fn new(label: &'static str, total: Option<u64>) -> Self {
        if !io::stderr().is_terminal() || io::stdout().is_terminal() {
            return Self(None);
        }
        Self::always(label, total)
    }

    /// No bar.
    pub fn none() -> Self {
        Self(None)
    }

    /// The same also while standard output is a terminal: for verbs that do
    /// not write there. Still nothing unless standard error is a terminal.
    pub fn always(label: &'static str, total: Option<u64>) -> Self {
        if !io::stderr().is_terminal() {
            return Self(None);
        }
        let template = match total {
            Some(_) => "{msg} [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec} {eta}",
            None => "{msg} {spinner} {bytes} {bytes_per_sec} {elapsed}",
        };
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr_with_hz(8));
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_message(label);
        bar.enable_steady_tick(Duration::from_millis(250));
        *SHOWN.lock().unwrap_or_else(PoisonError::into_inner) = Some(bar.clone());
        Self(Some(bar))
    }

    /// Shows how far a connection has come, for as long as that is open.
    pub fn watch(self, connection: &mut Connection) {
        if self.0.is_some() {
            connection.on_read(move |count| self.add(count as u64));
        }
    }

    /// So many bytes more.
    pub fn add(&self, bytes: u64) {
        if let Some(bar) = &self.0 {
            bar.inc(bytes);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
