//! The command line as a whole.

use crate::output::Colour;
use crate::verbs::Verb;
use std::ffi::OsString;

/// Look at, record, check and convert GHC eventlogs.
#[derive(Debug, clap::Parser)]
#[command(
    name = "eventlog",
    version,
    propagate_version = true,
    subcommand_required = true,
    arg_required_else_help = true,
    max_term_width = 100,
    after_long_help = AFTER
)]
pub struct Cli {
    #[command(subcommand)]
    pub verb: Verb,

    /// Use colours: auto (on a terminal, unless NO_COLOR is set), always, never
    #[arg(
        long,
        global = true,
        value_enum,
        value_name = "WHEN",
        default_value = "auto",
        hide_default_value = true,
        hide_possible_values = true
    )]
    pub color: Colour,

    /// Print texts of the log unchanged. Without it, control characters, which could change the
    /// terminal, are written as \u{1b}, and no CSV cell begins like a formula
    #[arg(long, global = true)]
    pub raw: bool,
}

/// The arguments for clap. An option with an optional value takes the value only after `=`, but
/// users often write `--threads 5 FILE`, so that is accepted as well.
pub fn arguments(given: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = Vec::new();
    let mut options = true;
    for argument in given {
        let number = argument
            .to_str()
            .is_some_and(|text| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()));
        match arguments.last_mut() {
            Some(last) if options && number && last == "--threads" => {
                last.push("=");
                last.push(argument);
            }
            _ => {
                options &= argument != "--";
                arguments.push(argument);
            }
        }
    }
    arguments
}

const AFTER: &str = "\
Sources:
  FILE            a log, complete or still being written (--follow)
  FIFO            a named pipe that a program writes its log to
  -               standard input
  unix:PATH       the Unix socket of a running program
  tcp:HOST:PORT   its TCP socket
  NAME            a program that `eventlog list` shows, or the beginning of its name; a file
                  with this name takes precedence
  (none)          the one program that runs

Exit codes:
  0  done
  1  the input is faulty
  2  the command line is wrong
  3  something could not be opened, connected to, read or written
  `eventlog run` exits with the status of the program that it runs, or with 125 to 127 if it
  could not run it.
  A reader of the output that goes away (`| head`) is not an error.

Environment:
  NO_COLOR        set to anything: no colours

Examples:
  eventlog run -- ./program +RTS -N4        record an unmodified program
  eventlog stats program.eventlog           sum up its log
  eventlog show program.eventlog | less     read its log
  eventlog show --json unix:/tmp/app.sock   watch a running program
  eventlog list                             show the programs that run and can be watched";
