//! `eventlog metrics --otlp` of a log that is part of the repository, and of a program that runs.

use crate::common::{Dir, Done, Log, command, done};
use crate::receiver::{Receiver, Reply, Seen};
use ghc_eventlog::{BlockBuilder, CapsetType, EventBody, Header};
use rustix::process::Signal;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Child, Command, Stdio};

/// A log that is part of the repository.
pub fn log() -> String {
    let log = "/../../formats/events/corpus/9.0.2-hello.eventlog";
    format!("{}{log}", env!("CARGO_MANIFEST_DIR"))
}

/// Pushes that log, in many moments.
pub fn pushing(url: &str, more: &[&str]) -> Command {
    let mut command = command();
    command
        .args(["metrics", &log(), "--otlp", url, "--interval", "200us"])
        .args(more);
    own_variables(&mut command, &[]);
    command
}

pub fn push(url: &str, more: &[&str]) -> Done {
    done(&mut pushing(url, more))
}

/// What is printed instead of pushed: one request a line.
pub fn printed() -> Vec<Value> {
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
pub fn keys<'a>(messages: impl Iterator<Item = &'a Seen>) -> Vec<String> {
    let points = messages.flat_map(Seen::points);
    let keys = points
        .map(|(name, point)| format!("{name} {} {}", point["attributes"], point["timeUnixNano"]));
    keys.collect()
}

/// All data points of the log, each once.
pub fn all_points() -> BTreeSet<String> {
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
pub fn arrived(receiver: &Receiver) {
    let told = keys(receiver.taken().iter());
    let once: BTreeSet<String> = told.iter().cloned().collect();
    assert_eq!(once.len(), told.len(), "something came twice");
    assert_eq!(once, all_points());
}

/// A message at each tenth of a second from the first to before the second.
pub fn messages(from: u64, to: u64) -> Vec<u8> {
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

/// When the program was started, in tenths of a second of Unix time.
pub const START: u64 = 10_000;

/// A number of 64 bits: text, in the protocol's JSON.
pub fn number(value: &Value) -> u64 {
    let text = value.as_str().expect("a number");
    text.parse().expect("a number")
}

/// The moment of which a request tells the number of messages, with that number.
pub fn told_message(seen: &Seen) -> Option<(u64, u64)> {
    let mut points = seen.points().into_iter();
    let (_, point) = points.find(|(name, _)| name == "ghc.user.messages")?;
    let at = number(&point["timeUnixNano"]) / TENTH;
    Some((at, number(&point["asInt"])))
}

/// The moments of which the number of messages was told, with that number.
pub fn told_messages(receiver: &Receiver) -> Vec<(u64, u64)> {
    receiver.look(|seen| {
        let taken = seen.iter().filter(|seen| seen.is_taken());
        taken.filter_map(told_message).collect()
    })
}

/// `eventlog metrics` of a program that runs. It ends with the test.
pub struct Exporter {
    child: Child,
    /// The file of its standard error.
    stderr: String,
}

impl Exporter {
    /// Pushes the metrics of a program, and returns what the program writes its log to.
    pub fn start(
        dir: &Dir,
        receiver: &Receiver,
        more: &[&str],
        variables: &[(&str, &str)],
    ) -> (Self, UnixStream) {
        let socket = dir.file("app.sock");
        let program = UnixListener::bind(&socket).expect("a socket");
        let source = format!("unix:{socket}");
        let stderr = dir.file("stderr");
        let mut command = command();
        command
            .args(["metrics", &source, "--otlp", &receiver.url])
            .args(["--interval", "100ms", "--signals", "metrics"])
            .args(more)
            .stdout(Stdio::null())
            .stderr(File::create(&stderr).expect("a file"));
        own_variables(&mut command, variables);
        let child = command.spawn().expect("the program starts");
        let exporter = Self { child, stderr };
        let client = program.accept().expect("a client").0;
        (exporter, client)
    }

    /// What it has said so far.
    pub fn says(&self) -> String {
        std::fs::read_to_string(&self.stderr).expect("a file")
    }

    /// Asks it to end. Returns its exit code, and all that it has said.
    pub fn end(&mut self) -> (Option<i32>, String) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, Signal::INT).expect("it runs");
        let status = self.child.wait().expect("it ends");
        (status.code(), self.says())
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Only these of the variables of OpenTelemetry. This machine may be busy: unless they say something
/// else, a receiver that answers late does so on purpose.
fn own_variables(command: &mut Command, variables: &[(&str, &str)]) {
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("OTEL_")) {
        command.env_remove(name);
    }
    command.env("OTEL_EXPORTER_OTLP_TIMEOUT", "60000");
    command.envs(variables.iter().copied());
}

/// How a program's log begins that was started at [`START`], and the events of `more`.
pub fn beginning(more: &[EventBody<'_>]) -> Vec<u8> {
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
