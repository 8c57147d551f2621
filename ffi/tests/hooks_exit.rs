//! Hooks at the end of a program, in children, and where no thread of the library may
//! call them.

use crate::support;

use std::time::Instant;
use support::build::way_available;
use support::commands::frame;
use support::ghc::{Ghc, ghc};
use support::process::ending;
use support::skip::need;
use support::worker::Setup;
use support::{
    Build, Collector, Commanded, LIMIT, Main, Start, Stream, Transport, Way, Worker, eventually,
    exit_with_hooks,
};

/// What a program says at its end: each call of its handlers.
fn last_words(worker: &mut Worker) -> Vec<String> {
    std::iter::from_fn(|| worker.process.line()).collect()
}

fn with_hooks(setup: Setup) -> Setup {
    let hooks = [
        "hook post log begun %; note post",
        "hook pre log ended %; say pre",
    ];
    setup
        .command(&format!("control {}", hooks[0]))
        .command(&format!("control {}", hooks[1]))
}

/// A program with hooks, and a client that has read what the first of them said.
fn begun(ghc: &Ghc, start: Start) -> (Worker, Collector) {
    let setup = Setup::new(start, Transport::Unix);
    let mut worker = with_hooks(setup.without_flushes().rts("-N2")).spawn(ghc);
    worker.ready();
    let collector = Collector::connect(&worker.address);
    collector.wait_for_text("begun 1");
    (worker, collector)
}

/// However a program ends, its client reads that the log ended, before it ends; once.
#[test]
fn the_end_of_a_program_ends_the_log() {
    let ghc = need!(ghc());
    for start in [Start::CMain, Start::Haskell] {
        for (end, expected) in [
            ("return", "status 0"),
            ("exit 3", "status 3"),
            ("throw", "status 1"),
            ("interrupt", "signal 2"),
        ] {
            let what = format!("{start:?}, {end}");
            exit_with_hooks(&what, || {
                let (mut worker, collector) = begun(ghc, start);
                worker.command("message the last of main");
                let begun = Instant::now();
                match end {
                    "return" => worker.process.close_stdin(),
                    "interrupt" => worker.process.signal(libc::SIGINT),
                    command => worker.begin(command),
                }
                let status = worker.process.wait();
                let took = begun.elapsed();
                assert_eq!(ending(status), expected, "{what}");
                let bytes = collector.finish();
                let pres = last_words(&mut worker);
                let what = &what;
                (took, move || {
                    let stream = Stream::complete(&bytes);
                    let texts: Vec<String> = stream.messages.iter().map(|e| e.text()).collect();
                    let count = |text: &str| texts.iter().filter(|t| *t == text).count();
                    assert_eq!(count("begun 1"), 1, "{what}: {texts:?}");
                    assert_eq!(count("ended 1"), 1, "{what}: {texts:?}");
                    assert_eq!(count("ended 2"), 0, "{what}: {texts:?}");
                    let pres: Vec<_> = pres.iter().filter(|line| *line != "done").collect();
                    assert_eq!(pres, ["pre"], "{what}");
                })
            });
        }
    }
}

/// An end that was told is not told again: the client has left before the exit.
#[test]
fn an_end_is_told_once() {
    let ghc = need!(ghc());
    for start in [Start::CMain, Start::Haskell] {
        let setup = Setup::new(start, Transport::Unix).without_flushes();
        let hook = "control hook pre note ended; say end %";
        let mut worker = setup.command(hook).spawn(ghc);
        worker.ready();
        let mut client = worker.client();
        client.read_until_text("datb");
        drop(client);
        assert_eq!(worker.until_noted(1), ["ended"]);
        assert!(worker.finish().success());
        let said = last_words(&mut worker);
        assert!(!said.contains(&"end 2".into()), "{start:?}: {said:?}");
    }
}

/// Nobody ever came: the log that was kept for him ends all the same.
#[test]
fn a_log_without_a_client_ends_with_the_program() {
    let ghc = need!(ghc());
    for start in [Start::CMain, Start::Haskell] {
        exit_with_hooks(&format!("{start:?}"), || {
            let setup = with_hooks(Setup::new(start, Transport::Tcp).without_flushes());
            let mut worker = setup.spawn(ghc);
            worker.ready();
            worker.until_noted(1);
            let begun = Instant::now();
            assert!(worker.finish().success());
            let took = begun.elapsed();
            (took, move || {
                assert_eq!(last_words(&mut worker), ["pre"], "{start:?}");
            })
        });
    }
}

