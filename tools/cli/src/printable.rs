//! Texts of a log as they may be printed.
//!
//! A log holds whatever its program put into it: names of threads, messages,
//! arguments. Printed as they are, control characters would reach the terminal
//! as commands, line feeds would make one line look like two, and directional
//! controls would show something else than what is there. All that prints a
//! text of a log (or the name of a file) prints it through this module.
//!
//! In JSON the value stays the same for every parser: these characters are written as `\u009b`.

use eventlog_export::text::{self, is_plain, push_char};
use serde::Serialize;
use std::borrow::Cow;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

static RAW: AtomicBool = AtomicBool::new(false);

/// Sets once whether texts are printed exactly as they are.
pub fn choose_raw(raw: bool) {
    // Relaxed: it is set before any other thread starts, and guards no other data.
    RAW.store(raw, Ordering::Relaxed);
}

/// Whether texts are printed exactly as they are.
pub fn raw() -> bool {
    RAW.load(Ordering::Relaxed)
}

/// Appends a text so that it can be printed.
pub fn push(to: &mut String, text: &str) {
    if raw() || is_plain(text) {
        to.push_str(text);
    } else {
        text.chars().for_each(|c| push_char(to, c));
    }
}

/// Appends a text as a value of a line: in quotes where its end would not be
/// clear otherwise.
pub fn push_value(to: &mut String, text: &str) {
    if !(text.is_empty() || text.contains([' ', '"', '='])) {
        return push(to, text);
    }
    to.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => to.extend(['\\', c]),
            c if raw() => to.push(c),
            c => push_char(to, c),
        }
    }
    to.push('"');
}

/// The text so that it can be printed.
pub fn printable(text: &str) -> Cow<'_, str> {
    text::printable(text, raw())
}

/// The same for a message of several lines, which stay lines, with or without `--raw`: standard
/// error is for people, who do not need the exact bytes.
pub fn message(text: &str) -> Cow<'_, str> {
    if is_plain(text) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '\n' => shown.push('\n'),
            c => push_char(&mut shown, c),
        }
    }
    Cow::Owned(shown)
}

/// A word of a command line as it is typed into a shell.
pub fn shell_word(word: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_alphanumeric() || "_@%+=:,./-~^".contains(c);
    // A tilde at the beginning stands for a directory.
    if !word.is_empty() && !word.starts_with('~') && word.chars().all(plain) {
        return Cow::Borrowed(word);
    }
    Cow::Owned(format!("'{}'", printable(word).replace('\'', "'\\''")))
}

/// A line of JSON, whose strings may hold anything but C0 controls, so that it
/// can be printed. It stands for the same value.
pub fn json_line(line: &str) -> Cow<'_, str> {
    text::json_line(line, raw())
}

/// Writes a value as JSON that can be printed.
pub fn write_json<W, T>(out: W, value: &T) -> io::Result<()>
where
    W: io::Write,
    T: Serialize + ?Sized,
{
    text::write_json(out, value, raw())
}

#[cfg(test)]
mod tests {
    use super::*;
    use eventlog_export::text::is_command;

    /// One of each kind, and words that must stay.
    const NASTY: &str =
        "\u{1b}[31m\u{9b}2J\u{7f}\0\n\u{202e}\u{2066}\u{2028}\u{200b}\u{feff}\u{e0041}";
    const PEACEFUL: &str = "naïve 日本語 👩\u{200d}🚀 ن\u{200c}ه \\ \"";

    #[test]
    fn nothing_that_is_a_command_is_left() {
        for text in [
            printable(NASTY).into_owned(),
            shell_word(NASTY).into_owned(),
            message(NASTY).replace('\n', ""),
        ] {
            assert!(!text.contains(is_command), "{text:?}");
        }
        assert_eq!(printable("a\u{9b}b\n"), "a\\u{9b}b\\n");
        assert_eq!(printable(PEACEFUL), PEACEFUL);
        assert_eq!(message("two\nlines"), "two\nlines");
    }

    #[test]
    fn words_can_be_typed() {
        assert_eq!(shell_word("--fast=1"), "--fast=1");
        assert_eq!(shell_word(""), "''");
        assert_eq!(shell_word("it's here"), "'it'\\''s here'");
        assert_eq!(shell_word("$(x)"), "'$(x)'");
    }
}
