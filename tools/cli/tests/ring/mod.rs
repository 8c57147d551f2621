//! Ring files for tests, made as a program makes them: with a recorder in a mapping.
#![allow(unsafe_code)]

use crate::common::{Dir, Done, eventlog};
use eventlog_ring::{Recorder, Storage};
use eventlog_ring_file::{Counters, Layout, Slot, TableEntry};
use ghc_eventlog::{BlockBuilder, EventBody, Header};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::ptr::NonNull;

/// Bytes of records in these files: the minimum.
pub const CAPACITY: u64 = 1 << 20;

/// A file, and the recorder that writes it. The mapping stays until the test program ends.
pub struct Ring {
    pub path: String,
    pub file: File,
    pub layout: Layout,
    pub recorder: Recorder<'static>,
    pub counters: &'static Counters,
    sequence: u64,
    tables: u64,
}

impl Ring {
    /// A new file, in which nothing is recorded or defined.
    pub fn new(path: String) -> Ring {
        let layout = Layout::new(CAPACITY, 4096, std::process::id().into(), 7);
        let file = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&path)
            .expect("a file");
        file.set_len(layout.file_size).expect("its size");
        file.write_all_at(&layout.encode(), 0).expect("a preamble");
        let map = memmap2::MmapOptions::new()
            .len(layout.mapped() as usize)
            .map_raw(&file)
            .expect("a mapping");
        let start = Box::leak(Box::new(map)).as_mut_ptr();
        let at = |offset: u64| {
            // SAFETY: the layout has everything mapped within the mapping.
            NonNull::new(unsafe { start.add(offset as usize) }).expect("not null")
        };
        // SAFETY: the mapping is leaked, zeroed, as large as the layout says, and this recorder alone writes there.
        let storage = unsafe { Storage::from_region(at(layout.records_at), CAPACITY as usize) };
        // SAFETY: as above; any bytes are numbers.
        let counters: &'static Counters = unsafe { at(layout.counters_at).cast().as_ref() };
        Ring {
            path,
            file,
            layout,
            recorder: Recorder::new(storage.expect("a ring"), Box::leak(Box::default())),
            counters,
            sequence: 0,
            tables: 0,
        }
    }

    /// A file with the header that declares all types, in both slots.
    pub fn with_header(path: String) -> Ring {
        let mut ring = Ring::new(path);
        ring.define(Header::standard().as_bytes(), &[]);
        ring.define(Header::standard().as_bytes(), &[]);
        ring
    }

    /// Writes the next slot.
    pub fn define(&mut self, header: &[u8], events: &[u8]) {
        self.sequence += 1;
        let slot = Slot {
            sequence: self.sequence,
            header,
            events,
        };
        let bytes = slot.encode(self.layout.slot_size).expect("room");
        let at = self.layout.slots_at + self.sequence % 2 * self.layout.slot_size;
        self.file.write_all_at(&bytes, at).expect("a slot");
    }

    /// Writes the next entry of the tables, and returns its offset.
    pub fn table(&mut self, kind: u32, generation: u32, events: &[u8]) -> u64 {
        let entry = TableEntry {
            kind,
            generation,
            events,
        };
        let bytes = entry.encode().expect("an entry");
        let at = self.layout.tables_at + self.tables;
        self.file.write_all_at(&bytes, at).expect("an entry");
        self.tables += bytes.len() as u64;
        at
    }

    /// Updates the counters in the file.
    pub fn tell(&self) {
        let counters = self.recorder.counters();
        self.counters
            .tell(counters.overwritten(), counters.refused());
    }

    /// Records a chunk.
    pub fn push(&self, chunk: &[u8]) {
        self.recorder.push(chunk).expect("it is recorded");
        self.tell();
    }

    /// The file as it is when its program is gone, without the unused end of the tables.
    pub fn image(&self) -> Vec<u8> {
        let mut bytes = vec![0; (self.layout.tables_at + self.tables) as usize];
        self.file.read_exact_at(&mut bytes, 0).expect("the file");
        let mut layout = self.layout;
        // No process has this number.
        layout.pid = u64::MAX;
        let preamble = layout.encode();
        bytes[..preamble.len()].copy_from_slice(&preamble);
        bytes
    }
}

/// A block with one message of about this length, at this time, which begins with its number.
pub fn numbered(number: u64, cap: Option<u16>, len: usize) -> Vec<u8> {
    let text = format!("chunk {number} {}", "x".repeat(len));
    message(1000 * number, cap, &text)
}

/// A block with one message.
pub fn message(time: u64, cap: Option<u16>, text: &str) -> Vec<u8> {
    let body = EventBody::UserMsg {
        message: text.into(),
    };
    block(cap, &[(time, body)])
}

/// A block.
pub fn block(cap: Option<u16>, events: &[(u64, EventBody<'_>)]) -> Vec<u8> {
    let header = Header::standard();
    let mut block = BlockBuilder::new(cap);
    for (time, body) in events {
        block.push_body(&header, *time, body).expect("an event");
    }
    block.finish().to_vec()
}

/// The numbers of the chunks in a log, and its other messages.
pub fn messages(log: &[u8]) -> (Vec<u64>, Vec<String>) {
    let (mut numbers, mut others) = (Vec::new(), Vec::new());
    each_event(log, |event| {
        let EventBody::UserMsg { message } = event.body else {
            return;
        };
        let text = message.to_string();
        let number = text
            .strip_prefix("chunk ")
            .and_then(|rest| rest.split(' ').next());
        match number.and_then(|number| number.parse().ok()) {
            Some(number) => numbers.push(number),
            None => others.push(text),
        }
    });
    (numbers, others)
}

/// Calls `each` with every event of a log.
pub fn each_event(log: &[u8], mut each: impl FnMut(&ghc_eventlog::Event<'_>)) {
    let mut reader = ghc_eventlog::Reader::new(log);
    while let Some(item) = reader.next_item().expect("a log") {
        if let ghc_eventlog::Item::Event(event) = item {
            each(&event);
        }
    }
}

/// Recovers and validates, and returns the log.
#[track_caller]
pub fn recover(dir: &Dir, file: &str) -> (Done, Vec<u8>) {
    let out = dir.file("out.eventlog");
    let done = eventlog(&["recover", file, "-o", &out, "--force"]).exits(0);
    eventlog(&["validate", "--strict", &out]).exits(0);
    (done, std::fs::read(out).expect("a log"))
}

/// The same, and returns the numbers of the chunks, and other messages.
#[track_caller]
pub fn recovered(dir: &Dir, ring: &Ring) -> (Vec<u64>, Vec<String>, Done) {
    let (done, log) = recover(dir, &ring.path);
    assert!(log.ends_with(&[0xff, 0xff]));
    let (numbers, others) = messages(&log);
    (numbers, others, done)
}

/// The bytes of the events of a block.
pub fn events(block: &[u8]) -> &[u8] {
    &block[24..]
}

/// An event that defines an info table.
pub fn info_table(time: u64, name: &str) -> Vec<u8> {
    let text = |text: &'static str| text.into();
    let body = EventBody::Ipe {
        info: time,
        table_name: name.into(),
        closure_desc: text("c"),
        type_desc: text("t"),
        label: text("l"),
        module: text("m"),
        location: text("s"),
    };
    events(&block(None, &[(time, body)])).to_vec()
}