/// A hook that does not return does not keep the program: it gets two seconds.
#[test]
fn a_hook_that_does_not_return() {
    let ghc = need!(ghc());
    let mut workers = Vec::new();
    for (start, hook) in [
        (Start::CMain, "control hook pre forever"),
        (Start::Haskell, "control hook pre forever"),
        (Start::Haskell, "hook pre sleep 600000"),
    ] {
        let setup = Setup::new(start, Transport::Unix)
            .without_flushes()
            .rts("-N2")
            .command(hook);
        let mut worker = setup.spawn(ghc);
        worker.ready();
        let collector = Collector::connect(&worker.address);
        collector.wait_for_text("datb");
        workers.push((worker, collector, hook));
    }
    for (worker, ..) in &mut workers {
        worker.command("message the last words");
        worker.begin("exit 4");
    }
    for (mut worker, collector, hook) in workers {
        assert_eq!(ending(worker.process.wait()), "status 4", "{hook}");
        let bytes = collector.finish();
        let stream = Stream::complete(&bytes);
        assert!(stream.has_message("the last words"), "{hook}");
    }
}

/// Without -threaded: on the thread that starts, and on the one that exits; nobody
/// enters that RTS in between.
#[test]
fn programs_without_threads() {
    let ghc = need!(ghc());
    for main in [Main::Wrap, Main::Haskell] {
        let build = Build::new(main).non_threaded();
        let mut setup = Setup::of(build, Transport::Unix).without_flushes();
        let hooks = [
            "hook post note begun; log begun %",
            "hook pre note ended; log ended %; say pre",
        ];
        setup = match main {
            Main::Wrap => setup.env("WORKER_CONTROL", &hooks.join("\n")),
            _ => setup
                .start_with(&format!("control {}", hooks[0]))
                .command(&format!("control {}", hooks[1]))
                .command("start"),
        };
        let mut worker = setup.command("control note main").spawn(ghc);
        worker.ready();
        assert_eq!(worker.notes(), ["begun", "main"], "{main:?}");
        for _ in 0..3 {
            let mut client = worker.client();
            client.read_until_text("datb");
            drop(client);
            eventually(LIMIT, "the leaving is noticed", || {
                worker.stats().get("connected") == 0
            });
        }
        assert_eq!(worker.notes(), ["begun", "main"], "{main:?}");
        // The first log has ended, and nothing was told of those after it.
        let collector = Collector::connect(&worker.address);
        collector.wait_for_text("datb");
        let status = worker.finish();
        assert!(status.success(), "{main:?}: {status}");
        assert_eq!(worker.process.stderr(), "");
        let said = last_words(&mut worker);
        assert_eq!(said, ["pre"], "{main:?}");
        let bytes = collector.finish();
        assert!(Stream::complete(&bytes).has_message("ended 1"), "{main:?}");
    }
}

/// With shared libraries, a program that starts from Haskell has an exit that nobody
/// can hook: its hooks are told of the start, and of nothing after it.
#[test]
fn programs_with_shared_libraries() {
    let ghc = need!(ghc());
    need!(way_available(ghc, Way::Dynamic));
    for main in [Main::Wrap, Main::Haskell] {
        exit_with_hooks(&format!("{main:?}"), || {
            let build = Build::new(main).way(Way::Dynamic);
            let hooks = [
                "control hook post note post",
                "control hook pre note pre; say pre %",
            ];
            let setup = Setup::of(build, Transport::Unix).without_flushes();
            let setup = match main {
                // Before the start, which tells them.
                Main::Haskell => setup
                    .start_with(hooks[0])
                    .command(hooks[1])
                    .command("start"),
                _ => setup.command(hooks[0]).command(hooks[1]),
            };
            let mut worker = setup.spawn(ghc);
            worker.ready();
            worker.until_noted(1);
            let mut client = worker.client();
            client.read_until_text("datb");
            drop(client);
            let hooked = main == Main::Wrap;
            if hooked {
                assert_eq!(worker.until_noted(2), ["post", "pre"], "{main:?}");
            }
            let collector = Collector::connect(&worker.address);
            collector.wait_for_text("datb");
            if hooked {
                assert_eq!(worker.until_noted(3)[2], "post", "{main:?}");
            } else {
                assert_eq!(worker.notes(), ["post"], "{main:?}");
            }
            let begun = Instant::now();
            assert!(worker.finish().success());
            let took = begun.elapsed();
            Stream::complete(&collector.finish());
            (took, move || {
                let words = last_words(&mut worker);
                let told = words.iter().any(|word| word.starts_with("pre"));
                assert_eq!(told, hooked, "{main:?}");
            })
        });
    }
}

