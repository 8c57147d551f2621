//! The blocks that the library puts into a stream belong to no capability, as those of the
//! RTS's global buffer do: whoever sorts a stream takes the end of one as a promise that
//! nothing earlier of that kind comes. The walk over a stream demands that; here are the
//! streams in which it is hard to keep.

use crate::support;

use std::time::Duration;
use support::{Client, Driver, LIMIT, Stream, eventually};

const SMALL: [(&str, &str); 1] = [("GHC_EVENTLOG_BUFFER_SIZE", "64K")];
const TASK_CREATE: u16 = 55;
const TASK_DELETE: u16 = 57;

/// Log until a chunk is lost: the client takes nothing.
#[track_caller]
fn fill(driver: &mut Driver) {
    let before = driver.stats().get("chunks_lost");
    eventually(LIMIT, "chunks are lost", || {
        driver.quietly("chunk 0 fill:60000");
        driver.stats().get("chunks_lost") > before + 3
    });
}

/// All that comes until nothing comes any more.
#[track_caller]
fn rest_of(driver: &mut Driver, mut client: Client) -> Vec<u8> {
    client.read_until_quiet(Duration::from_millis(300));
    driver.quietly("clock 900000000000");
    // One that finds the ring full is lost.
    eventually(LIMIT, "the last chunk", || {
        driver.quietly("chunk global text:last");
        client.read_until_quiet(Duration::from_millis(50));
        support::client::contains(&client.received, b"last")
    });
    client.leave()
}

/// A loss is told while the RTS has earlier global events in its buffer.
#[test]
fn a_loss_before_an_earlier_event() {
    let mut driver = Driver::logging(&SMALL);
    let mut client = driver.served_client();
    driver.quietly("chunk global text:first");
    client.read_until_text("first");
    driver.quietly("clock 500000000");
    fill(&mut driver);
    // When the ring has run empty.
    client.read_until_text("eventlog-socket: lost ");
    // The next event of the global buffer was long before that.
    driver.quietly("clock 100000000");
    driver.quietly("chunk global text:earlier");
    let bytes = rest_of(&mut driver, client);
    let stream = Stream::cut(&bytes);
    assert!(stream.lost_chunks() > 0);
    assert!(stream.has_message("earlier"));
}

/// A client that has said that it will send nothing is asked whether it is there, by a block.
#[test]
fn a_probe_before_an_earlier_event() {
    let mut driver = Driver::spawn(&[]);
    let address = driver.listen_tcp();
    driver.start_log();
    let mut client = Client::connect(&address);
    client.read_until_text("datb");
    driver.quietly("clock 500000000");
    driver.quietly("chunk 0 text:late");
    client.read_until_text("late");
    let before = client.received.len();
    client.half_close();
    client.read_bytes(before + 24);
    driver.quietly("clock 100000000");
    driver.quietly("chunk global text:earlier");
    client.read_until_text("earlier");
    let bytes = rest_of(&mut driver, client);
    Stream::cut(&bytes);
}

/// What a refused chunk has defined is known before an older one is sent that is in the
/// ring: it is told after that all the same.
#[test]
fn what_was_refused_does_not_overtake() {
    // More than a socket takes at once when it takes anything again.
    let mut driver = Driver::logging(&[("GHC_EVENTLOG_BUFFER_SIZE", "4M")]);
    let mut client = driver.served_client();
    fill(&mut driver);
    // The next chunk that has room tells of the loss.
    eventually(LIMIT, "there is room", || {
        let lost = driver.stats().get("chunks_lost");
        client.read_some(LIMIT).expect("the stream");
        driver.quietly("chunk 0 fill:20000");
        driver.stats().get("chunks_lost") == lost
    });
    let lost = driver.stats().get("chunks_lost");
    driver.quietly("chunk global task:7:1");
    assert_eq!(driver.stats().get("chunks_lost"), lost, "it has room");
    fill(&mut driver);
    let lost = driver.stats().get("chunks_lost");
    driver.quietly("chunk global task-end:7 task:8:1 fill:1900000");
    assert_eq!(driver.stats().get("chunks_lost"), lost + 1, "it has none");
    let bytes = rest_of(&mut driver, client);
    let stream = Stream::cut(&bytes);
    let counts = [TASK_CREATE, TASK_DELETE].map(|number| stream.count(number));
    assert_eq!(counts, [2, 1]);
}

/// The ring keeps the oldest for the first client; what is defined when it is full is later.
#[test]
fn the_first_client_comes_late() {
    let mut driver = Driver::logging(&SMALL);
    driver.quietly("chunk global task:1:1 text:first");
    fill(&mut driver);
    driver.quietly("chunk global task:2:1 fill:100000");
    let mut client = driver.client();
    client.read_until_text("datb");
    let bytes = rest_of(&mut driver, client);
    let stream = Stream::cut(&bytes);
    assert!(stream.has_message("first"));
    assert_eq!(stream.count(TASK_CREATE), 2);
}

/// Tasks have ever new ids. A client that takes nothing, so that nothing is sent, does not
/// make the program keep them.
#[test]
fn tasks_that_have_ended_are_forgotten() {
    let mut driver = Driver::logging(&SMALL);
    let client = driver.served_client();
    fill(&mut driver);
    driver.quietly("tasks 100000");
    let (bytes, resident) = (
        driver.stats().get("definition_bytes"),
        driver.process.resident(),
    );
    driver.quietly("tasks 1000000");
    let after = driver.stats().get("definition_bytes");
    assert!(after < 300_000 && bytes < 300_000, "{bytes}, then {after}");
    // What has not been learnt from is in a ring, until it has: under load it lags behind. Then
    // much is learnt at a time, of which the allocator keeps some megabytes for later, however
    // many tasks there were. Sixteen bytes for each of them would be too much.
    eventually(LIMIT, "memory is given back", || {
        driver.process.resident() < resident + (16 << 20)
    });
    let bytes = rest_of(&mut driver, client);
    Stream::cut(&bytes);
}

/// Nor when they end faster than the library learns of it.
#[test]
fn a_flood_of_ended_tasks_leaves_no_large_table() {
    let mut driver = Driver::logging(&SMALL);
    fill(&mut driver);
    let resident = driver.process.resident();
    driver.quietly("tasks-at-once 1500000");
    // What has not been learnt from is in a ring, until it has.
    eventually(LIMIT, "memory is given back", || {
        driver.process.resident() < resident + (16 << 20)
    });
}
