//! `eventlog metrics --otlp`: a receiver that is away, busy, slow or choosy for a while, and programs
//! that run on meanwhile.
//!
//! In the long form of the tests (`EVENTLOG_TEST_LONG`) each outage takes a minute; else it ends as
//! soon as it is noticed.

use crate::common::{Dir, finished};
use crate::pushing::{
    Exporter, START, arrived, beginning, messages, number, pushing, told_message, told_messages,
};
use crate::receiver::{Receiver, Reply, Seen, SilentPort};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsPartialSuccess, ExportMetricsServiceResponse,
};
use prost::Message;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How long an outage takes.
const MINUTE: Duration = Duration::from_secs(60);

fn is_long() -> bool {
    std::env::var_os("EVENTLOG_TEST_LONG").is_some()
}

#[test]
fn nothing_is_lost_while_nobody_listens() {
    let port = SilentPort::new();
    let url = format!("http://{}", port.address);
    let mut child = pushing(&url, &["--signals", "metrics"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut stderr = BufReader::new(child.stderr.take().expect("a pipe"));
    let mut told = String::new();
    while !told.contains("cannot push to") {
        told.clear();
        let count = stderr.read_line(&mut told).expect("it says something");
        assert!(count > 0, "it ended before");
    }
    assert!(told.contains("tried again"), "{told}");
    if is_long() {
        std::thread::sleep(MINUTE);
    }
    let receiver = Receiver::on(port.listen(), |_| Reply::status(200));
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).expect("UTF-8");
    assert!(rest.contains("takes what is pushed again"), "{rest}");
    finished(child.wait_with_output().expect("it ends")).exits(0);
    arrived(&receiver);
}

/// What an outage of the receiver has left behind.
struct Outage {
    receiver: Receiver,
    exporter: Exporter,
    /// How many requests were answered during the outage.
    answered: u64,
    /// The last moment that the program told of.
    last: u64,
    _client: UnixStream,
    _dir: Dir,
}

/// A program that runs on while the receiver answers as `during` says. It has a message each tenth
/// of a second of its time; `count` come during the outage, or in the long form one each `pace`. It
/// lasts for at least that many `answers`.
fn outage(
    more: &[&str],
    variables: &[(&str, &str)],
    (count, pace, answers): (u64, Duration, u64),
    mut during: impl FnMut(&Seen) -> Reply + Send + 'static,
) -> Outage {
    let is_down = Arc::new(AtomicBool::new(false));
    let answered = Arc::new(AtomicU64::new(0));
    let (down, counted) = (Arc::clone(&is_down), Arc::clone(&answered));
    // Relaxed, here and below: neither guards other data.
    let receiver = Receiver::new(move |seen| match down.load(Ordering::Relaxed) {
        true => {
            counted.fetch_add(1, Ordering::Relaxed);
            during(seen)
        }
        false => Reply::status(200),
    });
    let dir = Dir::new();
    let (exporter, mut client) = Exporter::start(&dir, &receiver, more, variables);
    client.write_all(&beginning(&[])).expect("it reads");
    let mut write = |from, to| client.write_all(&messages(from, to)).expect("it reads");
    let came = |at: u64| {
        let told = receiver.look(|seen| {
            let mut newest = seen.iter().rev().filter(|seen| seen.is_taken());
            newest.find_map(told_message)
        });
        told.is_some_and(|(moment, _)| moment >= START + at)
    };
    // A few at a time, so that these have room in any queue. A moment is told when a later event comes.
    let taken = |write: &mut dyn FnMut(u64, u64), from: u64, to: u64| {
        for at in (from..to).step_by(15) {
            write(at, at + 15);
            wait("what was written comes", &exporter, || came(at));
        }
        wait("all of it comes", &exporter, || came(to - 1));
    };
    taken(&mut write, 0, 60);
    let mut last = 60;
    is_down.store(true, Ordering::Relaxed);
    let began = Instant::now();
    // It goes on, whether anybody takes it or not.
    if is_long() {
        while began.elapsed() < MINUTE {
            write(last, last + 1);
            last += 1;
            std::thread::sleep(pace);
        }
    } else {
        write(last, last + count);
        last += count;
    }
    wait("the outage is noticed", &exporter, || {
        answered.load(Ordering::Relaxed) >= answers
    });
    is_down.store(false, Ordering::Relaxed);
    // It may still wait before it tries again, and meanwhile a small queue is full.
    wait("the end of the outage is noticed", &exporter, || {
        let says = exporter.says();
        let count = |what| says.matches(what).count();
        count("cannot push to") == count("takes what is pushed again")
    });
    taken(&mut write, last, last + 60);
    last += 59;
    Outage {
        receiver,
        exporter,
        answered: answered.load(Ordering::Relaxed),
        last,
        _client: client,
        _dir: dir,
    }
}

#[track_caller]
fn wait(what: &str, exporter: &Exporter, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(300);
    while !is_so() {
        assert!(Instant::now() < until, "{what}: {}", exporter.says());
        std::thread::sleep(Duration::from_millis(50));
    }
}

impl Outage {
    /// Each moment came once, in their order, with all messages that came before it.
    #[track_caller]
    fn lost_nothing(&self) {
        let expected: Vec<(u64, u64)> = (1..=self.last).map(|at| (START + at, at)).collect();
        assert_eq!(told_messages(&self.receiver), expected);
        let says = self.exporter.says();
        assert!(!says.contains("given up"), "{says}");
    }

    /// The same, and it said that the receiver did not take what was pushed, and did again.
    #[track_caller]
    fn was_told(&self, why: &str) {
        let says = self.exporter.says();
        assert!(says.contains("cannot push to"), "{says}");
        assert!(says.contains(why), "{says}");
        assert!(says.contains("takes what is pushed again"), "{says}");
    }

    /// How many items were dropped, as the exporter tells the receiver, by reason.
    fn dropped(&self) -> BTreeMap<String, u64> {
        let text = |point: &Value, key: &str| {
            let mut attributes = point["attributes"].as_array()?.iter();
            let pair = attributes.find(|pair| pair["key"] == key)?;
            pair["value"]["stringValue"].as_str().map(str::to_owned)
        };
        let mut newest = BTreeMap::new();
        self.receiver.look(|seen| {
            // A request can come in parts.
            let own = seen
                .iter()
                .rev()
                .filter(|seen| seen.is_own() && seen.status == 200);
            for (name, point) in own.take(60).flat_map(Seen::points) {
                if name == "eventlog.exporter.dropped" {
                    let key = ["reason", "signal"]
                        .map(|key| text(&point, &format!("eventlog.exporter.{key}")));
                    newest.entry(key).or_insert(number(&point["asInt"]));
                }
            }
        });
        let mut sums = BTreeMap::new();
        for ([reason, _], count) in newest.into_iter().filter(|(_, count)| *count > 0) {
            *sums.entry(reason.expect("a reason")).or_default() += count;
        }
        sums
    }

    /// The end of the exporter tells how much was dropped, as its metrics did, for that reason.
    /// Returns how much.
    #[track_caller]
    fn all_drops_are_told(&mut self, reason: &str, says: &str) -> u64 {
        let each = || -> u64 {
            let lines = self.exporter.says();
            let lines = lines.lines().filter(|line| line.contains(says));
            let items = lines.filter_map(|line| line.split(" data points given up").next());
            let items = items.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok());
            items.sum()
        };
        wait(
            "its metrics tell of all that was dropped",
            &self.exporter,
            || self.dropped() == BTreeMap::from([(reason.to_owned(), each())]),
        );
        let dropped = each();
        assert!(dropped > 0);
        let (code, says) = self.exporter.end();
        assert_eq!(code, Some(3), "{says}");
        let whole = format!("{dropped} items were given up");
        assert!(says.contains(&whole), "{whole}: {says}");
        dropped
    }
}

