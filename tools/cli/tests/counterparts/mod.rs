//! Programs of other projects: started by tests, and queried over HTTP.

use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The program in that variable (`scripts/counterparts` prints them). If it is not set, the test is
/// skipped.
pub fn program(variable: &str) -> Option<String> {
    let path = std::env::var(variable).ok().filter(|path| !path.is_empty());
    if path.is_none() {
        eprintln!("skipped: {variable} is not set");
    }
    path
}

/// A program that ends with the test.
pub struct Running(Child);

impl Running {
    pub fn start(command: &mut Command) -> Self {
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Self(
            child
                .spawn()
                .unwrap_or_else(|error| panic!("{command:?}: {error}")),
        )
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A port that is not in use now.
pub fn port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").to_string()
}

/// The body of an answer, if there is one.
pub fn get(at: &str, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(at).ok()?;
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .ok()?;
    let request = format!("GET {path} HTTP/1.0\r\nHost: {at}\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    head.contains(" 200 ").then(|| body.to_owned())
}

pub fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// The rows of a query: labels and value.
pub fn query(at: &str, time: Option<f64>, query: &str) -> Vec<(BTreeMap<String, String>, f64)> {
    let time = time.map(|time| format!("&time={time}")).unwrap_or_default();
    let path = format!("/api/v1/query?query={}{time}", encoded(query));
    let body = get(at, &path).unwrap_or_else(|| panic!("no answer to {query}"));
    let answer: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(answer["status"], "success", "{query}: {body}");
    let rows = answer["data"]["result"].as_array().expect("rows").iter();
    let row = |row: &Value| {
        let labels = row["metric"].as_object().expect("labels").iter();
        let labels =
            labels.map(|(key, value)| (key.clone(), value.as_str().expect("a label").to_owned()));
        // A native histogram has none.
        let value = row["value"][1]
            .as_str()
            .and_then(|value| value.parse().ok());
        (labels.collect(), value.unwrap_or(f64::NAN))
    };
    rows.map(row).collect()
}

pub fn one(at: &str, time: Option<f64>, text: &str) -> f64 {
    let rows = query(at, time, text);
    assert_eq!(rows.len(), 1, "{text}: {rows:?}");
    rows[0].1
}

#[track_caller]
pub fn wait(what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(120);
    while !is_so() {
        assert!(Instant::now() < until, "{what}");
        std::thread::sleep(Duration::from_millis(200));
    }
}
