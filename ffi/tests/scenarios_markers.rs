//! What programs say in markers and messages, and when: at the start, to each
//! client, and when a command asks for it.

use crate::support;

use eventlog_control::Frame;
use std::time::Duration;
use support::examples::{Example, WALL_CLOCK_TIME, What, over_both};
use support::ghc::Ghc;
use support::{Stream, Transport};

over_both! {
    fibber
    fibber_with_a_c_main
    hook_on_reconnect
    custom_command
    custom_command_with_a_c_main
}

/// Started from Haskell: the hook, then the work, to the end.
fn fibber(ghc: &Ghc, transport: Transport) {
    let show = Example::new("fibber", transport)
        .arguments("27")
        .rts("-l-au")
        .spawn(ghc);
    let mut watcher = show.watch();
    watcher.wait_for(What::Marker("HookPostStartEventLogging"));
    watcher.wait_for(What::Marker("Finished"));
    watcher.finish();
    show.finish();
}

/// Started from C: a client that comes late has missed nothing.
fn fibber_with_a_c_main(ghc: &Ghc, transport: Transport) {
    let show = Example::new("fibber-c-main", transport)
        .arguments("27")
        .rts("-l-au")
        .spawn(ghc);
    std::thread::sleep(Duration::from_millis(700));
    let mut watcher = show.watch();
    let in_order = [
        "HookPostStartEventLogging",
        "Initialising",
        "Starting",
        "Finished",
    ];
    for marker in in_order {
        watcher.wait_for(What::Marker(marker));
    }
    let bytes = watcher.finish();
    let stream = Stream::complete(&bytes);
    let first = stream.messages.first().expect("a message").text();
    assert!(first.starts_with(in_order[0]), "{first:?} came first");
    show.finish();
}

/// Each client is told the wall clock, and then what the hook says.
fn hook_on_reconnect(ghc: &Ghc, transport: Transport) {
    let show = Example::new("oddball", transport)
        .arguments("--pause 150")
        .rts("-l-au")
        .flushing(ghc)
        .spawn(ghc);
    for _ in 0..2 {
        let mut watcher = show.watch();
        watcher.wait_for(WALL_CLOCK_TIME);
        watcher.wait_for(What::Marker("HookPostStartEventLogging"));
        watcher.leave(transport);
    }
    show.stop();
}

/// Commands of the program's own are answered by what its handlers say.
fn custom_command(ghc: &Ghc, transport: Transport) {
    commands_of_its_own(ghc, Example::new("custom-command", transport), transport);
}

/// The same with handlers in C.
fn custom_command_with_a_c_main(ghc: &Ghc, transport: Transport) {
    let example = Example::new("custom-command-c-main", transport);
    commands_of_its_own(ghc, example, transport);
}

fn commands_of_its_own(ghc: &Ghc, example: Example, transport: Transport) {
    let show = example
        .arguments("--forever")
        .rts("-l-au")
        .flushing(ghc)
        .controlled()
        .spawn(ghc);
    let mut watcher = show.watch();
    let iteration = What::Marker("custom workload iteration ");
    watcher.wait_for(iteration);
    for (id, answer) in [(1, "handled ping"), (2, "handled pong")] {
        let frame = Frame::command(b"custom-command", id).expect("a namespace");
        watcher.send(frame.as_bytes());
        watcher.wait_for(What::Message(answer));
    }
    watcher.wait_for_more(2, iteration);
    watcher.leave(transport);
    show.stop();
}
