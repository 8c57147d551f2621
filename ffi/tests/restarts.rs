//! Clients come and go; the log of the program is one.

use crate::support;

use std::collections::BTreeSet;
use support::ghc::ghc;
use support::skip::need;
use support::worker::Setup;
use support::{Start, Stream, Transport};

const RTS_IDENTIFIER: u16 = 29;
const OSPROCESS_PID: u16 = 32;
const WALL_CLOCK_TIME: u16 = 43;

/// What the RTS says of itself when it starts a log is said to every client, with the
/// time at which it was said first: no log was started for any of them.
#[test]
fn no_client_starts_a_log() {
    let ghc = need!(ghc());
    for (start, transport) in [
        (Start::CMain, Transport::Tcp),
        (Start::Haskell, Transport::Unix),
    ] {
        let mut worker = Setup::new(start, transport).rts("-N2").spawn(ghc);
        worker.ready();
        let mut said = BTreeSet::new();
        for round in 0..30 {
            let text = format!("for client {round}.");
            worker.command(&format!("message {text}"));
            let mut client = worker.client();
            client.read_until_text(&text);
            let bytes = client.leave();
            let stream = Stream::cut(&bytes);
            for number in [RTS_IDENTIFIER, OSPROCESS_PID, WALL_CLOCK_TIME] {
                assert_eq!(stream.count(number), 1, "{start:?}: event {number}");
                let event = stream.all(number).next().expect("it is there");
                said.insert((number, event.time, event.payload.to_vec()));
            }
        }
        assert_eq!(said.len(), 3, "{start:?}: {said:?}");
        assert!(worker.finish().success());
        assert_eq!(worker.process.stderr(), "");
    }
}
