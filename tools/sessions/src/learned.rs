//! What is found in the log itself about its program, and about losses.

use crate::piece::Piece;
use eventlog_state::{Keep, Losses, State, Turn};
use ghc_eventlog::{Decoder, Event, EventBody, Header, Item};
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;
use std::sync::Arc;

/// What was found in a log about its program.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Learned {
    /// The name of the program, without its path.
    pub program: Option<String>,
    /// Its name and arguments.
    pub arguments: Vec<String>,
    /// Its process id.
    pub pid: Option<u32>,
    /// The version of its runtime system.
    pub rts: Option<String>,
    /// The time of day at the log's time 0, in nanoseconds since 1970.
    pub zero_unix_ns: Option<u64>,
    /// What is missing, according to the log.
    pub losses: StreamLosses,
}

/// What is missing from a log, according to notes in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StreamLosses {
    /// How often something was dropped.
    pub notes: u64,
    /// Chunks that were dropped.
    pub chunks: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Blocks that a recorder dropped.
    pub blocks: u64,
}

/// Collects this data from the events of a log.
#[derive(Debug)]
pub(crate) struct Learner {
    state: State,
    losses: Losses,
    learned: Learned,
}

impl Learner {
    pub(crate) fn new(header: &Arc<Header>) -> Self {
        Self {
            state: State::new(header, Keep::least()),
            losses: Losses::default(),
            learned: Learned::default(),
        }
    }

    pub(crate) fn learned(&self) -> &Learned {
        &self.learned
    }

    /// Takes a piece; returns how many events it has.
    pub(crate) fn piece(&mut self, piece: &Piece<'_>) -> u32 {
        if !piece.is_sound {
            return 0;
        }
        let header = Arc::clone(self.state.header());
        let mut decoder = Decoder::at(header, piece.cap, 0, u64::MAX);
        let mut rest = piece.bytes;
        let mut events = 0u32;
        let mut news = false;
        loop {
            let _ = decoder.for_each_event(&mut rest, |event| {
                events = events.saturating_add(1);
                news |= self.event(&event);
                ControlFlow::<()>::Continue(())
            });
            // A marker, or the end mark.
            if matches!(decoder.decode(&mut rest), Ok(Item::NeedMore) | Err(_)) {
                break;
            }
        }
        if news {
            self.sum_up();
        }
        events
    }

    /// Takes an event. Returns whether something may be new.
    pub(crate) fn event(&mut self, event: &Event<'_>) -> bool {
        match event.body {
            EventBody::UserMsg { .. } | EventBody::LogMsg { .. } => {
                self.losses.event(event).is_some()
            }
            EventBody::CapsetCreate { .. }
            | EventBody::CapsetAssignCap { .. }
            | EventBody::RtsIdentifier { .. }
            | EventBody::ProgramArgs { .. }
            | EventBody::OsprocessPid { .. }
            | EventBody::WallClockTime { .. } => {
                self.state.apply(event, Turn::Early, &mut |_| {});
                true
            }
            _ => false,
        }
    }

    /// Updates the summary from the state.
    pub(crate) fn sum_up(&mut self) {
        let losses = StreamLosses {
            notes: self.losses.notes,
            chunks: self.losses.chunks,
            bytes: self.losses.bytes,
            blocks: self.losses.blocks,
        };
        self.learned.losses = losses;
        let Some(program) = self.state.programs().first() else {
            return;
        };
        let zero = program.wall_clock.map(|clock| clock.at(0).unix_nanos());
        self.learned = Learned {
            program: program.name().map(str::to_owned),
            arguments: program.args.iter().map(|text| text.to_string()).collect(),
            pid: program.pid,
            rts: program.rts.as_ref().map(|rts| rts.to_string()),
            zero_unix_ns: zero.and_then(|zero| u64::try_from(zero).ok()),
            losses,
        };
    }
}
