//! What the system reports about a process on this machine.

use crate::fold::Process;

/// A process whose start differs by more than this from that in the log is another one.
const NEAR: i128 = 10_000_000_000;

/// The process with this id, if it was started at that time (nanoseconds of Unix time).
pub(crate) fn look(pid: u32, started: i128) -> Option<Process> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let ticks = rustix::param::clock_ticks_per_second().max(1);
    let nanos = |count: u64| i128::from(count) * 1_000_000_000 / i128::from(ticks);
    // The name before it may contain any characters.
    let (_, fields) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    let began = boot()? + nanos(field(22)?);
    if (began - started).abs() > NEAR {
        return None;
    }
    let page = rustix::param::page_size() as u64;
    Some(Process {
        memory: field(24)? * page,
        user: u64::try_from(nanos(field(14)?)).ok()?,
        system: u64::try_from(nanos(field(15)?)).ok()?,
    })
}

/// When the machine was started, in nanoseconds of Unix time.
fn boot() -> Option<i128> {
    let stat = std::fs::read_to_string("/proc/stat").ok()?;
    let line = stat.lines().find_map(|line| line.strip_prefix("btime "))?;
    Some(line.trim().parse::<i128>().ok()? * 1_000_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{SystemTime, UNIX_EPOCH};

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_is_found_if_its_start_fits() {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("a clock");
        let now = now.as_nanos() as i128;
        let pid = std::process::id();
        let found = look(pid, now).expect("it has just been started");
        assert!(found.memory > 100_000, "{found:?}");
        // Another process had this id a day ago.
        assert_eq!(look(pid, now - 86_400_000_000_000), None);
    }
}
