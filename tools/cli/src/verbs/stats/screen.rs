//! The terminal while `stats --follow` draws on it: its former content is restored afterwards, and
//! what is drawn fits, whatever the size.

use crate::columns;
use crate::errors;
use crate::output;
use crate::signals::Stop;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

/// A second screen, and the cursor hidden.
const ENTER: &str = "\x1b[?1049h\x1b[?25l";
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";
/// Used where the terminal does not report its size.
const USUAL: (usize, usize) = (24, 80);

/// Whether the second screen is on.
static IS_ON: AtomicBool = AtomicBool::new(false);

/// The second screen, until it is dropped.
pub struct Screen {
    stop: Stop,
    size: (usize, usize),
}

impl Screen {
    /// Switches to it. From now on signals that mean "stop" only set a flag, because the terminal
    /// has to be restored.
    pub fn enter(out: &mut impl Write) -> io::Result<Self> {
        let screen = Self {
            // The process may be blocked in writing to the terminal then.
            stop: Stop::install_and(leave)?,
            size: size(),
        };
        errors::hold();
        IS_ON.store(true, Ordering::Relaxed);
        write!(out, "{ENTER}")?;
        Ok(screen)
    }

    /// Whether the user has asked to stop.
    pub fn is_over(&self) -> bool {
        self.stop.is_set()
    }

    /// Whether the terminal has another size than when it was drawn on last.
    pub fn is_resized(&self) -> bool {
        self.size != size()
    }

    /// Draws as much of a text as fits, and the last message below it.
    pub fn draw(&mut self, text: &str, out: &mut impl Write) -> io::Result<()> {
        self.size = size();
        // Every line is cleared at its end, and so is the rest of the screen: nothing flickers.
        write!(out, "\x1b[H")?;
        let lines = fit(text, errors::last_held().as_deref(), self.size);
        for (at, line) in lines.iter().enumerate() {
            let feed = if at == 0 { "" } else { "\r\n" };
            write!(out, "{feed}{line}\x1b[K")?;
        }
        write!(out, "\x1b[J")?;
        out.flush()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        leave();
    }
}

/// Switches back to the first screen, unless that is done already, and prints the messages held
/// back.
fn leave() {
    // It guards no other data.
    if IS_ON.swap(false, Ordering::Relaxed) {
        // Not through a buffer, which may already contain later output, and not through the lock of
        // a thread that may be blocked in writing. If the terminal is gone, there is nothing to
        // restore.
        let _ = rustix::io::write(io::stdout(), LEAVE.as_bytes());
        errors::release();
    }
}

fn size() -> (usize, usize) {
    output::terminal_size().unwrap_or(USUAL)
}

/// The lines of a text that there is room for, the message last.
fn fit(text: &str, message: Option<&str>, (rows, columns): (usize, usize)) -> Vec<String> {
    let rows = rows.saturating_sub(message.iter().count());
    let mut lines: Vec<String> = text
        .lines()
        .map(|line| columns::cut(line, columns).into_owned())
        .collect();
    if lines.len() > rows {
        let left_out = lines.len() - rows.saturating_sub(1);
        lines.truncate(rows.saturating_sub(1));
        let more = format!("... {left_out} more lines: the window is too small");
        lines.push(columns::cut(&more, columns).into_owned());
    }
    lines.extend(message.map(|message| columns::cut(message, columns).into_owned()));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_drawn_fits() {
        let text = "one\ntwo\nthree\nfour\n";
        assert_eq!(fit(text, None, (4, 80)), ["one", "two", "three", "four"]);
        assert_eq!(fit(text, None, (3, 12)), ["one", "two", "... 2 more …"]);
        assert_eq!(fit(text, None, (4, 4)), ["one", "two", "thr…", "four"]);
        assert_eq!(fit(text, None, (1, 9)).len(), 1);
        assert_eq!(fit(text, Some("note: x"), (5, 80))[4], "note: x");
        let both = ["one", "... 3 more …", "note: it is…"];
        assert_eq!(fit(text, Some("note: it is new"), (3, 12)), both);
    }
}
