//! What the first generation could do: three programs, those that end and those
//! that a client comes back to, and the commands of the older protocol.

use crate::support;

use eventlog_control::{Frame, Older};
use std::time::Duration;
use support::examples::{Example, HEAP_SAMPLE, HEAP_SAMPLE_BEGIN, HEAP_SAMPLE_END, What};
use support::ghc::{Ghc, ghc};
use support::skip::need;
use support::{Stream, Transport};

const SAMPLE_BEGIN: u16 = 162;
const SAMPLE: u16 = 164;

/// What a client sends when it has connected.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Sent {
    Nothing,
    Start,
    Request,
    JunkAndStart,
}

impl Sent {
    fn bytes(self) -> Vec<u8> {
        let start = Frame::older(Older::StartHeapProfiling);
        let request = Frame::older(Older::RequestHeapCensus);
        match self {
            Self::Nothing => Vec::new(),
            Self::Start => start.as_bytes().to_vec(),
            Self::Request => request.as_bytes().to_vec(),
            Self::JunkAndStart => [b"JUNK!!!!", start.as_bytes()].concat(),
        }
    }

    /// What comes of it. GHC 9.0 cannot be told to take samples.
    fn samples(self, ghc: &Ghc) -> Samples {
        match self {
            Self::Nothing => Samples::None,
            Self::Request => Samples::One,
            Self::Start | Self::JunkAndStart if ghc.at_least(9, 2) => Samples::Many,
            Self::Start | Self::JunkAndStart => Samples::None,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Samples {
    None,
    One,
    Many,
}

/// The program ends by itself: its whole log has the samples that were asked for,
/// and no others.
fn to_the_end(name: &'static str, transport: Transport, sent: Sent) {
    let ghc = need!(ghc());
    let show = Example::new(name, transport)
        .arguments("30 30 30 30 30 30 30 30")
        .rts("-l -A256K")
        .profiled_on_request(ghc)
        .controlled()
        .spawn(ghc);
    let mut watcher = show.watch();
    watcher.send(&sent.bytes());
    let bytes = watcher.finish();
    show.finish();

    let stream = Stream::complete(&bytes);
    let events: u64 = stream.counts.values().sum();
    assert!(events >= 1000, "{events} events");
    let finished = stream.messages.iter();
    let finished = finished.filter(|event| event.text().starts_with("Finished fib"));
    assert_eq!(finished.count(), 8);
    let (begun, bands) = (stream.count(SAMPLE_BEGIN), stream.count(SAMPLE));
    match sent.samples(ghc) {
        Samples::None => assert_eq!((begun, bands), (0, 0)),
        Samples::One => assert!(begun == 1 && bands > 0, "{begun} samples, {bands} bands"),
        Samples::Many => assert!(begun > 1 && bands > 1, "{begun} samples, {bands} bands"),
    }
}

/// The program goes on forever. Two clients, one after the other, see what the
/// commands have done.
fn coming_back(name: &'static str, transport: Transport, sent: Sent) {
    let ghc = need!(ghc());
    let show = Example::new(name, transport)
        .arguments("--forever 26")
        .rts("-l -A256K")
        .profiled_on_request(ghc)
        .flushing(ghc)
        .controlled()
        .spawn(ghc);
    let round = What::Marker("Finished fib");
    for visit in 0..2 {
        let mut watcher = show.watch();
        // What was started goes on when the client has gone.
        if visit == 0 || sent == Sent::Request {
            watcher.send(&sent.bytes());
        }
        match sent.samples(ghc) {
            Samples::None => {
                watcher.without(HEAP_SAMPLE, 2, round);
                watcher.wait_for_events(1000, Some(HEAP_SAMPLE));
                watcher.sync_without(HEAP_SAMPLE);
            }
            Samples::One => {
                watcher.wait_for(HEAP_SAMPLE_BEGIN);
                watcher.wait_for(HEAP_SAMPLE);
                watcher.wait_for(HEAP_SAMPLE_END);
                watcher.without(HEAP_SAMPLE_BEGIN, 2, round);
                watcher.wait_for_events(1000, Some(HEAP_SAMPLE));
                watcher.sync_without(HEAP_SAMPLE);
            }
            Samples::Many => {
                watcher.wait_for(HEAP_SAMPLE);
                watcher.wait_for(HEAP_SAMPLE_BEGIN);
                watcher.wait_for(HEAP_SAMPLE);
                watcher.wait_for_events(1000, None);
            }
        }
        watcher.leave(transport);
        std::thread::sleep(Duration::from_millis(200));
    }
    show.stop();
}

macro_rules! cases {
    ($($program:ident: $name:literal, $transport:ident;)*) => {$(
        mod $program {
            mod to_the_end {
                use super::super::{Sent, Transport, to_the_end as scenario};
                cases!(@each $name, $transport);
            }
            mod coming_back {
                use super::super::{Sent, Transport, coming_back as scenario};
                cases!(@each $name, $transport);
            }
        }
    )*};
    (@each $name:literal, $transport:ident) => {
        cases!(@one nothing_is_sent, Nothing, $name, $transport);
        cases!(@one start, Start, $name, $transport);
        cases!(@one request, Request, $name, $transport);
        cases!(@one junk_and_start, JunkAndStart, $name, $transport);
    };
    (@one $case:ident, $sent:ident, $name:literal, $transport:ident) => {
        #[test]
        fn $case() {
            scenario($name, Transport::$transport, Sent::$sent);
        }
    };
}

cases! {
    fibber: "fibber", Unix;
    fibber_tcp: "fibber-tcp", Tcp;
    fibber_c_main: "fibber-c-main", Unix;
}
