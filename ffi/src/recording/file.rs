//! Making the file: never a second program's, never in the place of something else, never half made.
//!
//! * A file that is not a ring file is never touched.
//! * One that another process records into is locked, and that is an error.
//! * What a dead process left is kept as `PATH.1`; the one that was there before is replaced.
//! * The new file is made as `PATH.new`, with all its room on the disk, and gets its name when it is whole. Whoever holds the
//!   lock of `PATH.new` is the one who starts.

use std::ffi::OsString;
use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::ptr::NonNull;

use eventlog_ring_file::{Layout, PREAMBLE, Slot};
use memmap2::{MmapOptions, MmapRaw};

use super::{Wish, bus_error};
use crate::fork;
use crate::identity::OwnDescriptor;
use crate::status::{Error, Result};

/// How often somebody else may be found to have come first before that is an error.
const TURNS: usize = 16;

/// A file that is ready to be recorded into.
#[derive(Debug)]
pub(super) struct RingFile {
    layout: Layout,
    file: File,
    map: MmapRaw,
}

/// The descriptor of the file, and the size it is to have: it holds the lock, and definitions go through it.
#[derive(Debug)]
pub(super) struct Descriptor(OwnDescriptor, u64);

/// The mapping of the file: never unmapped.
#[derive(Clone, Copy, Debug)]
pub(super) struct Memory {
    pub start: NonNull<u8>,
    pub len: usize,
    map: &'static MmapRaw,
}

// SAFETY: an address and a length; what is done with it says why it may.
unsafe impl Send for Memory {}

impl RingFile {
    /// Make it, and rotate the one before.
    pub(super) fn create(wish: &Wish) -> Result<RingFile> {
        let mut path = wish.path.clone();
        make(wish, &mut path)
            .map_err(|error| Error::ring_file(path, error.raw_os_error().unwrap_or(libc::EINVAL)))
    }

    /// For as long as the process lives.
    pub(super) fn keep(self) -> (Layout, Descriptor, Memory) {
        let RingFile { layout, file, map } = self;
        let map: &'static MmapRaw = Box::leak(Box::new(map));
        let memory = Memory {
            // A mapping is nowhere near address 0.
            start: NonNull::new(map.as_mut_ptr()).unwrap_or(NonNull::dangling()),
            len: map.len(),
            map,
        };
        let descriptor = OwnDescriptor::new(OwnedFd::from(file));
        (layout, Descriptor(descriptor, layout.file_size), memory)
    }
}

impl Memory {
    /// An address in it.
    pub(super) fn at(&self, offset: u64) -> NonNull<u8> {
        let offset = usize::try_from(offset).unwrap_or(0).min(self.len);
        // SAFETY: within the mapping, or at its end.
        unsafe { self.start.add(offset) }
    }

    /// Have the system put pages behind this much of it. False if it will not.
    pub(super) fn populate(&self, start: usize, len: usize) -> bool {
        // Since Linux 5.14; without it the pages come when they are touched. What has no file behind it any more is an
        // error here, not a signal.
        #[cfg(target_os = "linux")]
        let done = self
            .map
            .advise_range(memmap2::Advice::PopulateWrite, start, len)
            .is_ok();
        #[cfg(not(target_os = "linux"))]
        let done = false;
        done
    }
}

impl Descriptor {
    pub(super) fn raw(&self) -> RawFd {
        self.0.as_raw_fd()
    }

