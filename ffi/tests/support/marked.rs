//! A client that divides its stream by marks, so that a test can say: after this
//! command and before that one.

use super::client::Client;
use super::commands::{RTS, SYNC, frame, mark};
use super::stream::Stream;
use std::collections::BTreeMap;

#[derive(Debug)]
pub struct Marked {
    pub client: Client,
    marks: usize,
}

impl Marked {
    /// From its first mark on: no other client of the program has asked for any.
    pub fn new(client: Client) -> Self {
        Self { client, marks: 0 }
    }

    #[track_caller]
    pub fn order(&mut self, namespace: &[u8], command: u8) {
        self.client.send(&frame(namespace, command));
    }

    /// Have a mark put into the stream, and wait for it. Its number.
    #[track_caller]
    pub fn mark(&mut self) -> usize {
        self.order(RTS, SYNC);
        self.marks += 1;
        // With the text its block ends.
        self.client.read_until_text(&mark(self.marks));
        self.marks
    }

    /// How often each event occurs between two marks; 0 is the start of the stream.
    /// What was flushed for the first one is not counted.
    #[track_caller]
    pub fn between(&self, from: usize, to: usize) -> BTreeMap<u16, u64> {
        between(&self.client.received, from, to)
    }
}

/// The same of a whole stream.
#[track_caller]
pub fn between(bytes: &[u8], from: usize, to: usize) -> BTreeMap<u16, u64> {
    let stream = Stream::try_cut(bytes).expect("a stream");
    let block_of = |n: usize| {
        let text = mark(n);
        let event = stream.messages.iter().find(|event| event.text() == text);
        let event = event.unwrap_or_else(|| panic!("no {text:?}"));
        stream.blocks[event.block]
    };
    let header = stream.blocks.first().map_or(bytes.len(), |b| b.offset);
    let start = match from {
        0 => header,
        n => block_of(n).offset + block_of(n).size,
    };
    let section = [&bytes[..header], &bytes[start..block_of(to).offset]].concat();
    Stream::cut(&section).counts
}

/// The sum over some events.
pub fn sum(counts: &BTreeMap<u16, u64>, events: &[u16]) -> u64 {
    events
        .iter()
        .map(|event| counts.get(event).copied().unwrap_or(0))
        .sum()
}
