//! Starts programs to read their eventlog.
//!
//! The log of the program is written to a FIFO that is made for it, so the program needs no
//! changes. The RTS opens the FIFO for reading and writing: it does not wait for a reader, but once
//! the FIFO is full it waits forever, whether there is a reader or not. So two things are required:
//!
//! * The process that started the program reads the log ([`ProgramLog`]) on a thread that waits for
//!   nothing else, whatever is done with the data.
//! * If that process ends before the program does, another one reads on: the *keeper*. It is
//!   started before the program, by a command that the caller provides, which must run [`keep`].
//!   Usually that is the caller's own program ([`own_executable`]) with a special argument.
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

/// How long the log may be silent after the end of the program before that counts as its end. Only
/// matters if something else has the FIFO open.
const TICK: Duration = Duration::from_millis(20);

/// The options for the RTS of the program, except where its log is written.
#[derive(Clone, Debug, Default)]
pub struct RtsOptions {
    /// Classes of events, in the form that follows `-l`: `-au`, `a`, `sgpu`.
    pub classes: String,
    /// More options, as on a command line.
    pub more: Option<OsString>,
}

impl RtsOptions {
    /// The value of `GHCRTS`: our options, those that the user has set already, and at the end the
    /// one that must take precedence.
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
    /// It could not be made.
    Make {
        /// The error of the system.
        cause: io::Error,
    },
    /// It could not be opened.
    Open {
        /// Where it is.
        path: PathBuf,
        /// The error of the system.
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

/// Everything that is prepared before the program is started.
#[derive(Debug)]
pub struct Prepared {
    keeper: Keeper,
    fifo: Fifo,
    log: Connection,
    signals: Option<ForwardSignals>,
}

impl Prepared {
    /// Starts the keeper, which makes the FIFO, and opens the FIFO for reading. Everything that can
    /// fail fails before the program is started.
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

    /// The path that the log is written to.
    pub fn path(&self) -> &Path {
        self.fifo.path()
    }

    /// Passes caught signals on to the program.
    #[must_use]
    pub fn forward(self, signals: ForwardSignals) -> Self {
        Self {
            signals: Some(signals),
            ..self
        }
    }

    /// Starts the program, with `GHCRTS` set so that its log is written to the FIFO. The log must
    /// be read to its end, or the program blocks.
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

/// A program that was started. When this is dropped, the FIFO is removed; a program that still runs
/// is left to the keeper.
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

    /// Waits for the end of the program. The log ends after that, not before.
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
            // Pairs with the store in `wait`. It is read first: data read afterwards are the rest.
            let over = self.ended.load(Ordering::Acquire);
            match self.connection.read(buffer) {
                // No process has the FIFO open. The program may open it again.
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
