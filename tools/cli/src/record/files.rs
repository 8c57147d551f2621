//! Numbered files: a new one for each session and each rotation, never
//! overwriting what is there. Or else standard output.
//!
//! They are written in place, so that what has arrived can be read whatever
//! happens to us.

use super::packed::Frames;
use crate::files::{self, Packed};
use crate::output;
use eventlog_state::MergeOptions;
use ghc_eventlog::DATA_END;
use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// When a file is closed and the next one begun.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rotation {
    /// At about this many bytes.
    pub size: Option<u64>,
    /// After this time.
    pub time: Option<Duration>,
    /// How many files to keep.
    pub keep: Option<usize>,
}

/// Files of one recording.
pub struct Files {
    first: PathBuf,
    stdout: bool,
    force: bool,
    rotation: Rotation,
    sync: Option<Duration>,
    number: u32,
    current: Option<Current>,
    written: VecDeque<PathBuf>,
    /// Bytes of the stream that are in the files.
    pub total: u64,
    /// Bytes of the files that are complete.
    stored: u64,
    /// Files begun.
    pub count: u32,
}

struct Current {
    out: Frames,
    /// How many bytes of it were there before the stream itself.
    prologue: u64,
    path: PathBuf,
    opened: Instant,
    synced: Instant,
}

impl Files {
    /// Files that begin with `first`, or standard output if it is `-`. The first one must not
    /// exist, unless `force` allows to replace it, and the numbered ones of an earlier recording.
    pub fn new(first: PathBuf, force: bool, rotation: Rotation, sync: Option<Duration>) -> Self {
        Self {
            stdout: files::is_standard_output(&first),
            first,
            force,
            rotation,
            sync,
            number: 0,
            current: None,
            written: VecDeque::new(),
            total: 0,
            stored: 0,
            count: 0,
        }
    }

    /// The file being written, or else the last one.
    pub fn path(&self) -> &Path {
        match &self.current {
            Some(current) => &current.path,
            None => self.written.back().map_or(&self.first, |path| path),
        }
    }

    /// What is being written, for messages.
    pub fn name(&self) -> String {
        match self.stdout {
            true => "standard output".to_owned(),
            false => self.path().display().to_string(),
        }
    }

    /// All files, as far as they were kept.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        let current = self.current.as_ref().map(|current| &current.path);
        self.written.iter().chain(current).map(PathBuf::as_path)
    }

    /// Bytes in all files.
    pub fn stored(&self) -> u64 {
        self.stored
            + self
                .current
                .as_ref()
                .map_or(0, |current| current.out.bytes())
    }

    /// Whether files are ever closed before the log ends.
    fn rotates(&self) -> bool {
        self.rotation.size.is_some() || self.rotation.time.is_some()
    }

    /// Whether the present file is to be closed at the next place that is suitable.
    pub fn is_due(&self) -> bool {
        self.has_grown(1)
    }

    /// Whether no place has been suitable for so long that the next one is taken in any case.
    pub fn is_overdue(&self) -> bool {
        self.has_grown(2)
    }

    /// Whether the present file has reached `times` times its limit.
    fn has_grown(&self, times: u32) -> bool {
        let Some(current) = &self.current else {
            return false;
        };
        let size = self.rotation.size.map(|size| {
            // At least half of each file is the stream, however long the prologue is.
            let size = size.saturating_mul(times.into());
            size.max(current.prologue.saturating_add(size / 2))
        });
        let time = self.rotation.time.map(|time| time.saturating_mul(times));
        size.is_some_and(|size| current.out.bytes() >= size)
            || time.is_some_and(|time| current.opened.elapsed() >= time)
    }

    /// How the stream is to be followed so that files can be closed in the
    /// middle of it; `None` if none are.
    pub fn follows(&self) -> Option<MergeOptions> {
        // Events that are held back are repeated in the next file.
        let most = self.rotation.size.unwrap_or(u64::MAX) / 2;
        let max_bytes = most.clamp(256 << 10, 64 << 20) as usize;
        self.rotates().then(|| MergeOptions {
            max_bytes,
            ..MergeOptions::default()
        })
    }

    /// Appends to the present file; begins one if there is none.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        if self.current.is_none() {
            self.begin()?;
        }
        let Some(current) = &mut self.current else {
            return Ok(());
        };
        current.out.write(bytes).inspect_err(|error| {
            if self.stdout {
                output::notice(error);
            }
        })?;
        self.total += bytes.len() as u64;
        if self
            .sync
            .is_some_and(|every| current.synced.elapsed() >= every)
        {
            current.out.end()?.sync_data()?;
            current.synced = Instant::now();
        }
        Ok(())
    }

    /// Nothing has arrived for a while: everything written so far must become readable.
    pub fn idle(&mut self) -> io::Result<()> {
        match &mut self.current {
            Some(current) => current.out.look_at_the_clock(),
            None => Ok(()),
        }
    }

    /// Closes the present file at a place where the log goes on in another one,
    /// which begins with this.
    pub fn rotate(&mut self, prologue: &[u8]) -> io::Result<()> {
        self.write(&DATA_END.to_be_bytes())?;
        self.end()?;
        self.write(prologue)?;
        if let Some(current) = &mut self.current {
            current.prologue = current.out.bytes();
        }
        Ok(())
    }

    /// Closes the present file. On standard output, the next log follows.
    pub fn end(&mut self) -> io::Result<()> {
        if self.stdout {
            return Ok(());
        }
        if let Some(mut current) = self.current.take() {
            let file = current.out.end()?;
            if self.sync.is_some() {
                file.sync_all()?;
            }
            self.stored += current.out.bytes();
            self.written.push_back(current.path);
            while self
                .rotation
                .keep
                .is_some_and(|keep| self.written.len() > keep.max(1))
            {
                if let Some(oldest) = self.written.pop_front() {
                    fs::remove_file(&oldest)?;
                }
            }
        }
        Ok(())
    }

    fn begin(&mut self) -> io::Result<()> {
        if self.stdout {
            let file = File::from(io::stdout().as_fd().try_clone_to_owned()?);
            self.have(file, self.first.clone());
            return Ok(());
        }
        if self.force && self.number == 0 {
            // They would look as if they belonged to this recording.
            for path in earlier(&self.first)? {
                fs::remove_file(path)?;
            }
        }
        let (file, path) = loop {
            self.number += 1;
            let path = numbered(&self.first, self.number);
            let mut options = OpenOptions::new();
            // FIFOs and devices (/dev/null) exist already.
            let special = files::is_taken_as_it_is(&path);
            options.write(true);
            match (self.force, special) {
                (_, true) => &mut options,
                (true, false) => options.create(true).truncate(true),
                (false, false) => options.create_new(true),
            };
            // What a link points to is new, or replaced; the link stays.
            match options.open(files::destination(&path)?) {
                Ok(file) => break (file, path),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && self.number > 1 => {}
                Err(error) => return Err(error),
            }
        };
        self.have(file, path);
        Ok(())
    }

    fn have(&mut self, file: File, path: PathBuf) {
        let now = Instant::now();
        self.count += 1;
        self.current = Some(Current {
            out: Frames::new(file, Packed::of(&path)),
            prologue: 0,
            path,
            opened: now,
            synced: now,
        });
    }
}

