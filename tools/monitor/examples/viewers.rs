//! What viewers of a running program cost: `viewers EVENTLOG EVENTS_PER_SECOND SECONDS VIEWERS`.
//!
//! Starts `EVENTLOG monitor` (`target/release/eventlog`) on a socket and plays a program of two
//! capabilities there, at that rate: first without viewers, then with that many at the overview,
//! then at the timeline. They ask what the pages ask that follow a program. Prints the processor
//! time of the monitor, what each viewer received, and the age of the newest event in the lists.

#[path = "../../metrics/examples/played/mod.rs"]
mod played;
mod served;

use ghc_eventlog::{BlockBuilder, EventBody, Header, StopStatus};
use played::{FLUSH, beginning, processor_time};
use serde_json::Value;
use served::Monitor;
use std::error::Error;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// The width of the timeline in pixels.
const WIDTH: u64 = 1600;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let [eventlog, rate, seconds, viewers] = words[..] else {
        return Err("usage: viewers EVENTLOG EVENTS_PER_SECOND SECONDS VIEWERS".into());
    };
    let (rate, seconds) = (rate.parse()?, Duration::from_secs(seconds.parse()?));
    let viewers: usize = viewers.parse()?;
    let mut alone = 0.0;
    for (page, viewers) in [
        (Page::Overview, 0),
        (Page::Overview, viewers),
        (Page::Timeline, viewers),
    ] {
        let told = measure(eventlog, rate, seconds, page, viewers)?;
        if viewers == 0 {
            alone = told.processor;
        }
        println!(
            "{viewers} viewers of the {page:?}: {:.0} events/s, {:.1} % of a processor, {:.1} % of \
             them for the viewers; each received {:.1} kB/s, its lists were {} ms old (p99 {} ms)",
            told.rate,
            100.0 * told.processor,
            100.0 * (told.processor - alone),
            told.received / 1000.0,
            told.lag.0,
            told.lag.1,
        );
    }
    Ok(())
}

#[derive(Clone, Copy, Debug)]
enum Page {
    Overview,
    Timeline,
}

struct Told {
    rate: f64,
    /// Of one processor.
    processor: f64,
    /// Bytes per second of one viewer.
    received: f64,
    /// Milliseconds: median and 99th percentile.
    lag: (u64, u64),
}

fn measure(
    eventlog: &str,
    rate: u64,
    seconds: Duration,
    page: Page,
    viewers: usize,
) -> Result<Told> {
    let dir = std::env::temp_dir().join(format!("eventlog-viewers-{}", std::process::id()));
    std::fs::create_dir_all(&dir)?;
    let monitor = Monitor::start(eventlog, &[], &dir)?;
    let at = &monitor.at[..];
    let over = AtomicBool::new(false);
    let told = std::thread::scope(|scope| {
        let views: Vec<_> = (0..viewers)
            .map(|_| scope.spawn(|| view(at, page, &over)))
            .collect();
        let played = play(&monitor, rate, seconds);
        // Relaxed: it guards no other data.
        over.store(true, Ordering::Relaxed);
        let (mut lags, mut bytes) = (Vec::new(), 0);
        for view in views {
            let seen = view.join().map_err(|_| "a viewer failed")??;
            lags.extend(seen.lags);
            bytes += seen.received;
        }
        let (events, processor, took) = played?;
        lags.sort_unstable();
        let lag = |part: usize| lags.get(lags.len() * part / 100).copied().unwrap_or(0);
        Result::Ok(Told {
            rate: events as f64 / took,
            processor: processor / took,
            received: bytes as f64 / took / viewers.max(1) as f64,
            lag: (lag(50), lag(99)),
        })
    });
    drop(monitor);
    std::fs::remove_dir_all(&dir)?;
    told
}

/// A connection of a viewer for its requests.
struct Asking<'a> {
    at: &'a str,
    stream: BufReader<TcpStream>,
    received: u64,
}

impl<'a> Asking<'a> {
    fn new(at: &'a str) -> Result<Self> {
        Ok(Self {
            at,
            stream: BufReader::new(TcpStream::connect(at)?),
            received: 0,
        })
    }

    fn ask(&mut self, line: &str, body: &str) -> Result<Vec<u8>> {
        let (at, length) = (self.at, body.len());
        let head = format!("{line} HTTP/1.1\r\nHost: {at}\r\nContent-Length: {length}\r\n\r\n");
        self.stream.get_mut().write_all((head + body).as_bytes())?;
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if self.stream.read_line(&mut head)? == 0 {
                return Err("the monitor does not answer".into());
            }
        }
        let lower = head.to_ascii_lowercase();
        let length = lower.split("content-length: ").nth(1);
        let length = length.and_then(|rest| rest.lines().next());
        let mut body = vec![0; length.ok_or("no length")?.parse()?];
        self.stream.read_exact(&mut body)?;
        self.received += (head.len() + body.len()) as u64;
        match lower.starts_with("http/1.1 200") {
            true => Ok(body),
            false => Err(format!("{line}: {}", String::from_utf8_lossy(&body)).into()),
        }
    }
}

/// What one viewer has seen.
struct Seen {
    /// The ages of the newest events, in milliseconds.
    lags: Vec<u64>,
    received: u64,
}

