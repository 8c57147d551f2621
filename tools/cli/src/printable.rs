//! Texts of a log as they may be printed.
//!
//! A log holds whatever its program put into it: names of threads, messages,
//! arguments. Printed as they are, control characters would reach the terminal
//! as commands, line feeds would make one line look like two, and directional
//! controls would show something else than what is there. All that prints a
//! text of a log (or the name of a file) prints it through this module.
//!
//! In JSON nothing changes for whoever reads it: characters are written as
//! `\u009b` there.

use serde::Serialize;
use std::borrow::Cow;
use std::fmt::Write as _;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

static RAW: AtomicBool = AtomicBool::new(false);

/// Decides once for all whether texts are printed exactly as they are.
pub fn choose_raw(raw: bool) {
    // Before any other thread is started, and it guards no other data.
    RAW.store(raw, Ordering::Relaxed);
}

fn raw() -> bool {
    RAW.load(Ordering::Relaxed)
}

/// Whether the character does something else than to be seen.
fn is_command(c: char) -> bool {
    // C0, DEL and C1: what terminals obey. Line feeds are among them.
    c.is_control()
        || matches!(
            c,
            // The direction of text.
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{206f}'
            // Ends of lines and paragraphs.
            | '\u{2028}' | '\u{2029}'
            // Invisible, and not needed for writing as joiners are.
            | '\u{200b}' | '\u{2060}'..='\u{2065}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
        )
}

/// Whether nothing has to be looked at more closely: nearly all texts.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

fn push_char(to: &mut String, c: char) {
    match c {
        '\n' => to.push_str("\\n"),
        '\t' => to.push_str("\\t"),
        '\r' => to.push_str("\\r"),
        // Writing to a string cannot fail.
        c if is_command(c) => _ = write!(to, "\\u{{{:x}}}", c as u32),
        c => to.push(c),
    }
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
    if raw() || is_plain(text) || !text.contains(is_command) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    push(&mut shown, text);
    Cow::Owned(shown)
}

/// The same for a message of several lines, which stay lines, `--raw` or not:
/// of what goes to standard error nobody needs the bytes.
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

/// A text as a field of a CSV table: quoted where it has to be, on one line, and
/// not beginning with what spreadsheets take for a formula.
pub fn csv_field(text: &str) -> Cow<'_, str> {
    let mut field = printable(text);
    let formula = ['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠'];
    if field.starts_with(formula) && !raw() {
        field = Cow::Owned(format!("'{field}"));
    }
    if field.contains([',', '"', '\n', '\r']) {
        field = Cow::Owned(format!("\"{}\"", field.replace('"', "\"\"")));
    }
    field
}

/// Appends a character as it is written in a string of JSON.
fn push_json_char(to: &mut String, c: char) {
    if is_command(c) {
        let mut units = [0; 2];
        for unit in c.encode_utf16(&mut units) {
            let _ = write!(to, "\\u{unit:04x}");
        }
    } else {
        to.push(c);
    }
}

/// A line of JSON, whose strings may hold anything but C0 controls, so that it
/// can be printed. It stands for the same value.
pub fn json_line(line: &str) -> Cow<'_, str> {
    if raw() || is_plain(line) || !line.contains(is_command) {
        return Cow::Borrowed(line);
    }
    let mut shown = String::with_capacity(line.len() + 16);
    line.chars().for_each(|c| push_json_char(&mut shown, c));
    Cow::Owned(shown)
}

/// Writes a value as JSON that can be printed.
pub fn write_json<W, T>(out: W, value: &T) -> io::Result<()>
where
    W: io::Write,
    T: Serialize + ?Sized,
{
    let mut serializer = serde_json::Serializer::with_formatter(out, Printable);
    Ok(value.serialize(&mut serializer)?)
}

/// What [`write_json`] writes, as a text.
pub fn to_json<T: Serialize + ?Sized>(value: &T) -> String {
    // What is written is UTF-8, and writing to memory does not fail.
    let mut bytes = Vec::new();
    let _ = write_json(&mut bytes, value);
    String::from_utf8(bytes).unwrap_or_default()
}

/// Compact JSON, but for characters that are commands.
struct Printable;

impl serde_json::ser::Formatter for Printable {
    fn write_string_fragment<W>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()>
    where
        W: io::Write + ?Sized,
    {
        writer.write_all(json_line(fragment).as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One of each kind, and words that must stay.
    const NASTY: &str =
        "\u{1b}[31m\u{9b}2J\u{7f}\0\n\u{202e}\u{2066}\u{2028}\u{200b}\u{feff}\u{e0041}";
    const PEACEFUL: &str = "naïve 日本語 👩\u{200d}🚀 ن\u{200c}ه \\ \"";

    #[test]
    fn nothing_that_is_a_command_is_left() {
        for text in [
            printable(NASTY).into_owned(),
            shell_word(NASTY).into_owned(),
            csv_field(NASTY).into_owned(),
            to_json(NASTY),
            message(NASTY).replace('\n', ""),
        ] {
            assert!(!text.contains(is_command), "{text:?}");
        }
        assert_eq!(printable("a\u{9b}b\n"), "a\\u{9b}b\\n");
        assert_eq!(printable(PEACEFUL), PEACEFUL);
        assert_eq!(message("two\nlines"), "two\nlines");
    }

    #[test]
    fn json_stands_for_the_same() {
        for text in [NASTY, PEACEFUL] {
            let read: String = serde_json::from_str(&to_json(text)).expect("JSON");
            assert_eq!(read, text);
            let plain = serde_json::to_string(text).expect("JSON");
            let read: String = serde_json::from_str(&json_line(&plain)).expect("JSON");
            assert_eq!(read, text);
        }
    }

    #[test]
    fn cells_are_no_formulas() {
        assert_eq!(csv_field("=1+1"), "'=1+1");
        assert_eq!(csv_field("@x,\"y\""), "\"'@x,\"\"y\"\"\"");
        assert_eq!(csv_field("a-b"), "a-b");
        assert_eq!(csv_field("a,b"), "\"a,b\"");
    }

    #[test]
    fn words_can_be_typed() {
        assert_eq!(shell_word("--fast=1"), "--fast=1");
        assert_eq!(shell_word(""), "''");
        assert_eq!(shell_word("it's here"), "'it'\\''s here'");
        assert_eq!(shell_word("$(x)"), "'$(x)'");
    }
}
