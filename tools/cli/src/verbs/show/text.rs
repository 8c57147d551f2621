//! An event as text for people.
//!
//! Millions of lines are written this way, so the common parts are put
//! together by hand, without the formatting machinery.

use crate::filter::class_of;
use crate::output;
use crate::printable;
use anstyle::{AnsiColor, Style};
use ghc_eventlog::{Event, EventBody, Value};
use std::fmt::Write;

/// Styles, rendered once.
pub struct Painter {
    colours: bool,
    dim: Paint,
    alarm: Paint,
}

/// The codes that switch a style on and off; both empty without colours.
#[derive(Default)]
struct Paint {
    on: String,
    off: String,
}

impl Paint {
    fn new(style: Style) -> Self {
        Self {
            on: style.render().to_string(),
            off: style.render_reset().to_string(),
        }
    }
}

impl Painter {
    pub fn new() -> Self {
        if !output::colours() {
            return Self {
                colours: false,
                dim: Paint::default(),
                alarm: Paint::default(),
            };
        }
        let red = Some(AnsiColor::Red.into());
        Self {
            colours: true,
            dim: Paint::new(Style::new().dimmed()),
            alarm: Paint::new(Style::new().fg_color(red).bold()),
        }
    }

    /// Something of note between the events.
    pub fn remark(&self, line: &mut String, text: &str) {
        let Paint { on, off } = &self.alarm;
        line.extend([on, "--- ", text, " ---", off]);
    }

    /// Begins a line: time and capability.
    pub fn start(&self, line: &mut String, time: u64, cap: Option<u16>) {
        line.push_str(&self.dim.on);
        seconds(line, time, 4);
        match cap {
            Some(cap) => {
                line.push_str(" cap ");
                let before = line.len();
                number(line, cap.into());
                (line.len() - before..3).for_each(|_| line.push(' '));
            }
            None => line.push_str("       -"),
        }
        line.push_str(&self.dim.off);
        line.push(' ');
    }

    /// The event itself; `running` is the thread in which it happened.
    pub fn event(&self, line: &mut String, event: &Event<'_>, running: Option<u32>, late: bool) {
        self.start(line, event.time, event.cap);
        if self.colours {
            let style = style_of(event.id());
            // Writing to a string cannot fail.
            let _ = write!(line, "{style}{}{style:#}", event.name());
        } else {
            line.push_str(event.name());
        }
        // Messages and markers consist of their text alone.
        let plain = matches!(
            event.body,
            EventBody::UserMsg { .. } | EventBody::UserMarker { .. } | EventBody::LogMsg { .. }
        );
        event.body.fields(|name, value| {
            line.push(' ');
            if !plain {
                line.extend([&self.dim.on, name, "=", &self.dim.off]);
            }
            push_value(line, value, !plain);
        });
        if let Some(thread) = running {
            line.extend([" ", &self.dim.on, "(thread "]);
            number(line, thread.into());
            line.extend([")", &self.dim.off]);
        }
        if late {
            line.extend([" ", &self.alarm.on, "(late)", &self.alarm.off]);
        }
    }
}

fn push_value(line: &mut String, value: Value<'_>, quote: bool) {
    match value {
        Value::UInt(value) => number(line, value),
        Value::Code {
            name: Some(name), ..
        } => line.push_str(name),
        Value::Text(text) => text_value(line, &text.to_string_lossy(), quote),
        Value::Texts(texts) => {
            line.push('[');
            for (at, text) in texts.iter().enumerate() {
                if at > 0 {
                    line.push(' ');
                }
                printable::push_value(line, &text.to_string_lossy());
            }
            line.push(']');
        }
        other => _ = write!(line, "{other}"),
    }
}

fn text_value(line: &mut String, text: &str, quote: bool) {
    if quote {
        printable::push_value(line, text);
    } else {
        printable::push(line, text);
    }
}

fn style_of(id: u16) -> Style {
    let colour = match class_of(id) {
        Some("gc" | "nonmoving") => AnsiColor::Yellow,
        Some("thread" | "spark") => AnsiColor::Green,
        Some("user") => return Style::new().bold().fg_color(Some(AnsiColor::Cyan.into())),
        Some("heap" | "heap_profile") => AnsiColor::Magenta,
        Some("cap" | "task" | "info") => AnsiColor::Blue,
        _ => return Style::new(),
    };
    Style::new().fg_color(Some(colour.into()))
}

/// Nanoseconds as seconds with all nine decimals, the whole part in at least
/// so many places.
pub fn seconds(line: &mut String, nanos: u64, places: usize) {
    let before = line.len();
    let whole = nanos / 1_000_000_000;
    let digits = whole.checked_ilog10().map_or(1, |log| log as usize + 1);
    (digits..places).for_each(|_| line.push(' '));
    number(line, whole);
    line.push('.');
    let mut scale = 100_000_000;
    while scale > 0 {
        line.push(char::from(b'0' + (nanos / scale % 10) as u8));
        scale /= 10;
    }
    debug_assert!(line.len() - before >= 11);
}

/// A number, in decimal.
pub fn number(line: &mut String, mut value: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    line.extend(digits[at..].iter().copied().map(char::from));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(write: impl Fn(&mut String)) -> String {
        let mut line = String::new();
        write(&mut line);
        line
    }

    #[test]
    fn numbers() {
        for value in [0, 7, 10, 999, 1000, u64::MAX] {
            assert_eq!(text(|line| number(line, value)), value.to_string());
        }
        assert_eq!(text(|line| seconds(line, 5, 4)), "   0.000000005");
        assert_eq!(
            text(|line| seconds(line, 12_345_678_901, 4)),
            "  12.345678901"
        );
        assert_eq!(
            text(|line| seconds(line, u64::MAX, 4)),
            "18446744073.709551615"
        );
    }
}
