//! Making the file: never one that another program uses, never in place of another file, never half made.
//!
//! * A file that is not a ring file is never touched; nor, where others may write to the directory, one of another user.
//! * One that another process records into is locked, and that is an error.
//! * What a dead process left is kept as `PATH.1`; the one that was there before is replaced.
//! * The new file is made as `PATH.new`, with all its room on the disk, and gets its name when it is whole. Whoever holds the
//!   lock of `PATH.new` is the one who starts.

use std::ffi::{CStr, CString};
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::ptr::NonNull;

use eventlog_ring_file::{Layout, PREAMBLE, Slot};
use memmap2::{MmapOptions, MmapRaw};

use super::{RingFileRequest, bus_error};
use crate::folder::{Folder, Found, Place, Problem, join};
use crate::fork;
use crate::identity::{Identity, OwnDescriptor};
use crate::memory::boxed;
use crate::status::{Error, Result};
use crate::system;

/// How often somebody else may be found to have come first before that is an error.
const TURNS: usize = 16;

/// A file that is ready to be recorded into.
#[derive(Debug)]
pub(super) struct RingFile {
    layout: Layout,
    file: File,
    map: Box<MmapRaw>,
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
    pub(super) fn create(request: &RingFileRequest) -> Result<RingFile> {
        let mut about = "";
        make(request, &mut about).map_err(|problem| {
            let path = request.path.as_os_str().as_bytes();
            Error::ring_file(&[path, about.as_bytes()], problem)
        })
    }

