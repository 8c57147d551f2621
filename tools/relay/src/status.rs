//! The status of a relay.

use serde::{Deserialize, Serialize};

/// The status of a relay at a moment; it is also the JSON status. Field names are stable, new
/// ones may be added.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Status {
    /// The number of the relay, by which it recognises its own streams.
    pub relay: u64,
    /// How long it has been running, in seconds.
    pub uptime_s: f64,
    /// Each source.
    pub sources: Vec<SourceStatus>,
    /// Where clients can connect.
    pub addresses: Vec<AddressStatus>,
    /// Clients that are connected.
    pub clients: Vec<ClientStatus>,
    /// Clients that have connected in total.
    pub clients_total: u64,
    /// Clients that were refused because of the limit.
    pub clients_refused: u64,
    /// Clients that were disconnected because they fell behind.
    pub clients_lagged: u64,
    /// Commands of clients that were passed on to programs.
    pub commands: u64,
    /// Commands that could not be passed on: the program accepts none, or there were
    /// too many.
    pub commands_dropped: u64,
    /// Memory that this process occupies, in bytes; 0 if the system does not report it.
    pub resident_bytes: u64,
}

/// A source of logs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SourceStatus {
    /// Its name.
    pub name: String,
    /// Whether it has ended.
    pub over: bool,
    /// Logs of it that have begun.
    pub sessions: u64,
    /// Connections to it that were lost.
    pub lost: u64,
    /// Bytes of it that belonged to no log.
    pub garbage_bytes: u64,
    /// The latest session, live or ended.
    pub session: Option<SessionStatus>,
}

/// One log of a source.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SessionStatus {
    /// Its number among those of its source, from 1 on.
    pub number: u64,
    /// When its header arrived, in seconds since 1970.
    pub since_unix_s: f64,
    /// Whether it is over.
    pub ended: bool,
    /// Whether its log has an end mark.
    pub marked: bool,
    /// Bytes at its end that were not a whole block.
    pub cut_off_bytes: u64,
    /// Bytes of it, without the header.
    pub bytes: u64,
    /// Blocks of it.
    pub blocks: u64,
    /// Bytes that could not be decoded, and are passed on as they are.
    pub faulty_bytes: u64,
    /// Whether the log came from another relay that had joined late.
    pub joined_late: bool,
    /// The ring.
    pub ring: RingStatus,
    /// The state for late readers.
    pub fold: FoldStatus,
    /// The program, as far as its log identifies it.
    pub program: ProgramStatus,
}

/// The bytes of a session that are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RingStatus {
    /// The most bytes that may be kept.
    pub limit_bytes: u64,
    /// The bytes that are kept.
    pub bytes: u64,
    /// The number of pieces.
    pub pieces: u64,
    /// How far the slowest reader is behind, in bytes.
    pub lag_bytes: u64,
    /// How often the source had to wait for a lossless recorder.
    pub waits: u64,
}

/// How the state follows the stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FoldStatus {
    /// The moment of the state, in nanoseconds.
    pub at: u64,
    /// Bytes that have arrived and were not folded yet.
    pub lag_bytes: u64,
    /// Bytes that it missed because it was too far behind.
    pub missed_bytes: u64,
    /// Whether it has failed: no reader can join any more.
    pub failed: bool,
    /// Threads of the program that are alive.
    pub threads: u64,
    /// How many readers joined late.
    pub joins: u64,
    /// How often a reader was brought up to date.
    pub resyncs: u64,
    /// Readers that wait to be brought up to date.
    pub waiting: u64,
}

/// A program. Values that its log does not contain are `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ProgramStatus {
    /// Its name and arguments.
    pub arguments: Option<Vec<String>>,
    /// Its process id.
    pub pid: Option<u32>,
    /// Its runtime system.
    pub rts: Option<String>,
}

/// Where clients can connect.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AddressStatus {
    /// The address.
    pub address: String,
    /// The name of the source that is served there.
    pub source: String,
}

/// A client, or a reader in this process.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ClientStatus {
    /// Its number.
    pub client: u64,
    /// The name of the source.
    pub source: String,
    /// The session that it reads; `None` while it waits for one.
    pub session: Option<u64>,
    /// Where it connected; `None` for a reader in this process.
    pub address: Option<String>,
    /// How long it has been connected, in seconds.
    pub connected_s: f64,
    /// Bytes that it has received.
    pub bytes: u64,
    /// Bytes that it is behind.
    pub lag_bytes: u64,
    /// Bytes that it missed.
    pub missed_bytes: u64,
    /// How often it was brought up to date.
    pub resyncs: u64,
}
