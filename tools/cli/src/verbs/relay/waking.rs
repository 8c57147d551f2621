//! What the main thread waits for: signals, and the ends of sources and of the program.

use super::recording::Orders;
use crate::errors;
use crate::launch::{self, RtsArgs};
use eventlog_source::program::{Prepared, Program, ProgramLog};
use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::ffi::OsString;
use std::io;
use std::process::{Command, ExitCode, ExitStatus};
use std::sync::mpsc::Sender;

/// What the main thread waits for.
pub enum Wake {
    /// A signal that ends the relay.
    Stop(&'static str),
    /// There will be nothing more of a source.
    SourceEnded { name: String, failed: bool },
    /// The program that was run has ended. It is kept until its log is read: without it, the
    /// process that holds the FIFO open would take what is left.
    ProgramEnded(io::Result<ExitStatus>, Program),
}

/// Starts the program; errors are reported at once.
pub fn start(
    command: Vec<OsString>,
    rts: RtsArgs,
    prepared: Prepared,
) -> Result<(Program, ProgramLog), ExitCode> {
    let (program, arguments) = match command.split_first() {
        Some(command) => command,
        None => return Err(ExitCode::from(errors::USAGE)),
    };
    let mut command = Command::new(program);
    command.args(arguments);
    launch::start(prepared, program, &mut command, &rts.into())
}

/// Waits for the program, on another thread.
pub fn watch(mut program: Program, wake: Sender<Wake>) {
    std::thread::spawn(move || {
        let status = program.wait();
        // If nothing waits for that any more, the relay is over.
        let _ = wake.send(Wake::ProgramEnded(status, program));
    });
}

/// Handles signals, on another thread. The second signal that asks for the end ends the process at
/// once.
///
/// SIGTERM and SIGHUP are sent on to the program that the relay runs: it ends, and with it its log.
/// An interrupt comes from a terminal, which sends it to the program itself. If anything is
/// recorded, SIGHUP starts new parts of the recordings, and does nothing else.
pub fn heed(
    mut signals: Signals,
    wake: Sender<Wake>,
    program: Option<u32>,
    recorders: Option<Orders>,
) {
    std::thread::spawn(move || {
        let mut asked = false;
        for signal in signals.forever() {
            if let (SIGHUP, Some(recorders)) = (signal, &recorders) {
                recorders.reopen();
                continue;
            }
            let news = match signal {
                _ if asked => signal_hook::low_level::exit(128 + signal),
                SIGHUP => Wake::Stop("hung up"),
                SIGINT => Wake::Stop("interrupted"),
                _ => Wake::Stop("asked to end"),
            };
            asked = true;
            let pid = program.and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
            let handed_on = match signal {
                SIGTERM => Some(Signal::TERM),
                SIGHUP => Some(Signal::HUP),
                _ => None,
            };
            if let (Some(signal), Some(pid)) = (handed_on, pid) {
                // The process may be gone already.
                let _ = kill_process(pid, signal);
            }
            if wake.send(news).is_err() {
                return;
            }
        }
    });
}
