//! Notes that a relay writes into a log.

use bytes::Bytes;
use ghc_eventlog::notes::{Joined, Note, RelayLoss};
use ghc_eventlog::{BlockBuilder, EventBody, Header, Text, ids};

/// The message that fills up a block with missing events.
const MISSING: &str = "eventlog relay: what was here is missing";
/// Bytes of one such message.
const FILL: usize = 8 << 10;
/// The shortest message: type, time, length.
const LEAST: usize = 12;

/// A note in a separate global block; empty if the header does not allow messages.
fn block(header: &Header, time: u64, note: &Note<'_>) -> Vec<u8> {
    let text = note.to_string();
    let message = Text(text.as_bytes());
    let mut block = BlockBuilder::new(None);
    let told = block
        .push_body(header, time, &EventBody::LogMsg { message })
        .or_else(|_| block.push_body(header, time, &EventBody::UserMsg { message }));
    match told {
        Ok(()) => block.finish().to_vec(),
        Err(_) => Vec::new(),
    }
}

/// A reader joins here; `time` is that of the block.
pub(crate) fn joined(header: &Header, joined: Joined, time: u64) -> Vec<u8> {
    block(header, time, &Note::Joined(joined))
}

/// The state of the relay may be wrong in places.
pub(crate) fn not_whole(header: &Header, relay: u64, time: u64) -> Vec<u8> {
    block(header, time, &Note::NotWhole { relay })
}

/// There was too much to keep all of it.
pub(crate) fn not_all(header: &Header, time: u64) -> Vec<u8> {
    block(header, time, &Note::NotAllRepeated)
}

/// The reader has missed something.
pub(crate) fn loss(header: &Header, loss: RelayLoss) -> Vec<u8> {
    block(header, loss.between.1, &Note::RelayLoss(loss))
}

/// The program has not written an end mark.
pub(crate) fn source_lost(header: &Header, relay: u64, time: u64) -> Vec<u8> {
    block(header, time, &Note::SourceLost { relay })
}

/// Messages of exactly this many bytes: how often to repeat the first, and the last one. `None` if
/// that is not possible.
pub(crate) fn fill(header: &Header, time: u64, length: usize) -> Option<(Bytes, usize, Bytes)> {
    let variable = |id| {
        let kind = header.event_type(id);
        kind.is_some_and(|kind| kind.size.is_none()).then_some(id)
    };
    let id = variable(ids::LOG_MSG).or_else(|| variable(ids::USER_MSG))?;
    let message = |length: usize| {
        let mut bytes = id.to_be_bytes().to_vec();
        bytes.extend(time.to_be_bytes());
        bytes.extend(((length - LEAST) as u16).to_be_bytes());
        bytes.extend(MISSING.bytes());
        bytes.resize(length, b' ');
        Bytes::from(bytes)
    };
    let (mut times, mut last) = (length / FILL, length % FILL);
    if (1..LEAST).contains(&last) {
        if times == 0 {
            return None;
        }
        (times, last) = (times - 1, last + FILL);
    }
    let unit = match times {
        0 => Bytes::new(),
        _ => message(FILL),
    };
    let last = match last {
        0 => Bytes::new(),
        last => message(last),
    };
    Some((unit, times, last))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ghc_eventlog::{Decoder, Item};
    use std::sync::Arc;

    #[test]
    fn a_block_is_filled_up_exactly() {
        let header = Arc::new(Header::standard());
        for length in [
            12,
            13,
            100,
            FILL,
            FILL + 1,
            FILL + 11,
            FILL + 12,
            5 * FILL + 7,
        ] {
            let (unit, times, last) = fill(&header, 7, length).unwrap();
            let mut bytes = unit.repeat(times);
            bytes.extend_from_slice(&last);
            assert_eq!(bytes.len(), length);
            let mut decoder = Decoder::at(header.clone(), Some(0), 0, length as u64);
            let mut rest = &bytes[..];
            while !rest.is_empty() {
                let item = decoder.decode(&mut rest).unwrap();
                assert!(matches!(item, Item::Event(event) if event.time == 7));
            }
        }
        for length in 1..LEAST {
            assert!(fill(&header, 7, length).is_none());
        }
    }
}
