//! `eventlog metrics --prometheus`, and its answers.

use crate::common::command;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// The server, and its output.
pub struct Server {
    pub child: Child,
    pub address: String,
    says: Receiver<String>,
}

impl Server {
    /// Starts it for these sources.
    pub fn start(args: &[&str]) -> Self {
        let mut command = command();
        command
            .arg("metrics")
            .args(args)
            .args(["--prometheus", "127.0.0.1:0"]);
        Self::run(&mut command)
    }

    /// The same with a complete command.
    pub fn run(command: &mut Command) -> Self {
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let stderr = BufReader::new(child.stderr.take().expect("a pipe"));
        let (sender, says) = channel();
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let mut address = None;
        while address.is_none() {
            let line = says
                .recv_timeout(Duration::from_secs(60))
                .expect("its address");
            let rest = line.split("http://").nth(1);
            address = rest.and_then(|rest| rest.split('/').next().map(str::to_owned));
        }
        let address = address.expect("it was found");
        Self {
            child,
            address,
            says,
        }
    }

    /// Status, headers and body.
    pub fn ask(&self, request: &str) -> (u16, String, Vec<u8>) {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        let (line, rest) = request.split_once('\n').unwrap_or((request, ""));
        let head = format!("{line} HTTP/1.1\r\nHost: x:1\r\nConnection: close\r\n{rest}\r\n");
        stream.write_all(head.as_bytes()).expect("it reads");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("an answer");
        let end = answer
            .windows(4)
            .position(|it| it == b"\r\n\r\n")
            .expect("a head");
        let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|it| it.parse().ok())
            .expect("a status");
        (status, head, answer[end + 4..].to_vec())
    }

    /// The body of a successful answer.
    pub fn text(&self, path: &str) -> String {
        let (status, _, body) = self.ask(&format!("GET {path}"));
        assert_eq!(status, 200, "{path}");
        String::from_utf8(body).expect("UTF-8")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.says.try_iter().for_each(|line| eprintln!("{line}"));
    }
}

/// The value of the first series that begins with this text.
pub fn value(text: &str, series: &str) -> Option<f64> {
    let line = text.lines().find(|line| line.starts_with(series))?;
    line.rsplit(' ').next()?.parse().ok()
}
