//! Programs that are started for their eventlog.
//!
//! The log of the program goes into a FIFO that is made for it, so the program needs no changes.
//! The RTS opens the FIFO for reading and writing: it does not wait for a reader, but once the FIFO
//! is full it waits forever, whether anybody reads or not. So two things must hold:
//!
//! * Whoever has started the program reads the log ([`ProgramLog`]) on a thread that waits for
//!   nothing else, whatever becomes of what it has read.
//! * When that process ends before the program does, another one reads on: the *keeper*. It is made
//!   before the program is started, by a command that the caller gives: it must run [`keep`].
//!   Usually that is the program of the caller itself ([`own_executable`]), with an argument of its
//!   own.
//!
//! ```no_run
//! use eventlog_source::program::{self, Prepared, RtsOptions};
//! use std::io::Read;
//! use std::process::Command;
//!
//! if std::env::args().nth(1).as_deref() == Some("--keep") {
//!     return program::keep().map_err(Into::into);
//! }
//! let mut keeper = Command::new(program::own_executable()?);
//! let prepared = Prepared::new(keeper.arg("--keep"))?;
//! let mut command = Command::new("./app");
//! let (mut program, mut log) = prepared.start(&mut command, &RtsOptions::default())?;
//! let reader = std::thread::spawn(move || {
//!     let (mut total, mut buffer) = (0, vec![0; 64 * 1024]);
//!     while let Ok(count @ 1..) = log.read(&mut buffer) {
//!         total += count;
//!     }
//!     total
//! });
//! let status = program.wait()?;
//! println!("{status}, {} bytes of log", reader.join().expect("no panic"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod fifo;
mod keeper;
mod signals;

pub use crate::system::own_executable;
pub use keeper::keep;
pub use signals::{ForwardSignals, heeded};

use crate::connection::Connection;
use fifo::Fifo;
use keeper::Keeper;
use std::ffi::OsString;
use std::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How long the log may be silent after the end of the program before that
/// counts as its end. Only matters if something else holds the FIFO open.
const TICK: Duration = Duration::from_millis(20);

/// The options for the RTS of the program, besides where its log goes.
#[derive(Clone, Debug, Default)]
pub struct RtsOptions {
    /// Classes of events, as they follow `-l`: `-au`, `a`, `sgpu`.
    pub classes: String,
    /// More options, as they are written on a command line.
    pub more: Option<OsString>,
}

impl RtsOptions {
    /// The value of `GHCRTS`: ours, those that the user has set anyway, and at the end
    /// the one that must win.
    fn ghcrts(&self, fifo: &Path) -> OsString {
        let mut options = OsString::from(format!("-l{}", self.classes));
        for more in [std::env::var_os("GHCRTS"), self.more.clone()]
            .into_iter()
            .flatten()
        {
            options.push(" ");
            options.push(more);
        }
        options.push(" -ol");
        options.push(fifo);
        options
    }
}

/// Why there is no FIFO for the log.
#[derive(Debug)]
#[non_exhaustive]
pub enum PrepareError {
    /// It cannot be made.
    Make {
        /// Why.
        cause: io::Error,
    },
    /// It cannot be opened.
    Open {
        /// Where it is.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
}

impl fmt::Display for PrepareError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Make { .. } => f.write_str(
                "cannot make a FIFO; set TMPDIR to a directory where you may write, without blanks \
                 in its name",
            ),
            Self::Open { path, .. } => write!(
                f,
                "cannot open the FIFO {}; was it removed?",
                path.display()
            ),
        }
    }
}

impl std::error::Error for PrepareError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Make { cause } | Self::Open { cause, .. } => Some(cause),
        }
    }
}

/// All that is there before the program is.
#[derive(Debug)]
pub struct Prepared {
    keeper: Keeper,
    fifo: Fifo,
    log: Connection,
    signals: Option<ForwardSignals>,
}

impl Prepared {
    /// Starts the keeper, which makes the FIFO, and opens that for reading. Whatever can go wrong
    /// goes wrong before the program has begun.
    ///
    /// # Errors
    ///
    /// If there cannot be a FIFO.
    pub fn new(keeper: &mut Command) -> Result<Self, PrepareError> {
        let (keeper, fifo) = Keeper::start(keeper).map_err(|cause| PrepareError::Make { cause })?;
        let log = fifo.open().map_err(|cause| PrepareError::Open {
            path: fifo.path().to_owned(),
            cause,
        })?;
        Ok(Self {
            keeper,
            fifo,
            log: Connection::fifo(log),
            signals: None,
        })
    }

    /// Where the log goes.
    pub fn path(&self) -> &Path {
        self.fifo.path()
    }

    /// Signals that were caught go on to the program.
    #[must_use]
    pub fn forward(self, signals: ForwardSignals) -> Self {
        Self {
            signals: Some(signals),
            ..self
        }
    }

    /// Starts the program, with `GHCRTS` set so that its log goes into the FIFO. The log must be
    /// read until it ends, or the program comes to a halt.
    ///
    /// # Errors
    ///
    /// If the program cannot be started.
    pub fn start(
        mut self,
        command: &mut Command,
        options: &RtsOptions,
    ) -> io::Result<(Program, ProgramLog)> {
        command.env("GHCRTS", options.ghcrts(self.fifo.path()));
        self.keeper.starting();
        let child = command.spawn()?;
        if let Some(signals) = self.signals {
            signals.to(child.id());
        }
        self.keeper.started(child.id());
        let ended = Arc::new(AtomicBool::new(false));
        let mut connection = self.log;
        connection.set_tick(Some(TICK));
        let log = ProgramLog {
            connection,
            ended: Arc::clone(&ended),
        };
        let program = Program {
            child,
            ended,
            _fifo: self.fifo,
            _keeper: self.keeper,
        };
        Ok((program, log))
    }
}

/// A program that was started. When this is dropped, the FIFO goes; a program that runs still is
/// left to the keeper.
#[derive(Debug)]
pub struct Program {
    child: Child,
    ended: Arc<AtomicBool>,
    _fifo: Fifo,
    _keeper: Keeper,
}

impl Program {
    /// The number of its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for its end. The log ends after that, not before.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn wait(&mut self) -> io::Result<ExitStatus> {
        let status = loop {
            match self.child.wait() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        // Pairs with the load in `read`: what the program wrote before its end is read after it.
        self.ended.store(true, Ordering::Release);
        status
    }
}

/// The log of a program that was started: reads wait for it, and it ends with the program.
#[derive(Debug)]
pub struct ProgramLog {
    connection: Connection,
    ended: Arc<AtomicBool>,
}

impl Read for ProgramLog {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            // Pairs with the store in `wait`. It is read first: what comes after it is the rest.
            let over = self.ended.load(Ordering::Acquire);
            match self.connection.read(buffer) {
                // Nobody has the FIFO open. The program may open it again.
                Ok(0) if !over => std::thread::sleep(TICK / 2),
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock if over => return Ok(0),
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => {}
                    _ => return Err(error),
                },
                other => return other,
            }
        }
    }
}
