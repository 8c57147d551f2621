//! What is missing in a recovered log, as messages in the log and for the user.

use crate::errors;
use eventlog_ring_file::Counted;
use ghc_eventlog::notes::{Note, Overwritten, Recovered};
use ghc_eventlog::{BlockBuilder, EventBody, Header};

/// How much of something, and where the first of it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    pub count: u64,
    pub bytes: u64,
    /// Offset in the ring file.
    pub first: Option<u64>,
}

impl Count {
    pub fn add(&mut self, bytes: u64, offset: u64) {
        self.count += 1;
        self.bytes += bytes;
        self.first.get_or_insert(offset);
    }

    fn text(&self, what: &str) -> String {
        let s = if self.count == 1 { "" } else { "s" };
        let at = self.first.map_or_else(String::new, |at| {
            format!(", the first at byte {at} of the file")
        });
        format!("{} chunk{s}, {} bytes{at}: {what}", self.count, self.bytes)
    }
}

/// Everything that is reported.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// What the result contains.
    pub recovered: Count,
    /// The times from and to which it reaches.
    pub span: Option<(u64, u64)>,
    /// The time from which there are events of every capability: what is older was overwritten by
    /// newer chunks, whatever their capability.
    pub whole_from: u64,
    /// The counters of the program; `None` if they cannot be right.
    pub counted: Option<Counted>,
    /// Overwritten while they were copied.
    pub overtaken: Count,
    /// Claimed, but not committed.
    pub torn: Count,
    /// Bytes that were claimed without a record that describes them.
    pub unknown: u64,
    /// Committed, but not valid chunks.
    pub damaged: Count,
    /// Committed, in the part of the file that is missing.
    pub cut_off: Count,
    /// Words with impossible values.
    pub words: u64,
    /// Slots that are damaged.
    pub slots: u32,
    /// Places and bytes of definitions that are damaged.
    pub tables: (u64, u64),
    /// Bytes by which the file is too short.
    pub missing: u64,
    /// Tasks whose creation was overwritten, and is added.
    pub tasks: u64,
}

impl Summary {
    /// Chunks and bytes that were overwritten.
    fn overwritten(&self) -> (u64, u64) {
        let (chunks, bytes) = self.counted.map_or((0, 0), |counted| counted.overwritten);
        (
            chunks.saturating_add(self.overtaken.count),
            bytes.saturating_add(self.overtaken.bytes),
        )
    }

    /// One line each; none if nothing is missing.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let (chunks, bytes) = self.overwritten();
        if chunks > 0 {
            let overwritten = Overwritten {
                chunks,
                bytes,
                missing_until: self.span.map(|(begin, _)| begin),
                whole_from: self.whole_from,
            };
            lines.push(overwritten.to_string());
        }
        if let Some((chunks, bytes)) = self.counted.map(|c| c.refused).filter(|c| c.0 > 0) {
            lines.push(format!(
                "not recorded {chunks} chunks, {bytes} bytes: an unfinished one was in the way"
            ));
        }
        if self.torn.count > 0 {
            lines.push(format!(
                "torn {}",
                self.torn.text("they were being recorded")
            ));
        }
        if self.unknown > 0 {
            let unknown = self.unknown;
            lines.push(format!(
                "unknown {unknown} bytes: claimed, and not said for what"
            ));
        }
        if self.damaged.count > 0 {
            lines.push(format!(
                "damaged {}",
                self.damaged.text("they do not decode")
            ));
        }
        if self.cut_off.count > 0 {
            lines.push(format!(
                "cut off {}",
                self.cut_off.text("the file ends before")
            ));
        }
        if self.words > 0 {
            let words = self.words;
            lines.push(format!(
                "damaged {words} words of the file, which say what cannot be"
            ));
        }
        if self.slots > 0 {
            let slots = self.slots;
            lines.push(format!(
                "damaged {slots} of 2 copies of header and definitions"
            ));
        }
        if let Some(bytes) = self.counted.map(|c| c.left_out).filter(|&bytes| bytes > 0) {
            lines.push(format!(
                "left out {bytes} bytes of definitions: there was no room"
            ));
        }
        if self.tables.0 > 0 {
            let (places, bytes) = self.tables;
            lines.push(format!(
                "damaged {bytes} bytes of definitions at {places} places"
            ));
        }
        if self.missing > 0 {
            let missing = self.missing;
            lines.push(format!("cut off {missing} bytes at the end of the file"));
        }
        if self.tasks > 0 {
            let tasks = self.tasks;
            lines.push(format!(
                "older {tasks} tasks: created before the log begins, on OS threads that are not known"
            ));
        }
        lines
    }

    /// A block of messages, at this time; empty if there are none, or if they cannot be written
    /// under this header.
    pub fn block(&self, header: &Header, time: u64) -> Vec<u8> {
        let mut block = BlockBuilder::new(None);
        for line in self.lines() {
            let text = Note::Recovered(Recovered::Other(&line)).to_string();
            let message = EventBody::UserMsg {
                message: text.as_str().into(),
            };
            // The user gets the same information.
            let _ = block.push_body(header, time, &message);
        }
        match block.is_empty() {
            true => Vec::new(),
            false => block.finish().to_vec(),
        }
    }

    /// Reports to the user what is damaged, then a summary.
    pub fn tell(&self, name: &str) {
        let (overwritten, _) = self.overwritten();
        let quiet = ["overwritten", "torn", "older"];
        for line in self.lines() {
            if !quiet.iter().any(|word| line.starts_with(word)) {
                errors::warn(format_args!("{name}: {line}"));
            }
        }
        let span = self.span.map_or_else(String::new, |(begin, end)| {
            let seconds = |nanos: u64| nanos as f64 / 1e9;
            format!(" from {:.6} s to {:.6} s", seconds(begin), seconds(end))
        });
        let Count { count, bytes, .. } = self.recovered;
        let torn = self.torn.count;
        errors::note(format_args!(
            "{name}: {count} chunks, {bytes} bytes{span}; {overwritten} overwritten, {torn} torn"
        ));
    }
}