/// As time passes.
const TENTHS: (u64, Duration, u64) = (40, Duration::from_millis(100), 3);

#[test]
fn a_receiver_that_is_not_available_loses_nothing() {
    let outage = outage(&[], &[], TENTHS, |_| Reply::status(503));
    outage.lost_nothing();
    outage.was_told("status 503");
}

#[test]
fn a_busy_receiver_gets_the_time_that_it_asks_for_and_loses_nothing() {
    let pause = Duration::from_secs(if is_long() { 7 } else { 2 });
    let outage = outage(&[], &[], TENTHS, move |_| Reply {
        headers: vec![("Retry-After", pause.as_secs().to_string())],
        ..Reply::status(429)
    });
    outage.lost_nothing();
    outage.was_told("status 429");
    let seen = outage.receiver.seen();
    let mut pauses = 0;
    for pair in seen.windows(2).filter(|pair| pair[0].status == 429) {
        let waited = pair[1].at - pair[0].at;
        assert!(waited >= pause, "{waited:?}");
        assert_eq!(pair[0].message, pair[1].message);
        pauses += 1;
    }
    assert!(pauses >= 3, "{pauses}");
}

#[test]
fn a_slow_receiver_loses_nothing() {
    let delay = Duration::from_millis(if is_long() { 2_000 } else { 300 });
    let outage = outage(&[], &[], TENTHS, move |_| Reply {
        delay,
        ..Reply::status(200)
    });
    outage.lost_nothing();
    let says = outage.exporter.says();
    assert!(!says.contains("cannot push"), "slow is not down: {says}");
}

