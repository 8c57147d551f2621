//! What the system and a program say, as text.

use std::ffi::{CStr, c_char, c_int};
use std::fmt;

/// Bytes that are text, as a rule.
pub(crate) fn write_lossy(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    for chunk in bytes.utf8_chunks() {
        f.write_str(chunk.valid())?;
        if !chunk.invalid().is_empty() {
            f.write_str("\u{FFFD}")?;
        }
    }
    Ok(())
}

/// As `strerror` of C says it.
pub(crate) fn describe_errno(f: &mut fmt::Formatter<'_>, errno: c_int) -> fmt::Result {
    let mut text: [c_char; 256] = [0; 256];
    // SAFETY: room for so many bytes; what is put there ends in NUL.
    let known = unsafe { libc::strerror_r(errno, text.as_mut_ptr(), text.len()) };
    if known != 0 && text[0] == 0 {
        return write!(f, "error {errno}");
    }
    // SAFETY: as above.
    write_lossy(f, unsafe { CStr::from_ptr(text.as_ptr()) }.to_bytes())
}

/// The same of `getaddrinfo`.
pub(crate) fn describe_gai(f: &mut fmt::Formatter<'_>, code: c_int) -> fmt::Result {
    // SAFETY: gai_strerror returns a static string for any number.
    let text = unsafe { CStr::from_ptr(libc::gai_strerror(code)) };
    write_lossy(f, text.to_bytes())
}
