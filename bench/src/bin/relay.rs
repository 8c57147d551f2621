//! The cost of `eventlog relay`: beside `socat`, with many clients, with stalled ones, for clients
//! that connect late, and over a long time.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bench::build::{Built, Library, command_line};
use bench::client::{Address, Client, Manner};
use bench::ghc::Ghc;
use bench::process::{Running, Scratch, processor_time, resident_kib};
use bench::report::{Results, Text, bytes, experiment, markdown};
use bench::scale::Scale;
use bench::stats::Quantiles;
use ghc_eventlog::{BlockBuilder, Decoder, EventBody, Header, Item, StopStatus};

const LIMIT: Duration = Duration::from_secs(120);
/// An event of `fire`.
const EVENT: u64 = 44;

fn main() -> Result<(), String> {
    let scale = Scale::from_args()?;
    let built = Built::new()?;
    let tools = Tools::new(&built)?;
    let mut text = Text::default();
    text.add("### The relay");
    text.add(format!(
        "Programs made by GHC {}; all sockets are Unix sockets.",
        tools.ghc.version
    ));
    throughput(scale, &tools, &mut text)?;
    crowds(scale, &tools, &mut text)?;
    delays(scale, &tools, &mut text)?;
    joins(scale, &tools, &mut text)?;
    memory(scale, &tools, &mut text)?;
    text.publish("relay")
}

/// The programs that are started.
struct Tools {
    eventlog: PathBuf,
    ghc: Ghc,
    program: PathBuf,
    writer: PathBuf,
}

/// The process between a program and its client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Between {
    Nothing,
    Relay,
    /// With blocks of this many bytes.
    Socat(u64),
}

impl Between {
    fn name(self) -> String {
        match self {
            Between::Nothing => "nothing".into(),
            Between::Relay => "relay".into(),
            Between::Socat(size) => format!("socat -b {}", bytes(size)),
        }
    }
}

/// A directory with the socket of the program and that of the process in between.
struct Place {
    scratch: Scratch,
    from: PathBuf,
    to: PathBuf,
}

impl Place {
    fn new() -> Result<Place, String> {
        let scratch = Scratch::new().map_err(|error| error.to_string())?;
        Ok(Place {
            from: scratch.join("from"),
            to: scratch.join("to"),
            scratch,
        })
    }

    fn client(&self, manner: Manner, expected: u64, stamped: bool) -> Result<Client, String> {
        let address = Address::Unix(self.to.clone());
        let client = Client::start(&address, manner, expected, stamped);
        client.map_err(|error| format!("connecting: {error}"))
    }
}

impl Tools {
    fn new(built: &Built) -> Result<Tools, String> {
        let ghc = Ghc::find()?;
        Ok(Tools {
            eventlog: command_line()?,
            program: built.haskell(Library::Ours, &ghc)?,
            writer: built.writer(Library::Ours)?,
            ghc,
        })
    }

    /// A relay of what is or will be at `from`; it listens when this returns.
    fn relay(&self, place: &Place, more: &[&str]) -> Result<Running, String> {
        let mut command = Command::new(&self.eventlog);
        command
            .args(["relay", "--quiet"])
            .arg(format!("unix:{}", place.from.display()))
            .arg(format!("--to=unix:{}", place.to.display()))
            .args(more)
            .env("XDG_RUNTIME_DIR", place.scratch.join(""));
        let running = Running::start(&mut command, &[])?;
        running.line("unix:", LIMIT)?;
        Ok(running)
    }

    /// One of the Haskell programs, which waits for a client at its start, and for room whenever
    /// its client is too slow.
    fn program(&self, place: &Place, what: &str, number: u64) -> Result<Running, String> {
        let program = self.program.display().to_string();
        let line = [self.ghc.prefix.clone(), vec![program]].concat();
        let mut command = Command::new(&line[0]);
        command
            .args(&line[1..])
            .args([what, &number.to_string(), "", "+RTS", "-l", "-N1"]);
        let settings = [
            ("GHC_EVENTLOG_UNIX_PATH", place.from.display().to_string()),
            ("GHC_EVENTLOG_WAIT", "1".into()),
            ("GHC_EVENTLOG_OVERFLOW", "block".into()),
        ];
        Running::start(&mut command, &settings)
    }
}

