//! A day of a running program in less time: `day EVENTLOG KEEP TASKS_PER_SECOND HOURS`.
//!
//! Starts `EVENTLOG monitor --keep KEEP` (`target/release/eventlog`) on a socket and plays a service
//! of two capabilities there as fast as it is read: tasks with threads, spans and messages of their
//! own, a collection each second, a heap profile and sparks. Prints the memory of the monitor after
//! each of 24 equal parts of the time, and what it says of the program in the end.

mod served;

use ghc_eventlog::{BlockBuilder, Breakdown, CapsetType, EventBody, Header, StopStatus};
use serde_json::Value;
use served::Monitor;
use std::error::Error;
use std::io::{BufWriter, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

const SECOND: u64 = 1_000_000_000;
/// Workers of each capability.
const WORKERS: u32 = 20;
/// Bands of a heap profile.
const BANDS: u64 = 60;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let [eventlog, keep, tasks, hours] = words[..] else {
        return Err("usage: day EVENTLOG KEEP TASKS_PER_SECOND HOURS".into());
    };
    let (tasks, seconds) = (tasks.parse()?, hours.parse::<u64>()? * 3600);
    let dir = std::env::temp_dir().join(format!("eventlog-day-{}", std::process::id()));
    std::fs::create_dir_all(&dir)?;
    let played = play(eventlog, keep, &dir, tasks, seconds);
    std::fs::remove_dir_all(&dir)?;
    played
}

/// The memory of a process now, and the most so far, in MiB.
fn memory(process: u32) -> Result<(u64, u64)> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let field = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name));
        let kib = line.and_then(|line| line.split_whitespace().nth(1));
        kib.and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) / 1024
    };
    Ok((field("VmRSS:"), field("VmHWM:")))
}

fn play(eventlog: &str, keep: &str, dir: &std::path::Path, tasks: u64, seconds: u64) -> Result<()> {
    let monitor = Monitor::start(eventlog, &["--keep", keep], dir)?;
    let (client, _) = monitor.listener.accept()?;
    let mut service = Service::begin(client)?;
    let began = Instant::now();
    for second in 0..seconds {
        service.second(second, tasks)?;
        if (second + 1) % seconds.div_ceil(24) == 0 {
            let (now, most) = memory(monitor.id())?;
            println!(
                "{:6.1} h, {:6} MB of log, {:5.1} s: {now} MiB, at most {most}",
                (second + 1) as f64 / 3600.0,
                service.bytes / 1_000_000,
                began.elapsed().as_secs_f64(),
            );
        }
    }
    service.client.flush()?;
    // What was sent last is read soon.
    std::thread::sleep(Duration::from_secs(3));
    let list = get(&monitor.at, "/api/sessions")?;
    let session = &list[0];
    println!(
        "{} events of {} ({} bytes), threads: {}; kept from {} s of {} s",
        session["events"],
        service.events,
        session["bytes"],
        session["threads_ever"],
        session["kept_from"].as_u64().unwrap_or(0) / SECOND,
        session["end"].as_u64().unwrap_or(0) / SECOND,
    );
    Ok(())
}

/// A program, and what it has sent.
struct Service {
    client: BufWriter<UnixStream>,
    header: Header,
    blocks: [BlockBuilder; 2],
    time: u64,
    thread: u32,
    bytes: usize,
    events: u64,
}

impl Service {
    fn begin(client: UnixStream) -> Result<Self> {
        let mut it = Self {
            client: BufWriter::with_capacity(1 << 20, client),
            header: Header::standard(),
            blocks: [0, 1].map(|cap| BlockBuilder::new(Some(cap))),
            time: 1000,
            thread: 2 * WORKERS,
            bytes: 0,
            events: 0,
        };
        it.client.write_all(it.header.as_bytes())?;
        let mut global = BlockBuilder::new(None);
        let capset_type = CapsetType::OS_PROCESS;
        for body in [
            EventBody::CapsetCreate {
                capset: 0,
                capset_type,
            },
            EventBody::CapCreate { created_cap: 0 },
            EventBody::CapCreate { created_cap: 1 },
            EventBody::OsprocessPid { capset: 0, pid: 1 },
            EventBody::HeapProfBegin {
                profile: 0,
                period: 10 * SECOND,
                breakdown: Breakdown::CLOSURE_DESCRIPTION,
                module_filter: "".into(),
                closure_filter: "".into(),
                type_filter: "".into(),
                cost_centre_filter: "".into(),
                stack_filter: "".into(),
                retainer_filter: "".into(),
                biography_filter: "".into(),
            },
        ] {
            global.push_body(&it.header, 1, &body)?;
        }
        it.client.write_all(global.finish())?;
        for thread in 0..2 * WORKERS {
            let cap = usize::from(thread >= WORKERS);
            it.log(cap, 100, &EventBody::CreateThread { thread })?;
        }
        Ok(it)
    }

