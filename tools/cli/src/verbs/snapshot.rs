//! `eventlog snapshot`: what the flight recorder of a running program contains right now.

use super::recover;
use crate::analysis::target::TargetArgs;
use crate::errors::{self, Advise};
use crate::source;
use anyhow::Result;
use eventlog_ring_file::RingReader;
use eventlog_source::programs::{Processes, Program};
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Make an eventlog of what a running program has recorded until now
///
/// Finds the ring file that the program writes, also if it was deleted, and
/// does as `eventlog recover` does. The program is neither stopped nor disturbed.
/// What the runtime system has not handed over yet is not in it: flush first to
/// include that (`eventlog control`).
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Args {
    /// The number of a process, a ring file (one whose name is a number: ./123), or the NAME of a
    /// program that `eventlog list` shows; without it, the one program that runs
    #[arg(value_name = "PID|RING_FILE|NAME")]
    program: Option<OsString>,

    #[command(flatten)]
    target: TargetArgs,
}

const EXAMPLES: &str = "\
Examples:
  eventlog snapshot app -o now.eventlog
  eventlog snapshot $(pidof app) -o now.eventlog
  eventlog snapshot app.ring -o - | eventlog stats -

Exit codes: 0 there is a log now, 1 there was nothing to be recovered, 3 no such program, or one
that does not record, or it cannot be read.";

/// Takes a snapshot.
pub fn run(args: Args) -> Result<ExitCode> {
    let given = args.program.map(PathBuf::from);
    let text = given.as_deref().and_then(Path::to_str).unwrap_or_default();
    let number = text.bytes().all(|byte| byte.is_ascii_digit());
    let named = text.parse::<u32>().ok().filter(|_| number);
    let pid = match named {
        Some(pid) => pid,
        None => match (source::found(given.as_deref())?, given) {
            (Some(program), _) => pid_of(&program)?,
            (None, given) => {
                let path = given.unwrap_or_default();
                let name = path.display().to_string();
                return recover::recover(recover::open(&path, &name)?, &name, &path, &args.target);
            }
        },
    };
    let (file, mapped) = find(pid)?;
    // If the file was deleted, there is none that the output could overwrite.
    let name = format!("process {pid} ({})", mapped.path.display());
    recover::recover(file, &name, &mapped.path, &args.target)
}

/// The process of a program that was found.
fn pid_of(program: &Program) -> Result<u32> {
    let process = Processes::look().of(program);
    let name = program.name().to_string_lossy();
    process.map(|process| process.pid).ok_or_else(|| {
        errors::io(format_args!(
            "this system does not say which process {name} is; name its number or its ring file"
        ))
    })
}

/// A file that a process has mapped from its beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mapped {
    /// As the kernel names the mapping.
    range: String,
    inode: u64,
    path: PathBuf,
}

/// The ring file of a process.
fn find(pid: u32) -> Result<(File, Mapped)> {
    if cfg!(not(target_os = "linux")) {
        return Err(errors::io(
            "this system does not say which files a process has; name its ring file instead",
        ));
    }
    let process = PathBuf::from(format!("/proc/{pid}"));
    if !process.exists() {
        return Err(errors::io(format_args!("there is no process {pid}")));
    }
    let maps = fs::read(process.join("maps"));
    let maps = maps.advise(
        format_args!("cannot look into process {pid}"),
        "it has to be one of the same user, or this be run by root",
    )?;
    let mut refused = None;
    for mapped in maps.split(|&byte| byte == b'\n').filter_map(parse) {
        match open(&process, &mapped) {
            Ok(Some(file)) => return Ok((file, mapped)),
            Ok(None) => {}
            Err(error) => refused = Some((error, mapped)),
        }
    }
    // A file that may not be read is only reported if no other is a ring file.
    if let Some((error, mapped)) = refused {
        return Err(error).advise(
            format_args!(
                "process {pid} has no ring file that can be read; {} cannot",
                mapped.path.display()
            ),
            "it has to be one of the same user, or this be run by root",
        );
    }
    Err(errors::io(format_args!(
        "process {pid} has no ring file: it was not set to record to one"
    )))
}

