//! Measures the cost of a relay: `load CLIENTS MB_PER_SECOND SECONDS`, then `load join THREADS
//! COUNT`.
//!
//! The source is generated at a fixed rate; the clients run in another process, `load read
//! PATH COUNT`, so that their cost is not counted.

use eventlog_relay::{Address, Intake, Options, Relay};
use ghc_eventlog::{BlockBuilder, EventBody, Header, StopStatus};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["read", path, count] => read(Path::new(path), count.parse()?),
        ["join", threads, count] => join(threads.parse()?, count.parse()?),
        [clients, rate, seconds] => load(clients.parse()?, rate.parse()?, seconds.parse()?),
        _ => Err("usage: load CLIENTS MB_PER_SECOND SECONDS | load join THREADS COUNT".into()),
    }
}

/// Events of threads that switch, in a block of 64 KiB.
fn block(header: &Header, time: &mut u64) -> Result<Vec<u8>> {
    let mut block = BlockBuilder::new(Some(0));
    let mut thread = 0;
    while block.len() < 64 << 10 {
        *time += 1000;
        thread = thread % 50 + 1;
        let run = EventBody::RunThread { thread };
        let stop = EventBody::StopThread {
            thread,
            status: StopStatus::YIELDING,
            info: Some(0),
        };
        block.push_body(header, *time, &run)?;
        block.push_body(header, *time + 500, &stop)?;
    }
    Ok(block.finish().to_vec())
}

fn threads(header: &Header, count: u32) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut block = BlockBuilder::new(None);
    block.push_body(header, 1, &EventBody::CapCreate { created_cap: 0 })?;
    bytes.extend_from_slice(block.finish());
    let mut block = BlockBuilder::new(Some(0));
    for thread in 1..=count {
        block.push_body(header, 2, &EventBody::CreateThread { thread })?;
        let label = format!("worker {thread}");
        let label = label.as_str().into();
        block.push_body(header, 2, &EventBody::ThreadLabel { thread, label })?;
    }
    bytes.extend_from_slice(block.finish());
    Ok(bytes)
}

/// Processor time of this process, in seconds.
fn processor_time() -> Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let rest = stat.rsplit_once(')').ok_or("no stat")?.1;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let ticks: f64 = fields[11].parse::<f64>()? + fields[12].parse::<f64>()?;
    Ok(ticks / 100.0)
}

struct TestRelay {
    relay: Relay,
    program: UnixStream,
    path: std::path::PathBuf,
    header: Header,
}

fn test() -> Result<TestRelay> {
    let relay = Relay::start(Options::default())?;
    let (program, log) = UnixStream::pair()?;
    relay.add("app", Intake::read(log))?;
    let path = std::env::temp_dir().join(format!("relay-load-{}.sock", std::process::id()));
    relay.serve(&Address::Unix(path.clone()), None)?;
    Ok(TestRelay {
        relay,
        program,
        path,
        header: Header::standard(),
    })
}