/// `fire`, which logs as fast as it can and waits for its client: how fast all of it arrives.
fn throughput(scale: Scale, tools: &Tools, text: &mut Text) -> Result<(), String> {
    let socat = Command::new("socat").arg("-V").output().is_ok();
    let mut all = vec![Between::Nothing, Between::Relay];
    if socat {
        all.extend([Between::Socat(8 << 10), Between::Socat(256 << 10)]);
    } else {
        text.add("Not measured: `socat`, which is not on the PATH (Debian: `socat`).");
    }
    let events: u64 = scale.choose(1 << 20, 12 << 20);
    let cases = all.iter().map(|between| (vec![between.name()], *between));
    let results = experiment(
        "relay",
        &["between"],
        &["MB/s", "CPU s / GB"],
        cases.collect(),
        scale.rounds(5, 120),
        |between| {
            let place = Place::new()?;
            // What the RTS has in its buffers at the end arrives with some later flush.
            let total = events * EVENT - (4 << 20);
            let (mut middle, mut other) = (None, None);
            let (client, program);
            match between {
                // A client that is connected before the log begins gets all of it.
                Between::Relay => {
                    let relay = tools.relay(&place, &[])?;
                    client = place.client(Manner::Fast, total, false)?;
                    program = tools.program(&place, "fire", events)?;
                    middle = Some(relay);
                }
                Between::Nothing => {
                    program = tools.program(&place, "fire", events)?;
                    let address = Address::Unix(place.from.clone());
                    let started = Client::start(&address, Manner::Fast, total, false);
                    client = started.map_err(|error| error.to_string())?;
                }
                Between::Socat(size) => {
                    program = tools.program(&place, "fire", events)?;
                    wait_for(&place.from)?;
                    other = Some(socat_at(&place, *size)?);
                    client = place.client(Manner::Fast, total, false)?;
                }
            }
            client.wait(LIMIT);
            let pid = middle.as_ref().map(Running::id);
            let pid = pid.or(other.as_ref().map(|socat: &Socat| socat.0.id()));
            let used = pid.map_or(Ok(Duration::ZERO), processor_time)?;
            drop(program);
            let seen = client.stop().map_err(|error| error.to_string())?;
            let took = seen.took.ok_or("not all of it arrived")?;
            Ok(vec![
                total as f64 / took.as_secs_f64() / 1e6,
                used.as_secs_f64() / (total as f64 / 1e9),
            ])
        },
    );
    results.write_csv()?;
    text.add(format!(
        "**One client** of `fire` ({} of events, flat out, the policy `block`), with something \
         between the two; and the processor time of that. `socat` moves 8 KiB at a time if \
         nothing else is said.",
        bytes(events * EVENT)
    ));
    text.add(results.table(&[], &["MB/s", "CPU s / GB"]));
    ratios(&results, text);
    Ok(())
}

fn ratios(results: &Results, text: &mut Text) {
    let rate = |name: &str| results.median(&[name], "MB/s");
    let others = results.rows.iter().map(|row| row.labels[0].clone());
    let others = others.filter(|name| name != "relay");
    let body = others.map(|name| {
        let ratio = rate("relay") / rate(&name);
        vec![name, format!("{ratio:.2}")]
    });
    text.add(markdown(&["beside", "relay"], 1, body));
}

/// Killed when dropped.
struct Socat(Child);

