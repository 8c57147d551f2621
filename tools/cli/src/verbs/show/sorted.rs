//! A finished log in the exact order of time: sorted as a whole, in bounded
//! memory, and read from there through a pipe.

use super::{Args, Printer};
use crate::errors;
use crate::progress::Progress;
use eventlog_source::is_damage;
use ghc_eventlog::{Item, ReadError, Reader, SortOptions, sort};
use std::io;
use std::process::ExitCode;

/// Shows the log sorted.
pub fn show(args: &Args, printer: &mut Printer) -> anyhow::Result<ExitCode> {
    let source = &args.input.source;
    let mut connection = args.input.connect(None)?;
    Progress::new("sorting", source.log_size()).watch(&mut connection);
    let options = SortOptions {
        memory: usize::try_from(args.sort_memory).unwrap_or(usize::MAX),
        recovery: args.recover,
        temp_file: crate::files::unnamed,
        ..SortOptions::default()
    };
    let (sorted, sink) = io::pipe()?;
    let sorter = std::thread::spawn(move || {
        let sink = io::BufWriter::with_capacity(1 << 16, sink);
        sort(connection, sink, &options)
    });
    let enough = print(sorted, printer)?;
    // It has ended already, or fails now because its pipe is not read any more.
    let Ok(result) = sorter.join() else {
        anyhow::bail!("sorting failed; `eventlog show` without --sort may still work");
    };
    printer.lines.flush()?;
    match result {
        _ if enough => Ok(ExitCode::SUCCESS),
        Ok(summary) => Ok(errors::ending(&source.to_string(), &summary.ending)),
        Err(ReadError::Format(fault)) => {
            errors::fault(&source.to_string(), fault);
            Ok(ExitCode::from(errors::INPUT))
        }
        Err(ReadError::Io(damage)) if is_damage(&damage) => {
            errors::fail(format_args!("{source}: {damage}"));
            Ok(ExitCode::from(errors::INPUT))
        }
        Err(ReadError::Io(error)) => {
            Err(anyhow::Error::new(error).context(format!("cannot sort {source}")))
        }
    }
}

/// Prints what arrives through the pipe; true if that was enough.
fn print(sorted: io::PipeReader, printer: &mut Printer) -> anyhow::Result<bool> {
    let mut reader = Reader::new(sorted);
    loop {
        match reader.next_item()? {
            Some(Item::Header) => printer.header()?,
            Some(Item::Event(event)) => {
                if printer.event(&event, false)?.is_break() {
                    return Ok(true);
                }
            }
            Some(_) => {}
            None => return Ok(false),
        }
    }
}
