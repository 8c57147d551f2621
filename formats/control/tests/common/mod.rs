//! What the tests share: items that own their bytes, frames made by hand, and a reference parser that is slow and
//! simple.
#![allow(dead_code)]

use eventlog_control::{Item, Parser};

pub const MAGIC: &[u8] = b"\xf0\x9e\x97\x8c";
pub const CENSUS: &[u8] = b"\xf0\x9e\x97\x8c\x00\x0feventlog-socket\x05";

/// An item that owns its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owned {
    Command(Vec<u8>, u8),
    Older(u8),
    OtherVersion(u8),
}

impl From<Item<'_>> for Owned {
    fn from(item: Item<'_>) -> Self {
        match item {
            Item::Command { namespace, id } => Self::Command(namespace.to_vec(), id),
            Item::Older { id } => Self::Older(id),
            Item::OtherVersion { version } => Self::OtherVersion(version),
        }
    }
}

pub fn command(namespace: &[u8], id: u8) -> Owned {
    Owned::Command(namespace.to_vec(), id)
}

/// What users of the crate can learn about the bytes so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    pub items: Vec<Owned>,
    pub garbage: u64,
    pub pending: usize,
}

/// The parser under test, and the items that it returned.
#[derive(Clone, Debug, Default)]
pub struct Fed {
    parser: Parser,
    items: Vec<Owned>,
}

impl Fed {
    pub fn feed(&mut self, bytes: &[u8]) {
        self.parser.feed(bytes, |item| self.items.push(item.into()));
    }

    pub fn reading(&self) -> Reading {
        Reading {
            items: self.items.clone(),
            garbage: self.parser.garbage(),
            pending: self.parser.pending(),
        }
    }
}

/// The result of feeding these parts to the parser, one after the other.
pub fn fed<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Reading {
    let mut fed = Fed::default();
    for part in parts {
        fed.feed(part);
    }
    fed.reading()
}

/// What the first bytes of a slice are.
enum First {
    Frame(usize, Owned),
    Unfinished,
    Garbage,
}

fn first(bytes: &[u8]) -> First {
    if bytes.starts_with(b"GCTL") {
        return match bytes.get(4) {
            None => First::Unfinished,
            Some(b'G' | 0xf0) => First::Garbage,
            Some(id) => First::Frame(5, Owned::Older(*id)),
        };
    }
    if !bytes.starts_with(MAGIC) {
        return match MAGIC.starts_with(bytes) || b"GCTL".starts_with(bytes) {
            true => First::Unfinished,
            false => First::Garbage,
        };
    }
    let (Some(&version), Some(&length)) = (bytes.get(4), bytes.get(5)) else {
        return First::Unfinished;
    };
    if version == 0 && length == 0 {
        return First::Garbage;
    }
    let end = 6 + usize::from(length);
    match bytes.get(end) {
        None => First::Unfinished,
        Some(id) if version == 0 => First::Frame(end + 1, command(&bytes[6..end], *id)),
        Some(_) => First::Frame(end + 1, Owned::OtherVersion(version)),
    }
}

/// The same result, found by looking for a frame at every single byte of the whole input. Also checks its own sums:
/// every byte is in a frame, garbage, or pending.
pub fn reference(input: &[u8]) -> Reading {
    let mut reading = Reading::default();
    let mut at = 0;
    let mut in_frames = 0;
    while at < input.len() && reading.pending == 0 {
        match first(&input[at..]) {
            First::Frame(length, item) => {
                reading.items.push(item);
                in_frames += length;
                at += length;
            }
            First::Unfinished => reading.pending = input.len() - at,
            First::Garbage => {
                reading.garbage += 1;
                at += 1;
            }
        }
    }
    let counted = in_frames + reading.garbage as usize + reading.pending;
    assert_eq!(counted, input.len());
    reading
}

/// Checks one input: whole, byte by byte with a look after each, and in every split in two.
pub fn check(input: &[u8]) -> Reading {
    let expected = reference(input);
    let shown = || input.escape_ascii().to_string();
    assert_eq!(fed([input]), expected, "whole: {}", shown());
    let mut bytewise = Fed::default();
    for end in 1..=input.len() {
        bytewise.feed(&input[end - 1..end]);
        assert_eq!(
            bytewise.reading(),
            reference(&input[..end]),
            "the first {end} bytes of {}",
            shown()
        );
    }
    for middle in 0..=input.len() {
        let (left, right) = input.split_at(middle);
        let split = fed([left, right]);
        assert_eq!(split, expected, "split at {middle}: {}", shown());
    }
    expected
}
