//! The summary for people.

use crate::analysis::needs::{NEEDS_BOTH, NEEDS_GC, NEEDS_SCHEDULER, NEEDS_SPARKS, NOT_TOLD};
use crate::analysis::numbers::{Seconds, Share};
use crate::analysis::table::Table;
use crate::output;
use crate::printable::{printable, shell_word};
use crate::units::{Bytes, Nanos};
use anstyle::Style;
use eventlog_state::report::{Heap, Interval, Report, Stream, Threads, TopThread};
use eventlog_state::{Figures, SparkCounters};
use std::fmt::Display;
use std::io::{self, Write};

/// Writes a report.
pub fn write(report: &Report, out: &mut impl Write) -> io::Result<()> {
    program(report, out)?;
    time(report, out)?;
    // Without any events (perhaps only so far) it is not known which ones the program writes.
    if report.stream.events > 0 {
        gc(report, out)?;
        heap(report, out)?;
        threads(report, out)?;
        capabilities(report, out)?;
    }
    stream(report, out)
}

fn title(out: &mut impl Write, text: &str) -> io::Result<()> {
    let bold = output::style(Style::new().bold());
    writeln!(out, "{bold}{text}{bold:#}")
}

/// A line of a section: its name, and its value.
fn line(out: &mut impl Write, what: &str, said: impl Display) -> io::Result<()> {
    writeln!(out, "  {what:<11} {said}")
}

fn program(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let program = &report.program;
    let name = program.name.as_deref().unwrap_or("unknown program");
    let rts = program.rts.as_deref().unwrap_or("unknown runtime system");
    write!(out, "{}, {}", printable(name), printable(rts))?;
    if let Some(pid) = program.pid {
        write!(out, ", process {pid}")?;
    }
    if report.session > 1 {
        write!(out, ", session {}", report.session)?;
    }
    writeln!(out)?;
    if let Some([_, args @ ..]) = program.args.as_deref()
        && !args.is_empty()
    {
        let args: Vec<_> = args.iter().map(|arg| shell_word(arg)).collect();
        line(out, "arguments", args.join(" "))?;
    }
    if let Some(started) = &program.started {
        line(out, "started", started)?;
    }
    Ok(())
}

fn time(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let time = &report.time;
    title(out, "Time")?;
    let (Some(first), Some(last), Some(elapsed)) = (time.first_ns, time.last_ns, time.elapsed_ns)
    else {
        return line(out, "elapsed", "not in the log: it has no events");
    };
    let (from, to) = (Seconds(first), Seconds(last));
    let whole = format!("{}, from {from} s to {to} s", Nanos(elapsed));
    line(out, "elapsed", whole)?;
    match time.mutator_ns.zip(time.gc_ns) {
        Some((mutator, gc)) => {
            let share = Share(mutator, elapsed);
            let mutator = Nanos(mutator);
            line(
                out,
                "mutator",
                format!("{mutator}, {share} of it (productivity)"),
            )?;
            let share = Share(gc, elapsed);
            line(out, "collecting", format!("{}, {share}", Nanos(gc)))?;
        }
        None => {
            line(out, "mutator", NEEDS_GC)?;
            line(out, "collecting", NEEDS_GC)?;
        }
    }
    match &report.interval {
        Some(new) => line(out, "recently", recently(new)),
        None => Ok(()),
    }
}

/// What is known of the last interval.
fn recently(new: &Interval) -> String {
    let mut parts = Vec::new();
    if let Some(rate) = new.per_second(new.events) {
        parts.push(format!("{rate} events/s"));
    }
    let allocated = new.allocated_bytes;
    if let Some(rate) = allocated.and_then(|bytes| new.per_second(bytes)) {
        parts.push(format!("{}/s allocated", Bytes(rate)));
    }
    if let Some(collections) = new.collections {
        parts.push(format!("{collections} collections"));
    }
    if let Some(gc) = new.gc_ns {
        parts.push(format!(
            "{} of the time collecting",
            Share(gc, new.elapsed_ns)
        ));
    }
    if parts.is_empty() {
        parts.push("nothing".to_owned());
    }
    parts.join(", ")
}

