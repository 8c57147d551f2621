//! Notes that users have added to a session.
//!
//! They are in a file of their own, to which a line is added for each note: the process that
//! records the session writes the manifest, and no other may.

use crate::error::{Doing, Error};
use crate::files::NOTES;
use serde::{Deserialize, Serialize};
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// A note.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// When it was made, in nanoseconds since 1970.
    pub at_unix_ns: u64,
    /// Its text.
    pub text: String,
}

/// Adds a note.
pub(crate) fn add(session: &Path, note: &Note) -> Result<(), Error> {
    let path = session.join(NOTES);
    let json = serde_json::to_string(note).map_err(io::Error::other);
    let written = json.and_then(|mut line| {
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true).mode(0o600);
        let mut file = options.open(&path)?;
        // A line that was cut off must not make this one unreadable.
        if fs::read(&path)?.last().is_some_and(|last| *last != b'\n') {
            line.insert(0, '\n');
        }
        line.push('\n');
        file.write_all(line.as_bytes())
    });
    written.doing("write", &path)
}

/// The notes, oldest first. A line that is not a note is skipped.
pub(crate) fn read(session: &Path) -> Vec<Note> {
    let text = fs::read_to_string(session.join(NOTES)).unwrap_or_default();
    let notes = text.lines().map(serde_json::from_str);
    notes.filter_map(Result::ok).collect()
}
