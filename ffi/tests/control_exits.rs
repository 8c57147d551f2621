//! Hooks and commands in programs that end in every way but the usual one.

use crate::support;

use std::time::Instant;
use support::build::way_available;
use support::commands::frame;
use support::files::test_program;
use support::ghc::{Ghc, ghc};
use support::process::ending;
use support::skip::need;
use support::worker::Setup;
use support::{
    Build, Client, Collector, Commanded, LIMIT, Main, Start, Stream, Transport, Way, Worker, alone,
    in_some_attempt,
};

/// What a program says at its end.
fn last_words(worker: &mut Worker) -> Vec<String> {
    std::iter::from_fn(|| worker.process.line()).collect()
}

// ------------------------------------------- exits that nobody can tell us --

fn with_own_exit_hook() -> Build {
    let mut build = Build::new(Main::Haskell);
    build.parts.push("own_exit_hook.c");
    build
}

/// A hook in Haskell, of a program whose exit is not hooked: the RTS is gone when its
/// log has ended, and the hook is not called.
#[track_caller]
fn no_hook_at_an_exit_that_is_not_hooked(build: &Build) {
    let ghc = need!(ghc());
    need!(way_available(ghc, build.way));
    for run in 0..8 {
        let setup = Setup::of(build.clone(), Transport::Unix);
        let mut worker = setup.command("hook pre print called").spawn(ghc);
        worker.ready();
        let collector = Collector::connect(&worker.address);
        collector.wait_for_text("datb");
        worker.command("message the last words");
        let status = worker.finish();
        let what = format!("run {run}");
        assert_eq!(worker.process.stderr(), "", "{what}: {status}");
        assert_eq!(ending(status), "status 0", "{what}");
        let words = last_words(&mut worker);
        assert!(!words.contains(&"called".into()), "{what}: {words:?}");
        let bytes = collector.finish();
        assert!(Stream::complete(&bytes).has_message("the last words"));
    }
}

#[test]
fn no_hook_at_the_exit_with_shared_libraries() {
    no_hook_at_an_exit_that_is_not_hooked(&Build::new(Main::Haskell).way(Way::Dynamic));
}

#[test]
fn no_hook_at_the_exit_with_an_exit_hook_of_its_own() {
    no_hook_at_an_exit_that_is_not_hooked(&with_own_exit_hook());
}

/// A C main with an exit hook of its own in its configuration: that is called, and since
/// ours is not, no thread of ours enters the RTS.
#[test]
fn a_c_main_with_an_exit_hook_of_its_own() {
    let ghc = need!(ghc());
    let mut build = Build::new(Main::Haskell);
    build.parts.push("main_own_hook.c");
    build.flags.push("-no-hs-main".into());
    for run in 0..20 {
        let mut worker = Setup::of(build.clone(), Transport::Unix)
            .rts("-N2")
            .env("GHC_EVENTLOG_FLUSH_INTERVAL", "1ms")
            .start_with("print started")
            .spawn(ghc);
        worker.ready();
        let collector = Collector::connect(&worker.address);
        collector.wait_for_text("datb");
        worker.command("sleep 10");
        worker.command("message the last words");
        let status = worker.finish();
        assert_eq!(ending(status), "status 0", "run {run}");
        assert_eq!(last_words(&mut worker), ["own exit hook"], "run {run}");
        assert_eq!(worker.process.stderr(), "", "run {run}");
        assert_eq!(worker.last_stats().get("flushes"), 0, "run {run}");
        let bytes = collector.finish();
        assert!(Stream::complete(&bytes).has_message("the last words"));
    }
}

// --------------------------------------------------- hooks that take long --

/// A hook at the exit takes most of its two seconds. Threads of the program log more than
/// the ring holds, and the client takes nothing meanwhile: none of that is taken from the
/// time that the rest of the stream has afterwards.
#[test]
fn the_end_arrives_after_a_long_hook() {
    let ghc = need!(ghc());
    let _alone = alone();
    // A thread that gets no processor for a while uses up either time.
    in_some_attempt("the end arrives", || {
        let bytes = end_after_a_long_hook(ghc);
        let stream = Stream::cut(&bytes);
        match stream.whole && stream.ended {
            true => Ok(()),
            false => Err(format!("{} bytes without an end", bytes.len())),
        }
    });
}

