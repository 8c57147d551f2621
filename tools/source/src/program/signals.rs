//! Signals that are meant for the program.

use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Signals that no longer end this process, since it lives on to take the rest of the log.
///
/// SIGTERM and SIGHUP go on to the program. SIGINT and SIGQUIT do not: the terminal sends them to
/// the program as well.
#[derive(Debug)]
pub struct ForwardSignals(Signals);

impl ForwardSignals {
    /// Catches them from now on, for as long as the process lives. Before the program begins, since
    /// it may be quick to be seen, and signalled.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn catch() -> io::Result<Self> {
        let ignored = Arc::new(AtomicBool::new(false));
        for signal in heeded(&[SIGINT, SIGQUIT]) {
            signal_hook::flag::register(signal, Arc::clone(&ignored))?;
        }
        Signals::new(heeded(&[SIGTERM, SIGHUP])).map(Self)
    }

    /// From now on they go to this process.
    pub(super) fn to(mut self, program: u32) {
        let pid = i32::try_from(program).ok();
        let Some(pid) = pid.and_then(Pid::from_raw) else {
            return;
        };
        std::thread::spawn(move || {
            for signal in self.0.forever() {
                let signal = match signal {
                    SIGHUP => Signal::HUP,
                    _ => Signal::TERM,
                };
                // It may be gone already.
                let _ = kill_process(pid, signal);
            }
        });
    }
}

/// Those of the signals that this process was not started to ignore, as `nohup` does.
pub fn heeded(signals: &[i32]) -> Vec<i32> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or(0);
    let is_heeded = |signal: &i32| ignored & (1 << (signal - 1)) == 0;
    signals.iter().copied().filter(is_heeded).collect()
}
