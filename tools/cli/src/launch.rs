//! Starting a program for its eventlog, as `run` and `relay` do.

use crate::errors::{self, Advise};
use eventlog_source::program::{self, PrepareError, Prepared, Program, ProgramLog, RtsOptions};
use std::ffi::OsString;
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitCode, ExitStatus};

/// The argument that makes `eventlog run` the keeper of the FIFO.
pub const KEEP: &str = "--keep-reading";

/// Exit code if the program was not run because of an error of our own.
pub const NOT_RUN: u8 = 125;

/// Options for the RTS of the program.
#[derive(Clone, Debug, clap::Args)]
pub struct RtsArgs {
    /// Classes of events, as they follow the RTS's -l: -au, a, sgpu
    #[arg(
        long,
        value_name = "CLASSES",
        default_value = "",
        hide_default_value = true
    )]
    #[arg(allow_hyphen_values = true)]
    events: String,

    /// More RTS options for the program
    #[arg(long, value_name = "OPTIONS", allow_hyphen_values = true)]
    rts: Option<String>,
}

impl RtsArgs {
    /// Whether any option differs from its default.
    pub fn is_given(&self) -> bool {
        !self.events.is_empty() || self.rts.is_some()
    }
}

impl From<RtsArgs> for RtsOptions {
    fn from(args: RtsArgs) -> Self {
        Self {
            classes: args.events,
            more: args.rts.map(Into::into),
        }
    }
}

/// The FIFO for the log, and its keeper.
pub fn prepare() -> anyhow::Result<Prepared> {
    let executable = program::own_executable();
    let prepared = executable
        .map_err(|cause| PrepareError::Make { cause })
        .and_then(|own| Prepared::new(Command::new(own).arg0("eventlog").args(["run", KEEP])));
    prepared.or_else(|error| match error {
        PrepareError::Open { path, cause } => {
            Err(cause).advise(format_args!("cannot open {}", path.display()), "")
        }
        PrepareError::Make { cause } => Err(cause).advise(
            "cannot make a FIFO",
            "set TMPDIR to a directory where you may write, without blanks in its name",
        ),
        other => Err(other.into()),
    })
}

/// Starts the program. If that fails, the failure is reported, and the error is the exit code.
pub fn start(
    prepared: Prepared,
    program: &OsString,
    command: &mut Command,
    options: &RtsOptions,
) -> Result<(Program, ProgramLog), ExitCode> {
    prepared.start(command, options).map_err(|error| {
        let missing = error.kind() == io::ErrorKind::NotFound;
        let program = program.to_string_lossy();
        errors::fail(format_args!("cannot run {program}: {error}"));
        ExitCode::from(if missing { 127 } else { 126 })
    })
}

/// The exit code for the status of a program, as a shell computes it.
pub fn exit_code(status: ExitStatus) -> ExitCode {
    let code = match (status.code(), status.signal()) {
        (Some(code), _) => code,
        (None, Some(signal)) => 128 + signal,
        (None, None) => 1,
    };
    // The system hands on only eight bits anyway.
    ExitCode::from(code as u8)
}

/// The message and the hint for a program that has written no log.
pub fn no_log(program: &str) -> [String; 2] {
    [
        format!("{program} wrote no eventlog, so there is none"),
        "before GHC 9.4 link it with -eventlog; it must not be linked with -rtsopts=none or ignore, \
         nor run with an -ol of its own"
            .to_owned(),
    ]
}
