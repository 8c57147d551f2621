//! The keeper: reads the FIFO when the process that started the program no longer can.
//!
//! The RTS opens the FIFO for reading and writing. So it does not notice when there is no reader:
//! once the FIFO is full, it would wait forever. A second process therefore makes the FIFO, keeps
//! it open, and does nothing as long as the first one runs. When that has ended, for whatever
//! reason, the second process reads and discards whatever is still written, until the program has
//! ended and no process has the FIFO open. Then it removes the FIFO.

use super::fifo::Fifo;
use super::signals;
use crate::system::Watched;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::setsid;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Sent by the first process before it starts the program.
const STARTING: u8 = b's';
/// Answer of the second process when it has the number of the program.
const KNOWN: u8 = b'k';
/// Sent before the path of the FIFO, or the reason why there is none.
const MADE: u8 = b'm';
const FAILED: u8 = b'f';

/// How often to check whether the program still runs.
const PAUSE: Duration = Duration::from_millis(20);
/// How long a program that may have been started may take to open the FIFO. Only used if we did not
/// get its number, because the first process died in that very moment.
const GRACE: Duration = Duration::from_secs(5);

/// The second process, as the first one uses it. Dropping this ends the second process's task.
#[derive(Debug)]
pub(super) struct Keeper {
    to: ChildStdin,
    from: ChildStdout,
}

impl Keeper {
    /// Starts the keeper; the FIFO is then ready.
    pub(super) fn start(command: &mut Command) -> io::Result<(Self, Fifo)> {
        let child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let (Some(to), Some(mut from)) = (child.stdin, child.stdout) else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        let mut answer = Vec::new();
        let mut byte = [0];
        loop {
            from.read_exact(&mut byte)?;
            match byte {
                [0] => break,
                [byte] => answer.push(byte),
            }
        }
        match answer.split_first() {
            Some((&MADE, path)) => {
                let path = OsString::from_vec(path.to_vec());
                Ok((Self { to, from }, Fifo::at(path.into())))
            }
            Some((_, reason)) => Err(io::Error::other(
                String::from_utf8_lossy(reason).into_owned(),
            )),
            None => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    /// Announces that the program is about to be started.
    pub(super) fn starting(&mut self) {
        // If this fails, the second process has ended, and everything else still works.
        let _ = self.to.write_all(&[STARTING]);
    }

    /// Sends the number of the program. The program must not be waited for until this returns.
    pub(super) fn started(&mut self, program: u32) {
        if self.to.write_all(&program.to_le_bytes()).is_ok() {
            let _ = self.from.read_exact(&mut [0]);
        }
    }
}

/// Runs the second process: makes the FIFO, waits for the end of the first process, and reads on if
/// the program still runs then. It communicates with the first one over its standard input and
/// output, so nothing else may be written there.
///
/// # Errors
///
/// If the FIFO cannot be made, which was reported to the first process; or if there is no first
/// process.
pub fn keep() -> io::Result<()> {
    // Signals sent to the whole process group, by a terminal for instance, are not for this
    // process.
    let _ = setsid();
    for signal in signals::heeded(&[SIGINT, SIGTERM, SIGHUP, SIGQUIT]) {
        signal_hook::flag::register(signal, Arc::default())?;
    }
    let mut stdout = io::stdout().lock();
    let made = Fifo::new().and_then(|fifo| Ok((fifo.open()?, fifo)));
    let (log, fifo) = match made {
        Ok(made) => made,
        Err(error) => {
            let reason = error.to_string();
            stdout.write_all(&[&[FAILED], reason.as_bytes(), &[0]].concat())?;
            return Err(error);
        }
    };
    let path = fifo.path().as_os_str().as_bytes();
    // If this fails, the first process has ended, and the FIFO is removed.
    stdout.write_all(&[&[MADE], path, &[0]].concat())?;
    stdout.flush()?;
    let mut told = Vec::new();
    let mut program = None;
    let mut stdin = io::stdin().lock();
    let mut buffer = [0; 8];
    loop {
        match stdin.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => told.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
        if let (None, Some(number)) = (&program, told.get(1..5).and_then(<[u8]>::first_chunk)) {
            program = Some(Watched::of(u32::from_le_bytes(*number)));
            let answered = stdout.write_all(&[KNOWN]);
            let _ = answered.and_then(|()| stdout.flush());
        }
    }
    if !told.is_empty() {
        read_on(log, program.as_ref());
    }
    drop(fifo);
    Ok(())
}

/// Reads and discards what is written, until there is no writer any more.
fn read_on(mut log: File, program: Option<&Watched>) {
    let mut buffer = vec![0; 64 << 10];
    let since = Instant::now();
    let mut written = false;
    loop {
        match log.read(&mut buffer) {
            // No process has it open for writing.
            Ok(0) => {
                let over = match program {
                    Some(program) => program.has_ended(),
                    None => written || since.elapsed() > GRACE,
                };
                if over {
                    return;
                }
                std::thread::sleep(PAUSE);
            }
            Ok(_) => written = true,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                written = true;
                let mut fds = [PollFd::new(&log, PollFlags::IN)];
                let _ = poll(&mut fds, None);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}
