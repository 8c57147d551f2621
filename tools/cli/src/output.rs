//! Standard output: buffered, silent when its reader goes away, coloured only on a terminal.

use anstyle::Style;
use clap::ValueEnum;
use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};

/// Large enough that the cost of a system call per flush does not matter.
const BUFFER: usize = 64 * 1024;

static CLOSED: AtomicBool = AtomicBool::new(false);
static COLOURS: AtomicBool = AtomicBool::new(false);

/// When to use colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Colour {
    /// On a terminal, unless NO_COLOR is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Sets once whether colours are used, for both standard streams.
pub fn choose_colour(choice: Colour) {
    let choice = match choice {
        Colour::Auto => anstream::ColorChoice::Auto,
        Colour::Always => anstream::ColorChoice::AlwaysAnsi,
        Colour::Never => anstream::ColorChoice::Never,
    };
    choice.write_global();
    let decided = anstream::AutoStream::choice(&io::stdout());
    COLOURS.store(decided != anstream::ColorChoice::Never, Ordering::Relaxed);
}

/// Whether what goes to standard output may be coloured.
pub fn colours() -> bool {
    COLOURS.load(Ordering::Relaxed)
}

/// The style if colours are on, and none otherwise.
pub fn style(style: Style) -> Style {
    if colours() { style } else { Style::new() }
}

/// Whether standard output is a terminal.
pub fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Rows and columns of the terminal that standard output is, if it is one and reports its size.
pub fn terminal_size() -> Option<(usize, usize)> {
    size_of(io::stdout())
}

/// The same of standard error.
pub fn error_terminal_size() -> Option<(usize, usize)> {
    size_of(io::stderr())
}

fn size_of(terminal: impl AsFd) -> Option<(usize, usize)> {
    let size = rustix::termios::tcgetwinsize(terminal).ok()?;
    let (rows, columns) = (size.ws_row.into(), size.ws_col.into());
    (rows > 0 && columns > 0).then_some((rows, columns))
}

/// Whether the reader of standard output has gone away.
pub fn is_closed() -> bool {
    CLOSED.load(Ordering::Relaxed)
}

/// Standard output, locked and buffered. Call `flush` at the end: an error in
/// a drop goes unnoticed.
pub fn out() -> Out {
    Out(BufWriter::with_capacity(BUFFER, Raw(io::stdout().lock())))
}

/// See [`out`].
pub struct Out(BufWriter<Raw>);

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Records a broken pipe, so that the program ends silently even if the error is wrapped on its way
/// up.
struct Raw(StdoutLock<'static>);

impl Write for Raw {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let result = self.0.write(bytes).inspect_err(notice);
        result.map_err(|error| named("standard output", error))
    }

    fn flush(&mut self) -> io::Result<()> {
        let result = self.0.flush().inspect_err(notice);
        result.map_err(|error| named("standard output", error))
    }
}

/// Adds to the error what cannot be written.
pub fn named(name: &str, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot write {name}: {error}"))
}

/// Records an error in writing to standard output. A reader that goes away is not an error.
pub fn notice(error: &io::Error) {
    if error.kind() == io::ErrorKind::BrokenPipe {
        CLOSED.store(true, Ordering::Relaxed);
    }
}