/// What the client has in the end.
fn end_after_a_long_hook(ghc: &Ghc) -> Vec<u8> {
    let mut worker = Setup::new(Start::Haskell, Transport::Unix)
        .rts("-N3")
        .env("GHC_EVENTLOG_BUFFER_SIZE", "2M")
        .env("GHC_EVENTLOG_EXIT_TIMEOUT", "1600ms")
        .command("control hook pre sleep 1800; say slept")
        .spawn(ghc);
    worker.ready();
    let mut client = worker.client();
    client.read_until_text("datb");
    worker.command("load 3 200");
    worker.command("sleep 300");
    worker.process.close_stdin();
    assert_eq!(worker.process.line().as_deref(), Some("slept"));
    let collector = Collector::resume(client);
    assert_eq!(ending(worker.process.wait()), "status 0");
    collector.finish()
}

// --------------------------------------------------- exits in odd places --

/// `Ends.hs`, which ends as its argument says.
fn program_that_ends(ghc: &Ghc, threaded: bool, way: &str, options: &[&str]) -> Worker {
    let mut build = Build::new(Main::Haskell);
    build.threaded = threaded;
    build.flags.extend(["-main-is".into(), "Ends".into()]);
    let source = std::fs::read_to_string(test_program("Ends.hs")).expect("a source");
    build.modules.push(("Ends".into(), source));
    build.parts.push("ends.c");
    let setup = Setup::of(build, Transport::Unix).start_with(way);
    let setup = options
        .iter()
        .fold(setup, |setup, option| setup.rts(option));
    let mut worker = setup.spawn_as_is(ghc);
    assert_eq!(worker.ready(), ["hook: 0 0 success", "start: 0 0 success"]);
    worker
}

/// Without -threaded, Haskell cannot be entered just anywhere: exit() called by another
/// thread, or by an unsafe import, calls no hook in Haskell.
#[test]
fn exits_past_an_rts_without_threads() {
    let ghc = need!(ghc());
    for way in ["unsafe", "aside"] {
        for run in 0..5 {
            let mut worker = program_that_ends(ghc, false, way, &[]);
            let collector = Collector::connect(&worker.address);
            collector.wait_for_text("datb");
            worker.process.write_line("go on");
            let status = worker.process.wait();
            let what = format!("{way}, run {run}");
            assert_eq!(worker.process.stderr(), "", "{what}: {status}");
            assert_eq!(ending(status), "status 5", "{what}");
            assert!(last_words(&mut worker).is_empty(), "{what}");
            Stream::cut(&collector.finish());
            assert!(!worker.socket_path().exists(), "{what}");
        }
    }
}

/// The program ends our log, and starts one to a file. The hook that is told asks for a
/// flush, which leaves that log alone.
#[test]
fn a_log_that_is_not_ours() {
    let ghc = need!(ghc());
    for capabilities in ["-N1", "-N2"] {
        let options = ["-olother.eventlog", capabilities];
        let mut worker = program_that_ends(ghc, true, "other-log", &options);
        let collector = Collector::connect(&worker.address);
        collector.wait_for_text("datb");
        worker.process.write_line("go on");
        let status = worker.process.wait();
        assert_eq!(worker.process.stderr(), "", "{capabilities}: {status}");
        assert_eq!(ending(status), "status 0", "{capabilities}");
        assert_eq!(last_words(&mut worker), ["hook"], "{capabilities}");
        Stream::complete(&collector.finish());
        let file = std::fs::read(worker.dir.join("other.eventlog")).expect("the file");
        // Before the header of a log that is not its first, the RTS of 9.0 puts what
        // happened between the two.
        let header = file.windows(4).position(|bytes| bytes == b"hdrb");
        let header = header.expect("a header");
        let stream = Stream::complete(&file[header..]);
        for n in 1..=10 {
            let text = format!("in the other log {n}");
            assert!(stream.has_message(&text), "{capabilities}: {n}");
        }
    }
}

/// A handler in C ends the program with exit(): hooks are told of it, once, by that
/// thread, since nobody waits for a handler that waits for itself.
#[test]
fn a_handler_that_exits_tells_the_hooks() {
    let ghc = need!(ghc());
    for start in [Start::CMain, Start::Haskell] {
        let mut worker = Setup::new(start, Transport::Unix).rts("-N2").spawn(ghc);
        worker.ready();
        worker.handle("app", &[(1, "exit 3")]);
        worker.control_ok("hook pre say told %");
        let mut client: Client = worker.client();
        client.read_until_text("datb");
        client.send(&frame(b"app", 1).repeat(2));
        let collector = Collector::resume(client);
        let begun = Instant::now();
        let status = worker.process.wait();
        assert!(begun.elapsed() < LIMIT / 2, "{start:?}");
        assert_eq!(ending(status), "status 3", "{start:?}");
        assert_eq!(last_words(&mut worker), ["told 1"], "{start:?}");
        assert_eq!(worker.process.stderr(), "", "{start:?}");
        Stream::complete(&collector.finish());
        assert!(!worker.socket_path().exists(), "{start:?}");
    }
}
