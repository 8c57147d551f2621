//! Streams in rare circumstances: a client that comes or goes at a bad moment,
//! chunks that are refused, bytes that look like something else. The program is a
//! driver that does what an RTS would.

use crate::support;

use std::time::Duration;
use support::header::{u16_at, u64_at};
use support::stream::IPE;
use support::{Client, Driver, LIMIT, Stream, eventually};

const CAP_CREATE: u16 = 45;
const RTS_IDENTIFIER: u16 = 29;
const TASK_CREATE: u16 = 55;
const TASK_DELETE: u16 = 57;

/// More than the system keeps for a client that does not read.
const MORE_THAN_A_SOCKET_HOLDS: usize = 8;
const CHUNK: &str = "chunk 0 fill:100000";

/// End the log; the rest of the stream of `client`.
#[track_caller]
fn end_of_stream(driver: &mut Driver, mut client: Client) -> Vec<u8> {
    // It waits until all is read.
    driver.begin("stop");
    let bytes = client.read_to_end();
    assert!(driver.end().is_empty());
    assert!(driver.finish().success());
    assert_eq!(driver.process.stderr(), "");
    bytes
}

/// A client that comes while `ready` is under way is told what the RTS knows of
/// itself, as every later one.
#[test]
fn client_that_comes_during_ready_is_told_the_facts() {
    let mut driver = Driver::spawn(&[]);
    driver.quietly("rts");
    // `ready` returns meanwhile: its flush lasts until the client is being taken.
    driver.quietly("slow-accept 300");
    driver.listen();
    driver.quietly("log");
    eventually(LIMIT, "the header is there", || {
        driver.stats().get("definition_bytes") > 0
    });
    driver.begin("ready");
    let mut client = driver.client();
    assert_eq!(driver.end(), ["ready: 0 0"]);
    client.read_until_text("datb");
    let bytes = end_of_stream(&mut driver, client);
    let stream = Stream::complete(&bytes);
    assert_eq!(stream.count(RTS_IDENTIFIER), 1);
    assert_eq!(stream.count(CAP_CREATE), 2);
}

/// The info tables that a chunk defines are told once to every later client, also
/// when the client that was to get the chunk left before it had all of it.
#[test]
fn bulk_definitions_of_an_unfinished_chunk_are_told_once() {
    let mut driver = Driver::logging(&[]);
    let first = driver.served_client();
    let tables: Vec<u64> = (1..=20).collect();
    for table in &tables {
        driver.quietly(&format!("chunk global provenance:{table:x} fill:100000"));
    }
    eventually(LIMIT, "the socket is full", || first.pending() > 100_000);
    drop(first);
    driver.until_alone();

    let second = driver.served_client();
    let bytes = end_of_stream(&mut driver, second);
    let stream = Stream::complete(&bytes);
    let mut told: Vec<u64> = stream
        .all(IPE)
        .filter_map(|event| u64_at(event.payload, 0))
        .collect();
    told.sort_unstable();
    assert_eq!(told, tables);
}

/// What is kept for the first client is not spent on one that leaves before its
/// stream begins.
#[test]
fn client_that_leaves_before_its_stream_begins_takes_nothing() {
    let mut driver = Driver::listening(&[]);
    let early = driver.client();
    eventually(LIMIT, "it is taken", || {
        driver.stats().get("connections") == 1
    });
    driver.quietly("log");
    driver.quietly("chunk 0 text:before");
    drop(early);
    driver.until_alone();
    driver.quietly("chunk 0 text:after");
    assert_eq!(driver.command("ready"), ["ready: 0 0"]);

    let client = driver.served_client();
    assert_eq!(driver.stats().get("chunks_discarded"), 0);
    let bytes = end_of_stream(&mut driver, client);
    let stream = Stream::complete(&bytes);
    assert!(stream.has_message("before"));
    assert!(stream.has_message("after"));
}

/// Numbers of the events about the task with this id, in the order of the stream.
fn events_of_task(bytes: &[u8], id: u64) -> Vec<u16> {
    let id = id.to_be_bytes();
    let starts = bytes.windows(8).enumerate();
    starts
        .filter(|(at, window)| *window == id && *at >= 10)
        .filter_map(|(at, _)| u16_at(bytes, at - 10))
        .collect()
}

const TASK: u64 = 0x7475_7677_7172_7374;

/// A driver with a task whose creation waits in the ring and whose end was in a
/// chunk that did not fit; and the client that has not read all this.
fn task_whose_end_was_lost() -> (Driver, Client) {
    let mut driver = Driver::logging(&[("GHC_EVENTLOG_BUFFER_SIZE", "1M")]);
    let client = driver.served_client();
    for _ in 0..MORE_THAN_A_SOCKET_HOLDS {
        driver.quietly(CHUNK);
    }
    driver.quietly(&format!("chunk global task:{TASK:x}:1"));
    // Until there is no room, nor will be.
    let (mut lost, mut refused) = (0, 0);
    while refused < 2 {
        driver.quietly(CHUNK);
        let now = driver.stats().get("chunks_lost");
        refused = if now > lost { refused + 1 } else { 0 };
        lost = now;
        if refused == 1 {
            let at_rest = || driver.process.rests("eventlog-poll");
            eventually(LIMIT, "the poll thread has filled the socket", at_rest);
        }
    }
    driver.quietly(&format!("chunk global task-end:{TASK:x} fill:900000"));
    assert_eq!(driver.stats().get("chunks_lost"), lost + 1);
    (driver, client)
}

