//! Makes room by removing the oldest parts.

use crate::files::{Locked, MANIFEST, NOTES, index_path, part_number, part_path};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A part that may be removed.
#[derive(Debug)]
struct Old {
    /// Whether its session is being recorded; parts of sessions that have ended are removed first.
    is_live: bool,
    /// When the last of the parts up to this one was written.
    written: SystemTime,
    session: PathBuf,
    number: u32,
    /// Its size, including its index.
    bytes: u64,
}

/// Removes the oldest parts of all sessions in a directory until together they have no more than
/// `max` bytes: first of sessions that have ended, then of those in `live`, which gives the part
/// that is currently written. Returns how many parts were removed.
pub(crate) fn make_room(store: &Path, max: u64, live: &BTreeMap<PathBuf, u32>) -> usize {
    let mut total = 0;
    let mut parts: Vec<Old> = Vec::new();
    for session in directories(store) {
        let writing = live.get(&session).copied();
        // Sessions that another process records are not touched.
        let is_mine = writing.is_some() || !Locked::is_locked(&session);
        let mut newest = SystemTime::UNIX_EPOCH;
        let mut numbers = Vec::new();
        for (name, bytes) in files(&session) {
            total += bytes;
            numbers.extend(part_number(&name));
        }
        numbers.sort_unstable();
        for number in numbers {
            let path = part_path(&session, number);
            let Ok(about) = fs::metadata(&path) else {
                continue;
            };
            newest = about.modified().unwrap_or(newest).max(newest);
            let index = fs::metadata(index_path(&session, number)).map_or(0, |about| about.len());
            if is_mine && writing.is_none_or(|writing| number < writing) {
                parts.push(Old {
                    is_live: writing.is_some(),
                    written: newest,
                    session: session.clone(),
                    number,
                    bytes: about.len() + index,
                });
            }
        }
    }
    parts.sort_by(|a, b| {
        let key = |old: &Old| (old.is_live, old.written);
        let order = key(a).cmp(&key(b));
        order.then_with(|| (&a.session, a.number).cmp(&(&b.session, b.number)))
    });
    let mut removed = 0;
    for old in parts {
        if total <= max {
            break;
        }
        // No other process may use or remove it meanwhile.
        let locked = match old.is_live {
            true => None,
            false => match Locked::lock(&old.session) {
                Ok(Some(locked)) => Some(locked),
                _ => continue,
            },
        };
        if remove_part(&old.session, old.number) {
            total -= old.bytes;
            removed += 1;
        }
        if locked.is_some() && !files(&old.session).any(|(name, _)| part_number(&name).is_some()) {
            total -= files(&old.session)
                .map(|(_, bytes)| bytes)
                .sum::<u64>()
                .min(total);
            let _ = remove_session(&old.session);
        }
    }
    removed
}

/// Removes the oldest parts of a session until there are at most `most`.
pub(crate) fn keep_newest(session: &Path, most: usize) {
    let mut numbers: Vec<u32> = files(session)
        .filter_map(|(name, _)| part_number(&name))
        .collect();
    numbers.sort_unstable();
    let too_many = numbers.len().saturating_sub(most.max(1));
    for number in numbers.drain(..too_many) {
        remove_part(session, number);
    }
}

/// Removes what a recording has made in the directory of a session, and the directory, if nothing
/// else is in it. Returns how many bytes that were.
pub(crate) fn remove_session(session: &Path) -> io::Result<u64> {
    let mut removed = 0;
    let is_ours = |name: &str| {
        // A file that was not complete when its writer was killed.
        let unfinished = name
            .strip_prefix('.')
            .and_then(|name| name.strip_suffix(".new"));
        let name = unfinished.unwrap_or(name);
        let of_index = name
            .strip_suffix(".index")
            .map(|number| format!("{number}.eventlog"));
        let part = of_index.as_deref().unwrap_or(name);
        part_number(part).is_some() || name == MANIFEST || name == NOTES
    };
    for (name, bytes) in files(session) {
        if is_ours(&name) {
            fs::remove_file(session.join(name))?;
            removed += bytes;
        }
    }
    fs::remove_dir(session)?;
    Ok(removed)
}

/// Removes a part, then its index. Returns whether the part is gone.
fn remove_part(session: &Path, number: u32) -> bool {
    let gone = fs::remove_file(part_path(session, number)).is_ok();
    let _ = fs::remove_file(index_path(session, number));
    gone
}

/// The directories of sessions.
pub(crate) fn directories(store: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(store).into_iter().flatten().flatten();
    entries.filter_map(|entry| {
        let hidden = entry.file_name().to_string_lossy().starts_with('.');
        let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
        (is_dir && !hidden).then(|| entry.path())
    })
}

/// The files of a session, and their bytes.
pub(crate) fn files(session: &Path) -> impl Iterator<Item = (String, u64)> {
    let entries = fs::read_dir(session).into_iter().flatten().flatten();
    entries.filter_map(|entry| {
        let about = entry.metadata().ok().filter(|about| about.is_file())?;
        Some((entry.file_name().into_string().ok()?, about.len()))
    })
}