    fn log(&mut self, cap: usize, passed: u64, body: &EventBody<'_>) -> Result<()> {
        self.time += passed;
        self.blocks[cap].push_body(&self.header, self.time, body)?;
        self.events += 1;
        Ok(())
    }

    /// Everything of one second, and the flush at its end.
    fn second(&mut self, second: u64, tasks: u64) -> Result<()> {
        let begin = second * SECOND + 1_000_000;
        let step = (SECOND - 100_000_000) / tasks.max(1) / 12;
        self.time = self.time.max(begin);
        for task in 0..tasks {
            self.task(second * tasks + task, step)?;
        }
        for cap in [0, 1] {
            self.log(cap, 1000, &EventBody::RequestParGc)?;
        }
        for cap in [0, 1] {
            self.log(cap, 1000, &EventBody::GcStart)?;
        }
        let live = (50 << 20) + second % 1000 * 40_000;
        let capset = 0;
        for body in [
            EventBody::GcStatsGhc {
                capset,
                generation: second.is_multiple_of(10).into(),
                copied: 1_000_000 + second % 77,
                slop: 1000,
                fragmentation: 0,
                par_threads: 2,
                par_max_copied: 700_000,
                par_tot_copied: 1_000_000,
                par_balanced_copied: Some(400_000),
            },
            EventBody::HeapLive {
                capset,
                bytes: live,
            },
            EventBody::HeapSize {
                capset,
                bytes: 2 * live,
            },
            EventBody::HeapAllocated {
                capset,
                bytes: second * 10_000_000,
            },
        ] {
            self.log(0, 100, &body)?;
        }
        for cap in [0, 1] {
            self.log(cap, 2_000_000, &EventBody::GcEnd)?;
            let sparks = EventBody::SparkCounters {
                created: second * 10,
                dud: 0,
                overflowed: 0,
                converted: second * 8,
                gcd: second,
                fizzled: second,
                remaining: 0,
            };
            self.log(cap, 100, &sparks)?;
        }
        if second.is_multiple_of(10) {
            self.sample(second)?;
        }
        for cap in [0u16, 1] {
            let block = &mut self.blocks[usize::from(cap)];
            let bytes = block.finish();
            self.bytes += bytes.len();
            self.client.write_all(bytes)?;
            block.reset(Some(cap));
        }
        Ok(())
    }

    /// A worker starts a thread for a task, which is a span. One of ten is passed on.
    fn task(&mut self, number: u64, step: u64) -> Result<()> {
        let cap = (number % 2) as usize;
        let worker = (number / 2 % u64::from(WORKERS)) as u32 + cap as u32 * WORKERS;
        self.thread = self.thread.checked_add(1).ok_or("too many threads")?;
        let thread = self.thread;
        let stop = |thread, status| EventBody::StopThread {
            thread,
            status,
            info: Some(0),
        };
        let kind = ["read", "write", "list"][(number % 3) as usize];
        let (start, end) = (format!("START {kind}"), format!("STOP {kind}"));
        let other = match number % 10 {
            0 => 1 - cap,
            _ => cap,
        };
        self.log(cap, step, &EventBody::RunThread { thread: worker })?;
        self.log(cap, step, &EventBody::CreateThread { thread })?;
        self.log(cap, step, &stop(worker, StopStatus::MVAR))?;
        if other != cap {
            let new_cap = other as u16;
            self.log(cap, step, &EventBody::MigrateThread { thread, new_cap })?;
        }
        self.log(other, step, &EventBody::RunThread { thread })?;
        let marker = start.as_str().into();
        self.log(other, step, &EventBody::UserMarker { marker })?;
        if number.is_multiple_of(5) {
            let message = format!("task {number} of {kind}");
            let message = message.as_str().into();
            self.log(other, step, &EventBody::UserMsg { message })?;
        }
        let marker = end.as_str().into();
        self.log(other, step, &EventBody::UserMarker { marker })?;
        let (thread, other_cap) = (worker, cap as u16);
        self.log(other, step, &EventBody::ThreadWakeup { thread, other_cap })?;
        self.log(other, step, &stop(self.thread, StopStatus::FINISHED))
    }

    /// A sample of the heap.
    fn sample(&mut self, second: u64) -> Result<()> {
        let era = second / 10;
        self.log(0, 100, &EventBody::HeapProfSampleBegin { era })?;
        for band in 0..BANDS {
            let label = format!("Module{}.type{band}", band % 7);
            let residency = (band + 1) * 10_000 + second % 1000 * band;
            let (profile, label) = (0, label.as_str().into());
            let body = EventBody::HeapProfSampleString {
                profile,
                residency,
                label,
            };
            self.log(0, 100, &body)?;
        }
        self.log(0, 100, &EventBody::HeapProfSampleEnd { era })
    }
}

fn get(at: &str, path: &str) -> Result<Value> {
    let mut stream = TcpStream::connect(at)?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let body = answer.split_once("\r\n\r\n").ok_or("no answer")?.1;
    Ok(serde_json::from_str(body.trim())?)
}
