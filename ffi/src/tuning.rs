//! What can be tuned, from code and from the environment.

use std::ffi::{CStr, OsString};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::time::Duration;

use eventlog_ring_file::{MAX_CAPACITY, MIN_CAPACITY};

use crate::environment;
use crate::last_problem::PORT_FILE;
use crate::status::{Error, Result};

/// The least a ring may hold. A chunk of the RTS has up to 2 MiB; a smaller
/// ring loses the larger ones, which is a choice that can be made.
const MIN_BUFFER: u64 = 64 << 10;
const MAX_BUFFER: u64 = 4 << 30;
const MAX_SNDBUF: u64 = 1 << 30;
/// What a ring file holds of records, if nothing is said.
pub(crate) const RING_FILE_SIZE: u64 = 64 << 20;
/// Longer times are mistakes, and their nanoseconds must fit a u64.
const MAX_TIME: Duration = Duration::from_secs(24 * 60 * 60);
/// What a flush of the RTS hands over for each of its buffers, at most.
const RTS_BUFFER: usize = 2 << 20;
/// The ring has room for a flush of everything, within these limits.
const DEFAULT_BUFFER: std::ops::RangeInclusive<usize> = 16 << 20..=256 << 20;
/// Where flushing costs little.
pub(crate) const FLUSH_INTERVAL: Duration = Duration::from_secs(1);
/// Longer than anything that reads is held up for.
const STALL_TIMEOUT: Duration = Duration::from_secs(30);

/// What happens to a chunk that does not fit into the ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Overflow {
    /// It is dropped.
    Drop,
    /// The RTS thread waits for room, forever or for so long.
    Block(Option<Duration>),
}

/// Whose commands are executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Control {
    /// Those of this process's user, over a Unix socket.
    Unix,
    /// Everybody's over TCP, and the same over a Unix socket.
    On,
    Off,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tuning {
    /// Bytes, a power of two.
    pub buffer_size: usize,
    pub overflow: Overflow,
    pub exit_timeout: Duration,
    pub flush_interval: Option<Duration>,
    /// How long a client that takes nothing keeps its place when another waits.
    pub stall_timeout: Option<Duration>,
    pub control: Control,
}

impl Default for Tuning {
    fn default() -> Tuning {
        Tuning {
            buffer_size: *DEFAULT_BUFFER.start(),
            overflow: Overflow::Drop,
            exit_timeout: Duration::from_secs(2),
            flush_interval: None,
            stall_timeout: Some(STALL_TIMEOUT),
            control: Control::Unix,
        }
    }
}

const SIZE: &str = "a size such as 512K, 64M or 1G (64K to 4G)";
const SNDBUF: &str = "a size such as 512K or 4M (up to 1G)";
const RING_FILE: &str = "a size such as 16M or 1G (1M to 4G)";
const TIME: &str = "a time such as 250ms or 2s (up to 24h), or 0";
const CONTROL: &str = "on or off";
const OVERFLOW: &str = "drop, block, or block with a time, as in block:250ms";

/// Bytes, with a suffix of K, M or G for powers of 1024.
fn parse_size(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let suffix = &text[digits.len()..];
    let suffixes = [
        (0, ["", "B", "B"]),
        (10, ["K", "KB", "KIB"]),
        (20, ["M", "MB", "MIB"]),
        (30, ["G", "GB", "GIB"]),
    ];
    let is_it = |known: &&str| suffix.eq_ignore_ascii_case(known);
    let (scale, _) = suffixes.iter().find(|(_, known)| known.iter().any(is_it))?;
    parse_digits(digits)?.checked_mul(1 << scale)
}

/// A plain 0, or a number with a unit: ms, s, m, h. Fractions are allowed.
fn parse_time(text: &str) -> Option<Duration> {
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[number.len()..] {
        "us" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        "" if parse_digits(number)? == 0 => 0.0,
        _ => return None,
    };
    if !number.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return None;
    }
    let seconds = number.parse::<f64>().ok()? * unit;
    Duration::try_from_secs_f64(seconds)
        .ok()
        .filter(|time| *time <= MAX_TIME)
}

