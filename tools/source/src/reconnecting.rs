//! A source that is connected to again whenever the connection ends.

use crate::backoff::Backoff;
use crate::connect::{Connecting, PATIENCE};
use crate::connection::Connection;
use crate::error::Error;
use crate::following::{Arrival, Following};
use crate::notice::Notice;
use crate::source::Source;
use crate::wait::Wait;
use std::io::ErrorKind;
use std::time::{Duration, Instant};

/// How often a request to stop is checked during a pause.
const SLICE: Duration = Duration::from_millis(50);

/// Reads a source for as long as it exists: sockets are connected to again, a FIFO is read for its
/// next writer, a file is followed. Standard input ends.
///
/// Attempts to connect have [pauses](Backoff) between them. After a connection that brought data
/// they begin with the shortest one again.
///
/// ```no_run
/// use eventlog_source::{Arrival, Connecting, Reconnecting, Source, Wait};
///
/// let source = Source::Tcp("db1:4242".into());
/// let mut log = Reconnecting::new(source, Connecting::new().wait(Wait::Forever));
/// let mut buffer = vec![0; 64 * 1024];
/// loop {
///     match log.next(&mut buffer)? {
///         Arrival::NewLog => println!("a new log"),
///         Arrival::Bytes(count) => println!("{count} bytes"),
///         Arrival::Lost(_) => println!("lost it; trying again"),
///         Arrival::End => break,
///         _ => {}
///     }
/// }
/// # Ok::<(), eventlog_source::Error>(())
/// ```
#[derive(Debug)]
pub struct Reconnecting {
    source: Source,
    how: Connecting,
    backoff: Backoff,
    state: State,
    /// Number of attempts and connections in a row without data.
    fruitless: u32,
    /// Whether there was a connection before: then a missing source may come back.
    came_once: bool,
}

#[derive(Debug)]
enum State {
    Apart(Apart),
    Connected {
        following: Box<Following>,
        /// Whether any byte has arrived.
        fruitful: bool,
    },
    Over,
}

/// The state while there is no connection.
#[derive(Debug)]
struct Apart {
    since: Instant,
    next: Instant,
    told: bool,
    /// How long nothing has arrived.
    idle: Duration,
    /// Kept open because a FIFO keeps its data only while some process has it open.
    kept: Option<Box<Following>>,
}

impl Apart {
    fn new(pause: Duration) -> Self {
        let since = Instant::now();
        Self {
            since,
            next: since + pause,
            told: false,
            idle: Duration::ZERO,
            kept: None,
        }
    }
}

impl Reconnecting {
    /// A reader of this source. Nothing is opened before the first call of [`next`](Self::next).
    ///
    /// The `wait` of `how` is how long to try each time before this is an error; [`Wait::Forever`]
    /// never gives up.
    pub fn new(source: Source, how: Connecting) -> Self {
        Self {
            source,
            how,
            backoff: Backoff::default(),
            state: State::Apart(Apart::new(Duration::ZERO)),
            fruitless: 0,
            came_once: false,
        }
    }

    /// Sets the pauses between attempts.
    #[must_use]
    pub fn backoff(self, backoff: Backoff) -> Self {
        Self { backoff, ..self }
    }

    /// The source.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// The connection, while there is one: to send commands when a new log begins.
    pub fn connection(&mut self) -> Option<&mut Connection> {
        match &mut self.state {
            State::Connected { following, .. } => Some(following.connection()),
            State::Apart(_) | State::Over => None,
        }
    }

    /// Returns what arrives next. Waits forever, or for a tick if ticks are set.
    ///
    /// # Errors
    ///
    /// If the source does not appear in time, or cannot be opened or read at all. Another call
    /// tries again.
    pub fn next(&mut self, buffer: &mut [u8]) -> Result<Arrival, Error> {
        loop {
            if self.how.is_stopped() {
                self.state = State::Over;
            }
            let arrival = match &mut self.state {
                State::Over => Some(Arrival::End),
                State::Apart(_) => self.try_again()?,
                State::Connected { .. } => Some(self.read(buffer)?),
            };
            if let Some(arrival) = arrival {
                return Ok(arrival);
            }
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<Arrival, Error> {
        let State::Connected {
            following,
            fruitful,
        } = &mut self.state
        else {
            return Ok(Arrival::End);
        };
        let lasts = following.connection().may_come_back();
        let lost = match following.next(buffer) {
            Ok(Arrival::Bytes(count)) => {
                *fruitful |= count > 0;
                return Ok(Arrival::Bytes(count));
            }
            Ok(Arrival::End) if lasts => None,
            Ok(Arrival::End) => {
                self.state = State::Over;
                return Ok(Arrival::End);
            }
            Err(Error::Read { cause, .. }) if lasts => Some(cause),
            other => return other,
        };
        let fruitless = if *fruitful { 0 } else { self.fruitless + 1 };
        self.lose(fruitless);
        Ok(Arrival::Lost(lost))
    }

    /// Handles the end of the connection.
    fn lose(&mut self, fruitless: u32) {
        self.fruitless = fruitless;
        self.came_once = true;
        let mut apart = Apart::new(self.backoff.random_pause(fruitless));
        let before = std::mem::replace(&mut self.state, State::Over);
        if let State::Connected { mut following, .. } = before
            && following.connection().is_fifo()
        {
            // The FIFO still exists, and its next writer must not find it without a reader.
            apart.next = apart.since;
            apart.kept = Some(following);
        }
        self.state = State::Apart(apart);
    }

    /// Makes an attempt, if it is time for one; returns what there is to report.
    fn try_again(&mut self) -> Result<Option<Arrival>, Error> {
        let State::Apart(apart) = &mut self.state else {
            return Ok(None);
        };
        let pause = apart.next.saturating_duration_since(Instant::now());
        if !pause.is_zero() {
            let tick = self.how.tick.filter(|tick| *tick <= pause.min(SLICE));
            std::thread::sleep(tick.unwrap_or(pause.min(SLICE)));
            apart.idle += tick.unwrap_or(pause.min(SLICE));
            let ticks = self.how.tick.is_some_and(|tick| apart.idle >= tick);
            if ticks {
                apart.idle = Duration::ZERO;
            }
            return Ok(ticks.then_some(Arrival::Idle));
        }
        let once = self.how.clone().wait(Wait::For(Duration::ZERO));
        let cause = match self.source.connect(&once) {
            Ok(connection) => {
                let (source, how) = (self.source.clone(), self.how.clone());
                self.state = State::Connected {
                    following: Box::new(Following::over(connection, source, how)),
                    fruitful: false,
                };
                return Ok(None);
            }
            Err(Error::Open { cause, .. }) => cause,
            Err(other) => return Err(other),
        };
        let waited = apart.since.elapsed();
        let gone = matches!(
            cause.kind(),
            ErrorKind::NotFound | ErrorKind::ConnectionRefused
        );
        let may_come = self.source.may_come(&cause, &self.how) || (gone && self.came_once);
        if !may_come || self.how.wait.left(waited).is_zero() {
            self.state = State::Apart(Apart::new(Duration::ZERO));
            return Err(Error::Open {
                from: self.source.clone(),
                waited: may_come.then_some(waited),
                cause,
            });
        }
        if !apart.told && waited > PATIENCE {
            apart.told = true;
            let (source, cause) = (&self.source, &cause);
            self.how.notices.tell(&Notice::Waiting { source, cause });
        }
        apart.next = Instant::now() + self.backoff.random_pause(self.fruitless);
        self.fruitless = self.fruitless.saturating_add(1);
        Ok(None)
    }
}
