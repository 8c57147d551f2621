//! Names of sources, and pauses between attempts: nothing is opened.

use eventlog_source::{Backoff, InvalidSource, Source};
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::time::Duration;

fn invalid(name: &str) -> InvalidSource {
    name.parse::<Source>().expect_err(name)
}

#[test]
fn names_and_what_they_mean() {
    let cases = [
        ("-", Source::Stdin, "standard input"),
        ("log", Source::File("log".into()), "log"),
        ("./-", Source::File("./-".into()), "./-"),
        ("udp:x", Source::File("udp:x".into()), "udp:x"),
        ("unix:a:b", Source::Unix("a:b".into()), "unix:a:b"),
        ("tcp:h:1", Source::Tcp("h:1".into()), "tcp:h:1"),
        (
            "tcp:[::1]:65535",
            Source::Tcp("[::1]:65535".into()),
            "tcp:[::1]:65535",
        ),
    ];
    for (name, source, shown) in cases {
        assert_eq!(name.parse(), Ok(source.clone()), "{name}");
        assert_eq!(source.to_string(), shown);
        assert_eq!(
            source.is_socket(),
            name.starts_with("unix:") || name.starts_with("tcp:")
        );
    }
}

#[test]
fn what_is_wrong_with_a_name_is_told() {
    let long = format!("unix:{}", "p".repeat(108));
    let cases = [
        (
            "",
            InvalidSource::Empty,
            "a source has a name: FILE, -, unix:PATH or tcp:HOST:PORT",
        ),
        (
            "unix:",
            InvalidSource::NoPath,
            "the path of the socket is missing: unix:PATH",
        ),
        (
            &long,
            InvalidSource::PathTooLong { length: 108 },
            "the path of a socket has at most 107 bytes, this has 108",
        ),
        (
            "tcp:host",
            InvalidSource::NoPort,
            "the port is missing: tcp:HOST:PORT",
        ),
        (
            "tcp::1",
            InvalidSource::NoHost,
            "the host is missing: tcp:HOST:PORT",
        ),
        (
            "tcp:::1:80",
            InvalidSource::NoBrackets {
                host: "::1".into(),
                port: "80".into(),
            },
            "an IPv6 address is put in brackets: tcp:[::1]:80",
        ),
        (
            "tcp:[host]:80",
            InvalidSource::NotAnAddress("host".into()),
            "\"host\" is not an IPv6 address",
        ),
        (
            "tcp:host:0",
            InvalidSource::NotAPort("0".into()),
            "\"0\" is not a port: use a number from 1 to 65535",
        ),
        (
            "tcp:host:65536",
            InvalidSource::NotAPort("65536".into()),
            "\"65536\" is not a port: use a number from 1 to 65535",
        ),
        (
            "tcp:host:",
            InvalidSource::NotAPort("".into()),
            "\"\" is not a port: use a number from 1 to 65535",
        ),
    ];
    for (name, error, text) in cases {
        assert_eq!(invalid(name), error);
        assert_eq!(error.to_string(), text);
    }
    // Exactly the kernel's limit, not one less.
    assert!(
        format!("unix:{}", "p".repeat(107))
            .parse::<Source>()
            .is_ok()
    );
}

#[test]
fn names_need_not_be_text() {
    let name = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
    let source = Source::try_from(name(b"unix:/tmp/\xff")).expect("a source");
    assert_eq!(source, Source::Unix(name(b"/tmp/\xff").into()));
    let Source::File(path) = Source::try_from(name(b"\xff\n")).expect("a source") else {
        panic!("a file");
    };
    assert_eq!(path.as_os_str().as_bytes(), b"\xff\n");
}

#[test]
fn pauses_double_up_to_a_cap_and_vary_by_a_quarter() {
    let ms = Duration::from_millis;
    let backoff = Backoff::new(ms(100), ms(5000));
    let plain: Vec<_> = (0..8)
        .map(|attempt| backoff.pause(attempt, 0.5).as_millis())
        .collect();
    assert_eq!(plain, [100, 200, 400, 800, 1600, 3200, 5000, 5000]);
    assert_eq!(backoff, Backoff::default());
    for attempt in [0, 1, 5, 31, 32, 33, u32::MAX] {
        let middle = backoff.pause(attempt, 0.5);
        let (least, most) = (middle.mul_f64(0.75), middle.mul_f64(1.25));
        let near = |a: Duration, b: Duration| a.abs_diff(b) <= Duration::from_nanos(10);
        assert!(
            near(backoff.pause(attempt, 0.0), least) && near(backoff.pause(attempt, 1.0), most)
        );
        // Values outside 0 to 1 count as the nearest one inside.
        assert_eq!(backoff.pause(attempt, -3.0), backoff.pause(attempt, 0.0));
        assert_eq!(
            backoff.pause(attempt, f64::INFINITY),
            backoff.pause(attempt, 1.0)
        );
        assert_eq!(backoff.pause(attempt, f64::NAN), middle);
        for _ in 0..100 {
            let pause = backoff.random_pause(attempt);
            assert!((least..=most).contains(&pause) || near(pause, least) || near(pause, most));
        }
    }
    // The pauses vary randomly.
    let pauses: std::collections::HashSet<_> = (0..50).map(|_| backoff.random_pause(3)).collect();
    assert!(pauses.len() > 1);
    // No overflow, whatever is asked for.
    let huge = Backoff::new(Duration::MAX, Duration::MAX);
    assert!(huge.pause(u32::MAX, 1.0) > Duration::from_secs(1 << 40));
    assert_eq!(
        Backoff::new(ms(9), Duration::ZERO).pause(7, 1.0),
        Duration::ZERO
    );
}
