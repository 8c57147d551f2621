//! A program that is measured: starting it, reading its output, and ending it.

use std::collections::HashMap;
use std::fs;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// The figures of a line `result name=value ...`.
pub type Figures = HashMap<String, f64>;

/// A directory for sockets and samples, removed when dropped.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    /// A fresh one.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn new() -> io::Result<Scratch> {
        Scratch::within(&std::env::temp_dir())
    }

    /// The same, in this directory.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn within(directory: &Path) -> io::Result<Scratch> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        // Relaxed: the numbers only have to be different.
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("eventlog-bench-{}-{number}", std::process::id());
        let path = directory.join(name);
        fs::create_dir_all(&path)?;
        Ok(Scratch(path))
    }

    /// A file in it.
    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // On an error the directory stays.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A program that runs; killed when dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    lines: Receiver<String>,
    /// The last line of its stderr.
    complaint: Arc<Mutex<String>>,
}

impl Running {
    /// Starts it, without any settings of the user for the library.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(command: &mut Command, settings: &[(&str, String)]) -> Result<Running, String> {
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("GHC_EVENTLOG_") {
                command.env_remove(name);
            }
        }
        for (name, value) in settings {
            command.env(name, value);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        command.stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| error.to_string())?;
        let (send, lines) = mpsc::channel();
        let stdout = child.stdout.take().ok_or("no stdout")?;
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    break;
                }
            }
        });
        let complaint = Arc::new(Mutex::new(String::new()));
        let last = Arc::clone(&complaint);
        let stderr = child.stderr.take().ok_or("no stderr")?;
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                *last.lock().unwrap_or_else(PoisonError::into_inner) = line;
            }
        });
        Ok(Running {
            child,
            lines,
            complaint,
        })
    }

    /// The number of its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for a line that begins with this word; returns the rest of it.
    ///
    /// # Errors
    /// The program ended before, or it takes too long.
    pub fn line(&self, word: &str, limit: Duration) -> Result<String, String> {
        let end = Instant::now() + limit;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left);
            let line = line.map_err(|error| {
                let complaint = self.complaint.lock();
                let complaint = complaint.unwrap_or_else(PoisonError::into_inner);
                format!("waiting for `{word}`: {error} ({complaint})")
            })?;
            if let Some(rest) = line.strip_prefix(word) {
                return Ok(rest.to_owned());
            }
        }
    }

    /// Waits for its result.
    ///
    /// # Errors
    /// As of [`Running::line`].
    pub fn result(&self, limit: Duration) -> Result<Figures, String> {
        let line = self.line("result", limit)?;
        let pairs = line.split_whitespace().filter_map(|pair| {
            let (name, value) = pair.split_once('=')?;
            Some((name.to_owned(), value.parse().ok()?))
        });
        Ok(pairs.collect())
    }
}

/// The processor time that a process has used so far.
///
/// # Errors
/// It is gone.
pub fn processor_time(pid: u32) -> Result<Duration, String> {
    let path = format!("/proc/{pid}/stat");
    let text = fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
    // After the name, which may contain blanks.
    let rest = text.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks = rest.split_whitespace().skip(11).take(2);
    let ticks: u64 = ticks.filter_map(|word| word.parse::<u64>().ok()).sum();
    // USER_HZ is 100 on every Linux that this runs on.
    Ok(Duration::from_millis(ticks * 10))
}

/// The memory that a process occupies, in KiB.
///
/// # Errors
/// It is gone.
pub fn resident_kib(pid: u32) -> Result<f64, String> {
    let path = format!("/proc/{pid}/status");
    let text = fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.ok_or(format!("{path}: no VmRSS"))
}

impl Drop for Running {
    fn drop(&mut self) {
        // What is still to be sent is not needed. It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
