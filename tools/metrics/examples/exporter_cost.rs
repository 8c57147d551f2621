//! What `eventlog metrics` costs: `exporter_cost EVENTLOG EVENTS_PER_SECOND SECONDS [threads]`.
//!
//! Starts the program EVENTLOG (`target/release/eventlog`) on a socket, plays a program of two
//! capabilities whose threads take turns there, at that rate, and scrapes it every five seconds.
//! With `threads` each thread lives for a moment only: six events, of 10 000 threads at a time.
//! Prints the processor time of the exporter, and its memory.

mod played;

use ghc_eventlog::{BlockBuilder, EventBody, Header, StopStatus};
use played::{FLUSH, beginning, processor_time};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Threads that are alive at a time.
const ALIVE: u32 = 10_000;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        [eventlog, rate, seconds] => load(eventlog, rate.parse()?, seconds.parse()?, false),
        [eventlog, rate, seconds, "threads"] => {
            load(eventlog, rate.parse()?, seconds.parse()?, true)
        }
        _ => Err("usage: exporter_cost EVENTLOG EVENTS_PER_SECOND SECONDS [threads]".into()),
    }
}

/// What the program does, two capabilities one after the other.
struct Program {
    header: Header,
    blocks: [BlockBuilder; 2],
    thread: u32,
    threads: bool,
    events: u64,
}

impl Program {
    fn push(&mut self, cap: usize, time: u64, body: &EventBody<'_>) -> Result<()> {
        self.blocks[cap].push_body(&self.header, time, body)?;
        self.events += 1;
        Ok(())
    }

    /// One thread has its turn on a capability.
    fn turn(&mut self, cap: usize, time: u64, step: u64) -> Result<()> {
        self.thread += 1;
        if !self.threads {
            let thread = self.thread % 50 + 1 + 50 * cap as u32;
            self.push(cap, time, &EventBody::RunThread { thread })?;
            return self.push(cap, time + step, &stop(thread, StopStatus::YIELDING));
        }
        let thread = self.thread;
        self.push(cap, time, &EventBody::CreateThread { thread })?;
        self.push(cap, time, &EventBody::RunThread { thread })?;
        self.push(cap, time + step, &stop(thread, StopStatus::MVAR))?;
        // An even number of them are alive: the old one was created on this capability, too.
        if let Some(old) = thread.checked_sub(ALIVE).filter(|old| *old > 0) {
            let time = time + step;
            self.push(
                cap,
                time,
                &EventBody::ThreadWakeup {
                    thread: old,
                    other_cap: cap as u16,
                },
            )?;
            self.push(cap, time, &EventBody::RunThread { thread: old })?;
            self.push(cap, time + step, &stop(old, StopStatus::FINISHED))?;
        }
        Ok(())
    }

    /// What has come since the last flush.
    fn flush(&mut self, to: &mut impl Write) -> Result<()> {
        for (cap, block) in (0u16..).zip(&mut self.blocks) {
            let mut full = std::mem::replace(block, BlockBuilder::new(Some(cap)));
            to.write_all(full.finish())?;
        }
        Ok(())
    }
}

fn stop(thread: u32, status: StopStatus) -> EventBody<'static> {
    EventBody::StopThread {
        thread,
        status,
        info: Some(0),
    }
}

fn load(eventlog: &str, rate: u64, seconds: u64, threads: bool) -> Result<()> {
    let dir = std::env::temp_dir().join(format!("eventlog-load-{}", std::process::id()));
    std::fs::create_dir(&dir)?;
    let socket = dir.join("app.sock");
    let listener = UnixListener::bind(&socket)?;
    let mut exporter = Command::new(eventlog)
        .args(["metrics", &format!("unix:{}", socket.display())])
        .args(["--prometheus", "127.0.0.1:0"])
        .stderr(Stdio::piped())
        .spawn()?;
    let mut line = String::new();
    let stderr = exporter.stderr.take().ok_or("no pipe")?;
    BufReader::new(stderr).read_line(&mut line)?;
    let at = line
        .split("http://")
        .nth(1)
        .and_then(|rest| rest.split('/').next());
    let at = at.ok_or("no address")?.to_owned();
    let outcome = play(&listener, exporter.id(), &at, rate, seconds, threads);
    exporter.kill()?;
    exporter.wait()?;
    std::fs::remove_dir_all(&dir)?;
    outcome
}

fn play(
    listener: &UnixListener,
    exporter: u32,
    at: &str,
    rate: u64,
    seconds: u64,
    threads: bool,
) -> Result<()> {
    let (mut client, _) = listener.accept()?;
    let header = Header::standard();
    client.write_all(header.as_bytes())?;
    client.write_all(&beginning(&header)?)?;
    let mut program = Program {
        header,
        blocks: [BlockBuilder::new(Some(0)), BlockBuilder::new(Some(1))],
        thread: 0,
        threads,
        events: 0,
    };
    let per_turn = if threads { 6 } else { 2 };
    let began = Instant::now();
    let before = processor_time(exporter)?;
    let (mut scraped, mut page) = (0, String::new());
    let mut memory = Vec::new();
    let mut time = 1_000;
    for flush in 1.. {
        // Evenly over the time since the last flush, whatever the time is now.
        let until = u64::try_from(FLUSH.as_nanos())? * flush;
        let turns = (rate * flush * FLUSH.as_millis() as u64 / 1000).saturating_sub(program.events);
        let turns = (turns / per_turn).max(1);
        let step = (until.saturating_sub(time) / turns / 3).max(1);
        for turn in 0..turns {
            program.turn((turn % 2) as usize, time, step)?;
            time += 3 * step;
            // A block has room for 64 KiB or so.
            if turn % 1_000 == 999 {
                program.flush(&mut client)?;
            }
        }
        program.flush(&mut client)?;
        let elapsed = began.elapsed();
        if elapsed.as_secs() > memory.len() as u64 {
            memory.push(resident(exporter)?);
        }
        if elapsed.as_secs() / 5 > scraped {
            scraped = elapsed.as_secs() / 5;
            page = scrape(at)?;
        }
        if elapsed.as_secs() >= seconds {
            break;
        }
        std::thread::sleep(Duration::from_nanos(until).saturating_sub(elapsed));
    }
    let took = began.elapsed().as_secs_f64();
    let used = processor_time(exporter)? - before;
    let told = |name: &str| {
        let line = page.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.rsplit(' ').next())
            .unwrap_or("-")
            .to_owned()
    };
    println!(
        "{} events in {took:.1} s ({:.0} per second): {:.2} s of processor time, {:.2} % of one",
        program.events,
        program.events as f64 / took,
        used,
        100.0 * used / took
    );
    println!(
        "last scrape: {} events, {} threads created; memory MiB each second: {memory:?}",
        told("ghc_eventlog_events_total{"),
        told("ghc_thread_creations_total{")
    );
    Ok(())
}

fn scrape(at: &str) -> Result<String> {
    let mut stream = TcpStream::connect(at)?;
    stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n")?;
    let mut page = String::new();
    stream.read_to_string(&mut page)?;
    Ok(page)
}

/// MiB.
fn resident(pid: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: u64 = line
        .and_then(|it| it.split_whitespace().next())
        .ok_or("no memory")?
        .parse()?;
    Ok(kib.div_ceil(1024))
}