fn parse_digits(text: &str) -> Option<u64> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

fn parse_overflow(text: &str) -> Option<Overflow> {
    match text {
        "drop" => Some(Overflow::Drop),
        "block" => Some(Overflow::Block(None)),
        _ => {
            let limit = parse_time(text.strip_prefix("block:")?)?;
            Some(Overflow::Block(Some(limit)))
        }
    }
}

/// Room for all buffers of an RTS with so many capabilities (and one for all of them),
/// flushed at once.
pub(crate) fn default_buffer_size(capabilities: u32) -> usize {
    let buffers = usize::try_from(capabilities).unwrap_or(usize::MAX);
    let bytes = buffers.saturating_add(1).saturating_mul(RTS_BUFFER);
    // What is less than the most has a power of two.
    let bytes = bytes.min(*DEFAULT_BUFFER.end()).next_power_of_two();
    bytes.max(*DEFAULT_BUFFER.start())
}

fn buffer_size(bytes: u64) -> Option<usize> {
    (MIN_BUFFER..=MAX_BUFFER)
        .contains(&bytes)
        .then(|| usize::try_from(bytes.next_power_of_two()).ok())
        .flatten()
}

fn variable<T>(
    name: &'static CStr,
    expected: &'static str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>> {
    let Some(value) = environment::read(name)? else {
        return Ok(None);
    };
    match str::from_utf8(&value)
        .ok()
        .and_then(|text| parse(text.trim()))
    {
        Some(parsed) => Ok(Some(parsed)),
        None => Err(Error::bad_variable(name, value, expected)),
    }
}

impl Tuning {
    /// This tuning, with what the environment says instead.
    pub(crate) fn overridden_by_env(mut self) -> Result<Tuning> {
        let size = |text: &str| buffer_size(parse_size(text)?);
        if let Some(bytes) = variable(c"GHC_EVENTLOG_BUFFER_SIZE", SIZE, size)? {
            self.buffer_size = bytes;
        }
        if let Some(overflow) = variable(c"GHC_EVENTLOG_OVERFLOW", OVERFLOW, parse_overflow)? {
            self.overflow = overflow;
        }
        if let Some(time) = variable(c"GHC_EVENTLOG_EXIT_TIMEOUT", TIME, parse_time)? {
            self.exit_timeout = time;
        }
        if let Some(time) = variable(c"GHC_EVENTLOG_FLUSH_INTERVAL", TIME, parse_time)? {
            self.flush_interval = (!time.is_zero()).then_some(time);
        }
        if let Some(time) = variable(c"GHC_EVENTLOG_STALL_TIMEOUT", TIME, parse_time)? {
            self.stall_timeout = (!time.is_zero()).then_some(time);
        }
        let switch = |text: &str| match text {
            "on" => Some(Control::On),
            "off" => Some(Control::Off),
            _ => None,
        };
        if let Some(control) = variable(c"GHC_EVENTLOG_CONTROL", CONTROL, switch)? {
            self.control = control;
        }
        Ok(self)
    }

    /// What a program set in code; `None` for a value out of range.
    pub(crate) fn from_code(
        buffer_bytes: u64,
        overflow: Overflow,
        exit_timeout: Duration,
        flush_interval: Duration,
        control: Control,
    ) -> Option<Tuning> {
        Some(Tuning {
            buffer_size: buffer_size(buffer_bytes)?,
            overflow,
            exit_timeout: Some(exit_timeout).filter(|time| *time <= MAX_TIME)?,
            flush_interval: Some(flush_interval).filter(|time| !time.is_zero()),
            stall_timeout: Some(STALL_TIMEOUT),
            control,
        })
    }
}

