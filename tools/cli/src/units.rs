//! Durations and sizes as people write them.

use eventlog_source::Wait;
use std::fmt;
use std::time::Duration;

/// Splits `10ms` into a number and its unit.
fn split(text: &str) -> Result<(f64, &str), String> {
    let text = text.trim();
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let number = number
        .parse()
        .map_err(|_| format!("no number in {text:?}"))?;
    Ok((number, unit.trim()))
}

/// Parses `250ms`, `1.5s`, `2m`, `1h`, `100us`, `5ns`; a bare number is
/// seconds.
pub fn nanos(text: &str) -> Result<u64, String> {
    let (number, unit) = split(text)?;
    let scale = match unit {
        "ns" => 1.0,
        "us" | "µs" | "μs" => 1e3,
        "ms" => 1e6,
        "s" | "" => 1e9,
        "m" | "min" => 60e9,
        "h" => 3600e9,
        other => return Err(format!("unknown unit {other:?}: use ns, us, ms, s, m or h")),
    };
    let nanos = number * scale;
    if nanos >= u64::MAX as f64 {
        return Err(format!("{text:?} is too long"));
    }
    Ok(nanos as u64)
}

/// Parses a duration; the same syntax as [`nanos`].
pub fn duration(text: &str) -> Result<Duration, String> {
    nanos(text).map(Duration::from_nanos)
}

/// Parses a duration that is longer than none.
pub fn some_time(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("it must be longer than 0".to_owned()),
        time => Ok(time),
    }
}

/// Parses `500`, `64K`, `256M`, `1.5G` (powers of 1024).
pub fn bytes(text: &str) -> Result<u64, String> {
    let (number, unit) = split(text)?;
    let scale = match unit.trim_end_matches("iB").trim_end_matches(['B', 'b']) {
        "" => 1.0,
        "k" | "K" => 1024.0,
        "m" | "M" => 1048576.0,
        "g" | "G" => 1073741824.0,
        "t" | "T" => 1099511627776.0,
        other => return Err(format!("unknown unit {other:?}: use K, M, G or T")),
    };
    let bytes = number * scale;
    if bytes >= u64::MAX as f64 {
        return Err(format!("{text:?} is too large"));
    }
    Ok(bytes as u64)
}

/// Parses a size that is more than none.
pub fn some_bytes(text: &str) -> Result<u64, String> {
    match bytes(text)? {
        0 => Err("it must be more than 0".to_owned()),
        bytes => Ok(bytes),
    }
}

/// Parses how long to wait: a duration, or `forever`.
pub fn wait(text: &str) -> Result<Wait, String> {
    match text {
        "forever" => Ok(Wait::Forever),
        _ => duration(text).map(Wait::For),
    }
}

/// A duration for people: three significant figures or so, with its unit.
#[derive(Clone, Copy)]
pub struct Nanos(pub u64);

impl fmt::Display for Nanos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = self.0 as f64;
        let text = match self.0 {
            0..1_000 => format!("{}ns", self.0),
            1_000..1_000_000 => format!("{}us", figures(n / 1e3)),
            1_000_000..1_000_000_000 => format!("{}ms", figures(n / 1e6)),
            1_000_000_000..120_000_000_000 => format!("{}s", figures(n / 1e9)),
            _ => format!(
                "{}m{:02}s",
                self.0 / 60_000_000_000,
                self.0 / 1_000_000_000 % 60
            ),
        };
        f.pad(&text)
    }
}

/// A number of bytes for people.
#[derive(Clone, Copy)]
pub struct Bytes(pub u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut n = self.0 as f64;
        let mut unit = 0;
        while n >= 1024.0 && unit < 5 {
            n /= 1024.0;
            unit += 1;
        }
        let text = match unit {
            0 => format!("{} B", self.0),
            _ => format!("{} {}iB", figures(n), ["", "K", "M", "G", "T", "P"][unit]),
        };
        f.pad(&text)
    }
}

fn figures(n: f64) -> String {
    if n < 10.0 {
        format!("{n:.2}")
    } else if n < 100.0 {
        format!("{n:.1}")
    } else {
        format!("{n:.0}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        assert_eq!(nanos("250ms"), Ok(250_000_000));
        assert_eq!(nanos("1.5"), Ok(1_500_000_000));
        assert_eq!(nanos("2m"), Ok(120_000_000_000));
        assert!(nanos("1x").is_err());
        assert!(nanos("s").is_err());
        assert!(nanos("-1s").is_err());
        assert!(nanos("9999999999h").is_err());
        assert!(some_time("0").is_err() && some_time("0ms").is_err() && some_bytes("0K").is_err());
        assert_eq!(some_time("1ns"), Ok(Duration::from_nanos(1)));
    }

    #[test]
    fn sizes_have_units() {
        assert_eq!(bytes("64K"), Ok(65536));
        assert_eq!(bytes("1.5GiB"), Ok(1610612736));
        assert_eq!(bytes("12"), Ok(12));
        assert!(bytes("12Q").is_err());
    }

    #[test]
    fn they_are_shown_short() {
        assert_eq!(Nanos(999).to_string(), "999ns");
        assert_eq!(Nanos(1_234_567).to_string(), "1.23ms");
        assert_eq!(Bytes(1536).to_string(), "1.50 KiB");
        assert_eq!(Bytes(10).to_string(), "10 B");
    }
}