    /// For as long as the process lives.
    pub(super) fn keep(self) -> (Layout, Descriptor, Memory) {
        let RingFile { layout, file, map } = self;
        let map: &'static MmapRaw = Box::leak(map);
        let memory = Memory {
            // A mapping is never at address 0.
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
        // Without it the pages come when they are touched.
        system::populate(self.map, start, len)
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
                // The descriptor now belongs to the program.
                fork::own(fork::Slot::RingFile, None);
                return Err(error(libc::EBADF));
            }
            // A write would make it longer again, with a hole in it that would not be noticed.
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

fn error(errno: i32) -> io::Error {
    io::Error::from_raw_os_error(errno)
}

/// What is not a ring file is in the way.
fn in_the_way() -> Problem {
    Problem::new(libc::EEXIST)
}

/// The suffix of the file's name while it is made, and when it is the file of the run before.
const NEW: &str = ".new";
const OLDER: &str = ".1";

/// `about` is set to the suffix of the file that is in the way.
fn make(request: &RingFileRequest, about: &mut &'static str) -> Result<RingFile, Problem> {
    let place = Place::of(request.path.as_os_str().as_bytes())?;
    let name = &place.name;
    let with = |suffix: &str| join(&[name.to_bytes(), suffix.as_bytes()]);
    let folder = &Folder::open_or_make(&place.folder)?;
    *about = NEW;
    let new = Unfinished::claim(folder, with(NEW)?)?;
    // No other process gets this far while we hold that lock.
    *about = "";
    let before = left_over(folder, name)?;
    let older = with(OLDER)?;
    let keep = before.as_ref().is_some_and(holds_something);
    let mut replace_older = false;
    if keep {
        // It is replaced, but not if it is something else, or another program's.
        *about = OLDER;
        replace_older = left_over(folder, &older)?.is_some();
        *about = "";
    }
    let layout = Layout::new(
        request.size,
        u32::try_from(page_size()).unwrap_or(4096),
        std::process::id().into(),
        u64::try_from(crate::clock::wall().as_nanos()).unwrap_or(u64::MAX),
    );
    let map = crate::lock::blocked_while(|| new.fill(&layout))?;
    if keep {
        match replace_older {
            true => folder.rename(name, &older)?,
            false => folder.rename_to_new(name, &older)?,
        }
    }
    let finished = new.finish(name, before.is_some() && !keep);
    if finished.is_err() && keep {
        // As it was.
        let _ = folder.rename_to_new(&older, name);
    }
    let file = finished?;
    Ok(RingFile { layout, file, map })
}

fn page_size() -> usize {
    // SAFETY: no pointers.
    usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096)
}

/// What a process that is gone has left under this name, locked; `None` if there is nothing.
fn left_over(folder: &Folder, name: &CStr) -> Result<Option<File>, Problem> {
    let Some(file) = open_found(folder, name)? else {
        return Ok(None);
    };
    if !may_be_replaced(&file)? {
        return Err(in_the_way());
    }
    lock(&file)?;
    Ok(Some(file))
}

/// What has this name, if it is a file that we may do something with; `None` if there is nothing.
fn open_found(folder: &Folder, name: &CStr) -> Result<Option<File>, Problem> {
    let check = |found: &Found| {
        if found.kind != libc::S_IFREG {
            Err(in_the_way())
        } else if !folder.may_touch(found) {
            Err(Problem::foreign(libc::EPERM))
        } else {
            Ok(())
        }
    };
    // So that nothing is opened which is something else.
    match folder.look(name)? {
        None => return Ok(None),
        Some(found) => check(&found)?,
    }
    match folder.open_file(name, libc::O_RDWR) {
        // What was opened may be something else than what was looked at.
        Ok(file) => {
            check(&Found::behind(&file)?)?;
            Ok(Some(file))
        }
        Err(gone) if gone.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
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
        // Damaged: it may still be of interest.
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

/// Lock a file that was made under its first name, or found there. False if it is no longer the one of that name, or must not
/// be taken.
fn is_taken(file: &File, folder: &Folder, name: &CStr) -> Result<bool, Problem> {
    if !may_be_replaced(file)? {
        return Err(in_the_way());
    }
    // Before the lock, which a child would keep.
    fork::own(fork::Slot::RingFile, Some(file.as_raw_fd()));
    lock(file)?;
    // Another process may have finished it between the two.
    let open = Found::behind(file)?;
    let ours = folder
        .look(name)?
        .is_some_and(|named| named.identity == open.identity);
    // One that was killed when the file had both its names; or one that others may have open, or will be able to open.
    let fit = open.links == 1 && open.is_ours() && open.mode & 0o077 == 0;
    if ours && !fit {
        folder.remove(name, open.identity)?;
    }
    Ok(ours && fit)
}

/// The file under its first name. Removed if it is given up.
struct Unfinished<'a> {
    folder: &'a Folder,
    name: CString,
    file: Option<File>,
}

impl<'a> Unfinished<'a> {
    /// Make it, or take over one that a dead process has left.
    fn claim(folder: &'a Folder, name: CString) -> Result<Unfinished<'a>, Problem> {
        for _ in 0..TURNS {
            let (file, made) = match open_found(folder, &name)? {
                Some(file) => (file, false),
                None => {
                    match folder.open_file(&name, libc::O_RDWR | libc::O_CREAT | libc::O_EXCL) {
                        Err(taken) if taken.kind() == io::ErrorKind::AlreadyExists => continue,
                        file => (file?, true),
                    }
                }
            };
            match is_taken(&file, folder, &name) {
                Ok(true) => {
                    let file = Some(file);
                    return Ok(Unfinished { folder, name, file });
                }
                Ok(false) => fork::own(fork::Slot::RingFile, None),
                Err(problem) => {
                    // Not if another process was faster, and makes its own of it.
                    if made && problem.errno != libc::EBUSY {
                        remove(folder, &name, &file);
                    }
                    fork::own(fork::Slot::RingFile, None);
                    return Err(problem);
                }
            }
        }
        Err(Problem::new(libc::EBUSY))
    }

    /// All that it is to have.
    fn fill(&self, layout: &Layout) -> io::Result<Box<MmapRaw>> {
        let file = self.file.as_ref().ok_or_else(|| error(libc::EBADF))?;
        // Nothing of what a dead process may have left.
        file.set_len(0)?;
        // The umask applies when a file is made, and one that was left may have any mode.
        // SAFETY: an open descriptor.
        if unsafe { libc::fchmod(file.as_raw_fd(), 0o600) } < 0 {
            return Err(io::Error::last_os_error());
        }
        // More than this process may write would be a signal.
        if layout.file_size > largest_file() {
            return Err(error(libc::EFBIG));
        }
        // Room on the disk for all that is mapped, where to run out of it later would be a signal; and for the slots, without
        // which nothing can be read.
        let size = libc::off_t::try_from(layout.tables_at).map_err(|_| error(libc::EFBIG))?;
        loop {
            match system::reserve(file.as_raw_fd(), size) {
                0 => break,
                libc::EINTR => {}
                errno => return Err(error(errno)),
            }
        }
        file.set_len(layout.file_size)?;
        file.write_all_at(&layout.encode(), 0)?;
        let len = usize::try_from(layout.mapped()).map_err(|_| error(libc::ENOMEM))?;
        let map = MmapOptions::new().len(len).map_raw(file)?;
        // A forked child does not record; without the mapping it cannot spoil what its parent does.
        system::keep_from_children(&map);
        Ok(boxed(map)?)
    }

    /// Give it its name. `replaces`: what has that name now is replaced.
    fn finish(mut self, name: &CStr, replaces: bool) -> Result<File, Problem> {
        let Unfinished { folder, .. } = self;
        let file = self.file.take().ok_or(Problem::new(libc::EBADF))?;
        let opened = Found::behind(&file).map_err(Problem::from);
        let named = opened.and_then(|opened| {
            self.give_name(opened.identity, name, replaces)?;
            match folder.look(name) {
                Ok(Some(found)) if found.identity == opened.identity => Ok(()),
                // Who may write to the directory has exchanged it.
                Ok(_) => Err(Problem::foreign(libc::EPERM)),
                // It was given its name without an error.
                Err(_) => Ok(()),
            }
        });
        if let Err(problem) = named {
            // To be removed.
            self.file = Some(file);
            return Err(problem);
        }
        Ok(file)
    }

    fn give_name(&self, file: Identity, name: &CStr, replaces: bool) -> Result<(), Problem> {
        // A second name, and then without the first: unlike a rename, that replaces nothing that came meanwhile.
        match self.folder.link(&self.name, name) {
            Ok(()) => self.folder.remove(&self.name, file).inspect_err(|_| {
                let _ = self.folder.remove(name, file);
            })?,
            Err(taken) if taken.kind() == io::ErrorKind::AlreadyExists && !replaces => {
                return Err(taken.into());
            }
            // Some file systems have no second names.
            Err(_) if replaces => self.folder.rename(&self.name, name)?,
            Err(_) => self.folder.rename_to_new(&self.name, name)?,
        }
        Ok(())
    }
}

/// Remove this name, if it is that of the file.
fn remove(folder: &Folder, name: &CStr, file: &File) {
    if let Ok(found) = Found::behind(file) {
        let _ = folder.remove(name, found.identity);
    }
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if let Some(file) = &self.file {
            // Nobody has it but us: we hold its lock.
            remove(self.folder, &self.name, file);
            fork::own(fork::Slot::RingFile, None);
        }
    }
}
