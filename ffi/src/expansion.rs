//! Names of files for many processes with one environment: `%p` and its like.
//!
//! Children inherit the variables of their parent, and a service has many instances. So a path that is read from the
//! environment, and only such a one, may have `%p` for the id of the process, `%n` for the name of its executable, `%h` for
//! the name of the machine, and `%%` for a percent sign. Any other `%` stands for itself.

use crate::memory::{OutOfMemory, append, push};

/// The longest name of a machine that is asked for.
const HOST: usize = 256;

/// `text` with what it asks for in its place.
pub(crate) fn expand(text: &[u8]) -> Result<Vec<u8>, OutOfMemory> {
    let mut expanded = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.iter().position(|byte| *byte == b'%') {
        append(&mut expanded, &rest[..at])?;
        match rest.get(at + 1) {
            Some(b'%') => push(&mut expanded, b'%')?,
            Some(b'p') => append_pid(&mut expanded)?,
            Some(b'n') => with_program(|name| append_name(&mut expanded, name))?,
            Some(b'h') => with_host(|name| append_name(&mut expanded, name))?,
            _ => {
                push(&mut expanded, b'%')?;
                rest = &rest[at + 1..];
                continue;
            }
        }
        rest = &rest[at + 2..];
    }
    append(&mut expanded, rest)?;
    Ok(expanded)
}

fn append_pid(to: &mut Vec<u8>) -> Result<(), OutOfMemory> {
    let (mut left, mut digits, mut at) = (std::process::id(), [0; 10], 10);
    loop {
        at -= 1;
        digits[at] = b'0' + (left % 10) as u8;
        left /= 10;
        if left == 0 {
            return append(to, &digits[at..]);
        }
    }
}

/// A name as a part of a file name: it leads to no other directory, and makes no hidden file.
fn append_name(to: &mut Vec<u8>, name: &[u8]) -> Result<(), OutOfMemory> {
    let start = to.len();
    append(to, name)?;
    for (index, byte) in to[start..].iter_mut().enumerate() {
        if *byte == b'/' || (index == 0 && *byte == b'.') {
            *byte = b'_';
        }
    }
    Ok(())
}

fn with_host<T>(use_it: impl FnOnce(&[u8]) -> T) -> T {
    let mut buffer = [0u8; HOST];
    // SAFETY: room for as much as is said. The last byte stays 0.
    let known = unsafe { libc::gethostname(buffer.as_mut_ptr().cast(), HOST - 1) } == 0;
    let end = buffer.iter().position(|byte| *byte == 0).unwrap_or(0);
    use_it(if known { &buffer[..end] } else { b"localhost" })
}

/// The name of the executable, without its directory.
#[cfg(target_os = "linux")]
fn with_program<T>(use_it: impl FnOnce(&[u8]) -> T) -> T {
    const AT_EXECFN: libc::c_ulong = 31;
    /// What the system says of a file that was removed or replaced.
    const GONE: &[u8] = b" (deleted)";
    let mut buffer = [0u8; libc::PATH_MAX as usize];
    let link = c"/proc/self/exe".as_ptr();
    // SAFETY: a string, and room for as much as is said.
    let len = unsafe { libc::readlink(link, buffer.as_mut_ptr().cast(), buffer.len()) };
    if let Ok(len) = usize::try_from(len) {
        let path = &buffer[..len];
        return use_it(last_part(path.strip_suffix(GONE).unwrap_or(path)));
    }
    // Without /proc: as it was called.
    // SAFETY: no pointers.
    let called = unsafe { libc::getauxval(AT_EXECFN) } as usize;
    let called = std::ptr::with_exposed_provenance::<libc::c_char>(called);
    if called.is_null() {
        return use_it(b"program");
    }
    // SAFETY: a string of the system's, which lives as long as the process.
    use_it(last_part(
        unsafe { std::ffi::CStr::from_ptr(called) }.to_bytes(),
    ))
}

#[cfg(not(target_os = "linux"))]
fn with_program<T>(use_it: impl FnOnce(&[u8]) -> T) -> T {
    // SAFETY: no arguments.
    let name = unsafe { libc::getprogname() };
    if name.is_null() {
        return use_it(b"program");
    }
    // SAFETY: a string of the C library's, which lives as long as the process.
    use_it(last_part(
        unsafe { std::ffi::CStr::from_ptr(name) }.to_bytes(),
    ))
}

fn last_part(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(text: &str) -> String {
        String::from_utf8(expand(text.as_bytes()).unwrap()).unwrap()
    }

    #[test]
    fn every_letter_stands_for_its_own() {
        let pid = std::process::id();
        let program = std::env::current_exe().unwrap();
        let program = program.file_name().unwrap().to_str().unwrap();
        assert_eq!(expanded("/a/%p.%n"), format!("/a/{pid}.{program}"));
        assert_eq!(expanded("%p%p"), format!("{pid}{pid}"));
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
        assert_eq!(expanded("%h"), host.trim_end());
    }

    #[test]
    fn other_percent_signs_stay() {
        for same in ["", "plain", "%", "100%", "%q", "%P", "%2p", "%é"] {
            assert_eq!(expanded(same), same);
        }
        assert_eq!(expanded("%%p %%%%"), "%p %%");
        assert_eq!(expanded("%q%%"), "%q%");
    }

    #[test]
    fn names_are_parts_of_names() {
        for (name, part) in [(".a/b.c", "_a_b.c"), ("..", "_."), ("a", "a"), ("", "")] {
            let mut to = b"x/".to_vec();
            append_name(&mut to, name.as_bytes()).unwrap();
            assert_eq!(to, format!("x/{part}").as_bytes());
        }
        assert_eq!(last_part(b"/usr/bin/prog"), b"prog");
        assert_eq!(last_part(b"prog"), b"prog");
    }
}
