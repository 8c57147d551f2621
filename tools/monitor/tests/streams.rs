//! Streams of changes.

use crate::site::{LONG, Log, Site, message, until};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A stream whose head was read.
struct Stream(BufReader<TcpStream>);

impl Stream {
    fn open(site: &Site) -> Self {
        let mut stream = site.connect();
        let head = site.head("GET /api/stream");
        stream.write_all(format!("{head}\r\n").as_bytes()).unwrap();
        let mut reader = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(reader.read_line(&mut head).unwrap() > 0, "{head}");
        }
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        assert!(head.contains("text/event-stream"), "{head}");
        Self(reader)
    }

    /// The next list of sessions.
    fn next(&mut self) -> serde_json::Value {
        let mut line = String::new();
        loop {
            line.clear();
            assert!(self.0.read_line(&mut line).unwrap() > 0, "the stream ends");
            if let Some(data) = line.strip_prefix("data: ") {
                return serde_json::from_str(data).unwrap();
            }
        }
    }

    fn until(&mut self, what: &str, mut look: impl FnMut(&serde_json::Value) -> bool) {
        let begun = Instant::now();
        while !look(&self.next()) {
            assert!(begun.elapsed() < LONG, "{what}");
        }
    }
}

#[test]
fn a_stream_tells_what_changes_and_not_too_often() {
    let site = Site::new();
    let mut stream = Stream::open(&site);
    assert_eq!(stream.next(), serde_json::json!([]));
    let mut program = site.program("app");
    let log = Log::new().messages(0, &[(1, "begin")]);
    program.write_all(&log.bytes).unwrap();
    stream.until("the session is listed", |list| list[0]["events"] == 1);
    // There are at most four lists a second, however often something changes.
    let begun = Instant::now();
    let header = log.header;
    let lists = Arc::new(AtomicU64::new(0));
    let told = lists.clone();
    let writer = std::thread::spawn(move || {
        let mut written = 1;
        let mut write = || {
            written += 1;
            let block = crate::site::block(&header, Some(0), &[(written, message("again"))]);
            program.write_all(&block).unwrap();
            written
        };
        // Relaxed: it guards no other data.
        while write() < 199 || told.load(Ordering::Relaxed) < 3 {
            std::thread::sleep(Duration::from_millis(10));
        }
        // This one is in none of the lists that were read.
        let written = write();
        (program, written)
    });
    // It tells of changes while there are more.
    stream.until("some are reported", |_| {
        lists.fetch_add(1, Ordering::Relaxed) >= 2
    });
    let (program, written) = writer.join().unwrap();
    stream.until("everything is reported", |list| {
        lists.fetch_add(1, Ordering::Relaxed);
        list[0]["events"] == written
    });
    let lists = u128::from(lists.load(Ordering::Relaxed));
    let most = begun.elapsed().as_millis() / 250 + 2;
    assert!(lists <= most, "{lists} lists, {most} at most");
    drop(program);
    stream.until("its end is listed", |list| list[0]["ended"] == true);
}

#[test]
fn two_hundred_streams_are_told_and_one_that_reads_nothing_costs_nobody() {
    let site = Site::new();
    let mut program = site.program("app");
    let log = Log::new().messages(0, &[(1, "begin")]);
    program.write_all(&log.bytes).unwrap();
    let id = site.read_to("app", log.bytes.len() as u64);
    let clients = || {
        let stream = site.get(&format!("s/{id}/stream"));
        stream["clients"].as_u64().unwrap()
    };
    let mut streams: Vec<Stream> = (0..200).map(|_| Stream::open(&site)).collect();
    let deaf = Stream::open(&site);
    until("all are counted", || (clients() == 201).then_some(()));
    let block = crate::site::block(&log.header, Some(0), &[(2, message("again"))]);
    program.write_all(&block).unwrap();
    for stream in &mut streams {
        stream.until("every stream has the list", |list| list[0]["events"] == 2);
    }
    drop(streams);
    drop(deaf);
    // A disconnected client is detected at the next event.
    let mut time = 3;
    until("no stream is left", || {
        let block = crate::site::block(&log.header, Some(0), &[(time, message("again"))]);
        program.write_all(&block).unwrap();
        time += 1;
        (clients() == 0).then_some(())
    });
}
