//! What the name of an output means.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// As many links as the system follows.
const LINKS: usize = 40;

/// Whether an output of this name goes to standard output.
pub fn is_standard_output(path: &Path) -> bool {
    path == Path::new("-") || path == Path::new("/dev/stdout")
}

/// Whether something of this name is written to, never replaced: FIFOs, devices, and what is open
/// already (`/dev/fd/3`, which is what a shell makes of `>(command)`).
pub fn is_taken_as_it_is(path: &Path) -> bool {
    let bytes = path.as_os_str().as_bytes();
    let open = [&b"/dev/fd/"[..], b"/dev/stderr", b"/proc/self/fd/"];
    open.iter().any(|prefix| bytes.starts_with(prefix))
        || std::fs::metadata(path).is_ok_and(|about| !about.is_file())
}

/// The file that a name stands for: what a link points to, whether that exists or not. The link
/// itself stays.
pub fn destination(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..LINKS {
        match std::fs::read_link(&path) {
            // Replaces all of it if the link is absolute.
            Ok(to) => path = path.parent().unwrap_or(Path::new("")).join(to),
            // Most names are of no link, or of nothing yet.
            Err(_) => return Ok(path),
        }
    }
    Err(io::Error::from(rustix::io::Errno::LOOP))
}

/// The directory that a file of this name is in.
pub fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}