/// A task that has ended is not told to later clients, also when the chunk with
/// its end did not fit and overtook the one with its beginning.
#[test]
fn task_whose_end_was_lost_does_not_come_back() {
    let (mut driver, mut client) = task_whose_end_was_lost();
    client.read_until_quiet(Duration::from_millis(300));
    drop(client);
    driver.until_alone();
    let second = driver.served_client();
    let bytes = end_of_stream(&mut driver, second);
    Stream::complete(&bytes);
    assert_eq!(events_of_task(&bytes, TASK), []);
}

/// The client is told of a task's end after its beginning, also when the chunk
/// with the end did not fit and overtook the other.
#[test]
fn end_of_a_task_is_told_after_its_beginning() {
    let (mut driver, mut client) = task_whose_end_was_lost();
    client.read_until_quiet(Duration::from_millis(300));
    let bytes = end_of_stream(&mut driver, client);
    Stream::complete(&bytes);
    assert_eq!(events_of_task(&bytes, TASK), [TASK_CREATE, TASK_DELETE]);
}

/// A definition is kept whatever its last bytes are, also those of the end mark.
#[test]
fn definition_that_ends_like_an_end_mark_is_kept() {
    let mut driver = Driver::listening(&[]);
    driver.quietly("log");
    driver.quietly(&format!("chunk global task:{TASK:x}:1ffff"));
    assert_eq!(driver.command("ready"), ["ready: 0 0"]);
    let client = driver.served_client();
    let bytes = end_of_stream(&mut driver, client);
    Stream::complete(&bytes);
    assert_eq!(events_of_task(&bytes, TASK), [TASK_CREATE]);
}

/// A stream whose last chunk is `last` has its end mark, which the program left to
/// the library: it exits without ending its log.
#[track_caller]
fn stream_ends_after(last: &str) {
    let mut driver = Driver::logging(&[]);
    let mut client = driver.served_client();
    driver.quietly(last);
    driver.process.close_stdin();
    let bytes = client.read_to_end();
    assert!(driver.finish().success());
    Stream::complete(&bytes);
}

/// An empty block of no capability, whose last bytes are those of the end mark,
/// does not stand for it.
#[test]
fn empty_global_block_is_no_end_mark() {
    stream_ends_after("chunk global");
}

/// The last bytes of an event do not stand for the end mark.
#[test]
fn end_of_an_event_is_no_end_mark() {
    stream_ends_after("chunk global task:7:1ffff");
}

/// GHC 9.0 flushes by ending its log and starting it again, and does not keep other threads
/// out of the buffer that the header goes through.
#[test]
fn headers_that_are_spoilt_by_others() {
    let mut driver = Driver::logging(&[]);
    let mut client = driver.served_client();
    driver.quietly("restart");
    driver.quietly("chunk 0 text:flushed");
    client.read_until_text("flushed");
    assert_eq!(driver.stats().get("chunks_lost"), 0);
    let spoilt = [
        "restart 0",
        "restart 9",
        "restart 100",
        "restart 9999",
        "restart 0 over",
        "restart 9 over",
        "restart 100 over",
    ];
    for (count, restart) in (1..).zip(spoilt) {
        driver.quietly(restart);
        driver.quietly(&format!("chunk 0 text:after-{count}."));
        client.read_until_text(&format!("after-{count}."));
        assert_eq!(driver.stats().get("chunks_lost"), count, "{restart}");
    }
    driver.quietly("restart-with-company");
    let bytes = end_of_stream(&mut driver, client);
    let stream = Stream::complete(&bytes);
    assert_eq!(stream.lost_chunks(), spoilt.len() as u64 + 1);
    assert_eq!(stream.count(TASK_DELETE), 0);
}

/// What nobody would have got is not told to the next client.
#[test]
fn headers_that_are_spoilt_while_nobody_listens() {
    let mut driver = Driver::logging(&[]);
    driver.quietly("restart 9");
    let client = driver.served_client();
    let bytes = end_of_stream(&mut driver, client);
    assert_eq!(Stream::complete(&bytes).lost_chunks(), 0);
}

/// Not even the first one: the next flush has one that is not spoilt.
#[test]
fn a_first_header_that_is_spoilt() {
    for spoilt in ["log-again 0", "log-again 9 over", "log-again 9999"] {
        let mut driver = Driver::spawn(&[]);
        driver.listen();
        driver.quietly(spoilt);
        assert_eq!(driver.command("ready"), ["ready: 0 0"]);
        let mut client = driver.client();
        driver.quietly("restart");
        driver.quietly("chunk 0 text:flushed");
        client.read_until_text("flushed");
        let bytes = end_of_stream(&mut driver, client);
        assert!(Stream::complete(&bytes).has_message("flushed"), "{spoilt}");
    }
}

/// `exit` on a thread that no flush holds up.
#[test]
fn an_exit_in_the_middle_of_a_flush() {
    let mut driver = Driver::logging(&[]);
    let mut client = driver.served_client();
    driver.quietly("chunk 0 text:logged");
    driver.begin("exit-in-restart");
    let bytes = client.read_to_end();
    assert!(driver.process.wait().success());
    assert!(Stream::complete(&bytes).has_message("logged"));
}

/// Streaming has ended, and what is written then is kept nowhere.
#[test]
fn what_is_defined_after_the_end_is_not_kept() {
    let mut driver = Driver::logging(&[]);
    let client = driver.served_client();
    driver.quietly("close-descriptors");
    // Somebody who comes makes it notice.
    drop(client);
    eventually(LIMIT, "it is noticed", || {
        driver.command("status") != ["status: 0 0"]
    });
    driver.quietly("chunk global fill:1000000");
    let before = driver.process.resident();
    for _ in 0..100 {
        driver.quietly("chunk global fill:1000000");
    }
    let more = driver.process.resident().saturating_sub(before);
    assert!(more < 8 << 20, "{more} bytes more");
}
