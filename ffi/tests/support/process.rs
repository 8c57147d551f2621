//! Running programs: bounded in time, and never left behind.

use super::waiting::LIMIT;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A program that runs. Killed when dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    lines: Receiver<String>,
    stderr: Arc<Mutex<String>>,
    readers: Vec<JoinHandle<()>>,
    status: Option<ExitStatus>,
}

impl Running {
    pub fn spawn(mut command: Command) -> Self {
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        // SAFETY: signal() is async-signal-safe. A test runner in the background, or one that
        // nohup started, may ignore some signals, and children inherit that.
        unsafe {
            command.pre_exec(|| {
                for signal in [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM] {
                    libc::signal(signal, libc::SIG_DFL);
                }
                Ok(())
            });
        }
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let stdout = child.stdout.take().expect("stdout is a pipe");
        let errors = child.stderr.take().expect("stderr is a pipe");
        let (sender, lines) = channel();
        let stderr = Arc::new(Mutex::new(String::new()));
        let said = Arc::clone(&stderr);
        let readers = vec![
            std::thread::spawn(move || {
                for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                    let _ = sender.send(line);
                }
            }),
            std::thread::spawn(move || {
                let mut errors = errors;
                let mut bytes = [0; 4096];
                while let Ok(count @ 1..) = errors.read(&mut bytes) {
                    let text = String::from_utf8_lossy(&bytes[..count]);
                    said.lock().expect("stderr so far").push_str(&text);
                }
            }),
        ];
        Self {
            child,
            lines,
            stderr,
            readers,
            status: None,
        }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it said on stderr so far.
    pub fn stderr(&self) -> String {
        self.stderr.lock().expect("stderr so far").clone()
    }

