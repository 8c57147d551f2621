//! The manifest of a session, in JSON.

use crate::files::{MANIFEST, replace_file};
use crate::learned::Learned;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::Path;

/// What is known about a session. Names of fields never change; new ones may be added, and those
/// that are missing have no value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Manifest {
    /// The name of the source, as given to the relay.
    pub source: String,
    /// The address of the source.
    pub from: String,
    /// When the recording began, in nanoseconds since 1970.
    pub began_unix_ns: u64,
    /// How it ended; `None` while it is being recorded, and if its recorder was killed.
    pub ended: Option<Ended>,
    /// What was found in its log about its program.
    #[serde(flatten)]
    pub learned: Learned,
    /// What was not recorded.
    pub lost: Lost,
    /// The parts that exist.
    pub parts: Vec<PartSummary>,
}

/// A part, in short.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PartSummary {
    /// Its number.
    pub number: u32,
    /// The bytes of its file.
    pub bytes: u64,
    /// The offset in the stream at which it continues, in bytes from the header.
    pub offset: u64,
    /// The time that its blocks cover, in nanoseconds.
    pub begin: u64,
    /// See `begin`.
    pub end: u64,
    /// Its blocks, without those of the prologue.
    pub blocks: u64,
    /// Their events.
    pub events: u64,
}

/// What could not be written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Lost {
    /// How often nothing could be written.
    pub times: u64,
    /// Blocks that were lost meanwhile.
    pub blocks: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// How a session ended, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// How.
    pub how: EndReason,
    /// When, in nanoseconds since 1970.
    pub at_unix_ns: u64,
}

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// With the end mark of the program's log.
    Complete,
    /// Without an end mark: the program was killed, or the connection to it broke.
    Lost,
    /// The recorder was stopped.
    Stopped,
}

impl Manifest {
    /// The manifest in this directory. `None` if it is missing or not valid.
    pub(crate) fn read(session: &Path) -> Option<Self> {
        let text = fs::read(session.join(MANIFEST)).ok()?;
        serde_json::from_slice(&text).ok()
    }

    pub(crate) fn write(&self, session: &Path) -> io::Result<()> {
        let mut text = serde_json::to_vec_pretty(self)?;
        text.push(b'\n');
        replace_file(&session.join(MANIFEST), &text)
    }
}
