//! The loop that every verb which reads one log shares: opening, following a
//! file that grows, ticks for live displays, and telling how it ended.

use crate::errors;
use crate::progress::{Progress, Watched};
use crate::source::{Connection, SourceArgs};
use ghc_eventlog::{
    BLOCK_MARKER, Decoder, Ending, Error, ErrorKind, Header, Item, LooksLike, ReadError, Reader,
};
use std::ops::ControlFlow;
use std::os::unix::fs::MetadataExt;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// How often a file that grows is looked at, if nobody wants ticks.
const POLL: Duration = Duration::from_millis(100);

/// What the loop hands on.
#[derive(Debug)]
pub enum Step<'a> {
    /// A header is complete: the first one, or that of a restarted log.
    Header(Arc<Header>),
    /// A block, an event, the end mark, or a gap.
    Item(Item<'a>),
    /// Nothing has come for a while: time to flush, or to draw.
    Idle,
}

/// How to read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reading {
    /// Hand on [`Step::Idle`] when nothing has come for that long.
    pub tick: Option<Duration>,
    /// Go on after a fault, at the next block.
    pub recover: bool,
    /// Show a progress bar with this label (only where one belongs).
    pub progress: Option<&'static str>,
}

/// A log being read.
pub struct Input {
    args: SourceArgs,
    reading: Reading,
    reader: Reader<Watched<Connection>>,
}

/// How the reading ended.
#[derive(Debug)]
pub struct Outcome {
    name: String,
    /// How the bytes ended.
    pub ending: Ending,
    /// The fault that ended the reading early.
    pub fault: Option<Error>,
    /// Why a packed log could not be unpacked any further.
    damage: Option<std::io::Error>,
    /// Whether not even one header was complete.
    empty: bool,
    /// Whether the verb itself had enough.
    pub stopped: bool,
}

impl Input {
    /// Opens the source.
    pub fn open(args: &SourceArgs, reading: Reading) -> anyhow::Result<Self> {
        let reader = open(args, reading)?;
        Ok(Self {
            args: args.clone(),
            reading,
            reader,
        })
    }

    /// Calls `each` with everything there is. Faults in the log are part of
    /// the outcome, after everything before them; other errors end it.
    pub fn each(
        mut self,
        mut each: impl FnMut(Step<'_>) -> anyhow::Result<ControlFlow<()>>,
    ) -> anyhow::Result<Outcome> {
        loop {
            let flow = self.reader.for_each(|item| match item {
                Item::Header => ControlFlow::Break(Pause::Header),
                item => match each(Step::Item(item)) {
                    Ok(ControlFlow::Continue(())) => ControlFlow::Continue(()),
                    Ok(ControlFlow::Break(())) => ControlFlow::Break(Pause::Enough),
                    Err(error) => ControlFlow::Break(Pause::Failed(error)),
                },
            });
            let step = match flow {
                Ok(ControlFlow::Break(Pause::Header)) => match self.reader.header() {
                    Some(header) => Step::Header(Arc::clone(header)),
                    None => continue,
                },
                Ok(ControlFlow::Break(Pause::Enough)) => return Ok(self.outcome(None, true)),
                Ok(ControlFlow::Break(Pause::Failed(error))) => return Err(error),
                Ok(ControlFlow::Continue(())) => {
                    if !self.args.follow || self.reader.ending().marked || !self.wait_for_more()? {
                        return Ok(self.outcome(None, false));
                    }
                    Step::Idle
                }
                Err(ReadError::Io(error)) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    Step::Idle
                }
                Err(ReadError::Io(error)) if errors::is_damage(&error) => {
                    let damage = Some(error);
                    return Ok(Outcome {
                        damage,
                        ..self.outcome(None, false)
                    });
                }
                Err(ReadError::Io(error)) => {
                    let context = format!("cannot read {}", self.args.source);
                    return Err(anyhow::Error::new(error).context(context));
                }
                Err(ReadError::Format(fault)) => return Ok(self.outcome(Some(fault), false)),
            };
            if each(step)?.is_break() {
                return Ok(self.outcome(None, true));
            }
        }
    }

