//! `eventlog metrics --otlp`: what a receiver gets, however it answers.

use crate::common::{Dir, Done, Log, command, done, finished};
use crate::receiver::{Receiver, Reply, Seen};
use ghc_eventlog::{BlockBuilder, CapsetType, EventBody, Header};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsPartialSuccess, ExportMetricsServiceResponse,
};
use prost::Message;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// A log that is part of the repository.
fn log() -> String {
    let log = "/../../formats/events/corpus/9.0.2-hello.eventlog";
    format!("{}{log}", env!("CARGO_MANIFEST_DIR"))
}

/// Pushes that log, in many moments.
fn pushing(url: &str, more: &[&str]) -> Command {
    let mut command = command();
    command
        .args(["metrics", &log(), "--otlp", url, "--interval", "200us"])
        .args(more);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("OTEL_")) {
        command.env_remove(name);
    }
    command
}

fn push(url: &str, more: &[&str]) -> Done {
    done(&mut pushing(url, more))
}

/// What is printed instead of pushed: one request a line.
fn printed() -> Vec<Value> {
    let args = [
        "metrics",
        &log(),
        "--print",
        "otlp-json",
        "--interval",
        "200us",
    ];
    crate::common::eventlog(&args).exits(0).json()
}

/// What distinguishes a data point: its metric, attributes and time.
fn keys<'a>(messages: impl Iterator<Item = &'a Seen>) -> Vec<String> {
    let points = messages.flat_map(Seen::points);
    let keys = points
        .map(|(name, point)| format!("{name} {} {}", point["attributes"], point["timeUnixNano"]));
    keys.collect()
}

/// All data points of the log, each once.
fn all_points() -> BTreeSet<String> {
    let receiver = Receiver::new(|_| Reply::status(200));
    push(&receiver.url, &["--signals", "metrics"]).exits(0);
    let told = keys(receiver.taken().iter());
    let once: BTreeSet<String> = told.iter().cloned().collect();
    assert_eq!(once.len(), told.len());
    assert!(once.len() > 300, "{}", once.len());
    once
}

/// Everything has arrived, nothing twice.
#[track_caller]
fn arrived(receiver: &Receiver) {
    let told = keys(receiver.taken().iter());
    let once: BTreeSet<String> = told.iter().cloned().collect();
    assert_eq!(once.len(), told.len(), "something came twice");
    assert_eq!(once, all_points());
}

#[test]
fn a_file_sends_its_whole_series_and_ends() {
    let receiver = Receiver::new(|_| Reply::status(200));
    push(&receiver.url, &[]).exits(0);
    let of = |path: &str| -> Vec<Value> {
        let taken = receiver.taken().into_iter();
        taken
            .filter(|seen| seen.path == path)
            .map(|seen| seen.message)
            .collect()
    };
    let metrics = of("/v1/metrics");
    assert!(metrics.len() > 3, "{}", metrics.len());
    let printed: Vec<Value> = printed();
    let kind = |key: &str| -> Vec<Value> {
        printed
            .iter()
            .filter(|line| line.get(key).is_some())
            .cloned()
            .collect()
    };
    // Protocol Buffers and JSON contain the same.
    assert_eq!(metrics, kind("resourceMetrics"));
    assert_eq!(of("/v1/logs"), kind("resourceLogs"));
    assert_eq!(of("/v1/traces"), kind("resourceSpans"));
    for seen in receiver.seen() {
        assert_eq!(seen.headers["content-encoding"], "gzip");
        assert_eq!(seen.headers["content-type"], "application/x-protobuf");
    }
    // Times are those of the program: years before this test.
    let times = metrics.iter().map(|message| message.to_string());
    assert!(
        times
            .into_iter()
            .all(|text| text.contains("\"timeUnixNano\":\"1"))
    );
}

#[test]
fn a_busy_receiver_is_asked_again_and_not_too_soon() {
    let mut count = 0;
    let receiver = Receiver::new(move |_| {
        count += 1;
        match count {
            1 => Reply {
                headers: vec![("Retry-After", "2".to_owned())],
                ..Reply::status(429)
            },
            2 => Reply::status(503),
            5 => Reply::status(502),
            7 => Reply::status(504),
            _ => Reply::status(200),
        }
    });
    push(&receiver.url, &["--signals", "metrics"])
        .exits(0)
        .says("tried again");
    arrived(&receiver);
    let seen = receiver.seen();
    let waited = seen[1].at - seen[0].at;
    assert!(waited >= Duration::from_secs(2), "{waited:?}");
    // The same request once more, before any other.
    assert_eq!(seen[0].message, seen[1].message);
    // The exporter reports on itself, too.
    let own = seen
        .iter()
        .rfind(|seen| seen.is_own())
        .expect("own metrics");
    let retries = own
        .points()
        .into_iter()
        .find(|(name, _)| name == "eventlog.exporter.retries");
    assert!(retries.is_some());
}

