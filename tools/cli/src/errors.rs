//! Errors as the user sees them: one line that says what went wrong, one that
//! says what to do next, and an exit code that a script can rely on.

use crate::hints;
use crate::output;
use crate::printable;
use crate::progress;
use anstyle::{AnsiColor, Style};
use eventlog_source::is_damage;
use ghc_eventlog::{Ending, ReadError};
use std::fmt;
use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The input is faulty.
pub const INPUT: u8 = 1;
/// The command line is invalid (clap uses the same number).
pub const USAGE: u8 = 2;
/// Something could not be opened, connected to, read or written.
pub const IO: u8 = 3;

/// A message with a class, and perhaps advice.
#[derive(Debug)]
struct CliError {
    code: Option<u8>,
    message: String,
    hint: Option<String>,
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for CliError {}

fn told(code: u8, message: impl fmt::Display, hint: Option<String>) -> anyhow::Error {
    anyhow::Error::new(CliError {
        code: Some(code),
        message: message.to_string(),
        hint,
    })
}

/// The input is at fault: exit code 1.
pub fn input(message: impl fmt::Display) -> anyhow::Error {
    told(INPUT, message, None)
}

/// A log of which not even the header is whole, so that nothing can be made of it.
pub fn no_header(name: &str) -> anyhow::Error {
    told(
        INPUT,
        format_args!("{name} has no complete header: nothing can be saved"),
        hints::no_header(name),
    )
}

/// The command line is at fault in a way that clap cannot see: exit code 2.
pub fn usage(message: impl fmt::Display) -> anyhow::Error {
    told(USAGE, message, None)
}

/// The same, with what to do about it.
pub fn usage_with(message: impl fmt::Display, hint: impl fmt::Display) -> anyhow::Error {
    told(USAGE, message, Some(hint.to_string()))
}

/// The output file exists already.
pub fn exists(path: &Path) -> anyhow::Error {
    usage(format_args!(
        "{} exists already; replace it with --force",
        path.display()
    ))
}

/// The output is the input, which would be overwritten.
pub fn input_is_output(path: &Path) -> anyhow::Error {
    usage(format_args!(
        "{} is both input and output; write to another file and rename it",
        path.display()
    ))
}

/// Something cannot be opened, read or written: exit code 3.
pub fn io(message: impl fmt::Display) -> anyhow::Error {
    told(IO, message, None)
}

/// The same, with what to do about it.
pub fn io_with(message: impl fmt::Display, hint: impl fmt::Display) -> anyhow::Error {
    told(IO, message, Some(hint.to_string()))
}

/// Adds context and advice to an error, keeping its exit code.
pub trait Advise<T> {
    /// `message` says what was tried, `hint` what to do about it.
    fn advise(self, message: impl fmt::Display, hint: impl fmt::Display) -> anyhow::Result<T>;
}

impl<T, E: Into<anyhow::Error>> Advise<T> for Result<T, E> {
    fn advise(self, message: impl fmt::Display, hint: impl fmt::Display) -> anyhow::Result<T> {
        self.map_err(|error| {
            let hint = Some(hint.to_string()).filter(|hint| !hint.is_empty());
            error.into().context(CliError {
                code: None,
                message: message.to_string(),
                hint,
            })
        })
    }
}

/// The exit code that an error stands for.
fn code_of(error: &anyhow::Error) -> u8 {
    // Contexts hide from the chain but not from a downcast of the whole.
    if let Some(code) = error.downcast_ref::<CliError>().and_then(|told| told.code) {
        return code;
    }
    for cause in error.chain() {
        if let Some(code) = cause.downcast_ref::<CliError>().and_then(|told| told.code) {
            return code;
        }
        let format = cause.is::<ghc_eventlog::Error>()
            || matches!(
                cause.downcast_ref::<ReadError>(),
                Some(ReadError::Format(_))
            );
        let packed_badly = cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(is_damage);
        if format || packed_badly {
            return INPUT;
        }
    }
    IO
}

fn hint_of(error: &anyhow::Error) -> Option<String> {
    let direct = error
        .downcast_ref::<CliError>()
        .and_then(|told| told.hint.clone());
    direct.or_else(|| {
        error
            .chain()
            .find_map(|cause| match cause.downcast_ref::<CliError>() {
                Some(told) => told.hint.clone(),
                None => {
                    let fault = cause.downcast_ref::<ghc_eventlog::Error>().copied();
                    let fault = fault.or_else(|| match cause.downcast_ref::<ReadError>() {
                        Some(ReadError::Format(fault)) => Some(*fault),
                        _ => None,
                    });
                    // The outermost context of a fault is the name of its source.
                    fault.map(|fault| hints::fault(fault.kind, &error.to_string()))
                }
            })
    })
}

/// Reports an error, and returns the exit code. A reader that closes our output is not an error.
pub fn report(error: &anyhow::Error) -> ExitCode {
    if output::is_closed() {
        return ExitCode::SUCCESS;
    }
    say(AnsiColor::Red, "error", &chain_text(error));
    if let Some(hint) = hint_of(error) {
        say(AnsiColor::Cyan, "hint", &hint);
    }
    ExitCode::from(code_of(error))
}

/// The causes on one line. Some of them repeat the text of their own cause.
fn chain_text(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        if text.ends_with(&cause) {
            continue;
        }
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&cause);
    }
    text
}

