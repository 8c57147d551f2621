//! The file that tells the port of a TCP socket, for a port that the system chooses.
//!
//! It has the number and a newline, and is there, whole, when the socket listens. Any other file is never replaced;
//! nor, where others may write to the directory, one of another user. At the end it is removed if it is still the one that
//! was made here.

use std::ffi::CStr;
use std::io::{self, Read, Write};

use crate::folder::{Folder, Found, Place, Problem, join};
use crate::identity::Identity;
use crate::last_problem::Part;
use crate::status::{Error, Result};

/// A port file that was written.
#[derive(Debug)]
pub(super) struct PortFile {
    place: Place,
    folder: Identity,
    file: Identity,
}

impl PortFile {
    pub(super) fn write(path: &[u8], port: u16) -> Result<PortFile> {
        write(path, port).map_err(|problem| Error::file(Part::PortFile, path, problem))
    }

    /// Remove it, if it is still there.
    pub(super) fn remove(&self) {
        // The program may have changed its directory; the path is absolute.
        if let Ok(folder) = Folder::open(&self.place.folder)
            && folder.identity() == self.folder
        {
            let _ = folder.remove(&self.place.name, self.file);
        }
    }
}

fn write(path: &[u8], port: u16) -> Result<PortFile, Problem> {
    let place = Place::of(path)?;
    let folder = Folder::open_or_make(&place.folder)?;
    // Made under a name of this process's own, and moved there when it is whole.
    let pid = std::process::id()
        .to_be_bytes()
        .map(|byte| [hex(byte >> 4), hex(byte & 15)]);
    let new = join(&[place.name.to_bytes(), b".", pid.as_flattened()])?;
    remove_old(&folder, &new)?;
    let mut file = folder.open_file(&new, libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL)?;
    let made = Found::behind(&file)?;
    let written = writeln!(file, "{port}").map_err(Problem::from);
    let moved = written.and_then(|()| {
        // What may be there: of a process that was killed, as a rule.
        check(&folder, &place.name)?;
        Ok(folder.rename(&new, &place.name)?)
    });
    if let Err(problem) = moved {
        let _ = folder.remove(&new, made.identity);
        return Err(problem);
    }
    Ok(PortFile {
        folder: folder.identity(),
        place,
        file: made.identity,
    })
}

fn hex(digit: u8) -> u8 {
    b"0123456789abcdef"[usize::from(digit)]
}

/// What a process of the same number has left.
fn remove_old(folder: &Folder, name: &CStr) -> Result<(), Problem> {
    match check(folder, name)? {
        Some(found) => Ok(folder.remove(name, found.identity)?),
        None => Ok(()),
    }
}

/// What has this name, if it may be replaced; `None` for nothing.
fn check(folder: &Folder, name: &CStr) -> Result<Option<Found>, Problem> {
    let Some(found) = folder.look(name)? else {
        return Ok(None);
    };
    if found.kind != libc::S_IFREG {
        return Err(Problem::new(libc::EEXIST));
    }
    if !folder.may_touch(&found) {
        return Err(Problem::foreign(libc::EPERM));
    }
    // The longest is "65535\n".
    let (mut content, mut length) = ([0; 7], 0);
    let mut file = folder.open_file(name, libc::O_RDONLY)?;
    while length < content.len() {
        match file.read(&mut content[length..]) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(interrupted) if interrupted.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    if !is_port(&content[..length]) {
        return Err(Problem::new(libc::EEXIST));
    }
    Ok(Some(found))
}

/// Also nothing: one that was made and not written.
fn is_port(content: &[u8]) -> bool {
    let digits = content.strip_suffix(b"\n").unwrap_or(content);
    digits.len() <= 5 && digits.iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::is_port;

    #[test]
    fn what_is_a_port_file() {
        for good in ["", "\n", "80\n", "65535\n", "1"] {
            assert!(is_port(good.as_bytes()), "{good:?}");
        }
        for bad in ["123456", "80\n\n", "80 \n", "data", "-1\n"] {
            assert!(!is_port(bad.as_bytes()), "{bad:?}");
        }
    }
}