/// One viewer, until it is over.
fn view(at: &str, page: Page, over: &AtomicBool) -> Result<Seen> {
    let mut stream = TcpStream::connect(at)?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    stream.write_all(format!("GET /api/stream HTTP/1.1\r\nHost: {at}\r\n\r\n").as_bytes())?;
    let mut asking = Asking::new(at)?;
    let mut lags = Vec::new();
    let mut due = Instant::now();
    let mut tiles = Tiles::default();
    for line in BufReader::new(stream).lines() {
        let line = line?;
        asking.received += line.len() as u64 + 1;
        if over.load(Ordering::Relaxed) {
            break;
        }
        let Some(list) = line.strip_prefix("data: ") else {
            continue;
        };
        let list: Value = serde_json::from_str(list)?;
        let session = &list[0];
        let (Some(id), Some(end)) = (session["id"].as_str(), session["end"].as_u64()) else {
            continue;
        };
        if session["events"] == 0 {
            continue;
        }
        lags.extend(session["lag"].as_u64().map(|lag| lag / 1_000_000));
        if matches!(page, Page::Timeline) {
            tiles.grown(&mut asking, id, end)?;
        }
        if Instant::now() < due {
            continue;
        }
        let (began, before) = (Instant::now(), asking.received);
        let of = |what: &str| format!("GET /api/s/{id}/{what}");
        let most = match page {
            Page::Overview => {
                asking.ask(&of("overview"), "")?;
                let series = "series?names=activity,heap.live,heap.size&points=400";
                asking.ask(&of(series), "")?;
                80_000
            }
            Page::Timeline => {
                let range = format!("from=0&to={}", end + end / 4);
                asking.ask(&of("rows"), "")?;
                for what in [
                    "threads?limit=500",
                    "series?names=activity&points=600",
                    "spans?limit=3000",
                    "events?kind=marker&limit=400",
                    "arrows?limit=1500&most=1500",
                ] {
                    asking.ask(&of(&format!("{what}&{range}")), "")?;
                }
                25_000
            }
        };
        // The pages wait in the same way.
        let took = began.elapsed();
        let bytes = asking.received - before;
        let by_bytes = Duration::from_secs_f64(bytes as f64 / f64::from(most));
        due = began + by_bytes.max(took * 11).max(Duration::from_secs(1));
    }
    Ok(Seen {
        lags,
        received: asking.received,
    })
}

/// The tiles of a timeline that shows the whole run.
#[derive(Default)]
struct Tiles {
    z: u32,
    /// The first tile that is not final.
    first: u64,
}

impl Tiles {
    /// Asks for those that are not final.
    fn grown(&mut self, asking: &mut Asking<'_>, id: &str, end: u64) -> Result<()> {
        let z = (end / WIDTH).max(64).ilog2();
        if z != self.z {
            *self = Self { z, first: 0 };
        }
        let last = end >> (z + 9);
        let (from, to) = (self.first, last + 1);
        let wish = format!(r#"{{"z":{z},"from":{from},"to":{to},"rows":["c0","c1","threads"]}}"#);
        let answer = asking.ask(&format!("POST /api/s/{id}/tiles"), &wish)?;
        let mut rest = &answer[..];
        let (mut at, mut open) = (0, to);
        while let Some((length, after)) = rest.split_first_chunk() {
            let (tile, after) = after.split_at(u32::from_le_bytes(*length) as usize);
            if tile.get(1) == Some(&0) {
                open = open.min(from + at % (to - from));
            }
            at += 1;
            rest = after;
        }
        self.first = open;
        Ok(())
    }
}

/// The program: events, and the processor time of the monitor meanwhile, and how long it took, in
/// seconds.
fn play(monitor: &Monitor, rate: u64, seconds: Duration) -> Result<(u64, f64, f64)> {
    let (mut client, _) = monitor.listener.accept()?;
    let header = Header::standard();
    client.write_all(header.as_bytes())?;
    client.write_all(&beginning(&header)?)?;
    let began = Instant::now();
    let before = processor_time(monitor.id())?;
    let (mut events, mut time, mut number) = (0, 1_000, 0u32);
    for flush in 1.. {
        // Evenly over the time since the last flush.
        let until = u64::try_from(FLUSH.as_nanos())? * flush;
        let wanted = rate * flush * FLUSH.as_millis() as u64 / 1000;
        let turns = (wanted.saturating_sub(events) / 2).max(1);
        let step = (until.saturating_sub(time) / turns / 3).max(1);
        let mut blocks = [BlockBuilder::new(Some(0)), BlockBuilder::new(Some(1))];
        for turn in 0..turns {
            number += 1;
            let cap = number % 2;
            let thread = number % 50 + 1 + 50 * cap;
            let block = &mut blocks[cap as usize];
            block.push_body(&header, time, &EventBody::RunThread { thread })?;
            let stop = EventBody::StopThread {
                thread,
                status: StopStatus::YIELDING,
                info: Some(0),
            };
            block.push_body(&header, time + step, &stop)?;
            time += 3 * step;
            if turn % 1_000 == 999 || turn + 1 == turns {
                for (cap, block) in (0u16..).zip(&mut blocks) {
                    client.write_all(block.finish())?;
                    block.reset(Some(cap));
                }
            }
        }
        events += turns * 2;
        let elapsed = began.elapsed();
        if elapsed >= seconds {
            break;
        }
        std::thread::sleep(Duration::from_nanos(until).saturating_sub(elapsed));
    }
    let took = began.elapsed().as_secs_f64();
    Ok((events, processor_time(monitor.id())? - before, took))
}