fn gc(report: &Report, out: &mut impl Write) -> io::Result<()> {
    title(out, "Collections")?;
    let Some(gc) = &report.gc else {
        return writeln!(out, "  {NEEDS_GC}");
    };
    if gc.pauses.count == 0 {
        return writeln!(out, "  none");
    }
    let heading = [
        "", "count", "total", "mean", "p50", "p90", "p99", "max", "copied",
    ];
    let mut table = Table::new(1, &heading);
    let mut row = |name: String, figures: &Figures, copied: Option<u64>| {
        table.row(&[
            name,
            figures.count.to_string(),
            Nanos(figures.total_ns).to_string(),
            Nanos(figures.mean_ns).to_string(),
            Nanos(figures.p50_ns).to_string(),
            Nanos(figures.p90_ns).to_string(),
            Nanos(figures.p99_ns).to_string(),
            Nanos(figures.max_ns).to_string(),
            copied.map_or("-".to_owned(), |copied| Bytes(copied).to_string()),
        ]);
    };
    for of in &gc.generations {
        let name = match of.generation {
            Some(generation) => format!("generation {generation}"),
            None => "any generation".to_owned(),
        };
        row(name, &of.pauses, of.copied_bytes);
    }
    if gc.generations.len() > 1 {
        row("all".to_owned(), &gc.pauses, gc.copied_bytes);
    }
    table.write(out, 2)?;
    if let Some(parallel) = gc.parallel.filter(|parallel| *parallel > 0) {
        let balance = gc.work_balance;
        let balance = balance.map(|balance| format!(", work balance {:.0}%", balance * 100.0));
        let balance = balance.unwrap_or_default();
        line(out, "parallel", format!("{parallel} of them{balance}"))?;
    }
    if let Some(phases) = gc.concurrent {
        writeln!(
            out,
            "  concurrent  {} marks in {}, {} final pauses in {} (longest {}), {} sweeps in {}",
            phases.marks,
            Nanos(phases.mark_ns),
            phases.syncs,
            Nanos(phases.sync_ns),
            Nanos(phases.longest_sync_ns),
            phases.sweeps,
            Nanos(phases.sweep_ns),
        )?;
    }
    Ok(())
}

fn heap(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let heap = &report.heap;
    title(out, "Heap")?;
    match &report.gc {
        Some(gc) => heap_sizes(heap, gc.max_fragmentation_bytes, out)?,
        None => writeln!(out, "  {NEEDS_GC}")?,
    }
    if heap.heap_profile_samples + heap.time_profile_samples > 0 {
        let (of_heap, of_time) = (heap.heap_profile_samples, heap.time_profile_samples);
        let samples = format!("{of_heap} heap samples, {of_time} time samples");
        line(out, "profile", samples)?;
    }
    Ok(())
}

fn heap_sizes(heap: &Heap, fragmented: Option<u64>, out: &mut impl Write) -> io::Result<()> {
    match (heap.allocated_bytes, heap.allocation_rate) {
        (Some(allocated), Some(rate)) => {
            let (allocated, rate) = (Bytes(allocated), Bytes(rate));
            let told = format!("{allocated}, {rate} per second of mutator time");
            line(out, "allocated", told)?;
        }
        (Some(allocated), None) => line(out, "allocated", Bytes(allocated))?,
        (None, _) => line(out, "allocated", NOT_TOLD)?,
    }
    if let Some((live, peak)) = heap.live_bytes.zip(heap.peak_live_bytes) {
        let (live, peak) = (Bytes(live), Bytes(peak));
        line(out, "live", format!("{peak} at most, {live} at last"))?;
    }
    if let Some((size, peak)) = heap.size_bytes.zip(heap.peak_size_bytes) {
        let (size, peak) = (Bytes(size), Bytes(peak));
        let blocks = heap.blocks_bytes;
        let blocks = blocks.map(|blocks| format!(", {} of it in blocks", Bytes(blocks)));
        let blocks = blocks.unwrap_or_default();
        line(
            out,
            "size",
            format!("{peak} at most, {size} at last{blocks}"),
        )?;
    }
    if let Some(bytes) = fragmented.filter(|bytes| *bytes > 0) {
        line(out, "fragmented", format!("{} at most", Bytes(bytes)))?;
    }
    Ok(())
}

fn threads(report: &Report, out: &mut impl Write) -> io::Result<()> {
    title(out, "Threads")?;
    match &report.threads {
        Some(threads) => thread_counts(threads, out)?,
        None => writeln!(out, "  {NEEDS_SCHEDULER}")?,
    }
    match &report.sparks {
        None => line(out, "sparks", NEEDS_SPARKS)?,
        Some(sparks) if *sparks == SparkCounters::default() => line(out, "sparks", "none")?,
        Some(sparks) => {
            let made = format!(
                "{} created: {} converted, {} fizzled, {} collected",
                sparks.created, sparks.converted, sparks.fizzled, sparks.gcd
            );
            let rest = format!(
                "{} dud, {} overflowed, {} left",
                sparks.dud, sparks.overflowed, sparks.remaining
            );
            line(out, "sparks", format!("{made}; {rest}"))?;
        }
    }
    match &report.top_threads {
        Some(Some(top)) if !top.is_empty() => top_threads(top, out),
        _ => Ok(()),
    }
}

