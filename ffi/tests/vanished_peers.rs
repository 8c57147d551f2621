//! TCP clients whose machine vanishes silently, and others that only look as if it
//! had: over a cable between two network namespaces, which can be pulled.

use crate::support;

use std::fs::File;
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::process::Command;
use std::time::{Duration, Instant};
use support::skip::need;
use support::{Client, Driver, LIMIT, eventually};

/// What is promised.
const A_MINUTE: Duration = Duration::from_secs(60);

/// A network of its own, for as long as the value lives.
struct Namespace(File);

impl Namespace {
    fn new() -> Result<Self, String> {
        let made = std::thread::spawn(|| {
            // SAFETY: no pointers; it is of the calling thread alone.
            if unsafe { libc::unshare(libc::CLONE_NEWNET) } != 0 {
                let error = std::io::Error::last_os_error();
                return Err(format!("no network namespace: {error}"));
            }
            let file = File::open("/proc/thread-self/ns/net");
            file.map(Namespace).map_err(|error| error.to_string())
        });
        made.join().expect("a thread")
    }

    /// Do this in it. What is connected or started there belongs to it.
    fn within<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                // SAFETY: an open descriptor; it is of the calling thread alone.
                let entered = unsafe { libc::setns(self.0.as_raw_fd(), libc::CLONE_NEWNET) };
                assert_eq!(entered, 0, "{}", std::io::Error::last_os_error());
                work()
            });
            thread.join().expect("a thread")
        })
    }

    /// Run `ip` with these words in it.
    fn ip(&self, words: &str) -> Result<(), String> {
        let output = self.within(|| Command::new("ip").args(words.split(' ')).output());
        let output = output.map_err(|error| format!("ip (of iproute2): {error}"))?;
        match output.status.success() {
            true => Ok(()),
            false => Err(format!(
                "ip {words}: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            )),
        }
    }
}

/// Two machines and a cable.
struct Machines {
    program: Namespace,
    client: Namespace,
}

impl Machines {
    fn new() -> Result<Self, String> {
        let (program, client) = (Namespace::new()?, Namespace::new()?);
        let there = format!("/proc/{}/fd/{}", std::process::id(), client.0.as_raw_fd());
        program.ip("link add near type veth peer name far")?;
        program.ip(&format!("link set far netns {there}"))?;
        program.ip("addr add 10.83.0.1/24 dev near")?;
        program.ip("link set near up")?;
        client.ip("addr add 10.83.0.2/24 dev far")?;
        client.ip("link set far up")?;
        Ok(Self { program, client })
    }

    /// A driver on the one, and a client of it on the other, whose stream has begun.
    fn watched(&self, environment: &[(&str, &str)]) -> (Driver, Client) {
        let mut driver = self.program.within(|| Driver::spawn(environment));
        assert_eq!(driver.command("init-everywhere 0"), ["init: 0 0"]);
        let port = driver.stats().get("inet_port") as u16;
        driver.start_log();
        let socket = self
            .client
            .within(|| TcpStream::connect(("10.83.0.1", port)));
        let mut client = Client::connected(socket.expect("a connection"));
        client.read_until_text("datb");
        (driver, client)
    }

    fn pull_the_cable(&self) {
        self.client.ip("link set far down").expect("a cable");
    }
}

/// Whether the stream is quiet or something is sent now and then: it is noticed within a
/// minute, and who comes next is served.
#[test]
fn peers_that_vanish_are_noticed() {
    let machines = need!(Machines::new());
    let mut watched: Vec<_> = (0..2).map(|_| machines.watched(&[])).collect();
    // All that was sent has arrived.
    for (driver, client) in &mut watched {
        driver.quietly("chunk 0 text:before");
        client.read_until_text("before");
    }
    std::thread::sleep(Duration::from_secs(2));
    machines.pull_the_cable();
    let begun = Instant::now();
    let mut noticed = [None, None];
    while noticed.contains(&None) {
        // What was said last may be on its way when the cable is pulled, or come later.
        if begun.elapsed() > Duration::from_secs(5) {
            watched[1].0.quietly("chunk 0 text:now-and-then");
        }
        for (n, (driver, _)) in watched.iter_mut().enumerate() {
            if noticed[n].is_none() && driver.stats().get("connected") == 0 {
                noticed[n] = Some(begun.elapsed());
            }
        }
        // Busy machines are late, but not by minutes.
        assert!(begun.elapsed() < 2 * A_MINUTE, "{noticed:?}");
        std::thread::sleep(Duration::from_millis(500));
    }
    println!("quiet, now and then: {noticed:?}");
    for noticed in noticed.into_iter().flatten() {
        assert!(noticed < A_MINUTE + Duration::from_secs(10), "{noticed:?}");
    }
    for (driver, _) in &mut watched {
        assert_eq!(driver.stats().get("clients_broken"), 1);
        assert!(driver.finish().success());
    }
}

/// Three minutes, if nothing else is said: longer than a peer that vanishes is kept.
fn while_stalled() -> Duration {
    let given = std::env::var("EVENTLOG_TEST_WINDOW_SECONDS");
    let given = given.ok().and_then(|seconds| seconds.parse().ok());
    Duration::from_secs(given.unwrap_or(185))
}

/// A client that is there, but reads nothing for three minutes, keeps its place: whether
/// all of the way to it is full, or only its own machine takes no more.
#[test]
fn peers_with_a_closed_window_stay() {
    let machines = need!(Machines::new());
    let (mut full, mut of_full) = machines.watched(&[]);
    let large = [("GHC_EVENTLOG_SNDBUF", "4M")];
    let (mut quiet, mut of_quiet) = machines.watched(&large);
    of_quiet.limit_receive_buffer(16 << 10);
    eventually(LIMIT, "the socket is full", || {
        full.quietly("chunk 0 fill:100000");
        full.stats().get("chunks_lost") > 0
    });
    // More than the client's machine takes, and less than that of the program keeps for it:
    // the program does not notice.
    for _ in 0..10 {
        quiet.quietly("chunk 0 fill:100000");
    }
    eventually(LIMIT, "all is sent", || {
        quiet.stats().get("bytes_sent") > 1_000_000
    });
    std::thread::sleep(Duration::from_secs(1));
    assert!(of_quiet.pending() < 500_000, "the window is not closed");
    assert_eq!(quiet.stats().get("sends_full"), 0);
    let begun = Instant::now();
    while begun.elapsed() < while_stalled() {
        std::thread::sleep(Duration::from_secs(1));
        for driver in [&mut full, &mut quiet] {
            let stats = driver.stats();
            let state = (stats.get("connected"), stats.get("clients_broken"));
            assert_eq!(state, (1, 0), "after {:?}", begun.elapsed());
        }
    }
    for (driver, client) in [(&mut full, &mut of_full), (&mut quiet, &mut of_quiet)] {
        client.read_until_quiet(Duration::from_secs(2));
        driver.quietly("chunk 0 text:still-there");
        client.read_until_text("still-there");
        assert!(driver.finish().success());
    }
}
