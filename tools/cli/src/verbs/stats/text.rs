//! The summary for people.

use super::report::Report;
use crate::analysis::numbers::{Seconds, Share, per_second};
use crate::analysis::table::Table;
use crate::output;
use crate::printable::{printable, shell_word};
use crate::units::{Bytes, Nanos};
use anstyle::Style;
use std::io::{self, Write};

/// Writes a report.
pub fn write(report: &Report, out: &mut impl Write) -> io::Result<()> {
    program(report, out)?;
    time(report, out)?;
    gc(report, out)?;
    heap(report, out)?;
    threads(report, out)?;
    capabilities(report, out)?;
    stream(report, out)
}

fn title(out: &mut impl Write, text: &str) -> io::Result<()> {
    let bold = output::style(Style::new().bold());
    writeln!(out, "{bold}{text}{bold:#}")
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
    if program.args.len() > 1 {
        let args: Vec<_> = program.args[1..]
            .iter()
            .map(|arg| shell_word(arg))
            .collect();
        writeln!(out, "  arguments   {}", args.join(" "))?;
    }
    if let Some(started) = &program.started {
        writeln!(out, "  started     {started}")?;
    }
    Ok(())
}

fn time(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let time = &report.time;
    title(out, "Time")?;
    let (from, to) = (Seconds(time.first_ns), Seconds(time.last_ns));
    writeln!(
        out,
        "  elapsed     {}, from {from} s to {to} s",
        Nanos(time.elapsed_ns)
    )?;
    let share = Share(time.mutator_ns, time.elapsed_ns);
    writeln!(
        out,
        "  mutator     {}, {share} of it (productivity)",
        Nanos(time.mutator_ns)
    )?;
    let share = Share(time.gc_ns, time.elapsed_ns);
    writeln!(out, "  collecting  {}, {share}", Nanos(time.gc_ns))?;
    if let Some(new) = report.interval {
        writeln!(
            out,
            "  recently    {} events/s, {}/s allocated, {} collections, {} of the time collecting",
            per_second(new.events, new.elapsed_ns),
            Bytes(per_second(new.allocated_bytes, new.elapsed_ns)),
            new.collections,
            Share(new.gc_ns, new.elapsed_ns),
        )?;
    }
    Ok(())
}

fn gc(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let gc = &report.gc;
    title(out, "Collections")?;
    if gc.pauses.count == 0 {
        return writeln!(out, "  none");
    }
    let heading = [
        "", "count", "total", "mean", "p50", "p90", "p99", "max", "copied",
    ];
    let mut table = Table::new(1, &heading);
    let mut row = |name: String, figures: &crate::analysis::distribution::Figures, copied: u64| {
        table.row(&[
            name,
            figures.count.to_string(),
            Nanos(figures.total_ns).to_string(),
            Nanos(figures.mean_ns).to_string(),
            Nanos(figures.p50_ns).to_string(),
            Nanos(figures.p90_ns).to_string(),
            Nanos(figures.p99_ns).to_string(),
            Nanos(figures.max_ns).to_string(),
            Bytes(copied).to_string(),
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
    if gc.parallel > 0 {
        write!(out, "  parallel    {} of them", gc.parallel)?;
        if let Some(balance) = gc.work_balance {
            write!(out, ", work balance {:.0}%", balance * 100.0)?;
        }
        writeln!(out)?;
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
    let (allocated, rate) = (Bytes(heap.allocated_bytes), Bytes(heap.allocation_rate));
    writeln!(
        out,
        "  allocated   {allocated}, {rate} per second of mutator time"
    )?;
    if let Some(live) = heap.live_bytes {
        writeln!(
            out,
            "  live        {} at most, {} at last",
            Bytes(heap.peak_live_bytes),
            Bytes(live)
        )?;
    }
    if let Some(size) = heap.size_bytes {
        write!(
            out,
            "  size        {} at most, {} at last",
            Bytes(heap.peak_size_bytes),
            Bytes(size)
        )?;
        match heap.blocks_bytes {
            Some(blocks) => writeln!(out, ", {} of it in blocks", Bytes(blocks))?,
            None => writeln!(out)?,
        }
    }
    if report.gc.max_fragmentation_bytes > 0 {
        writeln!(
            out,
            "  fragmented  {} at most",
            Bytes(report.gc.max_fragmentation_bytes)
        )?;
    }
    if heap.heap_profile_samples + heap.time_profile_samples > 0 {
        let (of_heap, of_time) = (heap.heap_profile_samples, heap.time_profile_samples);
        writeln!(
            out,
            "  profile     {of_heap} heap samples, {of_time} time samples"
        )?;
    }
    Ok(())
}

fn threads(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let threads = &report.threads;
    title(out, "Threads")?;
    writeln!(
        out,
        "  created     {}, finished {}, at most {} at a time",
        threads.created, threads.finished, threads.peak_alive
    )?;
    writeln!(
        out,
        "  ran         {} times, woken {} times, migrated {} times",
        threads.switches, threads.wakeups, threads.migrations
    )?;
    if !threads.stops.is_empty() {
        let stops = threads.stops.iter().map(|stops| {
            let reason = stops
                .reason
                .trim_start_matches("blocked_on_")
                .replace('_', " ");
            format!("{reason} {}", stops.count)
        });
        writeln!(
            out,
            "  stopped     {}",
            stops.collect::<Vec<_>>().join(", ")
        )?;
    }
    let sparks = &report.sparks;
    if *sparks != crate::analysis::sparks::Counters::default() {
        writeln!(
            out,
            "  sparks      {} created: {} converted, {} fizzled, {} collected; {} dud, {} overflowed, {} left",
            sparks.created,
            sparks.converted,
            sparks.fizzled,
            sparks.gcd,
            sparks.dud,
            sparks.overflowed,
            sparks.remaining
        )?;
    }
    if report.top_threads.is_empty() {
        return Ok(());
    }
    let heading = [
        "thread", "label", "state", "running", "runnable", "blocked", "foreign", "runs", "moved",
    ];
    let mut table = Table::new(3, &heading);
    for thread in &report.top_threads {
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
    let mut table = Table::new(0, &["cap", "running", "", "collecting", "", "switches"]);
    let elapsed = report.time.elapsed_ns;
    for cap in &report.capabilities {
        table.row(&[
            cap.cap.to_string(),
            Nanos(cap.running_ns).to_string(),
            Share(cap.running_ns, elapsed).to_string(),
            Nanos(cap.gc_ns).to_string(),
            Share(cap.gc_ns, elapsed).to_string(),
            cap.switches.to_string(),
        ]);
    }
    table.write(out, 2)
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
        writeln!(
            out,
            "  {red}lost{red:#}        {} chunks with {} on the way (told {} times)",
            stream.lost_chunks,
            Bytes(stream.lost_bytes),
            stream.loss_notes
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
