//! How fast a log is read: `reading LOG`.
//!
//! Reads the log as `eventlog monitor LOG` does, until the list says that all of it is there.
//! Prints how long that took, the processor time of each thread, and the memory.

use eventlog_monitor::{Address, Input, Listen, Monitor, Options};
use eventlog_source::{Connecting, Reconnecting, Source};
use serde_json::Value;
use std::error::Error;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// How often the list is asked for.
const OFTEN: Duration = Duration::from_millis(20);
/// When nothing has changed for this long, all has been read.
const QUIET: Duration = Duration::from_millis(1500);

fn main() -> Result<()> {
    let Some(path) = std::env::args_os().nth(1) else {
        return Err("usage: reading LOG".into());
    };
    let monitor = Monitor::new(Options {
        keep: 1 << 30,
        directory: std::env::temp_dir(),
    });
    let server = monitor.serve(&Listen::Anywhere, None)?;
    let Address::Tcp(address) = server.address() else {
        return Err("the server has no port".into());
    };
    let begin = Instant::now();
    let how = Connecting::new().tick(Some(Duration::from_millis(100)));
    let name = path.to_string_lossy().into_owned();
    let input = Input::source(Reconnecting::new(Source::File(path.into()), how));
    monitor.add(&name, &name, false, input)?;
    let (mut first, mut latest, mut since) = (None, Value::Null, begin);
    while since.elapsed() < QUIET {
        let list = get(*address, "/api/sessions")?;
        let now = Instant::now();
        let told = &list[0];
        if first.is_none() && told["events"].as_u64() > Some(0) {
            first = Some(now - begin);
        }
        if (&told["events"], &told["bytes"]) != (&latest["events"], &latest["bytes"]) {
            (latest, since) = (told.clone(), now);
        }
        std::thread::sleep(OFTEN);
    }
    let (took, bytes) = ((since - begin).as_secs_f64(), latest["bytes"].as_f64());
    println!(
        "{} events, {} bytes: first ones after {first:?}, all after {took:.2} s, {:.0} MB/s",
        latest["events"],
        latest["bytes"],
        bytes.unwrap_or(0.0) / took / 1e6,
    );
    for task in fs::read_dir("/proc/self/task")? {
        let task = task?.path();
        let comm = fs::read_to_string(task.join("comm"))?;
        let stat = fs::read_to_string(task.join("stat"))?;
        let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or("").split(' ').collect();
        let seconds = |at: usize| -> f64 {
            let ticks: f64 = fields.get(at).and_then(|it| it.parse().ok()).unwrap_or(0.0);
            ticks / 100.0
        };
        let (user, system) = (seconds(11), seconds(12));
        if user + system > 0.02 {
            println!("{:16} user {user:.2} s, system {system:.2} s", comm.trim());
        }
    }
    for line in fs::read_to_string("/proc/self/status")?.lines() {
        if line.starts_with("VmHWM") || line.starts_with("VmRSS") {
            println!("{line}");
        }
    }
    Ok(())
}

fn get(address: SocketAddr, path: &str) -> Result<Value> {
    let mut stream = TcpStream::connect(address)?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let body = answer.split_once("\r\n\r\n").ok_or("no answer")?.1;
    let begin = body.find(['[', '{']).ok_or("no JSON")?;
    Ok(serde_json::Deserializer::from_str(&body[begin..])
        .into_iter::<Value>()
        .next()
        .ok_or("no JSON")??)
}
