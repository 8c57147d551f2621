//! The control channel as clients see it: which bytes are commands, however they
//! come, and that nothing else they send does anything.

use crate::support;

use eventlog_control::{Builtin, Frame, Older, RtsCommand};
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use support::commands::{
    BUILTIN, RTS, START_HEAP_PROFILING, commands_waiting, frame, older, outcomes,
};
use support::ghc::ghc;
use support::skip::need;
use support::worker::Setup;
use support::{
    Client, Collector, Commanded, Driver, LIMIT, Start, Stream, Transport, alone, eventually,
    in_some_attempt,
};

/// A driver that notes "app N" and "data N" for each command N of "app", and its
/// client.
fn driver_with_app() -> (Driver, Client) {
    let mut driver = Driver::logging(&[]);
    driver.control_ok("namespace app");
    driver.control("commands app");
    let client = driver.served_client();
    (driver, client)
}

/// The commands of "app" that were run.
fn run_by(driver: &mut Driver) -> Vec<u8> {
    let notes = driver.notes();
    let numbers = notes.iter().filter_map(|note| note.strip_prefix("app "));
    numbers.map(|n| n.parse().expect("a number")).collect()
}

/// What the tests send is what the command line sends.
#[test]
fn frames_are_those_of_the_builder() {
    for builtin in Builtin::ALL {
        let bytes = frame(b"eventlog-socket", builtin.id());
        assert_eq!(Frame::builtin(*builtin).as_bytes(), bytes);
    }
    for command in RtsCommand::ALL {
        let bytes = frame(b"eventlog-socket-rts", command.id());
        assert_eq!(Frame::rts(*command).as_bytes(), bytes);
    }
    for command in Older::ALL {
        assert_eq!(Frame::older(*command).as_bytes(), older(command.id()));
    }
    let long = [b'n'; 255];
    let built = Frame::command(&long, 200).expect("not too long");
    assert_eq!(built.as_bytes(), frame(&long, 200));
}

/// A frame is a frame however it is split.
#[test]
fn every_split_of_a_frame() {
    let (mut driver, mut client) = driver_with_app();
    let bytes = frame(b"app", 9);
    for at in 0..=bytes.len() {
        client.send(&bytes[..at]);
        driver.until_received(bytes.len() * at + at);
        client.send(&bytes[at..]);
    }
    let whole = bytes.len() as u64 + 1;
    driver.until_settled(whole);
    assert_eq!(run_by(&mut driver), vec![9; whole as usize]);
}

#[test]
fn frames_byte_by_byte() {
    let (mut driver, mut client) = driver_with_app();
    let bytes = [
        frame(b"app", 1),
        older(3),
        frame(BUILTIN, 5),
        frame(b"app", 255),
        older(9),
        frame(RTS, 200),
        frame(b"app", 0),
    ];
    for byte in bytes.concat() {
        client.send(&[byte]);
        std::thread::sleep(Duration::from_millis(1));
    }
    let stats = driver.until_settled(7);
    // Without an RTS there is none to take samples.
    assert_eq!(outcomes(&stats), [3, 2, 2, 0, 0]);
    assert_eq!(run_by(&mut driver), [1, 255, 0]);
    assert_eq!(stats.get("bytes_garbage"), 0);
}

/// Frames without a pause between them: what they ask for is done, and none of them is
/// forgotten.
#[test]
fn pipelined_frames() {
    let (mut driver, mut client) = driver_with_app();
    let mut expected = Vec::new();
    for count in [200_u32, 5000] {
        let numbers = (0..count).map(|n| (n % 251) as u8);
        let bytes: Vec<u8> = numbers.clone().flat_map(|n| frame(b"app", n)).collect();
        client.send(&bytes);
        expected.extend(numbers);
        let stats = driver.until_settled(expected.len() as u64);
        assert_eq!(outcomes(&stats), [expected.len() as u64, 0, 0, 0, 0]);
    }
    assert_eq!(run_by(&mut driver), expected);
    // Each was handed its own number and data.
    let notes = driver.notes();
    let paired = notes
        .chunks(2)
        .all(|pair| pair[0].strip_prefix("app ") == pair[1].strip_prefix("data "));
    assert!(paired);
}

