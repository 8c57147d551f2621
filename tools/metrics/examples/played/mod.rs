//! A program that an example plays on a socket, and what watching it costs.

use ghc_eventlog::{BlockBuilder, CapsetType, EventBody, Header};
use std::error::Error;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// How often the program flushes.
pub const FLUSH: Duration = Duration::from_millis(50);

/// The first block: two capabilities, and the clock.
pub fn beginning(header: &Header) -> Result<Vec<u8>> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let mut block = BlockBuilder::new(None);
    for body in [
        EventBody::CapsetCreate {
            capset: 0,
            capset_type: CapsetType::OS_PROCESS,
        },
        EventBody::CapCreate { created_cap: 0 },
        EventBody::CapCreate { created_cap: 1 },
        EventBody::OsprocessPid { capset: 0, pid: 1 },
        EventBody::WallClockTime {
            capset: 0,
            seconds: now.as_secs(),
            nanoseconds: now.subsec_nanos(),
        },
    ] {
        block.push_body(header, 1, &body)?;
    }
    Ok(block.finish().to_vec())
}

/// The processor time that a process has used, in seconds.
pub fn processor_time(pid: u32) -> Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, fields) = stat.rsplit_once(')').ok_or("no name")?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let ticks: f64 = fields[11].parse::<f64>()? + fields[12].parse::<f64>()?;
    Ok(ticks / rustix::param::clock_ticks_per_second() as f64)
}