/// Where the exit cannot be hooked, nothing of the program is called once its RTS has
/// gone: not for the end of the log, and not for the commands that wait.
fn no_handler_after_the_rts(build: &Build, hooked: bool) {
    let ghc = need!(ghc());
    need!(way_available(ghc, build.way));
    for run in 0..8 {
        exit_with_hooks(&format!("run {run}"), || {
            let setup = Setup::of(build.clone(), Transport::Unix).without_flushes();
            let mut worker = setup
                .command("hook pre message the end")
                .command("control namespace app")
                .command("command app 1 message a command")
                .spawn(ghc);
            worker.ready();
            let mut client = worker.client();
            client.read_until_text("datb");
            // The thread of the handlers rests, or it is busy.
            client.send(&frame(b"app", 1).repeat([0, 1000][run % 2]));
            let collector = Collector::resume(client);
            let begun = Instant::now();
            worker.begin("exit 3");
            let status = worker.process.wait();
            let took = begun.elapsed();
            let what = format!("run {run}: {}", worker.process.stderr());
            assert_eq!(ending(status), "status 3", "{what}");
            // The RTS may say so when it interrupts a handler that is inside it.
            let stderr = worker.process.stderr();
            let interrupted = stderr.lines().all(|line| line.ends_with(": interrupted"));
            assert!(interrupted, "{what}");
            let bytes = collector.finish();
            let told = Stream::complete(&bytes).has_message("the end");
            (took, move || assert_eq!(told, hooked, "{what}"))
        });
    }
}

#[test]
fn no_handler_after_the_rts_with_shared_libraries() {
    no_handler_after_the_rts(&Build::new(Main::Haskell).way(Way::Dynamic), false);
}

#[test]
fn no_handler_after_the_rts_with_an_exit_hook_of_its_own() {
    let mut build = Build::new(Main::Haskell);
    build.parts.push("own_exit_hook.c");
    no_handler_after_the_rts(&build, false);
}

/// The same where it can be hooked: the end is told, in Haskell, in time.
#[test]
fn no_handler_after_the_rts_of_a_c_main() {
    no_handler_after_the_rts(&Build::new(Main::Wrap), true);
}

#[test]
fn no_handler_after_the_rts_started_from_haskell() {
    no_handler_after_the_rts(&Build::new(Main::Haskell), true);
}

/// A child of forkProcess has none of this: no hook of its parent is called in it, and those
/// that it registers itself are for a stream of its own.
#[test]
fn children_have_no_hooks() {
    let ghc = need!(ghc());
    for start in [Start::CMain, Start::Haskell] {
        exit_with_hooks(&format!("{start:?}"), || {
            let (mut worker, collector) = begun(ghc, start);
            // The namespace of a command is the parent's.
            let unknown = format!("10 {}", libc::EINVAL);
            for (command, code) in [
                ("hook post say in the child", "0 0"),
                ("namespace app", "0 0"),
                ("command app 1 ask", &unknown),
            ] {
                let said = worker.command(&format!("fork-process control {command}"));
                let verb = command.split(' ').next().expect("a verb");
                let what = format!("{start:?}, {command}: {said:?}");
                assert!(said[0].starts_with(&format!("{verb}: {code} ")), "{what}");
                assert_eq!(said[1], "child: Just (Exited ExitSuccess)", "{what}");
                assert_eq!(said.len(), 2, "{what}");
            }
            let said = worker.command("fork-process message said in the child");
            assert_eq!(said, ["child: Just (Exited ExitSuccess)"], "{start:?}");
            let begun = Instant::now();
            assert!(worker.finish().success());
            let took = begun.elapsed();
            let bytes = collector.finish();
            (took, move || {
                let stream = Stream::complete(&bytes);
                assert!(stream.has_message("ended 1"), "{start:?}");
                assert!(!stream.has_message("begun 2"), "{start:?}");
                let words = last_words(&mut worker);
                assert_eq!(words, ["pre"], "{start:?}");
            })
        });
    }
}
