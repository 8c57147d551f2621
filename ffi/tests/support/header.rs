//! The header of an eventlog: which event types there are, and their sizes.

use std::collections::BTreeMap;

/// Where a stream is not what it should be.
#[derive(Debug)]
pub struct Fault {
    pub offset: usize,
    pub what: String,
}

impl Fault {
    pub fn at<T>(offset: usize, what: impl Into<String>) -> Result<T, Self> {
        Err(Self {
            offset,
            what: what.into(),
        })
    }
}

/// Payload sizes by event number; `None` is variable: the length comes with
/// each event.
pub type Types = BTreeMap<u16, Option<u16>>;

/// Big-endian numbers at a place; `None` beyond the end.
pub fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

pub fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

pub fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_be_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// What stops a walk: the bytes end here, or they are wrong.
enum Stop {
    Cut,
    Wrong(Fault),
}

impl Walk<'_> {
    fn number(&mut self, size: usize) -> Result<u32, Stop> {
        let value = match size {
            2 => u16_at(self.bytes, self.at).map(u32::from),
            _ => u32_at(self.bytes, self.at),
        };
        self.at += size;
        value.ok_or(Stop::Cut)
    }

    fn tag(&mut self, tag: &[u8; 4]) -> Result<(), Stop> {
        let there = &self.bytes[self.at.min(self.bytes.len())..];
        let there = &there[..there.len().min(4)];
        if !tag.starts_with(there) {
            let what = format!("{there:02x?} where the header has {}", tag.escape_ascii());
            return Err(Stop::Wrong(Fault {
                offset: self.at,
                what,
            }));
        }
        self.at += 4;
        if there.len() < 4 {
            Err(Stop::Cut)
        } else {
            Ok(())
        }
    }

    fn types(&mut self) -> Result<Types, Stop> {
        let mut types = Types::new();
        self.tag(b"hdrb")?;
        self.tag(b"hetb")?;
        while self.bytes.get(self.at) != Some(&b'h') {
            self.tag(b"etb\0")?;
            let number = self.number(2)? as u16;
            let size = self.number(2)? as u16;
            for _ in ["description", "extra"] {
                let length = self.number(4)? as usize;
                self.at += length;
            }
            self.tag(b"ete\0")?;
            if types
                .insert(number, (size != 0xFFFF).then_some(size))
                .is_some()
            {
                let what = format!("event type {number} is declared twice");
                return Err(Stop::Wrong(Fault {
                    offset: self.at,
                    what,
                }));
            }
        }
        self.tag(b"hete")?;
        self.tag(b"hdre")?;
        self.tag(b"datb")?;
        Ok(types)
    }
}

/// The types and the length of the header; `None` if the bytes end inside it.
pub fn parse(bytes: &[u8]) -> Result<Option<(Types, usize)>, Fault> {
    let mut walk = Walk { bytes, at: 0 };
    match walk.types() {
        Ok(types) => Ok(Some((types, walk.at))),
        Err(Stop::Cut) => Ok(None),
        Err(Stop::Wrong(fault)) => Err(fault),
    }
}
