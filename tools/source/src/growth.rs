//! Whether a file that was read to its end may get more.

use crate::connection::Connection;
use crate::source::Source;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

/// How often a growing file is checked, without ticks.
const POLL: Duration = Duration::from_millis(100);

/// What the end of a source means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Growth {
    /// It is not a file: nothing more will arrive.
    Never,
    /// There may be more.
    MayGrow,
    /// Another file has its name: the rest of this one is read, then the other from its beginning.
    Replaced,
    /// It is shorter than what was read of it: it was truncated.
    Truncated,
}

/// Waits for a tick at the end of a source, if it can grow, and then checks the file.
pub(crate) fn growth(source: &Source, connection: &Connection, tick: Option<Duration>) -> Growth {
    let file = connection.as_file();
    let Some(about) = file.and_then(|file| file.metadata().ok()) else {
        return Growth::Never;
    };
    if !about.is_file() {
        return Growth::Never;
    }
    std::thread::sleep(tick.unwrap_or(POLL));
    let Source::File(path) = source else {
        return Growth::MayGrow;
    };
    // A program that starts again truncates its log, or replaces it.
    match std::fs::metadata(path) {
        Ok(now) if (now.dev(), now.ino()) != (about.dev(), about.ino()) => Growth::Replaced,
        Ok(now) if now.len() < connection.position() => Growth::Truncated,
        // The file was removed: another one may replace it.
        Ok(_) | Err(_) => Growth::MayGrow,
    }
}
