//! What a file says about its program, before it is read for its metrics.

use eventlog_source::{Connecting, Connection, Log, Reading, Source, Step};
use eventlog_state::{Keep, Programs, State, Turn};
use ghc_eventlog::{Item, UnixTime, WallClock};
use std::ops::ControlFlow;
use std::time::UNIX_EPOCH;

/// What a complete log says about its program and its clock, which GHC 9.0 writes at the end. Only
/// for files, which can be read twice.
pub fn known(source: &Source) -> (Option<WallClock>, Option<Programs>) {
    found(source).unwrap_or_default()
}

fn found(source: &Source) -> Option<(Option<WallClock>, Option<Programs>)> {
    let Source::File(path) = source else {
        return None;
    };
    source.size()?;
    let connection = Connection::open(path).ok()?;
    let log = Log::over(connection, source, &Connecting::new(), Reading::default());
    let mut state = None;
    let mut last = 0;
    // Faults of the file are reported when it is read.
    let _ = log.for_each(|step| {
        match &step {
            Step::Header(header) => {
                if state.is_some() {
                    // Another log follows.
                    return Ok(ControlFlow::Break(()));
                }
                state = Some(State::new(header, Keep::least()));
            }
            Step::Item(Item::Event(event)) => {
                last = last.max(event.time);
                if let (None, Some(state)) = (event.cap, &mut state) {
                    state.apply(event, Turn::Early, &mut |_| {});
                }
            }
            _ => {}
        }
        let program = state.as_ref().and_then(|state| state.programs().first());
        let whole = program.is_some_and(|program| {
            program.pid.is_some() && program.wall_clock.is_some() && !program.args.is_empty()
        });
        Ok::<_, eventlog_source::Error>(match whole {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        })
    });
    let programs = state.map(|state| state.programs().clone());
    let program = programs.as_ref().and_then(|programs| programs.first());
    let clock = program.and_then(|program| program.wall_clock);
    // Without a clock, the last event is assumed to be when the file was last written.
    let clock = clock.or_else(|| {
        let written = std::fs::metadata(path).ok()?.modified().ok()?;
        let written = written.duration_since(UNIX_EPOCH).ok()?.as_nanos() as i128;
        let start = UnixTime::from_unix_nanos(written - i128::from(last)).unix_nanos();
        let seconds = u64::try_from(start / 1_000_000_000).ok()?;
        Some(WallClock::new(0, seconds, (start % 1_000_000_000) as u32))
    });
    Some((clock, programs))
}