/// Reports the fault that ended the reading of a log.
pub fn fault(name: &str, fault: ghc_eventlog::Error) {
    say(AnsiColor::Red, "error", &format!("{name}: {fault}"));
    hint(hints::fault(fault.kind, name));
}

/// Reports how a log ended, if not as expected, and returns the exit code for that. A log that
/// merely stops (a killed program) is reported, but is not a failure.
pub fn ending(name: &str, ending: &Ending) -> ExitCode {
    if let Some(gap) = ending.gap {
        warn(format_args!(
            "{name}: {}; the last {} bytes cannot be read",
            gap.error, gap.length
        ));
        hint(hints::fault(gap.error.kind, name));
        return ExitCode::from(INPUT);
    }
    if !ending.header {
        warn(format_args!(
            "{name} ends before its header is complete ({} bytes): the program was killed early, \
             or has not flushed its log yet",
            ending.left
        ));
        if let Some(cause) = hints::no_header(name) {
            hint(cause);
        }
        return ExitCode::from(INPUT);
    }
    if ending.left > 0 {
        let left = ending.left;
        warn(format_args!(
            "{name} is cut off in the middle of an event; {left} bytes are left over"
        ));
    } else if !ending.marked {
        warn(format_args!(
            "{name} has no end mark: the program was killed, or is still running"
        ));
    }
    ExitCode::SUCCESS
}

/// Something the user should know although the work goes on.
pub fn warn(message: impl fmt::Display) {
    say(AnsiColor::Yellow, "warning", &message.to_string());
}

/// Something failed; the exit code is decided elsewhere.
pub fn fail(message: impl fmt::Display) {
    say(AnsiColor::Red, "error", &message.to_string());
}

/// What to do about the message just printed.
pub fn hint(message: impl fmt::Display) {
    say(AnsiColor::Cyan, "hint", &message.to_string());
}

/// Something the user may like to know.
pub fn note(message: impl fmt::Display) {
    say(AnsiColor::Cyan, "note", &message.to_string());
}

/// Messages that are held back while something is drawn on the terminal, which they would disturb.
static HELD: Mutex<Option<Vec<Message>>> = Mutex::new(None);

#[derive(Clone)]
struct Message {
    colour: AnsiColor,
    label: &'static str,
    text: String,
}

fn held() -> MutexGuard<'static, Option<Vec<Message>>> {
    // A poisoned lock is harmless: no update under it is ever left incomplete.
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From now on keeps messages, if they would go to a terminal.
pub fn hold() {
    if std::io::stderr().is_terminal() {
        held().get_or_insert_default();
    }
}

/// The last message that is kept, on one line.
pub fn last_held() -> Option<String> {
    let last = held().as_ref()?.last()?.clone();
    let text = printable::message(&last.text).replace('\n', " ");
    Some(format!("{}: {text}", last.label))
}

/// Prints the messages that were kept, and later ones at once.
pub fn release() {
    let kept = held().take();
    for message in kept.into_iter().flatten() {
        say(message.colour, message.label, &message.text);
    }
}

fn say(colour: AnsiColor, label: &'static str, message: &str) {
    use std::io::Write;
    if let Some(kept) = held().as_mut() {
        kept.push(Message {
            colour,
            label,
            text: message.to_owned(),
        });
        return;
    }
    let style = Style::new().bold().fg_color(Some(colour.into()));
    let message = printable::message(message);
    // If standard error is closed, the message cannot be reported anywhere.
    let _ = progress::aside(|| {
        writeln!(
            anstream::stderr(),
            "eventlog: {style}{label}:{style:#} {message}"
        )
    });
}