    /// Write all of it, unless the program has closed the descriptor.
    pub(super) fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        match self.0.size() {
            None => {
                // The program's, by now.
                fork::own(fork::Slot::RingFile, None);
                return Err(error(libc::EBADF));
            }
            // To write would make it longer again, with nothing in it: nobody would notice.
            Some(size) if size < self.1 => {
                bus_error::give_up();
                return Err(error(libc::EFBIG));
            }
            Some(_) => {}
        }
        // SAFETY: open, as was just seen; the borrow ends here, and does not close it.
        let file = unsafe { borrow(self.raw()) };
        let (mut rest, mut offset, mut turns) = (bytes, offset, 0);
        while !rest.is_empty() {
            match file.write_at(rest, offset) {
                Ok(0) => return Err(error(libc::EIO)),
                Ok(written) => {
                    rest = &rest[written..];
                    offset += written as u64;
                }
                // There are file systems in user space that may say so for good.
                Err(error) if error.kind() == io::ErrorKind::Interrupted && turns < TURNS => {
                    turns += 1;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// A file that is not closed when it goes.
///
/// # Safety
/// The descriptor is open while the value lives.
unsafe fn borrow(fd: RawFd) -> std::mem::ManuallyDrop<File> {
    use std::os::fd::FromRawFd;
    // SAFETY: open, by the contract of this function; it is not closed by this value.
    std::mem::ManuallyDrop::new(unsafe { File::from_raw_fd(fd) })
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from_vec(path.as_os_str().as_bytes().to_vec());
    name.push(suffix);
    PathBuf::from(name)
}

fn error(errno: i32) -> io::Error {
    io::Error::from_raw_os_error(errno)
}

/// `about` is set to the file that is in the way.
fn make(wish: &Wish, about: &mut PathBuf) -> io::Result<RingFile> {
    let path = &std::path::absolute(&wish.path)?;
    *about = with_suffix(path, ".new");
    let new = Unfinished::claim(about.clone())?;
    // Nobody else gets so far while we hold that one.
    path.clone_into(about);
    let before = left_over(path)?;
    let older = with_suffix(path, ".1");
    let keep = before.as_ref().is_some_and(holds_something);
    if keep {
        // It is replaced, but not if it is something else, or another program's.
        older.clone_into(about);
        left_over(&older)?;
        path.clone_into(about);
    }
    let layout = Layout::new(
        wish.size,
        u32::try_from(page_size()).unwrap_or(4096),
        std::process::id().into(),
        u64::try_from(crate::clock::wall().as_nanos()).unwrap_or(u64::MAX),
    );
    let map = crate::threads::blocked_while(|| new.fill(&layout))?;
    if keep {
        std::fs::rename(path, &older)?;
    }
    let finished = new.finish(path, before.is_some() && !keep);
    if finished.is_err() && keep {
        // As it was.
        let _ = std::fs::rename(&older, path);
    }
    let file = finished?;
    Ok(RingFile { layout, file, map })
}

fn page_size() -> usize {
    // SAFETY: no pointers.
    usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096)
}

/// What a process that is gone has left at `path`, locked; `None` if there is nothing.
fn left_over(path: &Path) -> io::Result<Option<File>> {
    let found = match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        found => found?,
    };
    if !found.is_file() {
        return Err(error(libc::EEXIST));
    }
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path)?;
    if !may_be_replaced(&file)? {
        return Err(error(libc::EEXIST));
    }
    lock(&file)?;
    Ok(Some(file))
}

/// A ring file, of any version, and also with a wrong checksum; or what becomes of one that is truncated, or that a machine
/// which lost its power never wrote: nothing.
fn may_be_replaced(file: &File) -> io::Result<bool> {
    use eventlog_ring_file::LayoutError::{NotARingFile, Short};
    // First, as another process may make it longer at any time.
    let found = file.metadata()?;
    if !found.is_file() {
        return Ok(false);
    }
    let mut start = [0; PREAMBLE];
    Ok(if !read_at(file, &mut start, 0)? {
        found.len() == 0
    } else {
        start == [0; PREAMBLE] || !matches!(Layout::parse(&start), Err(NotARingFile | Short))
    })
}

/// False if the file ends before.
fn read_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<bool> {
    match file.read_exact_at(bytes, offset) {
        Err(short) if short.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        read => read.map(|()| true),
    }
}

/// There may be something to recover: whoever made it came as far as writing definitions. One that a start has left which
/// failed must not take the place of the log of a crash. What the disk does not give back now may be there later.
fn holds_something(file: &File) -> bool {
    let mut start = [0; PREAMBLE];
    match read_at(file, &mut start, 0) {
        Ok(true) => {}
        Ok(false) => return false,
        Err(_) => return true,
    }
    let Ok(layout) = Layout::parse(&start) else {
        // Damaged: somebody may want to look at it.
        return start != [0; PREAMBLE];
    };
    [0, layout.slot_size].iter().any(|offset| {
        let mut head = [0; Slot::HEAD];
        match read_at(file, &mut head, layout.slots_at + offset) {
            Ok(read) => read && head != [0; Slot::HEAD],
            Err(_) => true,
        }
    })
}

/// Busy if another process holds it.
fn lock(file: &File) -> io::Result<()> {
    // SAFETY: an open descriptor.
    if unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } == 0 {
        return Ok(());
    }
    match io::Error::last_os_error() {
        busy if busy.raw_os_error() == Some(libc::EWOULDBLOCK) => Err(error(libc::EBUSY)),
        other => Err(other),
    }
}

/// What RLIMIT_FSIZE allows, in bytes.
fn largest_file() -> u64 {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: room for the answer.
    match unsafe { libc::getrlimit(libc::RLIMIT_FSIZE, &mut limit) } {
        0 => limit.rlim_cur,
        _ => u64::MAX,
    }
}

fn is_same(one: &Metadata, other: &Metadata) -> bool {
    one.dev() == other.dev() && one.ino() == other.ino()
}

