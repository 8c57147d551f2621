//! A session in short.

use eventlog_sessions::{EndReason, Ended, Error, Learned, Lost, Session, State, StreamLosses};
use ghc_eventlog::UnixTime;
use serde::Serialize;

/// The names of the fields in JSON are stable; new ones may be added.
#[derive(Debug, Serialize)]
pub struct Summary {
    pub session: String,
    pub directory: String,
    pub source: Option<String>,
    pub from: Option<String>,
    pub program: Option<String>,
    pub arguments: Vec<String>,
    pub pid: Option<u32>,
    pub rts: Option<String>,
    /// When the recording began, and ended.
    pub began_unix_ns: u64,
    pub ended_unix_ns: Option<u64>,
    /// `running`, `complete`, `lost`, `stopped` or `killed`.
    pub state: &'static str,
    /// The times from and to which it reaches, in the log's time.
    pub begin_ns: Option<u64>,
    pub end_ns: Option<u64>,
    pub bytes: u64,
    pub parts: u64,
    pub events: u64,
    /// What was not recorded.
    pub lost: Lost,
    /// Bytes of the stream before the first part that is there.
    pub removed_bytes: u64,
    /// What the log itself says is missing.
    pub stream_losses: StreamLosses,
    pub notes: u64,
}

impl Summary {
    pub fn of(session: &Session) -> Result<Self, Error> {
        let manifest = session.manifest();
        let learned = session.learned()?;
        let times = session.times();
        let (missing, earlier) = session.missing();
        let mut lost = session.lost();
        // The manifest lacks it if the relay was killed while it recorded.
        lost.bytes = lost.bytes.max(missing);
        let ended = match session.state() {
            State::Ended(ended) => Some(ended),
            _ => None,
        };
        let Learned {
            program,
            arguments,
            pid,
            rts,
            losses,
            ..
        } = learned;
        Ok(Self {
            session: session.name().to_owned(),
            directory: session.dir().display().to_string(),
            source: manifest.map(|manifest| manifest.source.clone()),
            from: manifest.map(|manifest| manifest.from.clone()),
            program,
            arguments,
            pid,
            rts,
            began_unix_ns: session.began_unix_ns(),
            ended_unix_ns: ended.map(|ended| ended.at_unix_ns),
            state: word(session.state()),
            begin_ns: times.map(|(begin, _)| begin),
            end_ns: times.map(|(_, end)| end),
            bytes: session.bytes(),
            parts: session.parts().len() as u64,
            events: session.events(),
            lost,
            removed_bytes: earlier,
            stream_losses: losses,
            notes: session.notes().len() as u64,
        })
    }

    /// Bytes that are missing, for whatever reason.
    pub fn lost_bytes(&self) -> u64 {
        self.lost.bytes.saturating_add(self.stream_losses.bytes)
    }

    /// How long it is, in nanoseconds.
    pub fn length(&self) -> Option<u64> {
        Some(self.end_ns?.saturating_sub(self.begin_ns?))
    }
}

fn word(state: State) -> &'static str {
    match state {
        State::Recording => "running",
        State::Killed => "killed",
        State::Ended(Ended { how, .. }) => match how {
            EndReason::Complete => "complete",
            EndReason::Lost => "lost",
            EndReason::Stopped => "stopped",
        },
    }
}

/// A moment for people, to the second: `2026-11-30 04:15:09`.
pub fn moment(unix_ns: u64) -> String {
    let text = UnixTime::from_unix_nanos(unix_ns.into()).to_string();
    text.get(..19).unwrap_or(&text).replace('T', " ")
}
