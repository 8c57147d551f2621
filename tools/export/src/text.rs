//! Makes texts of a log safe to print.
//!
//! A log contains any texts of its program: names of threads, messages,
//! arguments. If they were printed unchanged, terminals would interpret control
//! characters as commands, line feeds would make one line look like two, and
//! directional controls would show something other than the text.
//!
//! In JSON nothing changes for its readers: there, these characters are written
//! as `\u009b`.

use serde::Serialize;
use std::borrow::Cow;
use std::fmt::Write as _;
use std::io;

/// Whether the character has an effect other than being shown.
pub fn is_command(c: char) -> bool {
    // C0, DEL and C1: terminals interpret them. Line feeds are among them.
    c.is_control()
        || matches!(
            c,
            // The direction of text.
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{206f}'
            // Ends of lines and paragraphs.
            | '\u{2028}' | '\u{2029}'
            // Invisible, and not needed for writing, unlike joiners.
            | '\u{200b}' | '\u{2060}'..='\u{2065}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
        )
}

/// Whether no character needs a closer check, as in nearly all texts.
pub fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

/// Appends a character so that it can be printed.
pub fn push_char(to: &mut String, c: char) {
    match c {
        '\n' => to.push_str("\\n"),
        '\t' => to.push_str("\\t"),
        '\r' => to.push_str("\\r"),
        // Writing to a string cannot fail.
        c if is_command(c) => _ = write!(to, "\\u{{{:x}}}", c as u32),
        c => to.push(c),
    }
}

/// The text, safe to print; `raw`: unchanged.
pub fn printable(text: &str, raw: bool) -> Cow<'_, str> {
    if raw || is_plain(text) || !text.contains(is_command) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    text.chars().for_each(|c| push_char(&mut shown, c));
    Cow::Owned(shown)
}

/// A text as a field of a CSV table: quoted if necessary, on one line, and not
/// beginning with a character that makes spreadsheets treat it as a formula;
/// `raw`: only quoted.
pub fn csv_field(text: &str, raw: bool) -> Cow<'_, str> {
    let mut field = printable(text, raw);
    let formula = ['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠'];
    if field.starts_with(formula) && !raw {
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

/// A line of JSON, whose strings may contain anything except C0 controls, safe
/// to print; `raw`: unchanged. Its value stays the same.
pub fn json_line(line: &str, raw: bool) -> Cow<'_, str> {
    if raw || is_plain(line) || !line.contains(is_command) {
        return Cow::Borrowed(line);
    }
    let mut shown = String::with_capacity(line.len() + 16);
    line.chars().for_each(|c| push_json_char(&mut shown, c));
    Cow::Owned(shown)
}

/// Writes a value as JSON that is safe to print; `raw`: with all characters
/// unchanged.
///
/// # Errors
///
/// If it cannot be written.
pub fn write_json<W, T>(out: W, value: &T, raw: bool) -> io::Result<()>
where
    W: io::Write,
    T: Serialize + ?Sized,
{
    let mut serializer = serde_json::Serializer::with_formatter(out, Printable { raw });
    Ok(value.serialize(&mut serializer)?)
}

/// The output of [`write_json`], as a string.
pub fn to_json<T: Serialize + ?Sized>(value: &T, raw: bool) -> String {
    // The output is UTF-8, and writing to memory does not fail.
    let mut bytes = Vec::new();
    let _ = write_json(&mut bytes, value, raw);
    String::from_utf8(bytes).unwrap_or_default()
}

/// Compact JSON, except for characters that are commands.
struct Printable {
    raw: bool,
}

impl serde_json::ser::Formatter for Printable {
    fn write_string_fragment<W>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()>
    where
        W: io::Write + ?Sized,
    {
        writer.write_all(json_line(fragment, self.raw).as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One character of each kind, and words that must stay unchanged.
    const NASTY: &str =
        "\u{1b}[31m\u{9b}2J\u{7f}\0\n\u{202e}\u{2066}\u{2028}\u{200b}\u{feff}\u{e0041}";
    const PEACEFUL: &str = "naïve 日本語 👩\u{200d}🚀 ن\u{200c}ه \\ \"";

    #[test]
    fn nothing_that_is_a_command_is_left() {
        for text in [
            printable(NASTY, false).into_owned(),
            csv_field(NASTY, false).into_owned(),
            to_json(NASTY, false),
        ] {
            assert!(!text.contains(is_command), "{text:?}");
        }
        assert_eq!(printable("a\u{9b}b\n", false), "a\\u{9b}b\\n");
        assert_eq!(printable(PEACEFUL, false), PEACEFUL);
        assert_eq!(printable(NASTY, true), NASTY);
    }

    #[test]
    fn json_stands_for_the_same() {
        for (text, raw) in [(NASTY, false), (PEACEFUL, false), (NASTY, true)] {
            let read: String = serde_json::from_str(&to_json(text, raw)).expect("JSON");
            assert_eq!(read, text);
            let plain = serde_json::to_string(text).expect("JSON");
            let read: String = serde_json::from_str(&json_line(&plain, raw)).expect("JSON");
            assert_eq!(read, text);
        }
    }

    #[test]
    fn cells_are_no_formulas() {
        assert_eq!(csv_field("=1+1", false), "'=1+1");
        assert_eq!(csv_field("=1+1", true), "=1+1");
        assert_eq!(csv_field("@x,\"y\"", false), "\"'@x,\"\"y\"\"\"");
        assert_eq!(csv_field("a-b", false), "a-b");
        assert_eq!(csv_field("a,b", false), "\"a,b\"");
    }
}
