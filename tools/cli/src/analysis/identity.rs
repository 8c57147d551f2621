//! Who wrote the log. All of this may come late, or never.

use ghc_eventlog::{Event, EventBody, WallClock};

/// How long a text from the log may be before it is cut.
const LONGEST: usize = 1024;

/// What is known of the program.
#[derive(Clone, Debug, Default)]
pub struct Identity {
    pub rts: Option<String>,
    pub args: Vec<String>,
    pub pid: Option<u32>,
    pub wall_clock: Option<WallClock>,
    /// Bytes of a megablock, the unit of what is given back to the system.
    pub mblock: Option<u64>,
}

impl Identity {
    #[inline]
    pub fn event(&mut self, event: &Event<'_>) {
        match event.body {
            EventBody::RtsIdentifier { identifier, .. } => {
                self.rts = Some(shortened(&identifier.to_string_lossy()));
            }
            EventBody::ProgramArgs { args, .. } => {
                self.args = args
                    .iter()
                    .take(256)
                    .map(|a| shortened(&a.to_string_lossy()))
                    .collect();
            }
            EventBody::OsprocessPid { pid, .. } => self.pid = Some(pid),
            EventBody::WallClockTime { .. } => self.wall_clock = WallClock::from_event(event),
            EventBody::HeapInfoGhc { mblock_size, .. } => self.mblock = Some(mblock_size),
            _ => {}
        }
    }

    /// The program's name without its path.
    pub fn program(&self) -> Option<&str> {
        self.args
            .first()
            .map(|path| path.rsplit(['/', '\\']).next().unwrap_or(path))
    }
}

/// At most so many bytes of a text that a log may make as long as it likes.
pub fn shortened(text: &str) -> String {
    if text.len() <= LONGEST {
        return text.to_owned();
    }
    let mut end = LONGEST;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", &text[..end])
}
