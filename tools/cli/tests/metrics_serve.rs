//! `eventlog metrics --prometheus`: what a scraper gets.

use crate::common::{Dir, Log, wait_until};
use crate::scraping::{Server, value};
use prost::Message;
use std::io::Write;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::Command;

fn log() -> String {
    let log = "/../../formats/events/corpus/9.0.2-hello.eventlog";
    format!("{}{log}", env!("CARGO_MANIFEST_DIR"))
}

/// The fields of Prometheus' protocol that are checked, by the numbers of its definition.
#[derive(Clone, PartialEq, Message)]
struct MetricFamily {
    #[prost(string, optional, tag = "1")]
    name: Option<String>,
    #[prost(int32, optional, tag = "3")]
    kind: Option<i32>,
    #[prost(message, repeated, tag = "4")]
    metric: Vec<Metric>,
}

#[derive(Clone, PartialEq, Message)]
struct Metric {
    #[prost(message, optional, tag = "7")]
    histogram: Option<Histogram>,
}

#[derive(Clone, PartialEq, Message)]
struct Histogram {
    #[prost(uint64, optional, tag = "1")]
    count: Option<u64>,
    #[prost(sint32, optional, tag = "5")]
    schema: Option<i32>,
    #[prost(uint64, optional, tag = "7")]
    zero: Option<u64>,
    #[prost(sint64, repeated, tag = "13")]
    deltas: Vec<i64>,
}

#[test]
fn formats_are_negotiated() {
    let server = Server::start(&[&log()]);
    wait_until("the log is read", || server.ask("GET /-/ready").0 == 200);
    let accept = |accept: &str| server.ask(&format!("GET /metrics\nAccept: {accept}\r\n"));
    let (_, head, body) = accept("*/*");
    assert!(
        head.contains("content-type: text/plain; version=0.0.4"),
        "{head}"
    );
    let text = String::from_utf8(body).expect("UTF-8");
    assert!(!text.ends_with("# EOF\n"));
    let (_, head, body) = accept("application/openmetrics-text;version=1.0.0");
    assert!(
        head.contains("application/openmetrics-text; version=1.0.0"),
        "{head}"
    );
    assert!(body.ends_with(b"# EOF\n"));
    let protobuf = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;\
        encoding=delimited;q=0.8,text/plain;q=0.2";
    let (_, head, body) = accept(protobuf);
    assert!(head.contains("application/vnd.google.protobuf"), "{head}");
    let mut rest = &body[..];
    let mut names = Vec::new();
    while !rest.is_empty() {
        let family = MetricFamily::decode_length_delimited(&mut rest).expect("a family");
        for histogram in family
            .metric
            .iter()
            .filter_map(|metric| metric.histogram.as_ref())
        {
            assert_eq!((family.kind, histogram.schema), (Some(4), Some(3)));
            let mut sum = histogram.zero.expect("a count of zeros") as i64;
            let mut count = 0;
            for delta in &histogram.deltas {
                count += delta;
                sum += count;
            }
            assert_eq!(Some(sum as u64), histogram.count, "{:?}", family.name);
        }
        names.extend(family.name);
    }
    // The same families in each format.
    let of_text = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let of_text: Vec<&str> = of_text.filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(names, of_text);
    // Scrapes carry no times: a line is a name, labels and a value.
    let times = text.lines().filter(|line| !line.starts_with('#'));
    for line in times {
        let rest = line
            .rsplit_once('}')
            .map_or_else(|| line.split_once(' '), Some);
        let (_, value) = rest.unwrap_or_else(|| panic!("{line}"));
        assert!(value.trim().parse::<f64>().is_ok(), "{line}");
    }
}

#[test]
fn each_program_can_be_scraped_alone() {
    let log = log();
    let server = Server::start(&[&log]);
    wait_until("the log is read", || server.ask("GET /-/ready").0 == 200);
    let (status, head, body) = server.ask("GET /sd");
    assert_eq!(status, 200);
    assert!(head.contains("application/json"), "{head}");
    let groups: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
    let group = &groups[0];
    assert_eq!(group["targets"][0], "x:1");
    let path = group["labels"]["__metrics_path__"]
        .as_str()
        .expect("a path");
    let one = server.text(path);
    assert!(!one.contains("job=\""), "whoever scrapes adds that: {one}");
    assert!(one.contains("ghc_heap_size_bytes "));
    let all = server.text("/metrics");
    let job = group["labels"]["job"].as_str().expect("a job");
    let instance = group["labels"]["instance"].as_str().expect("an instance");
    assert!(all.contains(&format!("{{job=\"{job}\",instance=\"{instance}\"")));
    assert!(all.contains("eventlog_exporter_scrapes_total{"));
    assert_eq!(server.text("/-/healthy"), "healthy\n");
    assert_eq!(server.ask("GET /metrics/nothing").0, 404);
    assert_eq!(server.ask("GET /nothing").0, 404);
    let (status, head, _) = server.ask("POST /metrics");
    assert_eq!(status, 405);
    assert!(head.contains("allow: get, head"), "{head}");
    let (status, _, body) = server.ask("HEAD /metrics");
    assert_eq!((status, body.len()), (200, 0));
}

