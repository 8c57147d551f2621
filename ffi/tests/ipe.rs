//! Tables of info provenance (IPE, from -finfo-table-map) are by far the
//! largest definitions. They do not have to fit into the ring.

use crate::support;

use std::fmt::Write;
use support::commands::{RTS, SYNC, frame, mark};
use support::ghc::{Ghc, ghc};
use support::skip::need;
use support::stream::IPE;
use support::worker::Setup;
use support::{Build, Client, Collector, Expected, Main, Stream, Transport, ghc_events};

/// Functions with very long names: each has entries of about a kilobyte.
const FUNCTIONS: usize = 1500;

fn table_module() -> (String, String) {
    let mut source = String::from("module Table (table) where\n\ntable :: [Int -> [Int]]\n");
    let name = |i: usize| format!("function{i:04}{}", "WithAVeryLongName".repeat(16));
    let names: Vec<String> = (0..FUNCTIONS).map(name).collect();
    let _ = writeln!(source, "table = [{}]", names.join(", "));
    for (i, name) in names.iter().enumerate() {
        let _ = writeln!(source, "{name} :: Int -> [Int]");
        let _ = writeln!(source, "{name} n = map (\\x -> x * n + {i}) [n .. {i}]");
    }
    ("Table".into(), source)
}

pub fn build(main: Main) -> Build {
    let mut build = Build::new(main);
    build.modules.push(table_module());
    build
        .flags
        .extend(["-finfo-table-map".into(), "-O0".into()]);
    build
}

pub fn require_tables(ghc: &Ghc) -> Result<(), String> {
    if ghc.at_least(9, 2) {
        Ok(())
    } else {
        Err(format!("GHC {} has no -finfo-table-map", ghc.version()))
    }
}

/// The entries of the table module that a stream has.
fn entries(stream: &Stream<'_>) -> usize {
    let of_table = |payload: &[u8]| support::client::contains(payload, b"WithAVeryLongName");
    stream
        .all(IPE)
        .filter(|event| of_table(event.payload))
        .count()
}

/// All that the program has for this client by now: before the mark that it asks for. This is the
/// mark of that number.
#[track_caller]
fn read_on(client: &mut Client, number: usize) {
    client.send(&frame(RTS, SYNC));
    client.read_until_text(&mark(number));
}

fn ipe_for_late_clients(main: Main, buffer_size: &str) {
    let ghc = need!(ghc());
    need!(require_tables(ghc));
    let setup = Setup::of(build(main), Transport::Unix);
    let setup = setup.env("GHC_EVENTLOG_BUFFER_SIZE", buffer_size);
    let mut worker = setup.spawn(ghc);
    worker.ready();
    let expected = Expected::of(&worker, ghc);

    let mut first = worker.client();
    first.read_until("the whole table", |bytes| {
        bytes.len() > 1_000_000 && entries(&Stream::cut(bytes)) >= FUNCTIONS
    });
    read_on(&mut first, 1);
    let bytes = first.leave();
    let stream = Stream::cut(&bytes);
    expected.check(&stream, "the first client");
    let table = entries(&stream);
    let size: usize = stream.all(IPE).map(|event| event.payload.len()).sum();
    assert!(
        size > 2 << 20,
        "a table of {size} bytes is too small for this test"
    );

    for (number, whose) in [(2, "the second client"), (3, "the third client")] {
        let mut late = worker.client();
        late.read_until(&format!("the whole table for {whose}"), |bytes| {
            bytes.len() > size && entries(&Stream::cut(bytes)) >= table
        });
        read_on(&mut late, number);
        let bytes = late.leave();
        let stream = Stream::cut(&bytes);
        expected.check(&stream, whose);
        assert_eq!(entries(&stream), table, "{whose}");
    }

    let last = Collector::connect(&worker.address);
    last.wait_for_text("datb");
    worker.command("message that is all");
    assert!(worker.finish().success(), "{}", worker.process.stderr());
    let bytes = last.finish();
    let stream = Stream::complete(&bytes);
    assert_eq!(entries(&stream), table);
    assert!(stream.has_message("that is all"));
    if ghc_events::available().is_ok() {
        ghc_events::show(&bytes);
    }
}

#[test]
fn c_main_with_a_ring_of_64k() {
    ipe_for_late_clients(Main::Wrap, "64K");
}

#[test]
fn c_main_with_a_ring_of_1m() {
    ipe_for_late_clients(Main::Wrap, "1M");
}

#[test]
fn haskell_with_a_ring_of_64k() {
    ipe_for_late_clients(Main::Haskell, "64K");
}

#[test]
fn haskell_with_a_ring_of_1m() {
    ipe_for_late_clients(Main::Haskell, "1M");
}