/// `GHC_EVENTLOG_SNDBUF`, for the client's socket.
pub(crate) fn sndbuf_from_env() -> Result<Option<i32>> {
    variable(c"GHC_EVENTLOG_SNDBUF", SNDBUF, |text| {
        let bytes = parse_size(text).filter(|bytes| *bytes <= MAX_SNDBUF)?;
        i32::try_from(bytes).ok()
    })
}

/// `GHC_EVENTLOG_RING_FILE`; an empty one is none.
pub(crate) fn ring_file_from_env() -> Result<Option<PathBuf>> {
    let path = environment::read_path(c"GHC_EVENTLOG_RING_FILE")?;
    let path = path.filter(|path| !path.is_empty());
    Ok(path.map(|path| PathBuf::from(OsString::from_vec(path))))
}

/// `GHC_EVENTLOG_PORT_FILE`; an empty one is none.
pub(crate) fn port_file_from_env() -> Result<Option<Vec<u8>>> {
    let path = environment::read_path(PORT_FILE)?;
    Ok(path.filter(|path| !path.is_empty()))
}

/// `GHC_EVENTLOG_RING_FILE_SIZE`.
pub(crate) fn ring_file_size_from_env() -> Result<Option<u64>> {
    variable(c"GHC_EVENTLOG_RING_FILE_SIZE", RING_FILE, |text| {
        ring_file_size(parse_size(text)?)
    })
}

/// Rounded up to a power of two; `None` if out of range.
pub(crate) fn ring_file_size(bytes: u64) -> Option<u64> {
    (MIN_CAPACITY..=MAX_CAPACITY)
        .contains(&bytes)
        .then(|| bytes.next_power_of_two())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        assert_eq!(parse_size("512K"), Some(512 << 10));
        assert_eq!(parse_size("64M"), Some(64 << 20));
        assert_eq!(parse_size("1g"), Some(1 << 30));
        assert_eq!(parse_size("65536"), Some(65536));
        for bad in [
            "",
            "M",
            "-1",
            "1T",
            "1.5M",
            "64 M",
            "+1",
            "99999999999G",
            "0x10",
        ] {
            assert_eq!(parse_size(bad), None, "{bad}");
        }
        assert_eq!(buffer_size(3 << 20), Some(4 << 20));
        assert_eq!(buffer_size(1), None);
        assert_eq!(buffer_size(5 << 30), None);
    }

    #[test]
    fn default_sizes() {
        for (capabilities, megabytes) in [
            (0, 16),
            (1, 16),
            (7, 16),
            (8, 32),
            (15, 32),
            (16, 64),
            (31, 64),
            (64, 256),
            (127, 256),
            (128, 256),
            (u32::MAX, 256),
        ] {
            let size = default_buffer_size(capabilities);
            assert_eq!(size, megabytes << 20, "{capabilities}");
        }
    }

    #[test]
    fn times() {
        assert_eq!(parse_time("250ms"), Some(Duration::from_millis(250)));
        assert_eq!(parse_time("2s"), Some(Duration::from_secs(2)));
        assert_eq!(parse_time("0.5s"), Some(Duration::from_millis(500)));
        assert_eq!(parse_time("1m"), Some(Duration::from_secs(60)));
        assert_eq!(parse_time("0"), Some(Duration::ZERO));
        for bad in [
            "", "2", "s", "-1s", "1e9s", "25h", "nans", "infs", "1..2s", "2 s",
        ] {
            assert_eq!(parse_time(bad), None, "{bad}");
        }
    }

    #[test]
    fn overflow_policies() {
        assert_eq!(parse_overflow("drop"), Some(Overflow::Drop));
        assert_eq!(parse_overflow("block"), Some(Overflow::Block(None)));
        let limit = Duration::from_millis(250);
        assert_eq!(
            parse_overflow("block:250ms"),
            Some(Overflow::Block(Some(limit)))
        );
        for bad in ["", "Drop", "block:", "block:1", "oldest"] {
            assert_eq!(parse_overflow(bad), None, "{bad}");
        }
    }
}
