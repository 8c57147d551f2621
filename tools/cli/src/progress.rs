//! What is drawn on standard error, for people only: a progress bar, which appears when that is
//! a terminal and standard output is not, or lines about how things are.

use crate::output;
use eventlog_source::Connection;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{self, IsTerminal};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Used where the terminal does not report its size.
const USUAL: (usize, usize) = (24, 80);

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

    /// Shows the progress of a connection, for as long as that is open.
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

/// Some lines about how things are, below whatever else is written to the terminal that standard
/// error is.
pub struct Panel(ProgressBar);

impl Panel {
    /// Empty so far.
    pub fn new() -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(8));
        if let Ok(style) = ProgressStyle::with_template("{msg}") {
            bar.set_style(style);
        }
        *SHOWN.lock().unwrap_or_else(PoisonError::into_inner) = Some(bar.clone());
        Self(bar)
    }

    /// Draws other lines. `lines` is given how many rows and columns there is room for.
    pub fn draw(&self, lines: impl FnOnce((usize, usize)) -> Vec<String>) {
        let (rows, columns) = output::error_terminal_size().unwrap_or(USUAL);
        // The last row and column stay free: the cursor is there.
        let lines = lines((rows.saturating_sub(1), columns.saturating_sub(1)));
        self.0.set_message(lines.join("\n"));
        self.0.tick();
    }
}

impl Drop for Panel {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
