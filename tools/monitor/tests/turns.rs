//! Short requests are answered while long ones run.

use crate::site::{Log, Reply, Site, message};
use ghc_eventlog::EventBody;
use std::io::{ErrorKind, Write};
use std::net::TcpStream;

/// Searches that run at the same time, and longer than anything else.
const SEARCHES: usize = 12;

/// Whether some of it has arrived.
fn is_answered(stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    let arrived = stream.peek(&mut [0]);
    stream.set_nonblocking(false).unwrap();
    match arrived {
        Ok(_) => true,
        Err(error) if error.kind() == ErrorKind::WouldBlock => false,
        Err(error) => panic!("{error}"),
    }
}

/// If requests were answered one after the other, or short ones shared their turns with long ones,
/// all searches would be over before the first short answer. However fast or slow the machine is,
/// a search reads the whole log, and the short requests only a little of it.
#[test]
fn short_requests_do_not_wait_for_long_ones() {
    let mut log = Log::new().block(
        Some(0),
        &[
            (10, EventBody::CreateThread { thread: 1 }),
            (20, EventBody::RunThread { thread: 1 }),
        ],
    );
    let text = "a message of the usual length, without anything of interest".repeat(4);
    let mut last = 0;
    for block in 0..400u64 {
        let events: Vec<_> = (1..=150)
            .map(|number| ((block * 150 + number) * 1000, message(&text)))
            .collect();
        last = events[149].0;
        log = log.block(Some(0), &events);
    }
    let (site, id) = Site::of(&log.end());
    let search = format!("GET /api/s/{id}/events?find=(x|y)%2Bz.*[0-9]{{3}}$");
    let searches: Vec<TcpStream> = (0..SEARCHES)
        .map(|_| {
            let mut stream = site.connect();
            let head = site.head(&search);
            let head = format!("{head}Connection: close\r\n\r\n");
            stream.write_all(head.as_bytes()).unwrap();
            stream
        })
        .collect();
    // From here on all of them are the server's, and at least one has had its turn.
    let mut first = searches[0].try_clone().unwrap();
    let first = Reply::read(&mut first);
    assert_eq!(first.status, 200);
    for path in [
        format!("s/{id}/at?row=c0&time=1000"),
        format!("s/{id}/threads?limit=20"),
        format!("s/{id}/thread/1"),
        format!("s/{id}/rows"),
        format!("s/{id}/overview"),
        "sessions".to_owned(),
        "tiles".to_owned(),
    ] {
        match path.as_str() {
            "tiles" => drop(site.tiles(&id, 20, 0, last >> 29, &["c0", "threads"])),
            path => drop(site.get(path)),
        }
        let waiting = searches[1..].iter().filter(|it| !is_answered(it)).count();
        assert!(waiting > 0, "{path} was answered after all searches");
    }
}
