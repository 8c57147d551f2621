//! The state of a relay, for other processes than the one that started it.
//!
//! What a client gets at an address is the log and nothing else, so it cannot ask anything; and not
//! every relay serves a Unix socket. So each relay has a separate socket for its state,
//! `DIR/relay-PID.status`, where DIR is the directory of running programs: its mode is 0700, so
//! only our user can connect. A client gets the status as JSON, and the connection is closed.
//! Nothing is read.

use super::view::View;
use super::watch::{FullStatus, Watch};
use crate::errors::{self, Advise};
use crate::output;
use crate::printable;
use eventlog_source::programs::Place;
use std::ffi::OsStr;
use std::fs::Permissions;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// How long one side waits for the other.
const PATIENCE: Duration = Duration::from_secs(10);
/// The most bytes of a status.
const LONGEST: u64 = 64 << 20;

/// Answers until it is dropped.
#[derive(Debug)]
pub struct Answering {
    path: PathBuf,
}

impl Answering {
    /// Starts to answer.
    pub fn start(watch: &Watch) -> anyhow::Result<Self> {
        let directory = Place::own().make()?;
        let name = format!("relay-{}.status", std::process::id());
        let path = directory.path().join(name);
        // The socket of an earlier process with our number.
        let _ = std::fs::remove_file(&path);
        let listener = UnixListener::bind(&path)?;
        // Other users cannot enter the directory anyway.
        std::fs::set_permissions(&path, Permissions::from_mode(0o600))?;
        let watch = watch.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                match stream {
                    // If the other side is gone, or reads nothing, the answer is dropped.
                    Ok(stream) => drop(answer(&stream, &watch.status())),
                    // Descriptors may become available again.
                    Err(_) => std::thread::sleep(Duration::from_millis(100)),
                }
            }
        });
        Ok(Self { path })
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        // If it is gone already, nothing is left to do.
        let _ = std::fs::remove_file(&self.path);
    }
}

fn answer(mut stream: &UnixStream, status: &FullStatus) -> io::Result<()> {
    stream.set_write_timeout(Some(PATIENCE))?;
    let text = serde_json::to_vec(status).map_err(io::Error::other)?;
    stream.write_all(&text)
}

/// `eventlog relay --status`: of all relays of this user, or of the one that serves an address.
pub fn print(of: Option<&str>, json: bool) -> anyhow::Result<ExitCode> {
    let mut relays = Vec::new();
    for (pid, path) in sockets()? {
        match ask(&path) {
            Ok(status) => relays.push((pid, status)),
            // That relay is over, and could not remove its socket.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                let _ = std::fs::remove_file(&path);
            }
            // That relay has just ended.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                errors::warn(format_args!("cannot get the state of relay {pid}: {error}"))
            }
        }
    }
    if let Some(address) = of {
        relays.retain(|(_, status)| {
            status
                .relay
                .addresses
                .iter()
                .any(|at| at.address == address)
        });
    }
    if relays.is_empty() {
        let none = match of {
            Some(address) => format!("no relay of this user serves {address}"),
            None => "no relay of this user is running".to_owned(),
        };
        return Err(errors::io(none));
    }
    let mut out = output::out();
    for (at, (pid, status)) in relays.iter().enumerate() {
        if json {
            printable::write_json(&mut out, status)?;
            writeln!(out)?;
            continue;
        }
        if at > 0 {
            writeln!(out)?;
        }
        writeln!(out, "process {pid}")?;
        for line in View::default().all(status) {
            writeln!(out, "{line}")?;
        }
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// The sockets at which relays answer, and their process ids.
fn sockets() -> anyhow::Result<Vec<(u32, PathBuf)>> {
    let Some(directory) = Place::own().find()? else {
        return Ok(Vec::new());
    };
    let path = directory.path();
    let entries = std::fs::read_dir(path);
    let entries = entries.advise(format_args!("cannot read {}", path.display()), "")?;
    let mut sockets = Vec::new();
    for entry in entries.map_while(Result::ok) {
        let pid = pid_of(&entry.file_name());
        sockets.extend(pid.map(|pid| (pid, entry.path())));
    }
    sockets.sort();
    Ok(sockets)
}

fn pid_of(name: &OsStr) -> Option<u32> {
    let name = name.as_bytes().strip_prefix(b"relay-")?;
    std::str::from_utf8(name.strip_suffix(b".status")?)
        .ok()?
        .parse()
        .ok()
}

fn ask(path: &Path) -> io::Result<FullStatus> {
    let stream = UnixStream::connect(path)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut text = Vec::new();
    stream.take(LONGEST).read_to_end(&mut text)?;
    serde_json::from_slice(&text).map_err(io::Error::other)
}
