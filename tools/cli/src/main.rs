//! `eventlog`: look at, record, check and convert the eventlogs of Haskell
//! programs, from files and from programs that are running.

#![forbid(unsafe_code)]

mod analysis;
mod cli;
mod columns;
mod complete;
mod errors;
mod files;
mod filter;
mod hints;
mod input;
mod launch;
mod output;
mod printable;
mod progress;
mod record;
mod signals;
mod source;
mod system;
mod units;
mod verbs;

use clap::{CommandFactory, FromArgMatches};
use std::process::ExitCode;

fn main() -> ExitCode {
    let matches = cli::Cli::command().get_matches_from(cli::arguments(std::env::args_os()));
    hints::about(matches.subcommand_name().unwrap_or_default());
    let cli = match cli::Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
    output::choose_colour(cli.color);
    printable::choose_raw(cli.raw);
    signals::survive_file_size_limit();
    let done = cli.verb.run(cli::Cli::command);
    source::leave();
    // A thread that the verb did not join may still be drawing the bar.
    progress::clear();
    match done {
        Ok(code) => code,
        Err(error) => errors::report(&error),
    }
}
