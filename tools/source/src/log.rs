//! A log that is read item by item: opening, following a growing file, ticks for live displays, and
//! how it ended.

use crate::backoff::Backoff;
use crate::connect::{Connecting, PATIENCE};
use crate::connection::Connection;
use crate::error::Error;
use crate::growth::{Growth, growth};
use crate::notice::Notice;
use crate::source::Source;
use crate::unpack::{Packing, is_damage};
use ghc_eventlog::{
    BLOCK_MARKER, Decoder, Ending, ErrorKind, Header, Item, LooksLike, Part, ReadError, Reader, Run,
};
use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What [`Log::for_each`] passes on.
#[derive(Debug)]
pub enum Step<'a> {
    /// A header is complete: the first one, or that of a log that was started again.
    Header(Arc<Header>),
    /// A block, an event, the end mark, or a gap.
    Item(Item<'a>),
    /// The events just before, once more and all together: for callers that keep their bytes.
    Run(Run<'a>),
    /// The connection to a program was lost and replaced by another one. The next step is the
    /// header of the same log again; data from in between are missing.
    Rejoined,
    /// Nothing has arrived for a while: time to flush, or to draw.
    Idle,
}

/// Number of connections in a row without data after which a program counts as gone.
const FRUITLESS: u32 = 8;
/// How often a connection is tried while another process takes over the program.
const PAUSE: Duration = Duration::from_millis(10);

/// How a log is read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reading {
    /// Keep reading as a file grows, until the log is complete.
    pub follow: bool,
    /// Go on after a fault, at the next block.
    pub recover: bool,
    /// Pass events on as [`Step::Run`], and most of them in no other way: they are then not
    /// decoded.
    pub runs_only: bool,
}

/// A log being read.
///
/// ```no_run
/// use eventlog_source::{Connecting, Error, Log, Reading, Source, Step};
/// use std::ops::ControlFlow;
///
/// let source = Source::Unix("/tmp/app.sock".into());
/// let log = Log::open(&source, &Connecting::new(), Reading::default())?;
/// let mut items = 0;
/// let outcome = log.for_each(|step| {
///     items += u64::from(matches!(step, Step::Item(_)));
///     Ok::<_, Error>(ControlFlow::Continue(()))
/// })?;
/// println!("{items} items, complete: {}", outcome.ending.is_complete());
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug)]
pub struct Log {
    source: Source,
    how: Connecting,
    reading: Reading,
    reader: Reader<Connection>,
    /// Whether the file has been replaced, so that this one is read to its end.
    replaced: bool,
    /// Number of connections in a row without data.
    fruitless: u32,
}

/// How the reading of a log ended.
#[derive(Debug)]
#[non_exhaustive]
pub struct Outcome {
    /// The source that was read.
    pub source: Source,
    /// How it is packed.
    pub packing: Option<Packing>,
    /// How the bytes ended.
    pub ending: Ending,
    /// The fault that ended the reading early.
    pub fault: Option<ghc_eventlog::Error>,
    /// Why a packed log could not be unpacked any further.
    pub damage: Option<io::Error>,
    /// Whether not even one header was complete.
    pub empty: bool,
    /// Whether the caller stopped the reading.
    pub stopped: bool,
}

impl Log {
    /// Opens the source.
    ///
    /// # Errors
    ///
    /// Those of [`Source::connect`].
    pub fn open(source: &Source, how: &Connecting, reading: Reading) -> Result<Self, Error> {
        let connection = source.connect(how)?;
        Ok(Self::over(connection, source, how, reading))
    }

    /// Reads a source that is already open. `source` and `how` are needed when a file that is
    /// followed was replaced.
    pub fn over(
        connection: Connection,
        source: &Source,
        how: &Connecting,
        reading: Reading,
    ) -> Self {
        Self {
            source: source.clone(),
            how: how.clone(),
            reading,
            reader: reader(connection, reading),
            replaced: false,
            fruitless: 0,
        }
    }

    /// Calls `each` with every step. Faults in the log are part of the outcome, after everything
    /// before them; other errors end the reading.
    ///
    /// # Errors
    ///
    /// Those of `each`, and those of the source.
    pub fn for_each<E: From<Error>>(
        mut self,
        mut each: impl FnMut(Step<'_>) -> Result<ControlFlow<()>, E>,
    ) -> Result<Outcome, E> {
        loop {
            let part = |part: Part<'_>| {
                let step = match part {
                    Part::Item(Item::Header) => return ControlFlow::Break(Pause::Header),
                    Part::Item(item) => Step::Item(item),
                    Part::Run(run) => Step::Run(run),
                };
                match each(step) {
                    Ok(ControlFlow::Continue(())) => ControlFlow::Continue(()),
                    Ok(ControlFlow::Break(())) => ControlFlow::Break(Pause::Enough),
                    Err(error) => ControlFlow::Break(Pause::Failed(error)),
                }
            };
            let flow = match self.reading.runs_only {
                true => self.reader.for_each_run(part),
                false => self.reader.for_each_part(part),
            };
            let step = match flow {
                Ok(ControlFlow::Break(Pause::Header)) => match self.reader.header() {
                    Some(header) => Step::Header(Arc::clone(header)),
                    None => continue,
                },
                Ok(ControlFlow::Break(Pause::Enough)) => return Ok(self.outcome(None, true)),
                Ok(ControlFlow::Break(Pause::Failed(error))) => return Err(error),
                Ok(ControlFlow::Continue(())) => {
                    if self.reader.ending().marked {
                        return Ok(self.outcome(None, false));
                    }
                    if self.rejoin()? {
                        Step::Rejoined
                    } else if self.reading.follow && self.wait_for_more()? {
                        Step::Idle
                    } else {
                        return Ok(self.outcome(None, false));
                    }
                }
                Err(ReadError::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                    Step::Idle
                }
                Err(ReadError::Io(error)) if is_damage(&error) => {
                    let damage = Some(error);
                    return Ok(Outcome {
                        damage,
                        ..self.outcome(None, false)
                    });
                }
                // This happens when the process that served the log is killed before it has read a
                // command.
                Err(ReadError::Io(error))
                    if error.kind() == io::ErrorKind::ConnectionReset && self.rejoin()? =>
                {
                    Step::Rejoined
                }
                Err(ReadError::Io(cause)) => {
                    let from = self.source;
                    return Err(Error::Read { from, cause }.into());
                }
                Err(ReadError::Format(fault)) => return Ok(self.outcome(Some(fault), false)),
            };
            if each(step)?.is_break() {
                return Ok(self.outcome(None, true));
            }
        }
    }

