//! The sizes of events, as the header of the log declares them.
//!
//! ```text
//! hdrb hetb ( etb\0 u16 type, u16 size, u32 n, n bytes name, u32 m, m bytes, ete\0 )* hete hdre datb
//! ```
//! A size of 0xFFFF is variable: the event carries its own.

use std::collections::HashMap;

use crate::format::{EVENT_HEAD, EVENT_IPE, HEADER_MAGIC};
use crate::memory::OutOfMemory;

/// More types of events than any GHC has.
const TYPES: usize = 512;

/// Payload size of each event type; `None` for variable ones.
#[derive(Debug, Default)]
pub(crate) struct EventTable {
    sizes: HashMap<u16, Option<u16>>,
}

/// One event inside a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Event<'a> {
    pub kind: u16,
    /// Without the length word of a variable event.
    pub payload: &'a [u8],
    /// Type, time, length word if there is one, payload.
    pub bytes: &'a [u8],
}

struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    fn u16(&mut self) -> Option<u16> {
        self.take(2).map(|b| u16::from_be_bytes([b[0], b[1]]))
    }

    fn u32(&mut self) -> Option<u32> {
        self.take(4)
            .map(|b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]))
    }

    fn literal(&mut self, text: &[u8]) -> Option<()> {
        (self.take(text.len())? == text).then_some(())
    }
}

impl EventTable {
    /// With room for the types of any GHC, so that a header never finds none.
    pub(crate) fn with_room() -> Result<EventTable, OutOfMemory> {
        let mut sizes = HashMap::new();
        sizes.try_reserve(TYPES)?;
        Ok(EventTable { sizes })
    }

    /// Be that of this header. False, and nothing is changed, if it is not a whole one.
    pub(crate) fn read(&mut self, header: &[u8]) -> Result<bool, OutOfMemory> {
        let mut types = 0;
        if each_type(header, |_, _| types += 1).is_none() {
            return Ok(false);
        }
        let more = types.max(self.sizes.len()) - self.sizes.len();
        self.sizes.try_reserve(more)?;
        self.sizes.clear();
        let sizes = &mut self.sizes;
        let _ = each_type(header, |kind, size| {
            sizes.insert(kind, size);
        });
        Ok(true)
    }

    /// The event at the start of `bytes`; `None` at the end, or where the bytes
    /// make no sense.
    pub(crate) fn event<'a>(&self, bytes: &'a [u8]) -> Option<Event<'a>> {
        let mut input = Input(bytes);
        let kind = input.u16()?;
        input.take(8)?;
        let (head, len) = match self.sizes.get(&kind)? {
            Some(size) => (EVENT_HEAD, usize::from(*size)),
            None => {
                let declared = usize::from(input.u16()?);
                // GHC 9.6.5 and later declare one byte more than they write.
                let len = if kind == EVENT_IPE {
                    ipe_payload_len(input.0)?
                } else {
                    declared
                };
                (EVENT_HEAD + 2, len)
            }
        };
        let payload = input.take(len)?;
        Some(Event {
            kind,
            payload,
            bytes: &bytes[..head + len],
        })
    }
}

/// Hand over each type that a header declares, and its size; `None` in the end if this is
/// not a whole header.
fn each_type(header: &[u8], mut take: impl FnMut(u16, Option<u16>)) -> Option<()> {
    let mut input = Input(header);
    input.literal(HEADER_MAGIC)?;
    loop {
        match input.take(4)? {
            b"etb\0" => {
                let kind = input.u16()?;
                let size = input.u16()?;
                let name_len = input.u32()? as usize;
                input.take(name_len)?;
                let extra_len = input.u32()? as usize;
                input.take(extra_len)?;
                input.literal(b"ete\0")?;
                take(kind, (size != 0xFFFF).then_some(size));
            }
            b"hete" => break,
            _ => return None,
        }
    }
    input.literal(b"hdre")?;
    input.literal(b"datb")
}

/// An address, then six strings that end in NUL.
fn ipe_payload_len(bytes: &[u8]) -> Option<usize> {
    let mut len = 8;
    for _ in 0..6 {
        len += bytes.get(len..)?.iter().position(|&b| b == 0)? + 1;
    }
    Some(len)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A header that declares these types.
    pub(crate) fn header(types: &[(u16, u16)]) -> Vec<u8> {
        let mut header = HEADER_MAGIC.to_vec();
        for (kind, size) in types {
            header.extend_from_slice(b"etb\0");
            header.extend_from_slice(&kind.to_be_bytes());
            header.extend_from_slice(&size.to_be_bytes());
            header.extend_from_slice(&[0, 0, 0, 1, b'x', 0, 0, 0, 0]);
            header.extend_from_slice(b"ete\0");
        }
        header.extend_from_slice(b"hetehdredatb");
        header
    }

    fn table(header: &[u8]) -> EventTable {
        let mut table = EventTable::with_room().unwrap();
        assert_eq!(table.read(header), Ok(true));
        table
    }

    #[test]
    fn reads_fixed_and_variable_events() {
        let table = table(&header(&[(45, 2), (19, 0xFFFF)]));
        let fixed = crate::format::made::fixed_event(45, 7, &[&[0, 3]]);
        let event = table.event(&fixed).unwrap();
        assert_eq!((event.kind, event.payload), (45, &[0, 3][..]));
        let variable = crate::format::made::variable_event(19, 7, &[b"hello"]);
        assert_eq!(table.event(&variable).unwrap().payload, b"hello");
        assert_eq!(table.event(&variable[..12]), None);
        assert_eq!(table.event(&[0, 99, 0, 0, 0, 0, 0, 0, 0, 0]), None);
    }

    #[test]
    fn an_ipe_event_ends_at_its_sixth_nul_whatever_it_declares() {
        let table = table(&header(&[(EVENT_IPE, 0xFFFF)]));
        let mut ipe =
            crate::format::made::variable_event(EVENT_IPE, 7, &[&[1; 8], b"a\0b\0c\0d\0e\0f\0"]);
        let real = ipe.len();
        ipe[11] += 1;
        ipe.extend_from_slice(&[0, 45]);
        assert_eq!(table.event(&ipe).unwrap().bytes.len(), real);
    }

    #[test]
    fn every_prefix_of_a_header_is_refused() {
        let whole = header(&[(45, 2), (19, 0xFFFF)]);
        for len in 0..whole.len() {
            assert_eq!(EventTable::default().read(&whole[..len]), Ok(false));
        }
    }
}
