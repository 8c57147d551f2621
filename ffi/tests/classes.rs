//! The commands that switch classes of events off and on again.

use crate::support;

use std::collections::BTreeSet;
use support::build::way_available;
use support::commands::{RTS, frame, outcomes};
use support::ghc::ghc;
use support::marked::sum;
use support::skip::need;
use support::worker::Setup;
use support::{
    Build, Client, Collector, Commanded, Main, Marked, Start, Stream, Transport, Way, Worker,
    in_some_attempt,
};

/// A class of events, and how to have some.
#[derive(Debug)]
struct Class {
    name: &'static str,
    /// The command that starts it; the next one stops it.
    start: u8,
    /// Some of it, which nothing else logs.
    events: &'static [u16],
    /// What makes the program log them.
    work: &'static [&'static str],
}

const SCHEDULER: Class = Class {
    name: "scheduler",
    start: 6,
    // Created, run, stopped, runnable, migrated, woken.
    events: &[0, 1, 2, 3, 4, 8],
    work: &["log 1 10 100", "sleep 5"],
};
const GC: Class = Class {
    name: "collections",
    start: 8,
    // Started, ended, requested (twice), idle, work, done, statistics, global sync.
    events: &[9, 10, 11, 12, 20, 21, 22, 53, 54],
    work: &["gc", "gc"],
};
const NONMOVING: Class = Class {
    name: "the non-moving collector",
    start: 10,
    // The RTS logs the rest of its work whether the class is on or not.
    events: &[207, 208],
    work: &["gc", "sleep 30", "gc", "sleep 30"],
};
const SPARKS_SAMPLED: Class = Class {
    name: "samples of sparks",
    start: 12,
    events: &[34],
    work: &["sparks 20", "gc", "gc"],
};
const SPARKS: Class = Class {
    name: "sparks",
    start: 14,
    events: &[35, 36, 37, 38, 39, 40, 41],
    work: &["sparks 20", "gc"],
};
const USER: Class = Class {
    name: "the program's own",
    start: 16,
    events: &[19, 58],
    work: &["message hello", "marker there"],
};
const CAPABILITY: Class = Class {
    name: "capabilities",
    start: 18,
    events: &[45, 46, 47, 48],
    work: &["capabilities 3", "capabilities 1"],
};

/// Have some events of a class logged. How many came.
fn try_out(worker: &mut Worker, client: &mut Marked, class: &Class) -> u64 {
    // Whatever was under way when the class was switched has a mark before it.
    client.mark();
    let from = client.mark();
    for command in class.work {
        worker.command(command);
    }
    let to = client.mark();
    // Marks are messages, but not the program's.
    sum(&client.between(from, to), class.events)
}

/// Until there are some: a thread of the RTS may log them later than the others work.
#[track_caller]
fn until_some(worker: &mut Worker, client: &mut Marked, class: &Class, what: &str) {
    in_some_attempt(what, || match try_out(worker, client, class) {
        0 => Err("none".into()),
        _ => Ok(()),
    });
}

/// On from the start, off, on, off, on.
fn switch(class: &Class, options: &[&str]) {
    let ghc = need!(ghc());
    for (start, transport) in [
        (Start::CMain, Transport::Unix),
        (Start::Haskell, Transport::Tcp),
    ] {
        let mut setup = Setup::new(start, transport)
            .without_flushes()
            .env("GHC_EVENTLOG_CONTROL", "on");
        for option in options {
            setup = setup.rts(option);
        }
        let mut worker = setup.spawn(ghc);
        worker.ready();
        let mut client = Marked::new(worker.client());
        let at_first = format!("{}, at first", class.name);
        until_some(&mut worker, &mut client, class, &at_first);
        for round in 1..=2 {
            client.order(RTS, class.start + 1);
            let off = try_out(&mut worker, &mut client, class);
            assert_eq!(off, 0, "{}, off for the {round}. time", class.name);
            client.order(RTS, class.start);
            let on = format!("{}, on for the {round}. time", class.name);
            until_some(&mut worker, &mut client, class, &on);
        }
        let stats = worker.stats();
        assert_eq!(commands_not_run(&stats), 0, "{stats:?}");
        let collector = Collector::resume(client.client);
        let status = worker.finish();
        assert!(status.success(), "{status}: {}", worker.process.stderr());
        assert_eq!(worker.process.stderr(), "");
        Stream::complete(&collector.finish());
    }
}

fn commands_not_run(stats: &support::Stats) -> u64 {
    outcomes(stats)[1..].iter().sum()
}

#[test]
fn scheduler() {
    switch(&SCHEDULER, &["-N2"]);
}

#[test]
fn collections() {
    switch(&GC, &["-N2"]);
}

#[test]
fn nonmoving_collector() {
    switch(&NONMOVING, &["-ln", "--nonmoving-gc"]);
}