fn thread_counts(threads: &Threads, out: &mut impl Write) -> io::Result<()> {
    let created = format!(
        "{}, finished {}, at most {} at a time",
        threads.created, threads.finished, threads.peak_alive
    );
    line(out, "created", created)?;
    let ran = format!(
        "{} times, woken {} times, migrated {} times",
        threads.switches, threads.wakeups, threads.migrations
    );
    line(out, "ran", ran)?;
    if threads.stops.is_empty() {
        return Ok(());
    }
    let stops = threads.stops.iter().map(|stops| {
        let reason = stops.reason.trim_start_matches("blocked_on_");
        format!("{} {}", reason.replace('_', " "), stops.count)
    });
    line(out, "stopped", stops.collect::<Vec<_>>().join(", "))
}

fn top_threads(top: &[TopThread], out: &mut impl Write) -> io::Result<()> {
    let heading = [
        "thread", "label", "state", "running", "runnable", "blocked", "foreign", "runs", "moved",
    ];
    let mut table = Table::new(3, &heading);
    for thread in top {
        table.row(&[
            thread.thread.to_string(),
            thread.label.clone().unwrap_or_default(),
            thread.state.to_owned(),
            Nanos(thread.running_ns).to_string(),
            Nanos(thread.runnable_ns).to_string(),
            Nanos(thread.blocked_ns).to_string(),
            Nanos(thread.foreign_ns).to_string(),
            thread.runs.to_string(),
            thread.migrations.to_string(),
        ]);
    }
    table.write(out, 2)
}

fn capabilities(report: &Report, out: &mut impl Write) -> io::Result<()> {
    if report.capabilities.is_empty() {
        return Ok(());
    }
    title(out, "Capabilities")?;
    if report.threads.is_none() && report.gc.is_none() {
        let count = report.capabilities.len();
        return writeln!(out, "  {count}; what they did is {NEEDS_BOTH}");
    }
    let mut table = Table::new(0, &["cap", "running", "", "collecting", "", "switches"]);
    let elapsed = report.time.elapsed_ns.unwrap_or(0);
    let nanos = |time: Option<u64>| time.map_or("-".to_owned(), |time| Nanos(time).to_string());
    let share =
        |time: Option<u64>| time.map_or("-".to_owned(), |time| Share(time, elapsed).to_string());
    let count = |count: Option<u64>| count.map_or("-".to_owned(), |count| count.to_string());
    for cap in &report.capabilities {
        table.row(&[
            cap.cap.to_string(),
            nanos(cap.running_ns),
            share(cap.running_ns),
            nanos(cap.gc_ns),
            share(cap.gc_ns),
            count(cap.switches),
        ]);
    }
    table.write(out, 2)?;
    if report.gc.is_some() && report.capabilities.len() > 1 {
        writeln!(
            out,
            "  collecting: from joining a collection until going on, waiting included"
        )?;
    }
    if report.threads.is_none() {
        writeln!(out, "  -: running and switches are {NEEDS_SCHEDULER}")?;
    }
    if report.gc.is_none() {
        writeln!(out, "  -: collecting is {NEEDS_GC}")?;
    }
    Ok(())
}

fn stream(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let stream = &report.stream;
    title(out, "Log")?;
    writeln!(
        out,
        "  events      {} in {} blocks, {}; {} user messages, {} markers",
        stream.events,
        stream.blocks,
        Bytes(stream.bytes),
        stream.user_messages,
        stream.user_markers
    )?;
    let red = output::style(Style::new().fg_color(Some(anstyle::AnsiColor::Red.into())));
    if stream.loss_notes > 0 {
        let (lost, notes) = (lost(stream), stream.loss_notes);
        writeln!(
            out,
            "  {red}lost{red:#}        {lost} on the way (told {notes} times)"
        )?;
    }
    if stream.unreadable_bytes > 0 {
        writeln!(
            out,
            "  {red}unreadable{red:#}  {}",
            Bytes(stream.unreadable_bytes)
        )?;
    }
    Ok(())
}

/// What was dropped.
fn lost(stream: &Stream) -> String {
    let chunks = || {
        format!(
            "{} chunks with {}",
            stream.lost_chunks,
            Bytes(stream.lost_bytes)
        )
    };
    match (stream.lost_chunks, stream.lost_blocks) {
        (_, 0) => chunks(),
        (0, blocks) => format!("{blocks} blocks"),
        (_, blocks) => format!("{} and {blocks} blocks", chunks()),
    }
}