fn load(clients: usize, rate: f64, seconds: f64) -> Result<()> {
    let mut test = test()?;
    let mut child = Command::new(std::env::current_exe()?)
        .arg("read")
        .arg(&test.path)
        .arg(clients.to_string())
        .stdout(Stdio::piped())
        .spawn()?;
    while test.relay.status().clients.len() < clients {
        std::thread::sleep(Duration::from_millis(10));
    }
    test.program.write_all(test.header.as_bytes())?;
    test.program.write_all(&threads(&test.header, 50)?)?;
    let mut time = 10;
    let (begun, before) = (Instant::now(), processor_time()?);
    let mut sent = 0usize;
    let mut worst = 0;
    while begun.elapsed().as_secs_f64() < seconds {
        let block = block(&test.header, &mut time)?;
        test.program.write_all(&block)?;
        sent += block.len();
        let due = sent as f64 / (rate * 1e6);
        let ahead = due - begun.elapsed().as_secs_f64();
        if ahead > 0.0 {
            std::thread::sleep(Duration::from_secs_f64(ahead));
        }
        let lag = test
            .relay
            .status()
            .clients
            .iter()
            .map(|it| it.lag_bytes)
            .max();
        worst = worst.max(lag.unwrap_or(0));
    }
    let took = begun.elapsed().as_secs_f64();
    let cores = (processor_time()? - before) / took;
    let status = test.relay.status();
    let ring = status.sources[0]
        .session
        .as_ref()
        .map_or(0, |it| it.ring.bytes);
    println!(
        "{clients} clients, {:.1} MB/s for {took:.1} s: {cores:.2} cores (making the events \
         included), resident {:.1} MiB of which ring {:.1} MiB, worst lag {} KiB, resyncs {}",
        sent as f64 / 1e6 / took,
        status.resident_bytes as f64 / 1048576.0,
        ring as f64 / 1048576.0,
        worst >> 10,
        status.clients.iter().map(|it| it.resyncs).sum::<u64>(),
    );
    drop(test.program);
    test.relay.drain(Duration::from_secs(10));
    child.wait()?;
    Ok(())
}

/// Runs this many clients, with a thread each.
fn read(path: &Path, count: usize) -> Result<()> {
    let threads: Vec<_> = (0..count)
        .map(|_| {
            let mut client = UnixStream::connect(path)?;
            Ok(std::thread::spawn(move || {
                let mut buffer = vec![0; 64 << 10];
                while matches!(client.read(&mut buffer), Ok(1..)) {}
            }))
        })
        .collect::<std::io::Result<_>>()?;
    for thread in threads {
        let _ = thread.join();
    }
    Ok(())
}

/// Measures the time from connecting until the whole state has arrived.
fn join(count: u32, times: usize) -> Result<()> {
    let mut test = test()?;
    test.program.write_all(test.header.as_bytes())?;
    test.program.write_all(&threads(&test.header, count)?)?;
    let ready = |test: &TestRelay| {
        let status = test.relay.status();
        let session = status.sources[0].session.as_ref();
        session.is_some_and(|it| it.fold.threads == u64::from(count) && it.fold.lag_bytes == 0)
    };
    while !ready(&test) {
        std::thread::sleep(Duration::from_millis(10));
    }
    // Meanwhile the stream continues, at about 10 MB/s.
    let mut program = test.program.try_clone()?;
    let header = test.header.clone();
    let (stop, stopped) = channel::<()>();
    let writes = std::thread::spawn(move || {
        let mut time = 10;
        let pause = Duration::from_micros(6500);
        while stopped.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
            let Ok(block) = block(&header, &mut time) else {
                return;
            };
            if program.write_all(&block).is_err() {
                return;
            }
        }
    });
    let mut took: Vec<Duration> = Vec::new();
    let mut buffer = vec![0; 64 << 10];
    for _ in 0..times {
        let begun = Instant::now();
        let mut client = UnixStream::connect(&test.path)?;
        let (mut got, mut created) = (Vec::new(), 0u32);
        // One message for each thread: then the state is complete.
        let mut from = 0;
        while created < count {
            let read = client.read(&mut buffer)?;
            got.extend_from_slice(&buffer[..read]);
            let text = b"worker ";
            while let Some(at) = got[from..].windows(text.len()).position(|it| it == text) {
                created += 1;
                from += at + text.len();
            }
            from = from.max(got.len().saturating_sub(text.len()));
        }
        took.push(begun.elapsed());
    }
    drop(stop);
    let _ = writes.join();
    took.sort();
    let at = |part: f64| took[((took.len() - 1) as f64 * part) as usize];
    println!(
        "{times} joins with {count} threads: p50 {:.1?}, p99 {:.1?}, longest {:.1?}",
        at(0.5),
        at(0.99),
        at(1.0)
    );
    Ok(())
}