/// Many more than can wait: the sender waits instead.
#[test]
fn more_pipelined_frames_than_can_wait() {
    let number = |n: u32| (n % 251) as u8;
    let bytes: Vec<u8> = (0..50_000).flat_map(|n| frame(b"app", number(n))).collect();
    // If the thread that runs them gets no processor for a second, some are dropped.
    in_some_attempt("none is dropped", || {
        let (mut driver, mut client) = driver_with_app();
        client.send(&bytes);
        let stats = driver.until_settled(50_000);
        let dropped = stats.get("commands_dropped");
        assert_eq!(outcomes(&stats), [50_000 - dropped, 0, 0, 0, dropped]);
        if dropped > 0 {
            return Err(format!("{dropped} are dropped"));
        }
        // As far as the program keeps account of it.
        let run = run_by(&mut driver);
        assert!(run.len() > 5000, "{}", run.len());
        let in_order = (0..).map(number).zip(run);
        assert!(in_order.into_iter().all(|(expected, run)| expected == run));
        Ok(())
    });
}

/// Not the namespace, and nothing that is like it.
#[test]
fn namespaces_match_exactly() {
    let ghc = need!(ghc());
    let mut worker = Setup::new(Start::CMain, Transport::Unix)
        .without_flushes()
        .rts("-hT")
        .rts("-i1000")
        .spawn(ghc);
    worker.ready();
    let mut client = worker.client();
    client.read_until_text("datb");
    let like_it: [&[u8]; 9] = [
        b"e",
        b"eventlog-socke",
        b"eventlog-socketX",
        b"eventlog-socket\0",
        b"eventlog-socket ",
        b"Eventlog-socket",
        b"eventlog-socket-",
        b"eventlog-socket-rtss",
        b"\0",
    ];
    let mut sent = 0;
    for name in like_it {
        for number in [1, 2, 3, 5, 7, 17] {
            client.send(&frame(name, number));
            sent += 1;
        }
    }
    let stats = worker.until_settled(sent);
    assert_eq!(outcomes(&stats), [0, sent, 0, 0, 0]);
    assert_eq!(stats.get("bytes_garbage"), 0);
    let collector = Collector::resume(client);
    worker.command("gc");
    assert!(worker.finish().success());
    let bytes = collector.finish();
    let stream = Stream::complete(&bytes);
    assert_eq!(stream.count(162), 0, "a sample");
    assert!(stream.messages.is_empty(), "{:?}", stream.messages);
}

/// A later protocol may mean something else by the same bytes.
#[test]
fn other_versions_are_not_run() {
    let (mut driver, mut client) = driver_with_app();
    for version in 1..=255 {
        let mut bytes = frame(b"app", 1);
        bytes[4] = version;
        client.send(&bytes);
    }
    client.send(&frame(b"app", 2));
    let stats = driver.until_settled(256);
    assert_eq!(outcomes(&stats), [1, 255, 0, 0, 0]);
    assert_eq!(run_by(&mut driver), [2]);
    assert_eq!(stats.get("bytes_garbage"), 0);
}

#[test]
fn namespace_of_length_0() {
    let (mut driver, mut client) = driver_with_app();
    client.send(b"\xf0\x9e\x97\x8c\x00\x00\x01");
    client.send(&frame(b"app", 2));
    let stats = driver.until_settled(1);
    assert_eq!(run_by(&mut driver), [2]);
    assert_eq!(stats.get("bytes_garbage"), 7);
}

/// The older protocol knows three commands, and nothing of namespaces.
#[test]
fn older_frames_of_other_numbers() {
    let (mut driver, mut client) = driver_with_app();
    for number in [0, 4, 5, 255] {
        client.send(&older(number));
    }
    let stats = driver.until_settled(4);
    assert_eq!(outcomes(&stats), [0, 4, 0, 0, 0]);
}

