//! `eventlog sessions show`.

use super::summary::{Summary, moment};
use super::{failed, find};
use crate::analysis::table::Table;
use crate::output;
use crate::printable::{self, printable};
use crate::units::{Bytes, Nanos};
use anyhow::Result;
use eventlog_sessions::{Note, Part, Session};
use serde::Serialize;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// Show what is known of a session: its program, its parts, what is missing, its notes
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The directory that the relay records into
    dir: PathBuf,

    /// The session, or as much of its name as is needed
    session: String,

    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// A part, in JSON.
#[derive(Serialize)]
struct PartShown {
    number: u32,
    file: String,
    bytes: u64,
    offset: Option<u64>,
    begin_ns: Option<u64>,
    end_ns: Option<u64>,
    blocks: u64,
    events: u64,
    /// Blocks that the index file of the part lacks, or has wrong.
    not_in_index: u64,
}

impl PartShown {
    fn of(part: &Part) -> Self {
        let index = part.index.as_ref();
        let times = index.and_then(|index| index.times());
        let blocks = index.map(|index| index.entries.iter().filter(|entry| entry.is_block).count());
        Self {
            number: part.number,
            file: part.path.display().to_string(),
            bytes: part.bytes,
            offset: index.map(|index| index.head.offset),
            begin_ns: times.map(|(begin, _)| begin),
            end_ns: times.map(|(_, end)| end),
            blocks: blocks.unwrap_or(0) as u64,
            events: index.map_or(0, |index| index.events()),
            not_in_index: index.map_or(0, |index| index.from_part as u64),
        }
    }
}

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    summary: Summary,
    /// Not called `parts` or `notes`, which are counts.
    files: Vec<PartShown>,
    said: Vec<Note>,
}

pub fn run(args: &Args) -> Result<ExitCode> {
    let session = find(&args.dir, &args.session)?;
    let shown = Shown {
        summary: Summary::of(&session).map_err(failed)?,
        files: session.parts().iter().map(PartShown::of).collect(),
        said: session.notes(),
    };
    let mut out = output::out();
    if args.json {
        printable::write_json(&mut out, &shown)?;
        writeln!(out)?;
    } else {
        write(&session, &shown, &mut out)?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn write(session: &Session, shown: &Shown, out: &mut impl Write) -> io::Result<()> {
    let Shown {
        summary,
        files,
        said,
    } = shown;
    let mut line = |name: &str, text: &str| writeln!(out, "{name:<10}{}", printable(text));
    line("session", &format!("{}, {}", session.name(), how(summary)))?;
    if let Some(program) = program(summary) {
        line("program", &program)?;
    }
    if let (Some(source), Some(from)) = (&summary.source, &summary.from) {
        line("source", &format!("{source}: {from}"))?;
    }
    let began = moment(summary.began_unix_ns);
    let ended = summary
        .ended_unix_ns
        .map(|ended| format!(", ended {} UTC", moment(ended)));
    line(
        "recorded",
        &format!("from {began} UTC on{}", ended.unwrap_or_default()),
    )?;
    if let (Some(begin), Some(end), Some(length)) =
        (summary.begin_ns, summary.end_ns, summary.length())
    {
        let (length, begin, end) = (Nanos(length), Nanos(begin), Nanos(end));
        line(
            "length",
            &format!("{length}, from {begin} to {end} of the log"),
        )?;
    }
    let size = Bytes(summary.bytes);
    line("size", &format!("{size}, {} events", summary.events))?;
    for what in missing(summary) {
        line("missing", &what)?;
    }
    line("directory", &summary.directory)?;
    writeln!(out)?;
    parts(files, out)?;
    if !said.is_empty() {
        writeln!(out)?;
        for note in said {
            let text = printable(&note.text);
            writeln!(out, "{} UTC  {text}", moment(note.at_unix_ns))?;
        }
    }
    Ok(())
}

fn parts(files: &[PartShown], out: &mut impl Write) -> io::Result<()> {
    let mut table = Table::new(
        1,
        &["part", "from", "until", "size", "blocks", "events", "index"],
    );
    let time = |time: Option<u64>| time.map_or_else(|| "-".to_owned(), |it| Nanos(it).to_string());
    for part in files {
        table.row(&[
            format!("{:04}", part.number),
            time(part.begin_ns),
            time(part.end_ns),
            Bytes(part.bytes).to_string(),
            part.blocks.to_string(),
            part.events.to_string(),
            match (part.offset, part.not_in_index) {
                (None, _) => "nothing of the stream".to_owned(),
                (_, 0) => "whole".to_owned(),
                (_, missing) => format!("lacks {missing}"),
            },
        ]);
    }
    table.write(out, 0)
}

fn how(summary: &Summary) -> &'static str {
    match summary.state {
        "running" => "is being recorded",
        "complete" => "complete: the log came to its end mark",
        "lost" => "lost: the program was killed, or the connection broke",
        "stopped" => "stopped: the relay ended before the program",
        _ => "killed: the relay was killed while it recorded",
    }
}

fn program(summary: &Summary) -> Option<String> {
    let mut text = match summary.arguments.as_slice() {
        [] => summary.program.clone().unwrap_or_default(),
        words => words.join(" "),
    };
    let pid = summary.pid.map(|pid| format!("pid {pid}"));
    let about: Vec<String> = pid.into_iter().chain(summary.rts.clone()).collect();
    if !about.is_empty() {
        let about = format!("({})", about.join(", "));
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(&about);
    }
    (!text.is_empty()).then_some(text)
}

/// What is missing, and why.
fn missing(summary: &Summary) -> Vec<String> {
    let mut missing = Vec::new();
    if summary.removed_bytes > 0 {
        let size = Bytes(summary.removed_bytes);
        missing.push(format!(
            "{size} before the first part: removed, or the recording began late"
        ));
    }
    let lost = summary.lost;
    if lost.bytes > 0 {
        let size = Bytes(lost.bytes);
        missing.push(format!(
            "{size} ({} blocks) could not be written, {} times",
            lost.blocks,
            lost.times.max(1)
        ));
    }
    let told = summary.stream_losses;
    if told.notes > 0 {
        let size = Bytes(told.bytes);
        missing.push(format!(
            "{} losses noted in the log: {} chunks, {} blocks, {size}",
            told.notes, told.chunks, told.blocks
        ));
    }
    missing
}