/// A line of `/proc/PID/maps`, if it maps the beginning of a shared file.
fn parse(line: &[u8]) -> Option<Mapped> {
    let mut rest = line;
    let mut word = || {
        let start = rest.iter().position(|&byte| byte != b' ')?;
        let end = rest[start..].iter().position(|&byte| byte == b' ');
        let (word, after) = rest[start..].split_at(end.unwrap_or(rest.len() - start));
        rest = after;
        std::str::from_utf8(word).ok()
    };
    let (range, access, offset) = (word()?, word()?, word()?);
    let (_, inode) = (word()?, word()?.parse().ok()?);
    let start = rest.iter().position(|&byte| byte != b' ')?;
    let path = &rest[start..];
    let from_start = offset.bytes().all(|byte| byte == b'0');
    (access.ends_with('s') && from_start && inode != 0 && path.starts_with(b"/")).then(|| Mapped {
        range: range.to_owned(),
        inode,
        path: unescaped(path),
    })
}

/// The kernel writes line feeds as `\012`, and appends ` (deleted)` to the name of a deleted file.
fn unescaped(path: &[u8]) -> PathBuf {
    let path = path.strip_suffix(b" (deleted)").unwrap_or(path);
    let mut name = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((&first, after)) = rest.split_first() {
        match after.strip_prefix(b"012") {
            Some(after) if first == b'\\' => {
                name.push(b'\n');
                rest = after;
            }
            _ => {
                name.push(first);
                rest = after;
            }
        }
    }
    OsString::from_vec(name).into()
}

/// Opens what is mapped, if it is a ring file. It may have no name any more, or another one in our
/// file system.
fn open(process: &Path, mapped: &Mapped) -> io::Result<Option<File>> {
    let mut ways = vec![process.join("map_files").join(&mapped.range)];
    if let Ok(descriptors) = fs::read_dir(process.join("fd")) {
        ways.extend(descriptors.flatten().map(|entry| entry.path()));
    }
    let mut there = process.join("root").into_os_string();
    there.push(OsStr::from_bytes(mapped.path.as_os_str().as_bytes()));
    ways.push(there.into());
    let mut refused = None;
    for way in ways {
        let is_it = |about: &fs::Metadata| about.is_file() && about.ino() == mapped.inode;
        match fs::metadata(&way) {
            Ok(about) if is_it(&about) => {}
            Ok(_) => continue,
            Err(error) => {
                if error.kind() == io::ErrorKind::PermissionDenied {
                    refused = Some(error);
                }
                continue;
            }
        }
        match File::open(&way) {
            Ok(file) => return Ok(RingReader::open(file.try_clone()?).is_ok().then_some(file)),
            Err(error) => refused = Some(error),
        }
    }
    refused.map_or(Ok(None), Err)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_of_a_shared_file_is_found() {
        let line =
            b"7f00-7f10 rw-s 00000000 fe:01 42                         /tmp/a b\\012c (deleted)";
        let mapped = parse(line).expect("a file");
        assert_eq!(mapped.range, "7f00-7f10");
        assert_eq!(mapped.inode, 42);
        assert_eq!(mapped.path, Path::new("/tmp/a b\nc"));
        let others: [&[u8]; 5] = [
            b"7f00-7f10 rw-p 00000000 fe:01 42 /lib/x.so",
            b"7f00-7f10 rw-s 00001000 fe:01 42 /tmp/a",
            b"7f00-7f10 rw-p 00000000 00:00 0 ",
            b"7f00-7f10 rw-s 00000000 00:01 7 anon_inode:[perf]",
            b"",
        ];
        assert!(others.iter().all(|line| parse(line).is_none()));
    }
}
