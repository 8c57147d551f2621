//! Clients that die, lie and flood, and forks: none of it reaches the program.

use crate::support;

use std::io::Write;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use support::build::c_program;
use support::files::test_program;
use support::ghc::ghc;
use support::skip::need;
use support::worker::Setup;
use support::{
    Client, Collector, LIMIT, Running, Start, Stream, Transport, Worker, alone, eventually, within,
};

/// Numbers that differ from round to round, the same in every run.
fn scattered(round: u64, below: u64) -> u64 {
    let mixed = (round + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed >> 33) % below
}

/// After whatever has happened: a good client is served to the end.
fn check_alive(worker: &mut Worker) {
    worker.command("unload");
    let collector = Collector::connect(&worker.address);
    collector.wait_for_text("datb");
    worker.command("message alive and well");
    let status = worker.finish();
    assert!(status.success(), "{status}: {}", worker.process.stderr());
    assert_eq!(worker.process.stderr(), "");
    let bytes = collector.finish();
    assert!(Stream::complete(&bytes).has_message("alive and well"));
}

/// Client processes killed by SIGKILL at any moment.
#[test]
fn killed_clients() {
    let ghc = need!(ghc());
    let _alone = alone();
    let reader = c_program(
        &test_program("reader.c"),
        "cc",
        &["-std=c11", "-D_GNU_SOURCE"],
    );
    for start in [Start::CMain, Start::Haskell] {
        let mut worker = Setup::new(start, Transport::Unix).rts("-N2").spawn(ghc);
        worker.ready();
        worker.command("load 2 100");
        for round in 0..20 {
            let mut command = Command::new(&reader);
            command.arg(worker.socket_path());
            let mut client = Running::spawn(command);
            assert_eq!(
                client.line().as_deref(),
                Some("reading"),
                "{}",
                client.stderr()
            );
            std::thread::sleep(Duration::from_millis(scattered(round, 40)));
            client.kill();
        }
        check_alive(&mut worker);
    }
}

/// TCP clients that end with RST.
#[test]
fn resetting_clients() {
    let ghc = need!(ghc());
    let _alone = alone();
    for start in [Start::CMain, Start::Haskell] {
        let mut worker = Setup::new(start, Transport::Tcp).rts("-N2").spawn(ghc);
        worker.ready();
        worker.command("load 2 100");
        for round in 0..50 {
            let mut client = worker.client();
            client.read_bytes(1 + scattered(round, 300_000) as usize);
            client.reset();
        }
        check_alive(&mut worker);
    }
}

/// With SIGPIPE as it was, a write to nobody would kill the program: also at
/// its exit, when the RTS has taken its handler away.
#[test]
fn no_sigpipe() {
    let ghc = need!(ghc());
    let _alone = alone();
    for (run, transport) in [Transport::Unix, Transport::Tcp]
        .into_iter()
        .cycle()
        .take(10)
        .enumerate()
    {
        let start = [Start::CMain, Start::Haskell][run / 2 % 2];
        let setup = Setup::new(start, transport).rts("-N2");
        let mut worker = setup.rts("--install-signal-handlers=no").spawn(ghc);
        worker.ready();
        worker.command("load 2 100");
        for round in 0..10 {
            let mut client = worker.client();
            client.read_bytes(1 + scattered(round, 200_000) as usize);
        }
        worker.command("unload");
        let mut client = worker.client();
        client.read_until_text("datb");
        worker.command("log 2 40000 100");
        drop(client);
        let status = worker.finish();
        assert!(status.success(), "run {run}, {transport:?}: {status}");
    }
}

/// What clients send is read and thrown away; it costs nobody anything.
#[test]
fn garbage_for_ever() {
    let ghc = need!(ghc());
    let _alone = alone();
    for transport in [Transport::Unix, Transport::Tcp] {
        let mut worker = Setup::new(Start::CMain, transport).rts("-N2").spawn(ghc);
        worker.ready();
        let mut client = worker.client();
        client.read_until_text("datb");
        let stop = Arc::new(AtomicBool::new(false));
        let (mut sender, stopped) = (client.sender(), Arc::clone(&stop));
        let flood = std::thread::spawn(move || {
            let mut garbage = vec![0_u8; 60_000];
            for (byte, number) in garbage.iter_mut().zip(0..) {
                *byte = scattered(number, 256) as u8;
            }
            let mut sent = 0_u64;
            // As much, at least, however little the program gets to read meanwhile.
            let goes_on = |sent| !stopped.load(Ordering::Relaxed) || sent <= 1_000_000;
            while goes_on(sent) && sender.write_all(&garbage).is_ok() {
                sent += garbage.len() as u64;
            }
            sent
        });
        let collector = Collector::resume(client);
        worker.command("log 2 100000 100");
        within(Duration::from_secs(5), "a second", || {
            let begun = Instant::now();
            worker.command("sleep 1000");
            begun.elapsed()
        });
        stop.store(true, Ordering::Relaxed);
        let sent = flood.join().expect("the flood");
        assert!(
            sent > 1_000_000,
            "{transport:?}: only {sent} bytes were taken"
        );
        eventually(LIMIT, "all of it is received", || {
            worker.stats().get("bytes_received") == sent
        });
        worker.command("message dry again");
        assert!(worker.finish().success());
        assert_eq!(worker.process.stderr(), "");
        let bytes = collector.finish();
        let stream = Stream::complete(&bytes);
        assert!(stream.has_message("dry again"));
        for logger in 0..2 {
            let numbers = stream.numbers(logger);
            let all = numbers.len() as u64 + stream.lost_chunks() * (2 << 20) / 112;
            assert!(
                all >= 100_000,
                "logger {logger}: {} messages",
                numbers.len()
            );
        }
    }
}