/// A document calls the fifteen bytes of the namespace 0x15 bytes long. Such a frame
/// runs nothing and takes what follows with it; what comes after that is understood.
#[test]
fn fifteen_bytes_called_0x15() {
    let (mut driver, mut client) = driver_with_app();
    let trap = b"\xf0\x9e\x97\x8c\x00\x15eventlog-socket\x05";
    client.send(trap);
    driver.until_received(trap.len());
    assert_eq!(driver.stats().get("commands_received"), 0);
    client.send(&frame(b"app", 1));
    let stats = driver.until_settled(1);
    assert_eq!(outcomes(&stats), [0, 1, 0, 0, 0]);
    client.send(&frame(b"app", 2));
    let stats = driver.until_settled(2);
    assert_eq!(run_by(&mut driver), [2]);
    // The rest of the frame that was swallowed: "app" and the number.
    assert_eq!(stats.get("bytes_garbage"), 4);
}

/// What one client has begun to say, another does not go on with.
#[test]
fn half_a_frame_does_not_survive_its_connection() {
    let (mut driver, mut client) = driver_with_app();
    let mut received = 0;
    for bytes in [frame(b"app", 1), older(3)] {
        for at in 1..bytes.len() {
            client.send(&bytes[..at]);
            received += bytes.len();
            driver.until_received(received - bytes.len() + at);
            drop(client);
            client = driver.served_client();
            client.send(&bytes[at..]);
            driver.until_received(received);
        }
    }
    client.send(&frame(b"app", 2));
    let stats = driver.until_settled(1);
    assert_eq!(run_by(&mut driver), [2]);
    assert_eq!(stats.get("bytes_garbage"), received as u64);
}

/// Rubbish is passed over, to the byte.
#[test]
fn junk_before_and_after() {
    let (mut driver, mut client) = driver_with_app();
    let mut garbage = 0;
    let mut sent = 0;
    for (before, after) in [
        (&b"\0\0"[..], &b"TOASTY"[..]),
        (b"\x01DEAD", b"DORK"),
        (b"JUNK!!!!", b""),
        (b"GCT", b"GCTG"),
        (b"GCTL", b"!"),
        (b"\xf0\x9e\x97", b"\x8c"),
        (b"\xf0\xf0\xf0\x9e", b"\xff"),
        (b"", b"G"),
        (b"", b"\xf0\x9e\x97\x8c\x00"),
    ] {
        client.send(&[before, &frame(b"app", 3), after].concat());
        sent += 1;
        garbage += before.len() + after.len();
        driver.until_settled(sent);
        // Half a magic is garbage as soon as nothing can follow.
        drop(client);
        client = driver.served_client();
        let junk = format!("{} ... {}", before.escape_ascii(), after.escape_ascii());
        eventually(LIMIT, &junk, || {
            driver.stats().get("bytes_garbage") == garbage as u64
        });
    }
    assert_eq!(run_by(&mut driver), vec![3; sent as usize]);
}

/// Bytes in which no frame begins.
fn garbage(length: usize) -> Vec<u8> {
    let byte = |n: usize| (n.wrapping_mul(2_654_435_761) >> 13) as u8;
    let innocent = |byte: u8| {
        if matches!(byte, 0xf0 | b'G') {
            b'.'
        } else {
            byte
        }
    };
    (0..length).map(|n| innocent(byte(n))).collect()
}

