//! Samples of the heap: by themselves, not at all, and when a client asks.
//! That nothing comes is counted in the rounds of the program, not in seconds.

use crate::support;

use eventlog_control::{Builtin, Frame};
use std::time::Duration;
use support::examples::{
    Example, HEAP_SAMPLE, HEAP_SAMPLE_BEGIN, HEAP_SAMPLE_END, Show, WALL_CLOCK_TIME, Watcher, What,
    over_both,
};
use support::ghc::Ghc;
use support::{Stream, Transport};

over_both! {
    samples_come_by_themselves
    no_automatic_samples
    reconnect
    half_a_command_does_not_survive_a_reconnect
    start_and_stop
    one_census_on_request
    one_census_for_each_request
    junk_of_nulls_and_text
    junk_that_looks_like_text
}

/// Of each round of oddball.
const ROUND: What = What::Marker("Summing");

/// A program that goes on forever.
fn oddball(transport: Transport, pause: &str) -> Example {
    Example::new("oddball", transport).arguments(&format!("--pause {pause}"))
}

/// Takes no sample before it is told to.
fn patient_oddball(ghc: &Ghc, transport: Transport) -> Show {
    patient(ghc, oddball(transport, "150"))
}

fn patient(ghc: &Ghc, oddball: Example) -> Show {
    oddball
        .rts("-l-au -A256K")
        .profiled_on_request(ghc)
        .flushing(ghc)
        .controlled()
        .spawn(ghc)
}

/// Samples at every collection.
fn eager_oddball(ghc: &Ghc, transport: Transport) -> Show {
    oddball(transport, "150")
        .rts("-l-au -hT -A256K -i0")
        .flushing(ghc)
        .spawn(ghc)
}

fn samples_come_by_themselves(ghc: &Ghc, transport: Transport) {
    let show = eager_oddball(ghc, transport);
    let mut watcher = show.watch();
    watcher.wait_for(ROUND);
    watcher.wait_for(HEAP_SAMPLE);
    watcher.leave(transport);
    show.stop();
}

fn no_automatic_samples(ghc: &Ghc, transport: Transport) {
    let show = patient_oddball(ghc, transport);
    let mut watcher = show.watch();
    watcher.wait_for(ROUND);
    watcher.without(HEAP_SAMPLE, 2, ROUND);
    watcher.leave(transport);
    show.stop();
}

/// Each client is told the wall clock, and gets samples.
fn reconnect(ghc: &Ghc, transport: Transport) {
    let show = eager_oddball(ghc, transport);
    for _ in 0..2 {
        let mut watcher = show.watch();
        watcher.wait_for(WALL_CLOCK_TIME);
        watcher.wait_for(HEAP_SAMPLE);
        watcher.leave(transport);
    }
    show.stop();
}

fn half_a_command_does_not_survive_a_reconnect(ghc: &Ghc, transport: Transport) {
    let show = patient_oddball(ghc, transport);
    let frame = Frame::builtin(Builtin::RequestHeapCensus);
    let (first, rest) = frame.as_bytes().split_at(6);

    let mut watcher = show.watch();
    watcher.wait_for(ROUND);
    watcher.send(first);
    watcher.wait_for(ROUND);
    watcher.leave(transport);

    let mut watcher = show.watch();
    watcher.wait_for(ROUND);
    watcher.send(rest);
    watcher.without(HEAP_SAMPLE, 2, ROUND);
    watcher.leave(transport);
    show.stop();
}

fn start_and_stop(ghc: &Ghc, transport: Transport) {
    // Time between samples is time at work.
    let show = patient(ghc, oddball(transport, "20"));
    let mut watcher = show.watch();
    watcher.wait_for(ROUND);
    watcher.without(HEAP_SAMPLE, 1, ROUND);
    watcher.send(Frame::builtin(Builtin::StartHeapProfiling).as_bytes());
    if ghc.at_least(9, 2) {
        for _ in 0..2 {
            watcher.wait_for(HEAP_SAMPLE);
            watcher.wait_for(HEAP_SAMPLE_END);
        }
        watcher.send(Frame::builtin(Builtin::StopHeapProfiling).as_bytes());
        // The last collections before that may still be on their way, and one
        // sample may be due already.
        watcher.sync();
        watcher.wait_for_more(2, ROUND);
        watcher.without(HEAP_SAMPLE, 12, ROUND);
    } else {
        // Refused: nothing is started, and the commands after it are obeyed.
        watcher.sync();
        watcher.without(HEAP_SAMPLE, 2, ROUND);
        watcher.send(Frame::builtin(Builtin::StopHeapProfiling).as_bytes());
        watcher.send(Frame::builtin(Builtin::RequestHeapCensus).as_bytes());
        watcher.wait_for(HEAP_SAMPLE);
        watcher.wait_for(HEAP_SAMPLE_END);
        watcher.without(HEAP_SAMPLE, 1, ROUND);
    }
    watcher.leave(transport);
    show.stop();
}

fn one_census_on_request(ghc: &Ghc, transport: Transport) {
    one_census(ghc, transport, "", "");
}

fn junk_of_nulls_and_text(ghc: &Ghc, transport: Transport) {
    one_census(ghc, transport, "\0\0", "TOASTY");
}

fn junk_that_looks_like_text(ghc: &Ghc, transport: Transport) {
    one_census(ghc, transport, "\x01DEAD", "DORK");
}

/// A census is made when it is asked for, and only then, whatever is sent before
/// and after the command in the same piece.
fn one_census(ghc: &Ghc, transport: Transport, before: &str, after: &str) {
    let show = patient_oddball(ghc, transport);
    let mut watcher = show.watch();
    watcher.wait_for(ROUND);
    watcher.without(HEAP_SAMPLE, 1, ROUND);
    let frame = Frame::builtin(Builtin::RequestHeapCensus);
    watcher.send(&[before.as_bytes(), frame.as_bytes(), after.as_bytes()].concat());
    see_one_census(&mut watcher);
    watcher.leave(transport);
    show.stop();
}

/// Also of a program that is busy, and whose log is flushed all the time: the
/// collections that it makes itself are no second census.
fn one_census_for_each_request(ghc: &Ghc, transport: Transport) {
    const REQUESTS: u64 = 20;
    let show = Example::new("fibber", transport)
        .arguments("--forever 26")
        .rts("-l")
        .profiled_on_request(ghc)
        .env("GHC_EVENTLOG_FLUSH_INTERVAL", "20ms")
        .controlled()
        .spawn(ghc);
    let round = What::Marker("Finished fib");
    let mut watcher = show.watch();
    for request in 0..REQUESTS {
        // At any moment between two flushes.
        std::thread::sleep(Duration::from_millis(request * 7 % 20));
        watcher.send(Frame::builtin(Builtin::RequestHeapCensus).as_bytes());
        watcher.wait_for(HEAP_SAMPLE_END);
    }
    watcher.sync();
    watcher.wait_for_more(10, round);
    watcher.sync();
    let bytes = watcher.leave(transport);
    assert_eq!(Stream::cut(&bytes).count(162), REQUESTS);
    show.stop();
}

fn see_one_census(watcher: &mut Watcher) {
    watcher.wait_for(HEAP_SAMPLE_BEGIN);
    watcher.wait_for(HEAP_SAMPLE);
    watcher.wait_for(HEAP_SAMPLE_END);
    watcher.without(HEAP_SAMPLE, 2, ROUND);
    watcher.sync_without(HEAP_SAMPLE);
}
