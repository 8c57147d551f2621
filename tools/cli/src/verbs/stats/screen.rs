//! The terminal while `stats --follow` draws on it: what was there comes back
//! afterwards, and what is drawn fits, whatever the size.

use crate::columns;
use crate::output;
use crate::signals::Stop;
use std::io::{self, Write};

/// A second screen, and the cursor hidden.
const ENTER: &str = "\x1b[?1049h\x1b[?25l";
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";
/// Where the terminal does not tell its size.
const USUAL: (usize, usize) = (24, 80);

/// The second screen, as long as it lives.
pub struct Screen {
    stop: Stop,
    size: (usize, usize),
}

impl Screen {
    /// Goes over to it. From now on signals that mean "stop" only set a flag,
    /// because the terminal has to be put back.
    pub fn enter(out: &mut impl Write) -> io::Result<Self> {
        let screen = Self {
            stop: Stop::install()?,
            size: size(),
        };
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

    /// Draws a text, as much of it as fits.
    pub fn draw(&mut self, text: &str, out: &mut impl Write) -> io::Result<()> {
        self.size = size();
        // Every line is cleared where it ends, and what is below: nothing flickers.
        write!(out, "\x1b[H")?;
        let lines = fit(text, self.size);
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
        // Not through a buffer that may already hold what comes next. If the terminal is gone,
        // there is nothing to put back.
        let mut out = io::stdout().lock();
        let _ = write!(out, "{LEAVE}").and_then(|()| out.flush());
    }
}

fn size() -> (usize, usize) {
    output::terminal_size().unwrap_or(USUAL)
}

/// The lines of a text that there is room for.
fn fit(text: &str, (rows, columns): (usize, usize)) -> Vec<String> {
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
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_drawn_fits() {
        let text = "one\ntwo\nthree\nfour\n";
        assert_eq!(fit(text, (4, 80)), ["one", "two", "three", "four"]);
        assert_eq!(fit(text, (3, 12)), ["one", "two", "... 2 more …"]);
        assert_eq!(fit(text, (4, 4)), ["one", "two", "thr…", "four"]);
        assert_eq!(fit(text, (1, 9)).len(), 1);
    }
}