/// What is before and after the number in the name of a file: `log.` and `.eventlog`,
/// `.eventlog.zst`, or nothing.
fn around_number(first: &Path) -> (OsString, OsString) {
    let mut name = first.file_name().unwrap_or_default().to_owned();
    let mut after = OsString::new();
    let packed = Packed::of(first) != Packed::No;
    for _ in 0..if packed { 2 } else { 1 } {
        let path = PathBuf::from(&name);
        if let Some(extension) = path.extension() {
            let mut longer = OsString::from(".");
            longer.push(extension);
            longer.push(&after);
            after = longer;
            name = path.file_stem().unwrap_or_default().to_owned();
        }
    }
    name.push(".");
    (name, after)
}

/// `log.eventlog`, `log.0002.eventlog`, `log.0003.eventlog`, ...
fn numbered(first: &Path, number: u32) -> PathBuf {
    if number == 1 {
        return first.to_owned();
    }
    let (mut name, after) = around_number(first);
    name.push(format!("{number:04}"));
    name.push(after);
    first.with_file_name(name)
}

/// The numbered files of an earlier recording.
pub fn earlier(first: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    if files::is_taken_as_it_is(first) {
        return Ok(found);
    }
    let (before, after) = around_number(first);
    let entries = match fs::read_dir(files::directory(first)) {
        Ok(entries) => entries,
        // The error is reported when the file cannot be created.
        Err(_) => return Ok(found),
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let rest = name.as_bytes().strip_prefix(before.as_bytes());
        let number = rest.and_then(|rest| rest.strip_suffix(after.as_bytes()));
        let digits = |number: &[u8]| number.len() >= 4 && number.iter().all(u8::is_ascii_digit);
        if number.is_some_and(digits) && entry.file_type()?.is_file() {
            found.push(entry.path());
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_before_the_extension() {
        assert_eq!(
            numbered(Path::new("a/b.eventlog"), 1),
            Path::new("a/b.eventlog")
        );
        assert_eq!(
            numbered(Path::new("a/b.eventlog"), 2),
            Path::new("a/b.0002.eventlog")
        );
        assert_eq!(numbered(Path::new("log"), 12), Path::new("log.0012"));
        assert_eq!(
            numbered(Path::new("a.b.eventlog.zst"), 3),
            Path::new("a.b.0003.eventlog.zst")
        );
        assert_eq!(numbered(Path::new("log.zst"), 3), Path::new("log.0003.zst"));
    }
}