impl Drop for Socat {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn socat_at(place: &Place, size: u64) -> Result<Socat, String> {
    let socat = Command::new("socat")
        .args(["-u", "-b", &size.to_string()])
        .arg(format!("UNIX-CONNECT:{}", place.from.display()))
        .arg(format!("UNIX-LISTEN:{}", place.to.display()))
        .stdin(Stdio::null())
        .spawn();
    socat.map(Socat).map_err(|error| format!("socat: {error}"))
}

fn wait_for(path: &Path) -> Result<(), String> {
    let start = Instant::now();
    while !path.exists() {
        if start.elapsed() > LIMIT {
            return Err(format!("{} does not appear", path.display()));
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}

/// A program of 10 MB/s, and up to fifty clients of it.
fn crowds(scale: Scale, tools: &Tools, text: &mut Text) -> Result<(), String> {
    let cases = [1, 10, 50].map(|clients| (vec![clients.to_string()], clients));
    let ticks: u64 = scale.choose(200, 1000);
    let results = experiment(
        "relay-crowds",
        &["clients"],
        &["CPU %", "MB/s each", "resident MiB", "lost %"],
        cases.to_vec(),
        scale.rounds(5, 240),
        |clients: &usize| {
            let place = Place::new()?;
            let relay = tools.relay(&place, &[])?;
            let all = (0..*clients).map(|_| place.client(Manner::Fast, u64::MAX, false));
            let all = all.collect::<Result<Vec<_>, _>>()?;
            let program = tools.program(&place, "paced", ticks)?;
            let before = processor_time(relay.id())?;
            let start = Instant::now();
            program.result(LIMIT)?;
            let took = start.elapsed();
            let used = processor_time(relay.id())? - before;
            let resident = resident_kib(relay.id())?;
            // The last flush.
            std::thread::sleep(Duration::from_millis(1500));
            drop(program);
            let mut got = 0;
            for client in all {
                got += client.stop().map_err(|error| error.to_string())?.bytes;
            }
            let each = got as f64 / *clients as f64;
            let sent = (ticks * 2273 * EVENT) as f64;
            Ok(vec![
                used.as_secs_f64() / took.as_secs_f64() * 100.0,
                each / took.as_secs_f64() / 1e6,
                resident / 1024.0,
                (1.0 - each / sent).max(0.0) * 100.0,
            ])
        },
    );
    results.write_csv()?;
    text.add(
        "**Many clients** of a program that logs 10 MB/s: the relay's processor time, of one \
         processor, and its memory in the end.",
    );
    text.add(results.table(&[], &["CPU %", "MB/s each", "resident MiB", "lost %"]));
    let resident = |clients: &str| results.median(&[clients], "resident MiB") * 1024.0;
    let each = (resident("50") - resident("1")) / 49.0;
    text.add(format!(
        "Memory of each client beyond the first: {each:.0} KiB."
    ));
    Ok(())
}

/// The delay of a client, alone and beside one that reads nothing.
fn delays(scale: Scale, tools: &Tools, text: &mut Text) -> Result<(), String> {
    let cases = [
        ("alone", None),
        ("beside a stalled one", Some(Manner::Stalled)),
        ("beside a slow one", Some(Manner::Slow)),
    ];
    let cases = cases.map(|(name, other)| (vec![name.to_owned()], other));
    let calls: u64 = scale.choose(300, 3000);
    let chunk: u64 = 64 << 10;
    let results = experiment(
        "relay-delay",
        &["client"],
        &["p50", "p99", "p99.9", "max", "arrived %"],
        cases.to_vec(),
        scale.rounds(5, 120),
        |other| {
            let place = Place::new()?;
            let _relay = tools.relay(&place, &[])?;
            let other = other.map(|manner| place.client(manner, u64::MAX, false));
            let other = other.transpose()?;
            let client = place.client(Manner::Fast, u64::MAX, true)?;
            let mut command = Command::new(&tools.writer);
            command.arg(format!("unix={}", place.from.display()));
            command.arg(format!(
                "samples={}",
                place.scratch.join("samples").display()
            ));
            for (name, value) in [
                ("threads", 1),
                ("chunk", chunk),
                ("calls", calls),
                ("pace_ns", 1_000_000),
                ("stamped", 1),
                ("wait", 1),
                ("idle_ms", 200),
            ] {
                command.arg(format!("{name}={value}"));
            }
            let writer = Running::start(&mut command, &[])?;
            writer.result(LIMIT)?;
            drop(writer);
            let seen = client.stop().map_err(|error| error.to_string())?;
            drop(other.map(Client::stop));
            let q = Quantiles::of(&seen.delays);
            let arrived = seen.delays.len() as f64 / calls as f64 * 100.0;
            Ok(vec![q.p50, q.p99, q.p999, q.max, arrived])
        },
    );
    results.write_csv()?;
    text.add(
        "**Delay** from the call of the writer to the relay's client, 64 KiB a millisecond, in \
         nanoseconds; alone, and beside another client.",
    );
    text.add(results.table(&[], &["p50", "p99", "p99.9", "max", "arrived %"]));
    let p99 = |client: &str| results.median(&[client], "p99");
    text.add(format!(
        "p99 beside a stalled client, over p99 alone: {:.2}.",
        p99("beside a stalled one") / p99("alone")
    ));
    Ok(())
}

/// Programs with many threads, and how long it takes until a client has all of them.
fn joins(scale: Scale, tools: &Tools, text: &mut Text) -> Result<(), String> {
    let cases = [100, 10_000].map(|threads: u64| (vec![threads.to_string()], threads));
    let count = scale.choose(5, 100);
    let results = experiment(
        "relay-joins",
        &["threads"],
        &["p50 ms", "p99 ms", "max ms"],
        cases.to_vec(),
        scale.rounds(5, 150),
        |threads| {
            let place = Place::new()?;
            let _relay = tools.relay(&place, &[])?;
            let _program = tools.program(&place, "crowded", *threads)?;
            // Until the relay has all of them.
            let start = Instant::now();
            while known(&place.to, *threads, LIMIT)?.is_none() {
                if start.elapsed() > LIMIT {
                    return Err("the threads do not appear".into());
                }
            }
            let mut took = Vec::new();
            for _ in 0..count {
                let joined = known(&place.to, *threads, LIMIT)?;
                took.push(joined.ok_or("threads are missing")?.as_nanos() as u64);
            }
            let q = Quantiles::of(&took);
            Ok(vec![q.p50 / 1e6, q.p99 / 1e6, q.max / 1e6])
        },
    );
    results.write_csv()?;
    text.add(
        "**Late join** to a program with so many live threads that logs 10 MB/s: from the call of \
         `connect` until the client has been told of all of them.",
    );
    text.add(results.table(&[], &["p50 ms", "p99 ms", "max ms"]));
    Ok(())
}

/// Connects; returns how long it takes to receive this many threads, or `None` if the state that a
/// late client begins with has fewer.
fn known(address: &Path, threads: u64, limit: Duration) -> Result<Option<Duration>, String> {
    let failed = |error: std::io::Error| error.to_string();
    let start = Instant::now();
    let mut socket = UnixStream::connect(address).map_err(failed)?;
    socket.set_read_timeout(Some(limit)).map_err(failed)?;
    let (mut decoder, mut kept) = (Decoder::new(), Vec::new());
    let mut buffer = vec![0; 256 << 10];
    let (mut count, mut later) = (0, 0);
    loop {
        let read = socket.read(&mut buffer).map_err(failed)?;
        kept.extend_from_slice(&buffer[..read]);
        let mut input = &kept[..];
        loop {
            match decoder
                .decode(&mut input)
                .map_err(|error| error.to_string())?
            {
                Item::Event(event) => match event.body {
                    EventBody::CreateThread { .. } => count += 1,
                    EventBody::UserMsg { .. } => later += 1,
                    _ => {}
                },
                Item::NeedMore => break,
                _ => {}
            }
        }
        let left = input.len();
        kept.drain(..kept.len() - left);
        if count >= threads {
            return Ok(Some(start.elapsed()));
        }
        // The program has logged more since, so the beginning is over.
        if read == 0 || later > 100_000 {
            return Ok(None);
        }
    }
}

/// A day of a program with a thousand events a second, as fast as the relay takes it.
fn memory(scale: Scale, tools: &Tools, text: &mut Text) -> Result<(), String> {
    let events: u64 = scale.choose(4_000_000, 86_400_000);
    let place = Place::new()?;
    let mut command = Command::new(&tools.eventlog);
    command
        .args(["relay", "--quiet", "-"])
        .arg(format!("--to=unix:{}", place.to.display()))
        .env("XDG_RUNTIME_DIR", place.scratch.join(""))
        .stdin(Stdio::piped())
        .stdout(Stdio::null());
    let mut relay = Socat(command.spawn().map_err(|error| error.to_string())?);
    let pid = relay.0.id();
    let mut stdin = relay.0.stdin.take().ok_or("no stdin")?;
    let client = place.client(Manner::Fast, u64::MAX, false)?;
    let mut day = Day::new();
    let (mut total, mut samples) = (0, Vec::new());
    let mut written = day.header.as_bytes().to_vec();
    while day.events < events {
        day.block(&mut written)?;
        stdin
            .write_all(&written)
            .map_err(|error| error.to_string())?;
        total += written.len() as u64;
        written.clear();
        if day.events * 20 / events > samples.len() as u64 {
            samples.push(resident_kib(pid)? / 1024.0);
        }
    }
    drop(stdin);
    relay.0.wait().map_err(|error| error.to_string())?;
    let seen = client.stop().map_err(|error| error.to_string())?;
    // When the ring is full for the first time.
    let early = samples.iter().copied().skip(samples.len() / 5).take(2);
    let early = early.fold(0.0, f64::max);
    let most = samples.iter().copied().fold(0.0, f64::max);
    let last = samples.last().copied().unwrap_or(f64::NAN);
    text.add(format!(
        "**A day of a program** that logs a thousand events a second, its threads and collections \
         among them ({} of events, {:.1} GB), as fast as the relay takes it from a pipe, with a \
         client that got {:.1} GB: it occupied {early:.0} MiB when a quarter had come, {last:.0} \
         MiB in the end, {most:.0} MiB at most; the ring is 64 MiB of that.",
        bench::report::human(events as f64),
        total as f64 / 1e9,
        seen.bytes as f64 / 1e9,
    ));
    Ok(())
}

/// A log of a program that never ran.
struct Day {
    header: Header,
    time: u64,
    thread: u32,
    events: u64,
}

impl Day {
    fn new() -> Day {
        Day {
            header: Header::standard(),
            time: 0,
            thread: 0,
            events: 0,
        }
    }

    /// A block of a capability: threads are created, run and end; a collection.
    fn block(&mut self, out: &mut Vec<u8>) -> Result<(), String> {
        let mut block = BlockBuilder::new(Some(0));
        for _ in 0..1000 {
            self.thread += 1;
            let thread = self.thread;
            let stop = |status| EventBody::StopThread {
                thread,
                status,
                info: Some(0),
            };
            self.push(&mut block, &EventBody::CreateThread { thread })?;
            for _ in 0..3 {
                self.push(&mut block, &EventBody::RunThread { thread })?;
                self.push(&mut block, &stop(StopStatus::YIELDING))?;
            }
            self.push(&mut block, &EventBody::RunThread { thread })?;
            let message = "something was done".into();
            self.push(&mut block, &EventBody::UserMsg { message })?;
            self.push(&mut block, &stop(StopStatus::FINISHED))?;
        }
        for body in [EventBody::GcStart, EventBody::GcEnd] {
            self.push(&mut block, &body)?;
        }
        let live = EventBody::HeapLive {
            capset: 0,
            bytes: self.events,
        };
        self.push(&mut block, &live)?;
        out.extend_from_slice(block.finish());
        Ok(())
    }

    fn push(&mut self, block: &mut BlockBuilder, body: &EventBody<'_>) -> Result<(), String> {
        self.time += 1_000_000;
        self.events += 1;
        let pushed = block.push_body(&self.header, self.time, body);
        pushed.map_err(|error| error.to_string())
    }
}
