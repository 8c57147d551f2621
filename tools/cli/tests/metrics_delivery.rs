//! `eventlog metrics --otlp`: nothing is lost or repeated, however a receiver answers.

use crate::common::{Dir, command, done, wait_until};
use crate::pushing::{all_points, arrived, keys, log, printed, push, pushing};
use crate::receiver::{Receiver, Reply, Seen, SilentPort};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsPartialSuccess, ExportMetricsServiceResponse,
};
use prost::Message;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write;
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

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
    let late = Duration::from_secs(900);
    let receiver = Receiver::new(move |_| Reply {
        delay: match std::mem::take(&mut first) {
            true => late,
            false => Duration::ZERO,
        },
        ..Reply::status(200)
    });
    let began = Instant::now();
    let done = done(
        pushing(&receiver.url, &["--signals", "metrics"]).env("OTEL_EXPORTER_OTLP_TIMEOUT", "300"),
    );
    done.exits(0).says("cannot push to");
    assert!(began.elapsed() < late);
    // On a busy machine others can be late, too: then the same comes again.
    let told: BTreeSet<String> = keys(receiver.taken().iter()).into_iter().collect();
    assert_eq!(told, all_points());
}

#[test]
fn a_queue_on_disk_survives_the_end_of_the_exporter() {
    let dir = Dir::new();
    let queue = dir.file("queue");
    let port = SilentPort::new();
    let nowhere = format!("http://{}", port.address);
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
    wait_until("all of it waits", || files() >= moments);
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
    let port = SilentPort::new();
    let nowhere = format!("http://{}", port.address);
    let dir = Dir::new();
    let socket = dir.file("app.sock");
    let program = UnixListener::bind(&socket).expect("a socket");
    let stderr = dir.file("stderr");
    let says = || std::fs::read_to_string(&stderr).expect("a file");
    let mut child = command()
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
        .stdout(Stdio::null())
        .stderr(File::create(&stderr).expect("a file"))
        .spawn()
        .expect("the program starts");
    let pid = child.id();
    let mut client = program.accept().expect("a client").0;
    client
        .write_all(&std::fs::read(log()).expect("a log"))
        .expect("it reads");
    drop((client, program));
    std::fs::remove_file(&socket).expect("the socket");
    wait_until("it is full", || says().contains("the queue was full"));
    done(Command::new("kill").args(["-INT", &pid.to_string()])).exits(0);
    assert_eq!(child.wait().expect("it ends").code(), Some(3), "{}", says());
    assert!(says().contains("items were given up"), "{}", says());
}
