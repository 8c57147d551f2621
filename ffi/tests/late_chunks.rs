//! Chunks after the end mark of the log. The RTS writes the mark, then lets go of its writer:
//! whoever flushes in between, or fills the buffer of a capability, hands over more. The end
//! mark is the end of a stream whatever comes then.

use crate::support;

use std::time::Duration;
use support::{Client, Driver, Stream};

const TASK: u64 = 0x7475_7677_7172_7374;
const TASK_CREATE: u16 = 55;
const TASK_DELETE: u16 = 57;
const END_MARK: [u8; 2] = [0xFF, 0xFF];

/// What a flush by another thread hands over: also events that define something.
const LATE: usize = 3;

fn write_late_chunks(driver: &mut Driver) {
    driver.quietly(&format!("chunk global task:{TASK:x}:1"));
    driver.quietly("chunk global");
    driver.quietly("chunk 0 text:late");
}

/// The rest of the stream, which has all of the log and nothing else.
#[track_caller]
fn end_of_stream(driver: &mut Driver, mut client: Client) -> Vec<u8> {
    // It waits until all is read, or its time is over.
    driver.begin("stop");
    let bytes = client.read_to_end();
    assert!(driver.end().is_empty());
    let stream = Stream::complete(&bytes);
    assert!(stream.has_message("logged"));
    assert!(!stream.has_message("late"));
    assert_eq!(stream.count(TASK_CREATE), 0);
    bytes
}

/// They are counted as discarded, and what they define is told to the client of the next log.
#[track_caller]
fn accounts_for_late_chunks(mut driver: Driver) {
    let stats = driver.stats();
    assert_eq!(stats.get("chunks_discarded"), LATE as u64, "{stats:?}");
    assert_eq!(stats.get("chunks_lost"), 0, "{stats:?}");
    driver.quietly("log");
    let mut client = driver.served_client();
    driver.quietly("chunk 0 text:of-the-next-log");
    driver.quietly("stop");
    let bytes = client.read_to_end();
    let next = Stream::complete(&bytes);
    assert!(next.has_message("of-the-next-log"));
    assert_eq!(next.count(TASK_CREATE), 1);
    assert!(driver.finish().success());
    assert_eq!(driver.process.stderr(), "");
}

/// How a log can end: as since GHC 9.2, as with 9.0, and as a program without an RTS may do.
const ENDS: [&str; 3] = ["chunk global end-mark", "end-mark", "chunk 0 end-mark"];

/// The client has the end mark already.
#[test]
fn chunks_after_an_end_mark_that_is_sent() {
    for end in ENDS {
        let mut driver = Driver::logging(&[]);
        let mut client = driver.served_client();
        driver.quietly("chunk 0 text:logged");
        driver.quietly(end);
        client.read_until(end, |bytes| bytes.ends_with(&END_MARK));
        write_late_chunks(&mut driver);
        end_of_stream(&mut driver, client);
        accounts_for_late_chunks(driver);
    }
}

/// They are in the ring when it is sent.
#[test]
fn chunks_behind_an_end_mark_in_the_ring() {
    for end in ENDS {
        let mut driver = Driver::logging(&[]);
        let client = driver.served_client();
        driver.quietly("chunk 0 text:logged");
        // More than a socket holds.
        driver.quietly("chunk 0 fill:2000000");
        driver.quietly(end);
        write_late_chunks(&mut driver);
        end_of_stream(&mut driver, client);
        accounts_for_late_chunks(driver);
    }
}

/// Nor does the library say anything after it: not what was lost, and not whether the client
/// is still there.
#[test]
fn nothing_of_ours_after_an_end_mark() {
    let mut driver = Driver::spawn(&[("GHC_EVENTLOG_BUFFER_SIZE", "1M")]);
    let address = driver.listen_tcp();
    driver.start_log();
    let mut client = Client::connect(&address);
    client.read_until_text("datb");
    driver.quietly("chunk 0 text:logged");
    client.half_close();
    driver.quietly("chunk global end-mark");
    client.read_until("the end mark", |bytes| bytes.ends_with(&END_MARK));
    // One that fits no ring.
    driver.quietly("chunk 0 fill:1500000");
    // Longer than it takes to ask such a client whether it is there.
    client.read_for(Duration::from_millis(2500));
    let bytes = end_of_stream(&mut driver, client);
    assert!(Stream::complete(&bytes).losses.is_empty());
    assert!(driver.finish().success());
}

/// With GHC 9.0 another thread may log right before or behind the end mark, into the same
/// buffer, which then holds no block. The stream ends all the same, and the chunk is counted.
#[test]
fn an_end_mark_with_company() {
    for company in ["before", "behind"] {
        let mut driver = Driver::spawn(&[]);
        driver.quietly("able-rts");
        driver.listen();
        driver.start_log();
        let client = driver.served_client();
        driver.quietly("chunk 0 text:logged");
        driver.quietly(&format!("end-mark {company}"));
        let bytes = end_of_stream(&mut driver, client);
        let stream = Stream::complete(&bytes);
        assert_eq!(stream.count(TASK_DELETE), 0);
        assert_eq!(stream.lost_chunks(), 1);
        assert_eq!(driver.stats().get("chunks_lost"), 1);
        assert!(driver.finish().success());
    }
}