#[test]
fn what_is_too_large_is_sent_in_parts() {
    let mut largest = 0;
    let receiver = Receiver::new(move |seen| match seen.length {
        1_501.. => Reply::status(413),
        length => {
            largest = largest.max(length);
            Reply::status(200)
        }
    });
    let done = done(
        pushing(&receiver.url, &["--signals", "metrics"])
            .env("OTEL_EXPORTER_OTLP_COMPRESSION", "none"),
    );
    done.exits(0);
    arrived(&receiver);
    let refused = receiver
        .seen()
        .iter()
        .filter(|seen| seen.status == 413)
        .count();
    let taken = receiver.taken().len();
    // The limit is remembered, not found out again for each request.
    assert!(refused < taken / 2, "{refused} were refused, {taken} taken");
}

#[test]
fn what_cannot_be_split_is_given_up_and_told() {
    let receiver = Receiver::new(|seen| match seen.length {
        0..60 => Reply::status(200),
        _ => Reply::status(413),
    });
    push(&receiver.url, &["--signals", "metrics"])
        .exits(3)
        .says("too large");
}

#[test]
fn what_a_receiver_does_not_take_is_counted() {
    let receiver = Receiver::new(|seen| {
        let rejected = if seen.is_own() { 0 } else { 2 };
        let answer = ExportMetricsServiceResponse {
            partial_success: Some(ExportMetricsPartialSuccess {
                rejected_data_points: rejected,
                error_message: "two are odd".to_owned(),
            }),
        };
        Reply {
            body: answer.encode_to_vec(),
            ..Reply::status(200)
        }
    });
    let done = push(&receiver.url, &["--signals", "metrics"]).exits(3);
    let requests = receiver.taken().len();
    let told = done.says("two are odd");
    assert!(
        told.stderr
            .contains(&format!("{} items were given up", 2 * requests)),
        "{told:?}"
    );
    // Nothing is sent again for that.
    let keys = keys(receiver.taken().iter());
    assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), keys.len());
}

#[test]
fn what_a_receiver_refuses_is_not_sent_again() {
    let receiver = Receiver::new(|_| Reply {
        body: b"no such tenant".to_vec(),
        ..Reply::status(400)
    });
    push(&receiver.url, &["--signals", "metrics"])
        .exits(3)
        .says("status 400: no such tenant");
    let seen = receiver.seen();
    let messages: BTreeSet<String> = seen.iter().map(|seen| seen.message.to_string()).collect();
    assert_eq!(messages.len(), seen.len());
}

#[test]
fn a_slow_receiver_is_given_up_and_asked_again() {
    let mut first = true;
    let receiver = Receiver::new(move |_| Reply {
        delay: match std::mem::take(&mut first) {
            true => Duration::from_secs(20),
            false => Duration::ZERO,
        },
        ..Reply::status(200)
    });
    let began = Instant::now();
    let done = done(
        pushing(&receiver.url, &["--signals", "metrics"]).env("OTEL_EXPORTER_OTLP_TIMEOUT", "300"),
    );
    done.exits(0).says("cannot push to");
    assert!(began.elapsed() < Duration::from_secs(18));
    let told: BTreeSet<String> = keys(receiver.taken().iter()).into_iter().collect();
    assert_eq!(told, all_points());
}

/// Waits until it cannot push, and for a further minute in the long form of the tests.
fn outage(stderr: &mut impl BufRead) -> String {
    let mut line = String::new();
    while !line.contains("cannot push to") {
        line.clear();
        let count = stderr.read_line(&mut line).expect("it says something");
        assert!(count > 0, "it ended before");
    }
    if std::env::var_os("EVENTLOG_TEST_LONG").is_some() {
        std::thread::sleep(Duration::from_secs(60));
    }
    line
}

#[test]
fn nothing_is_lost_while_nobody_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let url = format!("http://{address}");
    let mut child = pushing(&url, &["--signals", "metrics"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut stderr = BufReader::new(child.stderr.take().expect("a pipe"));
    let told = outage(&mut stderr);
    assert!(told.contains("tried again"), "{told}");
    let listener = TcpListener::bind(address).expect("the port is still free");
    let receiver = Receiver::on(listener, |_| Reply::status(200));
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).expect("UTF-8");
    assert!(rest.contains("takes what is pushed again"), "{rest}");
    finished(child.wait_with_output().expect("it ends")).exits(0);
    arrived(&receiver);
}

