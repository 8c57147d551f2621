//! How fast a log is converted, compared with a plain count of its events: `speed FILE`.
//!
//! All conversions of the log are run in turn, several times; the medians are printed, and their
//! ratio to the count. Results are discarded.

use eventlog_export::{Error as ExportError, Export, Exporter, Perfetto, Range, TraceEvents};
use eventlog_state::{Merge, MergeOptions, StartStop, Step};
use ghc_eventlog::{Item, Reader};
use std::error::Error;
use std::fs::File;
use std::hint::black_box;
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::time::Instant;

type Way = (&'static str, fn(&str) -> Result<u64, Box<dyn Error>>);

const WAYS: [Way; 3] = [("count", count), ("perfetto", perfetto), ("json", json)];

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let path = args.next().ok_or("usage: speed FILE [ROUNDS]")?;
    let rounds: usize = args.next().map_or(Ok(3), |rounds| rounds.parse())?;
    let size = std::fs::metadata(&path)?.len() as f64;
    let mut took = [const { Vec::new() }; WAYS.len()];
    let mut answers = [0; WAYS.len()];
    for _ in 0..rounds {
        for (at, (_, way)) in WAYS.iter().enumerate() {
            let begin = Instant::now();
            answers[at] = way(&path)?;
            took[at].push(begin.elapsed().as_secs_f64());
        }
    }
    let medians = took.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    });
    for ((&(name, _), median), answer) in WAYS.iter().zip(medians).zip(answers) {
        println!(
            "{name:<10}{median:>9.4} s {:>7.1} MB/s {:>6.2} counts  ({answer})",
            size / median / 1e6,
            median / medians[0],
        );
    }
    if let Ok(status) = std::fs::read_to_string("/proc/self/status") {
        let peak = status.lines().find(|line| line.starts_with("VmHWM"));
        println!("{}", peak.unwrap_or_default());
    }
    Ok(())
}

/// Counts the events of the log.
fn count(path: &str) -> Result<u64, Box<dyn Error>> {
    let mut count = 0;
    let _ = Reader::new(File::open(path)?).for_each(|item| {
        if let Item::Event(event) = item {
            count += 1;
            black_box(event.time);
        }
        ControlFlow::<()>::Continue(())
    })?;
    Ok(count)
}

fn convert<E: Exporter<Error = ExportError>>(
    path: &str,
    exporter: E,
) -> Result<E::Report, Box<dyn Error>> {
    let mut export = Export::new(exporter, StartStop);
    let mut merge = Merge::new(MergeOptions::default());
    let mut file = File::open(path)?;
    let mut buffer = vec![0; 256 << 10];
    let mut failed = None;
    loop {
        let length = file.read(&mut buffer)?;
        match length {
            0 => merge.flush(),
            length => merge.push_bytes(&buffer[..length]),
        }
        merge.drain(&mut |step| {
            let result = match step {
                Step::Session(header) => export.header(header),
                Step::Block(block) => export.block(block),
                Step::Event(event, turn) => export.event(event, turn),
                _ => Ok(()),
            };
            failed = failed.take().or(result.err());
        })?;
        if let Some(error) = failed {
            return Err(error.into());
        }
        if length == 0 {
            return Ok(export.finish()?);
        }
    }
}

/// Converts to Perfetto's format; returns the number of slices.
fn perfetto(path: &str) -> Result<u64, Box<dyn Error>> {
    let exporter = Perfetto::new(io::sink(), Range::default());
    Ok(convert(path, exporter)?.slices)
}

/// Converts to trace events; returns how many were left out.
fn json(path: &str) -> Result<u64, Box<dyn Error>> {
    convert(path, TraceEvents::new(io::sink(), Range::default(), false))
}
