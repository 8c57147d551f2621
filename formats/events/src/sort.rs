//! Sorting logs that may be larger than memory.
//!
//! The events of a log are collected into sorted runs, the runs are stored in a
//! temporary file, and merged. The result is a log again: the same events byte
//! for byte, ordered by time, in new blocks, after the same header as far as it
//! allows these blocks. A block holds events of one capability, so it ends
//! where the next event is of another one.

use crate::block::BlockBuilder;
use crate::decoder::Decoder;
use crate::encode::Writer;
use crate::event::{Ending, Item};
use crate::layout::GLOBAL;
use crate::reader::{ReadError, Reader};
use crate::spill::Spill;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Size at which a block of sorted events is complete, in bytes.
const BLOCK: usize = 1 << 20;

/// How [`sort`] works.
#[derive(Clone, Debug)]
pub struct SortOptions {
    /// Bytes of memory to use, about.
    pub memory: usize,
    /// The directory for temporary files. They take about twice the size of the
    /// log.
    pub temp_dir: PathBuf,
    /// How a temporary file is made there, for reading and writing. It is never
    /// looked up by name. [`temp_file`] makes one that works everywhere; where
    /// `O_TMPFILE` is available, using that leaves nothing behind even if the
    /// process is killed while it makes one.
    pub temp_file: fn(&Path) -> io::Result<File>,
    /// Whether to go on after a fault in the log.
    pub recovery: bool,
}

impl Default for SortOptions {
    /// 64 MiB, in the system's directory for temporary files.
    fn default() -> Self {
        Self {
            memory: 64 << 20,
            temp_dir: std::env::temp_dir(),
            temp_file,
            recovery: false,
        }
    }
}

/// What [`sort`] did.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct SortSummary {
    /// Events sorted.
    pub events: u64,
    /// Sorted runs that were written to temporary files.
    pub runs: u64,
    /// Bytes written.
    pub written: u64,
    /// How the input ended.
    pub ending: Ending,
}

/// Makes a temporary file in a directory, accessible only to its owner. Its
/// name is removed at once, so that it is gone when it is closed, for whatever
/// reason.
///
/// # Errors
///
/// Those of the system.
pub fn temp_file(dir: &Path) -> io::Result<File> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    loop {
        // The name only has to be unique.
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = dir.join(format!(".eventlog-{}-{count}.tmp", std::process::id()));
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        match options.open(&path) {
            Ok(file) => return std::fs::remove_file(&path).map(|()| file),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
}

/// Sorts a log by time.
///
/// The sort is stable: of equal times the order is kept. If there are several
/// sessions in the log each is sorted by itself, since their times are
/// unrelated.
///
/// # Errors
///
/// Those of input, output and temporary files, and faults in the log.
/// Everything before a fault is written all the same.
pub fn sort<R: Read, W: Write>(
    input: R,
    output: W,
    options: &SortOptions,
) -> Result<SortSummary, ReadError> {
    let decoder = Decoder::new().with_recovery(options.recovery);
    let mut reader = Reader::with_decoder(input, decoder);
    let mut writer = Writer::new(output);
    let mut spill = Spill::new(options.memory, &options.temp_dir, options.temp_file);
    let mut events = 0;
    let mut ended = false;
    let fault = loop {
        match reader.next_item() {
            Ok(Some(Item::Event(event))) => {
                spill.add(&event)?;
                events += 1;
            }
            Ok(Some(Item::Header)) => {
                write_session(&mut spill, &mut writer, std::mem::take(&mut ended))?;
                if let Some(header) = reader.header() {
                    writer.header(&header.for_new_blocks())?;
                }
            }
            Ok(Some(Item::End)) => ended = true,
            Ok(Some(_)) => {}
            Ok(None) => break None,
            Err(fault) => break Some(fault),
        }
    };
    write_session(&mut spill, &mut writer, ended)?;
    writer.flush()?;
    match fault {
        Some(fault) => Err(fault),
        None => Ok(SortSummary {
            events,
            runs: spill.runs_written,
            written: writer.written(),
            ending: reader.ending(),
        }),
    }
}

fn write_session<W: Write>(spill: &mut Spill, out: &mut Writer<W>, end: bool) -> io::Result<()> {
    let mut block = BlockBuilder::new(None);
    spill.drain(|time, cap, raw| {
        let cap = (cap != GLOBAL).then_some(cap);
        if block.cap() != cap || block.len() + raw.len() > BLOCK {
            if !block.is_empty() {
                out.raw(block.finish())?;
            }
            block.reset(cap);
        }
        block.push_raw(time, raw);
        Ok(())
    })?;
    if !block.is_empty() {
        out.raw(block.finish())?;
    }
    if end { out.end() } else { Ok(()) }
}
