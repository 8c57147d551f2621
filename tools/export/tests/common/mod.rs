//! Generated logs, and reading what they are converted to.
#![allow(dead_code)]

pub mod wire;

use eventlog_export::{Export, Exporter};
use eventlog_state::{Merge, MergeOptions, StartStop, Step};
use ghc_eventlog::{BlockBuilder, EventBody, Header, Item, Reader, StopStatus};
use std::fmt::Debug;
use std::ops::ControlFlow;

/// Builds a log.
#[derive(Debug)]
pub struct Log {
    header: Header,
    bytes: Vec<u8>,
}

impl Log {
    /// A log with only a header.
    pub fn new() -> Self {
        let header = Header::standard();
        Self {
            bytes: header.as_bytes().to_vec(),
            header,
        }
    }

    /// Adds a block of one capability (`None`: the global one).
    pub fn block(mut self, cap: Option<u16>, events: &[(u64, EventBody<'_>)]) -> Self {
        let mut block = BlockBuilder::new(cap);
        for (time, body) in events {
            block
                .push_body(&self.header, *time, body)
                .expect("an event of the standard header");
        }
        self.bytes.extend_from_slice(block.finish());
        self
    }

    /// The bytes after the header.
    pub fn bytes_of_blocks(&self) -> Vec<u8> {
        self.bytes[self.header.as_bytes().len()..].to_vec()
    }

    /// The log without an end mark, like that of a program that was killed.
    pub fn bytes(self) -> Vec<u8> {
        self.bytes
    }
}

pub fn create(thread: u32) -> EventBody<'static> {
    EventBody::CreateThread { thread }
}

pub fn run(thread: u32) -> EventBody<'static> {
    EventBody::RunThread { thread }
}

pub fn stop(thread: u32, status: StopStatus) -> EventBody<'static> {
    EventBody::StopThread {
        thread,
        status,
        info: Some(0),
    }
}

pub fn wakeup(thread: u32, other_cap: u16) -> EventBody<'static> {
    EventBody::ThreadWakeup { thread, other_cap }
}

pub fn migrate(thread: u32, new_cap: u16) -> EventBody<'static> {
    EventBody::MigrateThread { thread, new_cap }
}

pub fn message(text: &str) -> EventBody<'_> {
    EventBody::UserMsg {
        message: text.into(),
    }
}

pub fn marker(text: &str) -> EventBody<'_> {
    EventBody::UserMarker {
        marker: text.into(),
    }
}

pub fn label<'a>(thread: u32, label: &'a str) -> EventBody<'a> {
    EventBody::ThreadLabel {
        thread,
        label: label.into(),
    }
}

/// Converts a log, its events ordered by time.
pub fn convert<E>(log: &[u8], exporter: E) -> E::Report
where
    E: Exporter<Error: Debug>,
{
    let mut export = Export::new(exporter, StartStop);
    let mut merge = Merge::new(MergeOptions::default());
    let mut begun = false;
    let mut take = |step: Step<'_>| match step {
        Step::Session(header) => {
            begun = true;
            export.header(header).expect("a header");
        }
        Step::Block(block) => export.block(block).expect("a block"),
        Step::Event(event, turn) => export.event(event, turn).expect("an event"),
        _ => {}
    };
    for bytes in log.chunks(1 << 20) {
        merge.push_bytes(bytes);
        merge.drain(&mut take).expect("a sound log");
    }
    merge.flush();
    merge.drain(&mut take).expect("a sound log");
    assert!(begun);
    export.finish().expect("a result")
}

/// The logs of the corpus, if they were generated: name and bytes.
pub fn corpus() -> Vec<(String, Vec<u8>)> {
    let mut logs = Vec::new();
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../../formats/events/corpus");
    for folder in [corpus.to_owned(), format!("{corpus}/logs")] {
        let Ok(entries) = std::fs::read_dir(folder) else {
            eprintln!("formats/events/corpus/make.sh has not been run: only the kept logs");
            continue;
        };
        for entry in entries {
            let path = entry.expect("an entry").path();
            if path
                .extension()
                .is_some_and(|extension| extension == "eventlog")
            {
                let name = path.file_name().expect("a name").to_string_lossy();
                logs.push((name.into_owned(), std::fs::read(&path).expect("a log")));
            }
        }
    }
    assert!(logs.len() >= 2, "the kept logs");
    logs
}

/// Calls `see` with each event of a log.
pub fn each(log: &[u8], mut see: impl FnMut(&ghc_eventlog::Event<'_>)) {
    let mut reader = Reader::new(log);
    let _ = reader
        .for_each(|item| {
            if let Item::Event(event) = item {
                see(&event);
            }
            ControlFlow::<()>::Continue(())
        })
        .expect("a sound log");
}
