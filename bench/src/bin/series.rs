//! The cost of the index of a timeline, and the speed of its tiles.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use bench::client::on_processor_ns;
use bench::process::{Scratch, resident_kib};
use bench::report::{Text, bytes};
use bench::scale::Scale;
use bench::stats::Quantiles;
use eventlog_series::{Row, Rows, Shows, span};
use ghc_eventlog::{BlockBuilder, EventBody, Header, Item, Reader, StopStatus};

/// Each argument after the scale is a log to be measured as well.
fn main() -> Result<(), String> {
    let scale = Scale::from_args()?;
    let logs = std::env::args().skip(2).map(PathBuf::from);
    let mut text = Text::default();
    text.add("### Timelines");
    let scratch = Scratch::new().map_err(|error| error.to_string())?;
    let made = scratch.join("switches.eventlog");
    let size = scale.choose(40_000_000, 1_000_000_000);
    write_log(&made, size).map_err(|error| error.to_string())?;
    for log in [made].into_iter().chain(logs) {
        look_at(&log, &mut text)?;
    }
    text.publish("series")
}

/// A log that consists of switches: two capabilities, on each of which forty threads wake each
/// other up.
fn write_log(path: &Path, size: u64) -> Result<(), Box<dyn std::error::Error>> {
    let header = Header::standard();
    let mut file = File::create(path)?;
    file.write_all(header.as_bytes())?;
    let mut begin = BlockBuilder::new(None);
    for created_cap in 0..2 {
        begin.push_body(&header, 0, &EventBody::CapCreate { created_cap })?;
    }
    file.write_all(begin.finish())?;
    let mut blocks = [BlockBuilder::new(Some(0)), BlockBuilder::new(Some(1))];
    for (cap, block) in (0u16..).zip(&mut blocks) {
        for thread in threads(cap) {
            block.push_body(&header, 1000, &EventBody::CreateThread { thread })?;
        }
    }
    let (mut time, mut written) = ([1000u64; 2], 0);
    let mut seed = 1u64;
    let mut random = move |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) % below
    };
    while written < size {
        for (cap, block) in (0u16..).zip(&mut blocks) {
            let time = &mut time[usize::from(cap)];
            let mut pass = || {
                *time += 40
                    + random(60)
                    + random(2) * random(400)
                    + u64::from(random(2000) == 0) * random(50_000);
                *time
            };
            for thread in threads(cap).cycle().take(23_000) {
                block.push_body(&header, pass(), &EventBody::RunThread { thread })?;
                let other = threads(cap).start + (thread + 1) % 40;
                let woken = EventBody::ThreadWakeup {
                    thread: other,
                    other_cap: cap,
                };
                block.push_body(&header, pass(), &woken)?;
                let stop = EventBody::StopThread {
                    thread,
                    status: StopStatus::MVAR,
                    info: Some(0),
                };
                block.push_body(&header, pass(), &stop)?;
            }
            let finished = block.finish();
            file.write_all(finished)?;
            written += finished.len() as u64;
            block.reset(Some(cap));
        }
    }
    Ok(())
}

fn threads(cap: u16) -> std::ops::Range<u32> {
    let first = 1 + 40 * u32::from(cap);
    first..first + 40
}

fn look_at(path: &Path, text: &mut Text) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("{}: {error}", path.display());
    let file = File::open(path).map_err(failed)?;
    let size = file.metadata().map_err(failed)?.len();
    let pid = std::process::id();
    let before = resident_kib(pid)?;
    let start = (Instant::now(), on_processor_ns());
    let rows = index(&file).map_err(failed)?;
    let took = start.0.elapsed().as_secs_f64();
    let busy = (on_processor_ns() - start.1) as f64 / 1e9;
    let resident = (resident_kib(pid)? - before) / 1024.0;
    let (threads, _) = rows.thread_counts();
    let caps: Vec<Row> = rows.caps().map(Row::Cap).collect();
    text.add(format!(
        "**{}** ({}, {} capabilities, {threads} threads): indexed in {took:.2} s, {busy:.2} s of \
         them on a processor: {:.0} MB/s of that; the index is {}, {:.1} % of the log; the process grew by \
         {resident:.0} MiB.",
        path.file_name().unwrap_or_default().display(),
        bytes(size),
        caps.len(),
        size as f64 / 1e6 / busy,
        bytes(rows.memory() as u64),
        rows.memory() as f64 * 100.0 / size as f64,
    ));
    let mut sample = Vec::new();
    rows.lives(0, u64::MAX, 1000, &mut |thread| {
        sample.push(Row::Thread(thread))
    });
    for (name, of) in [
        ("capabilities", caps),
        ("threads", sample),
        ("all threads", vec![Row::Threads]),
    ] {
        tiles(&rows, &file, name, &of, text).map_err(failed)?;
    }
    Ok(())
}

/// Indexes the blocks of a log.
fn index(file: &File) -> std::io::Result<Rows> {
    let mut reader = Reader::new(file);
    while reader.header().is_none() {
        match reader.next_item().map_err(std::io::Error::other)? {
            Some(Item::Header) => break,
            Some(_) => {}
            None => return Err(std::io::ErrorKind::UnexpectedEof.into()),
        }
    }
    let header = reader.header().ok_or(std::io::ErrorKind::InvalidData)?;
    let mut rows = Rows::new(Arc::clone(header));
    let mut offset = header.as_bytes().len() as u64;
    let mut file = file;
    std::io::Seek::seek(&mut file, std::io::SeekFrom::Start(offset))?;
    let mut block = vec![0; 4 << 20];
    let mut marker = [0; 24];
    while file.read_exact(&mut marker).is_ok() {
        let size = u32::from_be_bytes([marker[10], marker[11], marker[12], marker[13]]) as usize;
        block.resize(size.max(24), 0);
        block[..24].copy_from_slice(&marker);
        file.read_exact(&mut block[24..])?;
        rows.block(offset, &block);
        offset += block.len() as u64;
    }
    rows.finish();
    Ok(rows)
}

/// Tiles of these rows, of all zoom levels, each requested twice.
fn tiles(rows: &Rows, file: &File, name: &str, of: &[Row], text: &mut Text) -> std::io::Result<()> {
    let end = of.iter().map(|row| rows.until(*row)).max().unwrap_or(0);
    let mut times: [Vec<u64>; 2] = [Vec::new(), Vec::new()];
    let (mut seed, mut shares) = (7u64, 0);
    for z in 6..40 {
        let (_, width) = span(z, 0);
        for at in 0..60 {
            let row = of[at * 7919 % of.len().max(1)];
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let index = (seed >> 20) % (end / width + 1);
            for times in &mut times {
                let start = on_processor_ns();
                let tile = rows.tile(file, row, z, index)?;
                times.push(on_processor_ns().saturating_sub(start));
                shares += usize::from(matches!(tile.shows, Shows::Shares(_)));
            }
        }
        if width > end {
            break;
        }
    }
    let [first, again] = times;
    let count = first.len();
    let micros = |nanos: f64| nanos / 1000.0;
    let (first, again) = (Quantiles::of(&first), Quantiles::of(&again));
    text.add(format!(
        "* {count} tiles of {name}, {:.0} % shares, time on a processor: {:.0} us (p50), {:.0} us (p99), {:.0} us at most; \
         asked for again {:.0} us, {:.0} us, {:.0} us.",
        shares as f64 * 50.0 / count.max(1) as f64,
        micros(first.p50),
        micros(first.p99),
        micros(first.max),
        micros(again.p50),
        micros(again.p99),
        micros(again.max),
    ));
    Ok(())
}