/// Tens of megabytes of garbage and thousands of commands, while the program logs as
/// fast as it can: the client misses nothing, the counters are right to the byte, and
/// when all is over the threads rest.
fn flood(transport: Transport) {
    let ghc = need!(ghc());
    let _alone = alone();
    let setup = Setup::new(Start::CMain, transport)
        .without_flushes()
        .rts("-N2")
        .env("GHC_EVENTLOG_CONTROL", "on")
        .env("GHC_EVENTLOG_OVERFLOW", "block");
    let mut worker = setup.spawn(ghc);
    worker.ready();
    worker.handle("app", &[(1, "")]);
    let mut client = worker.client();
    client.read_until_text("datb");

    let stop = Arc::new(AtomicBool::new(false));
    let (mut sender, stopped) = (client.sender(), Arc::clone(&stop));
    let collector = Collector::resume(client);
    let flood = std::thread::spawn(move || {
        let garbage = garbage(100_000);
        let commands = [
            frame(b"app", 1),
            frame(BUILTIN, START_HEAP_PROFILING), // refused: not started with -h
            frame(b"nobody", 1),
            older(1),
            frame(RTS, 0),
        ]
        .concat();
        let (mut of_garbage, mut of_commands) = (0, 0_u64);
        while !stopped.load(Ordering::Relaxed) || of_garbage < 30_000_000 {
            sender.write_all(&garbage).expect("garbage is read");
            sender.write_all(&commands).expect("commands are read");
            of_garbage += garbage.len() as u64;
            of_commands += 5;
        }
        (
            of_garbage,
            of_commands,
            of_commands / 5 * commands.len() as u64,
        )
    });
    worker.command("log 2 100000 100");
    stop.store(true, Ordering::Relaxed);
    let (of_garbage, of_commands, bytes_of_commands) = flood.join().expect("the flood");

    let stats = worker.until_settled(of_commands);
    assert_eq!(stats.get("bytes_garbage"), of_garbage);
    assert_eq!(stats.get("bytes_received"), of_garbage + bytes_of_commands);
    let [run, unknown, refused, denied, dropped] = outcomes(&stats);
    assert_eq!(denied, 0);
    assert!(run + dropped >= of_commands / 5 && run > 0, "{stats:?}");
    assert!(unknown > 0 && refused > 0, "{stats:?}");

    let threads = ["eventlog-poll", "eventlog-ctl"];
    let busy = || threads.map(|name| worker.process.thread(name).1);
    // When the client has taken what was logged meanwhile.
    eventually(LIMIT, "they rest", || {
        let before = busy();
        std::thread::sleep(Duration::from_millis(500));
        busy() == before && threads.iter().all(|name| worker.process.rests(name))
    });

    assert!(worker.finish().success());
    assert_eq!(worker.process.stderr(), "");
    let bytes = collector.finish();
    let stream = Stream::complete(&bytes);
    assert!(stream.losses.is_empty(), "{:?}", stream.losses);
    for logger in 0..2 {
        let whole = stream.numbers(logger) == (0..100_000).collect::<Vec<_>>();
        assert!(whole, "{transport:?}: messages of logger {logger}");
    }
}

#[test]
fn a_flood_over_a_unix_socket() {
    flood(Transport::Unix);
}

#[test]
fn a_flood_over_tcp() {
    flood(Transport::Tcp);
}

/// Bytes by chance contain halves of frames, and frames of strange namespaces.
#[test]
fn chance_runs_nothing() {
    let (mut driver, mut client) = driver_with_app();
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut sent = 0;
    for _ in 0..200 {
        let mut bytes = Vec::new();
        while bytes.len() < 20_000 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            match state % 16 {
                0 => bytes.extend(b"\xf0\x9e\x97\x8c"),
                1 => bytes.extend(b"\xf0\x9e\x97\x8c\x00"),
                2 => bytes.extend(b"GCTL"),
                3 => bytes.extend(b"eventlog-socket"),
                _ => bytes.extend(state.to_le_bytes()),
            }
        }
        client.send(&bytes);
        sent += bytes.len();
    }
    driver.until_received(sent);
    eventually(LIMIT, "all commands are done with", || {
        commands_waiting(&driver.stats()) == 0
    });
    drop(client);
    let mut client = driver.served_client();
    client.send(&frame(b"app", 77));
    eventually(LIMIT, "the command is run", || run_by(&mut driver) == [77]);
    let bytes = client.leave();
    Stream::cut(&bytes);
}