/// Port scanners and health checks.
#[test]
fn a_thousand_clients_that_leave_at_once() {
    let ghc = need!(ghc());
    let _alone = alone();
    for (start, transport) in [
        (Start::CMain, Transport::Unix),
        (Start::Haskell, Transport::Tcp),
    ] {
        let mut worker = Setup::new(start, transport).rts("-N2").spawn(ghc);
        worker.ready();
        drop(worker.client());
        eventually(LIMIT, "the leaving is noticed", || {
            let stats = worker.stats();
            stats.get("connections") == 1 && stats.get("connected") == 0
        });
        let before = worker.process.descriptors();
        worker.command("load 1 100");
        for _ in 0..1000 {
            drop(Client::connect(&worker.address));
        }
        eventually(LIMIT, "all of them are done with", || {
            let stats = worker.stats();
            stats.get("connections") == 1001 && stats.get("connected") == 0
        });
        worker.process.until_descriptors(&before);
        check_alive(&mut worker);
    }
}

/// Children of the program, by forkProcess and by fork and exit(), leave its
/// stream and its socket file alone.
fn forks(start: Start, transport: Transport, command: &str, said: &str) {
    let ghc = need!(ghc());
    let mut worker = Setup::new(start, transport).spawn(ghc);
    worker.ready();
    let collector = Collector::connect(&worker.address);
    collector.wait_for_text("datb");
    for round in 0..5 {
        worker.command(&format!("message before fork {round}"));
        let lines = worker.command(command);
        assert_eq!(lines.last().map(String::as_str), Some(said), "{start:?}");
        if transport == Transport::Unix {
            assert!(
                worker.socket_path().exists(),
                "{start:?}: the socket file is gone"
            );
        }
    }
    worker.command("log 1 30000 100");
    worker.command("message after the forks");
    let status = worker.finish();
    assert!(
        status.success(),
        "{start:?}: {status}: {}",
        worker.process.stderr()
    );
    let bytes = collector.finish();
    let stream = Stream::complete(&bytes);
    assert!(stream.has_message("before fork 4"));
    assert!(stream.has_message("after the forks"));
    assert_eq!(stream.numbers(0).len(), 30000);
    let of_child = stream
        .messages
        .iter()
        .any(|event| event.text().contains("in the child"));
    assert!(!of_child, "{start:?}: events of the child");
}

#[test]
fn fork_process_c_main() {
    forks(
        Start::CMain,
        Transport::Unix,
        "fork-process",
        "child: Just (Exited ExitSuccess)",
    );
}

#[test]
fn fork_process_haskell() {
    forks(
        Start::Haskell,
        Transport::Unix,
        "fork-process",
        "child: Just (Exited ExitSuccess)",
    );
}

#[test]
fn fork_process_tcp() {
    forks(
        Start::CMain,
        Transport::Tcp,
        "fork-process",
        "child: Just (Exited ExitSuccess)",
    );
}

#[test]
fn fork_and_exit_c_main() {
    forks(Start::CMain, Transport::Unix, "fork-and-exit", "child: 7");
}

#[test]
fn fork_and_exit_haskell() {
    forks(Start::Haskell, Transport::Unix, "fork-and-exit", "child: 7");
}

/// forkProcess while two capabilities log and a client listens.
#[test]
fn fork_process_under_load() {
    let ghc = need!(ghc());
    let _alone = alone();
    let mut worker = Setup::new(Start::CMain, Transport::Unix)
        .rts("-N2")
        .spawn(ghc);
    worker.ready();
    let collector = Collector::connect(&worker.address);
    collector.wait_for_text("datb");
    worker.command("load 2 1000");
    for _ in 0..10 {
        let lines = worker.command("fork-process");
        assert_eq!(
            lines.last().map(String::as_str),
            Some("child: Just (Exited ExitSuccess)")
        );
    }
    worker.command("unload");
    worker.command("message after the forks");
    let status = worker.finish();
    assert!(status.success(), "{status}: {}", worker.process.stderr());
    assert!(!worker.socket_path().exists(), "the socket file is left");
    let bytes = collector.finish();
    let stream = Stream::complete(&bytes);
    assert!(stream.has_message("after the forks"));
    let of_child = stream
        .messages
        .iter()
        .any(|event| event.text().contains("in the child"));
    assert!(!of_child, "events of a child");
}

/// Children that exec keep nothing of ours open: the client sees the end.
#[test]
fn descriptors_are_not_inherited() {
    let ghc = need!(ghc());
    for transport in [Transport::Unix, Transport::Tcp] {
        let mut worker = Setup::new(Start::CMain, transport).spawn(ghc);
        worker.ready();
        let mut client = worker.client();
        client.read_until_text("datb");
        let lines = worker.command("descriptors-of-child");
        let sockets: Vec<_> = lines
            .iter()
            .filter(|line| line.contains("socket:"))
            .collect();
        assert!(sockets.is_empty(), "{transport:?}: a child has {sockets:?}");
        assert!(worker.finish().success());
    }
}