    /// At the end of a file that may grow. `false` if it cannot.
    fn wait_for_more(&mut self) -> anyhow::Result<bool> {
        let connection = self.reader.get_ref().get_ref();
        let Some(about) = connection.as_file().and_then(|file| file.metadata().ok()) else {
            return Ok(false);
        };
        if !about.is_file() {
            return Ok(false);
        }
        std::thread::sleep(self.reading.tick.unwrap_or(POLL));
        let crate::source::SourceArg::File(path) = &self.args.source else {
            return Ok(true);
        };
        // A program that starts again truncates its log, or replaces it.
        let position = connection.position();
        let replaced = match std::fs::metadata(path) {
            Ok(now) => (now.dev(), now.ino()) != (about.dev(), about.ino()) || now.len() < position,
            Err(_) => false,
        };
        if replaced {
            errors::note(format_args!("{} was started anew", self.args.source));
            self.reader = open(&self.args, self.reading)?;
        }
        Ok(true)
    }

    /// A source that ends within a few bytes is still undecided for the
    /// decoder. It is worth saying what it is if it cannot be a log.
    fn foreign(&self) -> Option<Error> {
        let rest = self.reader.rest();
        let begins = |magic: &[u8]| rest.iter().zip(magic).all(|(a, b)| a == b);
        let undecided = self.reader.decoder().offset() == 0 && !rest.is_empty();
        (undecided && !begins(b"hdrb") && !begins(&BLOCK_MARKER.to_be_bytes())).then(|| Error {
            offset: 0,
            kind: ErrorKind::NotAnEventlog(LooksLike::guess(rest)),
        })
    }

    fn outcome(&self, fault: Option<Error>, stopped: bool) -> Outcome {
        let mut name = self.args.source.to_string();
        if let (Some(packing), false) = (
            self.reader.get_ref().get_ref().packing(),
            self.reader.ending().header,
        ) {
            name = format!("{name} (packed with {packing})");
        }
        let fault = fault.or_else(|| if stopped { None } else { self.foreign() });
        Outcome {
            name,
            ending: self.reader.ending(),
            fault,
            damage: None,
            empty: self.reader.decoder().sessions() == 0,
            stopped,
        }
    }
}

/// Why the inner loop was left.
enum Pause {
    Header,
    Enough,
    Failed(anyhow::Error),
}

fn open(args: &SourceArgs, reading: Reading) -> anyhow::Result<Reader<Watched<Connection>>> {
    let connection = args.connect(reading.tick)?;
    let progress = match reading.progress {
        Some(label) if !args.follow => Progress::new(label, args.source.log_size()),
        _ => Progress::none(),
    };
    let decoder = Decoder::new().with_recovery(reading.recover);
    Ok(Reader::with_decoder(
        Watched::new(connection, progress),
        decoder,
    ))
}

impl Outcome {
    /// Why a packed log could not be unpacked any further, if that is so.
    pub fn damage(&self) -> Option<&std::io::Error> {
        self.damage.as_ref()
    }

    /// An error if there was no log at all: then that is all there is to say.
    pub fn expect_log(&self) -> anyhow::Result<()> {
        let name = &self.name;
        match (self.fault, &self.damage) {
            _ if !self.empty || self.stopped => Ok(()),
            (Some(fault), _) => Err(anyhow::Error::new(fault).context(name.clone())),
            (None, Some(damage)) => Err(errors::input(format_args!("{name}: {damage}"))),
            (None, None) => Err(errors::no_header(name)),
        }
    }

    /// Says on standard error what was wrong with the log, if anything, and
    /// with what to exit: 1 after a fault or without any log, 0 otherwise. A
    /// log that merely stops (a killed program) is told, but is no failure.
    pub fn report(&self) -> ExitCode {
        let name = &self.name;
        if let Some(fault) = self.fault {
            errors::fault(name, fault);
            return ExitCode::from(errors::INPUT);
        }
        if let Some(damage) = &self.damage {
            errors::fail(format_args!("{name}: {damage}"));
            errors::hint("what came before is used; copy or download the file again");
            return ExitCode::from(errors::INPUT);
        }
        if self.stopped {
            return ExitCode::SUCCESS;
        }
        errors::ending(name, &self.ending)
    }
}