#[test]
fn sampled_sparks() {
    switch(&SPARKS_SAMPLED, &["-lp"]);
}

#[test]
fn all_sparks() {
    switch(&SPARKS, &["-lf"]);
}

#[test]
fn the_programs_own() {
    switch(&USER, &[]);
}

#[test]
fn capabilities() {
    switch(&CAPABILITY, &[]);
}

/// What was not asked for when the program was started can be had later, class by
/// class.
#[test]
fn classes_that_were_off_from_the_start() {
    let ghc = need!(ghc());
    for start in [Start::CMain, Start::Haskell] {
        let setup = Setup::new(start, Transport::Unix)
            .without_flushes()
            .without_log();
        let mut worker = setup.rts("-l-au").spawn(ghc);
        worker.ready();
        let mut client = Marked::new(worker.client());
        assert!(try_out(&mut worker, &mut client, &USER) > 0);
        for class in [SCHEDULER, GC, SPARKS] {
            let off = try_out(&mut worker, &mut client, &class);
            assert_eq!(off, 0, "{start:?}: {} before", class.name);
            client.order(RTS, class.start);
            let on = format!("{start:?}: {} after", class.name);
            until_some(&mut worker, &mut client, &class, &on);
        }
        assert!(worker.finish().success());
    }
}

/// With shared libraries the switches are out of reach, except for that of the program's
/// own events; other numbers are no commands anywhere.
#[test]
fn numbers_and_what_becomes_of_them() {
    let ghc = need!(ghc());
    for (main, way, threaded) in [
        (Main::Wrap, Way::Vanilla, true),
        (Main::Haskell, Way::Vanilla, true),
        (Main::Wrap, Way::Vanilla, false),
        (Main::Wrap, Way::Dynamic, true),
        (Main::Haskell, Way::Dynamic, true),
    ] {
        need!(way_available(ghc, way));
        let mut build = Build::new(main).way(way);
        build.threaded = threaded;
        let mut worker = Setup::of(build, Transport::Unix)
            .without_flushes()
            .spawn(ghc);
        worker.ready();
        let mut client: Client = worker.client();
        client.read_until_text("datb");
        let classes: BTreeSet<u8> = (6..=19).collect();
        let others: Vec<u8> = (0..=255)
            .filter(|number| !classes.contains(number) && !matches!(number, 1..=3))
            .collect();
        for number in &others {
            client.send(&frame(RTS, *number));
        }
        let stats = worker.until_settled(others.len() as u64);
        assert_eq!(outcomes(&stats), [0, others.len() as u64, 0, 0, 0]);
        for number in classes.iter().rev() {
            client.send(&frame(RTS, *number));
        }
        let stats = worker.until_settled(others.len() as u64 + 14);
        let [run, _, refused, ..] = outcomes(&stats);
        let expected = if way == Way::Dynamic {
            (2, 12)
        } else {
            (14, 0)
        };
        let what = format!("{main:?}, {way:?}, threaded: {threaded}");
        assert_eq!((run, refused), expected, "{what}");
        worker.command("message with all on");
        client.send(&frame(RTS, USER.start + 1));
        worker.until_settled(others.len() as u64 + 15);
        worker.command("message with the program's own off");
        let collector = Collector::resume(client);
        let status = worker.finish();
        assert!(status.success(), "{what}: {status}");
        assert_eq!(worker.process.stderr(), "", "{what}");
        let bytes = collector.finish();
        // Everything was switched in the reverse order: on comes last.
        let stream = Stream::complete(&bytes);
        assert!(stream.has_message("with all on"), "{what}");
        let silent = !stream.has_message("with the program's own off");
        assert!(silent, "{what}");
    }
}

/// Switched hundreds of times while everything is logged at full speed.
#[test]
fn switching_under_load() {
    let ghc = need!(ghc());
    let setup = Setup::new(Start::CMain, Transport::Unix)
        .without_flushes()
        .rts("-N2");
    let mut worker = setup.rts("-la").spawn(ghc);
    worker.ready();
    let mut client = worker.client();
    client.read_until_text("datb");
    let mut sender = client.sender();
    let collector = Collector::resume(client);
    worker.command("load 2 100");
    for round in 0..40_u8 {
        for class in 3..=9 {
            let number = 2 * class + (round + class) % 2;
            sender.write_all(&frame(RTS, number)).expect("it reads");
        }
        worker.command("gc");
    }
    worker.command("unload");
    for class in 3..=9 {
        sender.write_all(&frame(RTS, 2 * class)).expect("it reads");
    }
    let stats = worker.until_settled(41 * 7);
    assert_eq!(outcomes(&stats), [41 * 7, 0, 0, 0, 0]);
    worker.command("message after all that");
    let status = worker.finish();
    assert!(status.success(), "{status}: {}", worker.process.stderr());
    let bytes = collector.finish();
    assert!(Stream::complete(&bytes).has_message("after all that"));
}