    /// The next line on stdout; `None` at the end.
    #[track_caller]
    pub fn line(&mut self) -> Option<String> {
        match self.lines.recv_timeout(LIMIT) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => {
                panic!("no output within {LIMIT:?}; stderr: {}", self.stderr())
            }
        }
    }

    /// The lines up to one that is `last`, without it.
    #[track_caller]
    pub fn lines_until(&mut self, last: &str) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            match self.line() {
                Some(line) if line == last => return lines,
                Some(line) => lines.push(line),
                None => panic!(
                    "ended before it said {last:?}: {:?}; said {lines:?}; stderr: {}",
                    self.child.try_wait(),
                    self.stderr()
                ),
            }
        }
    }

    /// A line said by now, if there is one.
    pub fn line_now(&self) -> Option<String> {
        self.lines.try_recv().ok()
    }

    #[track_caller]
    pub fn write_line(&mut self, line: &str) {
        let stdin = self.child.stdin.as_mut().expect("stdin is open");
        writeln!(stdin, "{line}").expect("the program reads stdin");
    }

    pub fn close_stdin(&mut self) {
        self.child.stdin = None;
    }

    pub fn signal(&self, signal: i32) {
        // SAFETY: a plain system call; the child has not been waited for, so
        // the id is still its own.
        let result = unsafe { libc::kill(self.pid() as libc::pid_t, signal) };
        assert_eq!(result, 0, "kill");
    }

    pub fn has_exited(&mut self) -> bool {
        if self.status.is_none() {
            self.status = self.child.try_wait().expect("wait");
        }
        self.status.is_some()
    }

    /// Wait for its end. Fails, and kills it, after `limit`.
    #[track_caller]
    pub fn wait_for(&mut self, limit: Duration) -> ExitStatus {
        let deadline = Instant::now() + limit;
        while !self.has_exited() {
            if Instant::now() >= deadline {
                let threads = self.threads();
                self.kill();
                panic!(
                    "did not end within {limit:?}; threads: {threads:?}; stderr: {}",
                    self.stderr()
                );
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        // Its last words are in the pipes.
        for reader in self.readers.drain(..) {
            let _ = reader.join();
        }
        self.status.expect("it has exited")
    }

    #[track_caller]
    pub fn wait(&mut self) -> ExitStatus {
        self.wait_for(LIMIT)
    }

    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    fn proc(&self, name: &str) -> String {
        format!("/proc/{}/{name}", self.pid())
    }

    /// Resident memory in bytes.
    pub fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(self.proc("status")).expect("/proc/PID/status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = line.expect("VmRSS").trim().trim_end_matches(" kB");
        kilobytes.parse::<u64>().expect("a number") * 1024
    }

    /// Open file descriptors, by what they are; without that of the RTS's ticker, whose thread
    /// opens it whenever it comes to run.
    pub fn descriptors(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.proc("fd")).expect("/proc/PID/fd");
        let mut all: Vec<String> = entries
            .flatten()
            .filter_map(|entry| std::fs::read_link(entry.path()).ok())
            .map(|target| target.to_string_lossy().into_owned())
            .filter(|target| target != "anon_inode:[timerfd]")
            .collect();
        all.sort();
        all
    }

    /// Processor time used so far.
    pub fn processor_time(&self) -> Duration {
        let stat = std::fs::read_to_string(self.proc("stat")).expect("/proc/PID/stat");
        processor_time(&stat)
    }

    /// The same of a thread, by the name that it gives itself when it begins; and
    /// its id.
    #[track_caller]
    pub fn thread(&self, name: &str) -> (libc::pid_t, Duration) {
        let deadline = Instant::now() + LIMIT;
        loop {
            let tasks = std::fs::read_dir(self.proc("task")).expect("/proc/PID/task");
            for task in tasks.flatten() {
                let read = |file| std::fs::read_to_string(task.path().join(file));
                if read("comm").is_ok_and(|comm| comm.trim() == name) {
                    let id = task.file_name().to_string_lossy().parse();
                    let stat = read("stat").expect("/proc/PID/task/ID/stat");
                    return (id.expect("a number"), processor_time(&stat));
                }
            }
            let threads = self.threads();
            assert!(Instant::now() < deadline, "no {name} among {threads:?}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Whether this thread sleeps: it neither works nor waits for a processor to work on.
    #[track_caller]
    pub fn rests(&self, name: &str) -> bool {
        let (id, _) = self.thread(name);
        let stat = std::fs::read_to_string(self.proc(&format!("task/{id}/stat")));
        let stat = stat.expect("/proc/PID/task/ID/stat");
        let after_name = stat.rsplit_once(')').expect("a name").1;
        after_name.trim_start().starts_with('S')
    }

    /// Wait until these descriptors are open, and no others: those of a client may be closed a
    /// moment after it has been counted as gone.
    #[track_caller]
    pub fn until_descriptors(&self, expected: &[String]) {
        let mut open = Vec::new();
        let begun = Instant::now();
        while begun.elapsed() < LIMIT {
            open = self.descriptors();
            if open == expected {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("open are {open:?}, not {expected:?}");
    }

    /// Names and kernel functions of the threads, for reports.
    fn threads(&self) -> Vec<String> {
        let tasks = std::fs::read_dir(self.proc("task"));
        let read = |path: std::path::PathBuf| {
            std::fs::read_to_string(path)
                .unwrap_or_default()
                .trim()
                .to_owned()
        };
        tasks
            .into_iter()
            .flatten()
            .flatten()
            .map(|task| {
                let name = read(task.path().join("comm"));
                format!("{name} in {}", read(task.path().join("wchan")))
            })
            .collect()
    }
}

/// Out of a file `stat` of /proc.
fn processor_time(stat: &str) -> Duration {
    let after_name = stat.rsplit_once(')').expect("a name").1;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks = |at: usize| fields[at].parse::<u64>().expect("ticks");
    // utime and stime, 100 ticks a second.
    Duration::from_millis(10 * (ticks(11) + ticks(12)))
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.has_exited() {
            self.kill();
        }
    }
}

/// "status 0" or "signal 2", for comparing.
pub fn ending(status: ExitStatus) -> String {
    match status.signal() {
        Some(signal) => format!("signal {signal}"),
        None => format!("status {}", status.code().unwrap_or(-1)),
    }
}
