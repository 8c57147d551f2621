//! `eventlog monitor` on logs with a million threads: memory and answers stay small.

use crate::common::Dir;
use crate::monitor::{Monitor, monitor};
use ghc_eventlog::{BlockBuilder, EventBody, Header, StopStatus};
use serde_json::Value;
use std::fs::File;
use std::io::{BufWriter, Write};

const THREADS: u32 = 1_000_000;
/// The most memory of the monitor.
const MEMORY: u64 = 256 << 20;
/// The most bytes of an answer.
const ANSWER: usize = 8 << 20;

/// A log of one capability, written block by block.
struct Written {
    header: Header,
    file: BufWriter<File>,
    block: BlockBuilder,
    events: u32,
    time: u64,
}

impl Written {
    fn new(path: &str) -> Self {
        let header = Header::standard();
        let mut file = BufWriter::new(File::create(path).expect("a file"));
        file.write_all(header.as_bytes()).expect("written");
        Self {
            header,
            file,
            block: BlockBuilder::new(Some(0)),
            events: 0,
            time: 1000,
        }
    }

    fn push(&mut self, body: &EventBody<'_>) {
        self.time += 100;
        let pushed = self.block.push_body(&self.header, self.time, body);
        pushed.expect("an event of the standard header");
        self.events += 1;
        if self.events.is_multiple_of(4000) {
            self.flush();
        }
    }

    fn run(&mut self, thread: u32, status: StopStatus) {
        self.push(&EventBody::RunThread { thread });
        self.push(&EventBody::StopThread {
            thread,
            status,
            info: Some(0),
        });
    }

    fn flush(&mut self) {
        self.file.write_all(self.block.finish()).expect("written");
        self.block.reset(Some(0));
    }

    fn end(mut self) {
        self.flush();
        let mark = ghc_eventlog::DATA_END.to_be_bytes();
        self.file.write_all(&mark).expect("written");
        self.file.flush().expect("written");
    }
}

/// Asks for everything; no answer is large.
#[track_caller]
fn asks_for_all(monitor: &Monitor, id: &str) {
    for path in [
        "overview",
        "rows",
        "stream",
        "threads?limit=1000000000",
        "threads?sort=label&desc=1&limit=5000&offset=400000",
        "threads?find=e&limit=5000",
        "thread/1",
        "thread/999999",
        "events?limit=1000000000",
        "arrows?limit=1000000000",
        "spans?limit=1000000000",
        "spans/summary",
        "collections",
        "heap",
        "at?row=c0&time=5000",
        "at?row=t999999&time=99999999",
        "series",
        "series?names=activity&points=1000000000",
    ] {
        let path = format!("/api/s/{id}/{path}");
        let (status, body) = monitor.ask(&path, monitor.token.as_deref());
        assert!([200, 404].contains(&status), "{path}: {status}");
        assert!(body.len() < ANSWER, "{path}: {} bytes", body.len());
        let _: Value = serde_json::from_slice(&body).expect("JSON");
    }
}

#[track_caller]
fn is_small(monitor: &Monitor) {
    let status = format!("/proc/{}/status", monitor.tool.child.id());
    let status = std::fs::read_to_string(status).expect("it runs");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak.and_then(|line| line.split_whitespace().next());
    let peak: u64 = peak.and_then(|it| it.parse().ok()).expect("a number");
    assert!(peak << 10 <= MEMORY, "{} MiB", peak >> 10);
}

fn ids(table: &Value) -> Vec<u64> {
    let rows = table["rows"].as_array().expect("rows").iter();
    rows.map(|row| row["id"].as_u64().expect("a number"))
        .collect()
}

/// A program that starts a thread for each request: ten thousand are alive at a time.
#[test]
fn a_million_short_threads() {
    const ALIVE: u32 = 10_000;
    let dir = Dir::new();
    let mut log = Written::new(&dir.file("a.eventlog"));
    for thread in 1..=THREADS {
        log.push(&EventBody::CreateThread { thread });
        if thread % 1000 == 0 {
            let label = format!("thousand {}", thread / 1000);
            let label = label.as_str().into();
            log.push(&EventBody::ThreadLabel { thread, label });
        }
        log.run(thread, StopStatus::YIELDING);
        if let Some(old) = thread.checked_sub(ALIVE).filter(|old| *old > 0) {
            log.run(old, StopStatus::FINISHED);
        }
    }
    log.end();
    let monitor = Monitor::start(&mut monitor(&dir, &["a.eventlog"]));
    let session = monitor.session("it is read", |it| it["ended"] == true);
    assert_eq!(session["threads_ever"], THREADS);
    assert_eq!(session["threads_live"], ALIVE);
    let id = session["id"].as_str().expect("an id");
    let table = |query: &str| monitor.get(&format!("s/{id}/threads?{query}"));
    // The last million nanoseconds: those that are alive, and some that ended there.
    let now = session["end"].as_u64().expect("a time");
    let late = table(&format!("from={}&limit=1", now - 1_000_000));
    let total = late["total"].as_u64().expect("a number");
    assert!((10_000..20_000).contains(&total), "{total}");
    // Page by page.
    let newest = table("sort=id&desc=1&limit=3");
    assert_eq!(ids(&newest), [1_000_000, 999_999, 999_998]);
    let next = table("sort=id&desc=1&limit=3&offset=3");
    assert_eq!(ids(&next), [999_997, 999_996, 999_995]);
    assert_eq!(
        table("limit=3&offset=4000000")["rows"],
        serde_json::json!([])
    );
    // By label and by number.
    assert_eq!(ids(&table("find=thousand%20997")), [997_000]);
    assert_eq!(ids(&table("find=995123")), [995_123]);
    // The oldest of those that have ended are not kept, and the answer says so.
    assert!(table("limit=1")["kept_from"].is_u64());
    // Their rows are.
    let rows = monitor.get(&format!("s/{id}/rows"));
    assert_eq!(rows["threads"]["count"], THREADS);
    let first = monitor.get(&format!("s/{id}/at?row=t1&time=1250"));
    assert_eq!(first["interval"]["state"], "running", "{first:#}");
    asks_for_all(&monitor, id);
    is_small(&monitor);
}

/// A log made to cost much: no thread ever ends, and each has a long label.
#[test]
fn a_million_threads_that_stay() {
    let dir = Dir::new();
    let mut log = Written::new(&dir.file("a.eventlog"));
    let long = "<script>e</script>".repeat(4);
    for thread in 1..=THREADS {
        log.push(&EventBody::CreateThread { thread });
        let label = format!("{long} {thread}");
        let label = label.as_str().into();
        log.push(&EventBody::ThreadLabel { thread, label });
        if thread % 4 == 0 {
            log.run(thread, StopStatus::MVAR);
        }
    }
    log.end();
    let monitor = Monitor::start(&mut monitor(&dir, &["a.eventlog"]));
    let session = monitor.session("it is read", |it| it["ended"] == true);
    assert_eq!(session["threads_ever"], THREADS);
    let id = session["id"].as_str().expect("an id");
    // So many are followed, and the answers say how many events of others there were.
    let followed = 3 << 17;
    assert_eq!(session["threads_live"], followed);
    let blocked = monitor.get(&format!("s/{id}/threads?find=blocked&limit=2"));
    assert_eq!(blocked["total"], followed / 4);
    let overview = monitor.get(&format!("s/{id}/overview"));
    assert!(overview["losses"]["refused_threads"].as_u64() >= Some(u64::from(THREADS - followed)));
    asks_for_all(&monitor, id);
    is_small(&monitor);
}