/// A message at each tenth of a second from the first to before the second.
fn messages(from: u64, to: u64) -> Vec<u8> {
    let header = Header::standard();
    let mut block = BlockBuilder::new(Some(0));
    for at in from..to {
        let body = EventBody::UserMsg {
            message: "hello".into(),
        };
        block
            .push_body(&header, at * TENTH, &body)
            .expect("an event");
    }
    block.finish().to_vec()
}

/// A tenth of a second, in nanoseconds.
const TENTH: u64 = 100_000_000;

/// The moments of which the number of messages was told, with that number.
fn told_messages(receiver: &Receiver) -> Vec<(u64, u64)> {
    let points = receiver.taken().into_iter().flat_map(|seen| seen.points());
    let number = |value: &Value| -> u64 {
        let text = value.as_str().expect("a number");
        text.parse().expect("a number")
    };
    let points = points.filter(|(name, _)| name == "ghc.user.messages");
    points
        .map(|(_, point)| {
            (
                number(&point["timeUnixNano"]) / TENTH,
                number(&point["asInt"]),
            )
        })
        .collect()
}

/// It ends with the test.
struct Exporter(std::process::Child);

impl Drop for Exporter {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A program that runs, whose metrics are pushed, and what it writes its log to.
fn exported(dir: &Dir, receiver: &Receiver) -> (Exporter, UnixStream) {
    let socket = dir.file("app.sock");
    let program = UnixListener::bind(&socket).expect("a socket");
    let source = format!("unix:{socket}");
    let args = ["--interval", "100ms", "--signals", "metrics", "--otlp"];
    let exporter = Exporter(
        command()
            .args(["metrics", &source])
            .args(args)
            .arg(&receiver.url)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts"),
    );
    let client = program.accept().expect("a client").0;
    (exporter, client)
}

/// How a program's log begins that was started at 1000 s of Unix time, and the events of `more`.
fn beginning(more: &[EventBody<'_>]) -> Vec<u8> {
    let global = [
        EventBody::CapsetCreate {
            capset: 0,
            capset_type: CapsetType::OS_PROCESS,
        },
        EventBody::OsprocessPid { capset: 0, pid: 7 },
        EventBody::WallClockTime {
            capset: 0,
            seconds: 1000,
            nanoseconds: 0,
        },
    ];
    let global: Vec<_> = global.iter().chain(more).map(|body| (0, *body)).collect();
    Log::new().block(None, &global).bytes
}

/// Others may have something to say of the same time, or there may be others of which nothing was
/// said: they are not waited for forever.
#[test]
fn a_program_that_says_nothing_more_is_told_whole() {
    let caps = [0, 1].map(|created_cap| EventBody::CapCreate { created_cap });
    for more in [&[][..], &caps[..1], &caps[..]] {
        let receiver = Receiver::new(|_| Reply::status(200));
        let dir = Dir::new();
        let (_exporter, mut client) = exported(&dir, &receiver);
        client.write_all(&beginning(more)).expect("it reads");
        client.write_all(&messages(0, 10)).expect("it reads");
        let expected: Vec<(u64, u64)> = (1..10).map(|at| (10_000 + at, at)).collect();
        crate::common::wait_until("all of it comes", || told_messages(&receiver) == expected);
    }
}

#[test]
fn a_running_program_loses_nothing_over_an_outage() {
    let down = Arc::new(AtomicBool::new(false));
    let is_down = Arc::clone(&down);
    // Relaxed: it guards no other data.
    let receiver = Receiver::new(move |_| match is_down.load(Ordering::Relaxed) {
        true => Reply::status(503),
        false => Reply::status(200),
    });
    let dir = Dir::new();
    let (mut exporter, mut client) = exported(&dir, &receiver);
    let mut stderr = BufReader::new(exporter.0.stderr.take().expect("a pipe"));
    client.write_all(&beginning(&[])).expect("it reads");
    client.write_all(&messages(0, 100)).expect("it reads");
    let told = || told_messages(&receiver);
    crate::common::wait_until("the first come", || told().len() >= 50);
    down.store(true, Ordering::Relaxed);
    // It goes on, whether anybody takes it or not.
    client.write_all(&messages(100, 400)).expect("it reads");
    let line = outage(&mut stderr);
    assert!(line.contains("503"), "{line}");
    let before = told().len();
    client.write_all(&messages(400, 501)).expect("it reads");
    down.store(false, Ordering::Relaxed);
    crate::common::wait_until("all of it comes", || {
        told().iter().any(|(at, _)| *at == 10_500)
    });
    drop(exporter);
    // Each moment once, with all messages that came before it.
    let expected: Vec<(u64, u64)> = (1..=500).map(|at| (10_000 + at, at)).collect();
    assert_eq!(told(), expected);
    assert!(before < 400, "{before} came before");
}

#[test]
fn a_queue_on_disk_survives_the_end_of_the_exporter() {
    let dir = Dir::new();
    let queue = dir.file("queue");
    // No process listens there.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let nowhere = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    let more = ["--signals", "metrics", "--queue", &queue];
    let mut child = pushing(&nowhere, &more)
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let files = || -> usize {
        let entries = std::fs::read_dir(format!("{queue}/metrics"));
        let names = entries.map(|it| it.flatten().map(|it| it.file_name()).collect::<Vec<_>>());
        let names = names.unwrap_or_default();
        names
            .iter()
            .filter(|it| it.to_string_lossy().ends_with(".otlp"))
            .count()
    };
    let moments = printed()
        .iter()
        .filter(|it| it.get("resourceMetrics").is_some())
        .count();
    crate::common::wait_until("all of it waits", || files() >= moments);
    // A second process must not use it at the same time.
    push(&nowhere, &more).exits(3).says("another process");
    child.kill().expect("SIGKILL");
    child.wait().expect("it ends");
    // A request whose writing was not finished when it was killed.
    std::fs::write(
        format!("{queue}/metrics/99999999999999999999-1.new"),
        b"half",
    )
    .expect("a file");
    let receiver = Receiver::new(|_| Reply::status(200));
    done(pushing(&receiver.url, &more).env("OTEL_SERVICE_NAME", "later")).exits(0);
    let taken = receiver.taken();
    let (later, before): (Vec<&Seen>, Vec<&Seen>) = taken
        .iter()
        .partition(|seen| seen.resource("service.name").as_deref() == Some("later"));
    let told = |of: Vec<&Seen>| -> BTreeSet<String> { keys(of.into_iter()).into_iter().collect() };
    assert_eq!(told(before), all_points());
    assert_eq!(told(later), all_points());
    assert_eq!(files(), 0, "nothing waits any more");
}

#[test]
fn a_full_queue_gives_up_the_oldest_and_says_so() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let nowhere = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    let dir = Dir::new();
    let socket = dir.file("app.sock");
    let program = UnixListener::bind(&socket).expect("a socket");
    let child = command()
        .args([
            "metrics",
            &format!("unix:{socket}"),
            "--otlp",
            &nowhere,
            "--interval",
            "200us",
        ])
        .args([
            "--queue-bytes",
            "30K",
            "--signals",
            "metrics",
            "--patience",
            "0s",
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let pid = child.id();
    let mut client = program.accept().expect("a client").0;
    client
        .write_all(&std::fs::read(log()).expect("a log"))
        .expect("it reads");
    drop((client, program));
    std::fs::remove_file(&socket).expect("the socket");
    std::thread::sleep(Duration::from_secs(2));
    done(Command::new("kill").args(["-INT", &pid.to_string()])).exits(0);
    let done = finished(child.wait_with_output().expect("it ends")).exits(3);
    done.says("the queue was full").says("items were given up");
}

#[test]
fn the_variables_mean_what_their_specification_says() {
    let receiver = Receiver::new(|_| Reply::status(200));
    let url = receiver.url.clone();
    let run = |variables: &[(&str, &str)]| {
        let mut command = pushing("env", &["--signals", "metrics,logs"]);
        command.envs(variables.iter().copied());
        done(&mut command)
    };
    run(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &format!("{url}/base/")),
        (
            "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
            &format!("{url}/as/it/is"),
        ),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=all%20of%20us,x-b=1"),
        ("OTEL_EXPORTER_OTLP_METRICS_HEADERS", "x-tenant=m"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "none"),
        ("OTEL_EXPORTER_OTLP_METRICS_COMPRESSION", "gzip"),
        ("OTEL_SERVICE_NAME", "shop"),
    ])
    .exits(0);
    for seen in receiver.seen() {
        match seen.path.as_str() {
            "/as/it/is" => {
                assert_eq!(seen.headers["x-tenant"], "m");
                assert_eq!(seen.headers["content-encoding"], "gzip");
            }
            "/base/v1/logs" => {
                assert_eq!(seen.headers["x-tenant"], "all of us");
                assert_eq!(seen.headers["x-b"], "1");
                assert!(!seen.headers.contains_key("content-encoding"));
                assert_eq!(seen.resource("service.name").as_deref(), Some("shop"));
            }
            other => panic!("{other}"),
        }
    }
    let wrong = [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "127.0.0.1:4318"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd"),
        ("OTEL_EXPORTER_OTLP_CLIENT_KEY", "/dev/null"),
        ("OTEL_METRICS_EXPORTER", "zipkin"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "x"),
    ];
    for (name, value) in wrong {
        run(&[(name, value)]).exits(2);
    }
    run(&[("OTEL_EXPORTER_OTLP_CERTIFICATE", "/nonexistent/ca.pem")])
        .exits(3)
        .says("/nonexistent/ca.pem");
    run(&[("OTEL_EXPORTER_OTLP_CERTIFICATE", "/dev/null")])
        .exits(3)
        .says("has no certificate");
    let before = receiver.seen().len();
    run(&[
        ("OTEL_SDK_DISABLED", "true"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &url),
    ])
    .exits(0);
    run(&[
        ("OTEL_METRICS_EXPORTER", "none"),
        ("OTEL_LOGS_EXPORTER", "none"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &url),
    ])
    .exits(0);
    assert_eq!(receiver.seen().len(), before, "nothing was sent");
}

/// The values of counters, by name and attributes; counts of histograms.
fn counted(seen: &Seen) -> BTreeMap<String, f64> {
    let number = |point: &Value| {
        let text = |key: &str| point[key].as_str().and_then(|text| text.parse().ok());
        let int = text("asInt").or_else(|| text("count"));
        int.or_else(|| point["asDouble"].as_f64()).unwrap_or(0.0)
    };
    let points = seen.points().into_iter();
    let sums = points.filter(|(name, _)| {
        name.ends_with(".duration")
            || [
                "ghc.thread.switches",
                "ghc.eventlog.events",
                "ghc.capability.time",
            ]
            .contains(&name.as_str())
    });
    sums.map(|(name, point)| (format!("{name} {}", point["attributes"]), number(&point)))
        .collect()
}

#[test]
fn changes_add_up_to_the_totals() {
    let run = |preference: &str| {
        let receiver = Receiver::new(|_| Reply::status(200));
        done(pushing(&receiver.url, &["--signals", "metrics"]).env(
            "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE",
            preference,
        ))
        .exits(0);
        receiver.taken()
    };
    let (totals, changes) = (run("cumulative"), run("delta"));
    assert_eq!(totals.len(), changes.len());
    let last = counted(totals.last().expect("moments"));
    let mut sums: BTreeMap<String, f64> = BTreeMap::new();
    for (key, value) in changes.iter().flat_map(counted) {
        *sums.entry(key).or_default() += value;
    }
    for (key, total) in &last {
        let sum = sums[key];
        assert!((sum - total).abs() < 1e-9, "{key}: {sum} is not {total}");
    }
    assert!(last.values().any(|total| *total > 10.0));
    // Each change begins where the one before ended.
    let mut ends: BTreeMap<String, String> = BTreeMap::new();
    for (name, point) in changes.iter().flat_map(Seen::points) {
        if name != "ghc.eventlog.events" {
            continue;
        }
        let [start, end] = ["startTimeUnixNano", "timeUnixNano"].map(|key| point[key].to_string());
        if let Some(before) = ends.insert(name, end) {
            assert_eq!(before, start);
        }
    }
}

#[test]
fn histograms_can_be_told_in_explicit_buckets() {
    let receiver = Receiver::new(|_| Reply::status(200));
    done(pushing(&receiver.url, &["--signals", "metrics"]).env(
        "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION",
        "explicit_bucket_histogram",
    ))
    .exits(0);
    let taken = receiver.taken();
    let mut counts = 0;
    for (name, point) in taken.iter().flat_map(Seen::points) {
        if !name.ends_with(".duration") {
            continue;
        }
        let buckets = point["bucketCounts"].as_array().expect("buckets");
        assert_eq!(buckets.len(), 28);
        assert_eq!(
            point["explicitBounds"].as_array().expect("bounds").len(),
            27
        );
        let number = |value: &Value| -> u64 {
            value
                .as_str()
                .and_then(|it| it.parse().ok())
                .or(value.as_u64())
                .expect("a number")
        };
        let sum: u64 = buckets.iter().map(number).sum();
        assert_eq!(sum, number(&point["count"]), "{name}");
        counts += sum;
    }
    assert!(counts > 0);
}