    /// Waits at the end of a file that may grow. `false` if it cannot.
    fn wait_for_more(&mut self) -> Result<bool, Error> {
        if !self.replaced {
            match growth(&self.source, self.reader.get_ref(), self.how.tick) {
                Growth::Never => return Ok(false),
                Growth::MayGrow => return Ok(true),
                // Data written to the old file in the meantime are read first.
                Growth::Replaced => self.replaced = true,
                Growth::Truncated => {}
            }
            if self.replaced {
                return Ok(true);
            }
        }
        let source = &self.source;
        self.how.notices.tell(&Notice::Restarted { source });
        self.reader = reader(self.source.connect(&self.how)?, self.reading);
        self.replaced = false;
        Ok(true)
    }

    /// Handles a connection that ended before the log did. If it was to a program that still runs,
    /// the process that served its log has ended, and another one does now, or this process does
    /// itself.
    fn rejoin(&mut self) -> Result<bool, Error> {
        let Some(program) = self.reader.get_ref().as_program().cloned() else {
            return Ok(false);
        };
        self.fruitless = match self.reader.get_ref().position() {
            0 => self.fruitless + 1,
            _ => 0,
        };
        if self.fruitless > 0 {
            std::thread::sleep(Backoff::default().random_pause(self.fruitless - 1));
        }
        let once = self.how.clone().wait(Duration::ZERO);
        let since = Instant::now();
        let mut told = false;
        while self.fruitless < FRUITLESS
            && program.is_still_there()
            && !self.how.wait.left(since.elapsed()).is_zero()
            && !self.how.is_stopped()
        {
            let (source, notices) = (&self.source, &self.how.notices);
            let cause = match source.connect(&once) {
                Ok(connection) => {
                    notices.tell(&Notice::Rejoined { source });
                    self.reader = reader(connection, self.reading);
                    return Ok(true);
                }
                Err(Error::Open { cause, .. }) if is_turmoil(&cause) => cause,
                Err(error) => return Err(error),
            };
            if !told && since.elapsed() > PATIENCE {
                told = true;
                let cause = &cause;
                notices.tell(&Notice::Waiting { source, cause });
            }
            std::thread::sleep(PAUSE);
        }
        Ok(false)
    }

    /// A source that ends within a few bytes is still undecided for the decoder. If it cannot be a
    /// log, say what it is.
    fn foreign(&self) -> Option<ghc_eventlog::Error> {
        let rest = self.reader.rest();
        let begins = |magic: &[u8]| rest.iter().zip(magic).all(|(a, b)| a == b);
        let undecided = self.reader.decoder().offset() == 0 && !rest.is_empty();
        let foreign = undecided && !begins(b"hdrb") && !begins(&BLOCK_MARKER.to_be_bytes());
        foreign.then(|| ghc_eventlog::Error {
            offset: 0,
            kind: ErrorKind::NotAnEventlog(LooksLike::guess(rest)),
        })
    }

    fn outcome(self, fault: Option<ghc_eventlog::Error>, stopped: bool) -> Outcome {
        let fault = fault.or_else(|| if stopped { None } else { self.foreign() });
        Outcome {
            packing: self.reader.get_ref().packing(),
            ending: self.reader.ending(),
            fault,
            damage: None,
            empty: self.reader.decoder().sessions() == 0,
            stopped,
            source: self.source,
        }
    }
}

/// Whether the cause may only be that another process is about to serve the program, or has just
/// ended.
fn is_turmoil(cause: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionRefused, ConnectionReset, NotFound, ResourceBusy};
    matches!(
        cause.kind(),
        NotFound | ConnectionRefused | ConnectionReset | ResourceBusy
    )
}

/// Why the inner loop ended.
enum Pause<E> {
    Header,
    Enough,
    Failed(E),
}

fn reader(connection: Connection, reading: Reading) -> Reader<Connection> {
    let decoder = Decoder::new().with_recovery(reading.recover);
    Reader::with_decoder(connection, decoder)
}