/// The log of a program that was started at 1000 s of Unix time, up to `at` milliseconds.
fn program(pid: u32, at: u64) -> Vec<u8> {
    use ghc_eventlog::{CapsetType, EventBody};
    let ms = 1_000_000;
    let now = at * ms;
    let global = [
        (
            now,
            EventBody::CapsetCreate {
                capset: 0,
                capset_type: CapsetType::OS_PROCESS,
            },
        ),
        (now, EventBody::OsprocessPid { capset: 0, pid }),
        (
            now,
            EventBody::WallClockTime {
                capset: 0,
                seconds: 1000 + at / 1000,
                // The wall clock is not the same to the nanosecond each time.
                nanoseconds: ((at % 1000) * ms) as u32 + pid + at as u32 % 7,
            },
        ),
    ];
    let message = |time| {
        (
            time,
            EventBody::UserMsg {
                message: "hello".into(),
            },
        )
    };
    let allocated = (
        now,
        EventBody::HeapAllocated {
            capset: 0,
            bytes: 1000 + at,
        },
    );
    let own = [message(now), message(now + 1), allocated];
    Log::new().block(None, &global).block(Some(0), &own).end()
}

/// Waits for the connection to the program.
fn client(listener: &UnixListener) -> UnixStream {
    listener.accept().expect("a client").0
}

#[test]
fn counters_go_on_over_a_reconnection_and_begin_anew_at_a_restart() {
    let dir = Dir::new();
    let socket = dir.file("app.sock");
    let listener = UnixListener::bind(&socket).expect("a socket");
    let server = Server::start(&[&format!("unix:{socket}")]);
    assert_eq!(server.ask("GET /-/ready").0, 503);
    let messages = |server: &Server| value(&server.text("/metrics"), "ghc_user_messages_total");
    let instance = |server: &Server| -> String {
        let text = server.text("/metrics");
        let line = text
            .lines()
            .find(|line| line.starts_with("ghc_user_messages_total"));
        let line = line.expect("the messages");
        line.split("instance=\"").nth(1).expect("an instance")[..36].to_owned()
    };
    let mut first = client(&listener);
    first.write_all(&program(7, 10)).expect("it reads");
    wait_until("two messages", || messages(&server) == Some(2.0));
    let text = server.text("/metrics");
    assert_eq!(value(&text, "ghc_eventlog_connection_count{"), Some(1.0));
    assert_eq!(value(&text, "ghc_eventlog_reconnections_total{"), Some(0.0));
    // The log is old: the program ran 50 years ago.
    assert!(value(&text, "ghc_eventlog_lag_seconds{").is_some_and(|lag| lag > 1e9));
    let before = instance(&server);
    drop(first);
    wait_until("no connection", || {
        value(&server.text("/metrics"), "ghc_eventlog_connection_count{") == Some(0.0)
    });
    // The same program once more, later.
    let mut second = client(&listener);
    second.write_all(&program(7, 5_000)).expect("it reads");
    wait_until("four messages", || messages(&server) == Some(4.0));
    assert_eq!(instance(&server), before);
    let text = server.text("/metrics");
    assert_eq!(
        value(&text, "ghc_heap_allocated_bytes_total{"),
        Some(6000.0)
    );
    assert_eq!(value(&text, "ghc_eventlog_reconnections_total{"), Some(1.0));
    drop(second);
    // Another program.
    let mut third = client(&listener);
    third.write_all(&program(8, 20)).expect("it reads");
    wait_until("two messages", || messages(&server) == Some(2.0));
    assert_ne!(instance(&server), before);
    drop(third);
}

#[test]
fn it_ends_when_asked_to() {
    let mut server = Server::start(&[&log()]);
    wait_until("the log is read", || server.ask("GET /-/ready").0 == 200);
    let pid = server.child.id().to_string();
    let kill = Command::new("kill").args(["-TERM", &pid]).status();
    assert!(kill.expect("kill").success());
    assert!(server.child.wait().expect("it ends").success());
}

#[test]
fn an_address_that_cannot_be_had_is_an_error() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = taken.local_addr().expect("an address").to_string();
    let args = ["metrics", &log(), "--prometheus", &at];
    crate::common::eventlog(&args).exits(3).says("--prometheus");
    crate::common::eventlog(&["metrics", &log(), "--prometheus", "nowhere"]).exits(2);
}
