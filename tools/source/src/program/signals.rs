//! Forwards signals to the program.

use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Signals that no longer end this process, since it continues to read the rest of the log.
///
/// SIGTERM and SIGHUP are passed on to the program. SIGINT and SIGQUIT are not: the terminal sends
/// them to the program as well.
#[derive(Debug)]
pub struct ForwardSignals(Signals);

impl ForwardSignals {
    /// Catches these signals from now on, for as long as the process runs. Called before the
    /// program is started, since the program may get a signal soon after its start.
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

    /// From now on, passes the signals on to this process.
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
                // The process may have ended already.
                let _ = kill_process(pid, signal);
            }
        });
    }
}

/// The given signals without those that were ignored when this process was started, as by `nohup`.
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