/// The file under its first name, made or as it was found.
fn open_new(path: &Path, make: bool) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(make)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path)
}

/// Lock it. False if it is no longer the one of that name.
fn is_taken(file: &File, path: &Path) -> io::Result<bool> {
    if !may_be_replaced(file)? {
        return Err(error(libc::EEXIST));
    }
    // Before the lock, which a child would keep.
    fork::own(fork::Slot::RingFile, Some(file.as_raw_fd()));
    lock(file)?;
    // Another process may have finished it between the two.
    let open = file.metadata()?;
    let ours = std::fs::symlink_metadata(path).is_ok_and(|named| is_same(&named, &open));
    if ours && open.nlink() > 1 {
        // One that was killed when the file had both its names.
        std::fs::remove_file(path)?;
    }
    Ok(ours && open.nlink() == 1)
}

/// The file under its first name. Removed if it is given up.
struct Unfinished {
    path: PathBuf,
    file: Option<File>,
}

impl Unfinished {
    /// Make it, or take over one that a dead process has left.
    fn claim(path: PathBuf) -> io::Result<Unfinished> {
        for _ in 0..TURNS {
            let (file, made) = match open_new(&path, false) {
                Err(none) if none.kind() == io::ErrorKind::NotFound => {
                    match open_new(&path, true) {
                        Err(taken) if taken.kind() == io::ErrorKind::AlreadyExists => continue,
                        file => (file?, true),
                    }
                }
                file => (file?, false),
            };
            match is_taken(&file, &path) {
                Ok(true) => {
                    let file = Some(file);
                    return Ok(Unfinished { path, file });
                }
                Ok(false) => fork::own(fork::Slot::RingFile, None),
                Err(error) => {
                    // Not if another process was faster, and makes its own of it.
                    if made && error.raw_os_error() != Some(libc::EBUSY) {
                        let _ = std::fs::remove_file(&path);
                    }
                    fork::own(fork::Slot::RingFile, None);
                    return Err(error);
                }
            }
        }
        Err(error(libc::EBUSY))
    }

    /// All that it is to have.
    fn fill(&self, layout: &Layout) -> io::Result<MmapRaw> {
        let file = self.file.as_ref().ok_or_else(|| error(libc::EBADF))?;
        // Nothing of what a dead process may have left.
        file.set_len(0)?;
        // The umask has its say when a file is made, and one that was left may be anybody's.
        // SAFETY: an open descriptor.
        if unsafe { libc::fchmod(file.as_raw_fd(), 0o600) } < 0 {
            return Err(io::Error::last_os_error());
        }
        // More than this process may write would be a signal.
        if layout.file_size > largest_file() {
            return Err(error(libc::EFBIG));
        }
        file.set_len(layout.file_size)?;
        // Room on the disk for all that is mapped, where to run out of it later would be a signal; and for the slots, without
        // which nothing can be read.
        let size = libc::off_t::try_from(layout.tables_at).map_err(|_| error(libc::EFBIG))?;
        loop {
            // SAFETY: an open descriptor.
            match unsafe { libc::posix_fallocate(file.as_raw_fd(), 0, size) } {
                0 => break,
                libc::EINTR => {}
                errno => return Err(error(errno)),
            }
        }
        file.write_all_at(&layout.encode(), 0)?;
        let len = usize::try_from(layout.mapped()).map_err(|_| error(libc::ENOMEM))?;
        let map = MmapOptions::new().len(len).map_raw(file)?;
        // A forked child does not record; without the mapping it cannot spoil what its parent does.
        #[cfg(target_os = "linux")]
        let _ = map.advise(memmap2::Advice::DontFork);
        Ok(map)
    }

    /// Give it its name. `replaces`: what has that name now is replaced.
    fn finish(mut self, path: &Path, replaces: bool) -> io::Result<File> {
        // A second name, and then without the first: unlike a rename, that replaces nothing that came meanwhile.
        match std::fs::hard_link(&self.path, path) {
            Ok(()) => std::fs::remove_file(&self.path).inspect_err(|_| {
                let _ = std::fs::remove_file(path);
            })?,
            Err(taken) if taken.kind() == io::ErrorKind::AlreadyExists && !replaces => {
                return Err(taken);
            }
            // Some file systems have no second names.
            Err(_) => std::fs::rename(&self.path, path)?,
        }
        self.file.take().ok_or_else(|| error(libc::EBADF))
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if self.file.is_some() {
            // Nobody has it but us: we hold its lock.
            let _ = std::fs::remove_file(&self.path);
            fork::own(fork::Slot::RingFile, None);
        }
    }
}
