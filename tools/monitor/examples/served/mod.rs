//! A monitor of a program that an example plays.

use std::error::Error;
use std::io::{BufRead, BufReader};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// It is ended when dropped.
pub struct Monitor {
    child: Child,
    /// Where it serves, without a token: address and port.
    pub at: String,
    /// Where it looks for the program.
    pub listener: UnixListener,
}

impl Monitor {
    /// Starts `EVENTLOG monitor` with these arguments, with all files in a directory.
    pub fn start(
        eventlog: &str,
        args: &[&str],
        dir: &Path,
    ) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let socket = dir.join("app.sock");
        // Of an earlier measurement.
        let _ = std::fs::remove_file(&socket);
        let listener = UnixListener::bind(&socket)?;
        let child = Command::new(eventlog)
            .args(["monitor", &format!("unix:{}", socket.display())])
            .args(["--no-token", "--listen", "127.0.0.1:0"])
            .args(args)
            .env("XDG_CACHE_HOME", dir)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let at = String::new();
        let mut it = Self {
            child,
            at,
            listener,
        };
        let mut line = String::new();
        let stdout = it.child.stdout.take().ok_or("no pipe")?;
        BufReader::new(stdout).read_line(&mut line)?;
        let at = line.trim().strip_prefix("http://").ok_or("no address")?;
        it.at = at.trim_end_matches('/').to_owned();
        Ok(it)
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