#[test]
fn a_receiver_that_is_too_slow_is_asked_again_and_loses_nothing() {
    // It takes nothing of what it does not answer in time.
    let outage = outage(
        &[],
        &[("OTEL_EXPORTER_OTLP_TIMEOUT", "5000")],
        TENTHS,
        move |_| Reply {
            delay: Duration::from_secs(15),
            ..Reply::status(503)
        },
    );
    // On a busy machine others can be late, too: then the same comes again.
    let mut told = told_messages(&outage.receiver);
    told.sort_unstable();
    told.dedup();
    let expected: Vec<(u64, u64)> = (1..=outage.last).map(|at| (START + at, at)).collect();
    assert_eq!(told, expected);
    outage.was_told("timeout");
}

#[test]
fn a_receiver_with_a_limit_gets_parts_and_loses_nothing() {
    let outage = outage(
        &[],
        &[("OTEL_EXPORTER_OTLP_COMPRESSION", "none")],
        TENTHS,
        |seen| Reply::status(if seen.length > 1_500 { 413 } else { 200 }),
    );
    outage.lost_nothing();
    let seen = outage.receiver.seen();
    assert!(seen.iter().any(|seen| seen.status == 413));
}

#[test]
fn what_is_too_large_in_any_part_is_dropped_and_told() {
    // A moment becomes two requests for each of its data points: fewer moments.
    let mut outage = outage(&[], &[], (5, Duration::from_secs(1), 300), |_| {
        Reply::status(413)
    });
    let told = told_messages(&outage.receiver);
    let dropped = outage.all_drops_are_told("too_large", "too large for the receiver");
    let missing = outage.last - told.len() as u64;
    assert!(missing > 0);
    // Nothing is dropped without asking.
    let refused = outage.receiver.look(|seen| {
        let refused = seen.iter().filter(|seen| seen.status == 413);
        refused.filter(|seen| seen.points().len() == 1).count()
    });
    assert_eq!(dropped, refused as u64);
    // Nothing is dropped after it, not even what is as large.
    let last = outage.last - 50..=outage.last;
    let last: Vec<(u64, u64)> = last.map(|at| (START + at, at)).collect();
    assert!(told.ends_with(&last), "{told:?}");
}

#[test]
fn what_a_receiver_rejects_in_part_is_told_and_the_rest_is_not_sent_again() {
    let rejected = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&rejected);
    let mut outage = outage(&[], &[], TENTHS, move |_| {
        count.fetch_add(2, Ordering::Relaxed);
        let answer = ExportMetricsServiceResponse {
            partial_success: Some(ExportMetricsPartialSuccess {
                rejected_data_points: 2,
                error_message: "two are odd".to_owned(),
            }),
        };
        Reply {
            body: answer.encode_to_vec(),
            ..Reply::status(200)
        }
    });
    let expected: Vec<(u64, u64)> = (1..=outage.last).map(|at| (START + at, at)).collect();
    assert_eq!(told_messages(&outage.receiver), expected);
    let dropped = outage.all_drops_are_told("rejected", "two are odd");
    assert_eq!(dropped, rejected.load(Ordering::Relaxed));
    assert_eq!(dropped, 2 * outage.answered);
}

#[test]
fn beyond_the_queue_the_oldest_is_dropped_and_told() {
    for on_disk in [false, true] {
        let dir = Dir::new();
        let queue = dir.file("queue");
        let mut more = vec!["--queue-bytes", "100K"];
        if on_disk {
            more.extend(["--queue", &queue]);
        }
        let mut outage = outage(&more, &[], (80, TENTHS.1, 3), |_| Reply::status(503));
        outage.was_told("status 503");
        let told = told_messages(&outage.receiver);
        let came: BTreeSet<u64> = told.iter().map(|(at, _)| at - START).collect();
        assert_eq!(came.len(), told.len(), "something came twice");
        assert!(told.iter().all(|(at, count)| at - START == *count));
        // One after the other, and none of those before the outage, nor the last ones.
        let missing: Vec<u64> = (1..=outage.last).filter(|at| !came.contains(at)).collect();
        let (Some(first), Some(last)) = (missing.first(), missing.last()) else {
            panic!("nothing is missing");
        };
        assert_eq!(last - first + 1, missing.len() as u64, "{missing:?}");
        assert!(*first >= 60 && *last < outage.last, "{missing:?}");
        let points = |seen: &Seen| seen.points().len() as u64;
        let least = outage.receiver.taken().iter().map(points).min();
        let dropped = outage.all_drops_are_told("queue_full", "the queue was full");
        let of_moments = least.expect("moments") * missing.len() as u64;
        assert!(dropped >= of_moments, "{dropped} of {of_moments}");
    }
}
