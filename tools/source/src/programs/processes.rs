//! Which process is behind a socket, as far as the system shows it without connecting. That is only
//! on Linux, for processes of our own user; elsewhere nothing is known.

use super::program::Program;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// What the system knew about sockets and processes at one moment.
#[derive(Debug, Default)]
pub struct Processes {
    /// The sockets that listen.
    listening: Vec<Listening>,
    /// The bound paths of connections that were accepted.
    connected: Vec<PathBuf>,
}

#[derive(Debug)]
struct Listening {
    path: PathBuf,
    inode: u64,
    pids: Vec<u32>,
}

/// The process of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its process id.
    pub pid: u32,
    /// The path of its executable, as it was at the start.
    pub executable: Option<PathBuf>,
    /// Whether a client is connected to it, with or without holding the slot.
    pub has_client: bool,
}

impl Process {
    /// A path by which its executable can be read, even if the file has been removed.
    pub fn image(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/exe", self.pid))
    }
}

impl Processes {
    /// Collects this data now.
    pub fn look() -> Self {
        let mut all = Self::default();
        let Ok(sockets) = fs::read("/proc/net/unix") else {
            return all;
        };
        for socket in sockets.split(|&byte| byte == b'\n').filter_map(parse) {
            match socket.state {
                State::Listening => all.listening.push(Listening {
                    path: socket.path,
                    inode: socket.inode,
                    pids: Vec::new(),
                }),
                State::Connected => all.connected.push(socket.path),
            }
        }
        all.find_owners();
        all
    }

    fn find_owners(&mut self) {
        let mut owners: BTreeMap<u64, Vec<u32>> = BTreeMap::new();
        for pid in numbers("/proc") {
            // Nothing can be read about other users' processes.
            let Ok(descriptors) = fs::read_dir(format!("/proc/{pid}/fd")) else {
                continue;
            };
            for descriptor in descriptors.flatten() {
                let target = fs::read_link(descriptor.path()).unwrap_or_default();
                if let Some(inode) = inode_of(target.as_os_str().as_bytes()) {
                    owners.entry(inode).or_default().push(pid);
                }
            }
        }
        for socket in &mut self.listening {
            socket.pids = owners.remove(&socket.inode).unwrap_or_default();
            socket.pids.dedup();
        }
    }

    /// The process that listens at the socket of a program, if that is known.
    pub fn of(&self, program: &Program) -> Option<Process> {
        let file = program.socket_name();
        let named = |path: &Path| path.file_name() == Some(&file);
        let is_its = |path: &Path, pid| {
            let above = as_seen_by(pid, path.parent()?);
            program.directory().is_at(&above).then_some(pid)
        };
        let sockets = self.listening.iter().filter(|of| named(&of.path));
        let mut pids = sockets.flat_map(|socket| {
            let pids = socket.pids.iter().copied();
            pids.filter_map(|pid| is_its(&socket.path, pid))
        });
        // A child that has inherited the socket does not serve it.
        let first = pids.next()?;
        let pid = pids.fold(first, u32::min);
        let mut connections = self.connected.iter().filter(|path| named(path));
        let executable = fs::read_link(format!("/proc/{pid}/exe")).ok();
        Some(Process {
            pid,
            executable: executable.map(|path| {
                let bytes = path.as_os_str().as_bytes();
                let bytes = bytes.strip_suffix(b" (deleted)").unwrap_or(bytes);
                OsStr::from_bytes(bytes).into()
            }),
            has_client: connections.any(|path| is_its(path, pid).is_some()),
        })
    }
}

/// Resolves a path as the process would.
fn as_seen_by(pid: u32, path: &Path) -> PathBuf {
    match path.strip_prefix("/proc/self") {
        Ok(below) => Path::new(&format!("/proc/{pid}")).join(below),
        // An absolute path stays as it is.
        Err(_) => Path::new(&format!("/proc/{pid}/cwd")).join(path),
    }
}

enum State {
    Listening,
    Connected,
}

struct Socket {
    state: State,
    inode: u64,
    path: PathBuf,
}

/// A line of `/proc/net/unix`: seven words, of which the fourth has flags, the sixth the state and
/// the seventh the inode, then the path.
fn parse(line: &[u8]) -> Option<Socket> {
    let mut rest = line;
    let mut word = || {
        rest = rest.trim_ascii_start();
        let end = rest.iter().position(|&byte| byte == b' ')?;
        let (word, after) = rest.split_at(end);
        rest = after;
        std::str::from_utf8(word).ok()
    };
    let flags = u32::from_str_radix(
        word()
            .and_then(|_| word())
            .and_then(|_| word())
            .and_then(|_| word())?,
        16,
    )
    .ok()?;
    let _type = word()?;
    let state = u8::from_str_radix(word()?, 16).ok()?;
    let inode = word()?.parse().ok()?;
    // Exactly one blank is before the path, which may begin with more.
    let path = rest.strip_prefix(b" ")?;
    let state = match (flags & LISTENS != 0, state) {
        (true, _) => State::Listening,
        (false, CONNECTED) => State::Connected,
        _ => return None,
    };
    (!path.is_empty() && !path.starts_with(b"@")).then(|| Socket {
        state,
        inode,
        path: OsStr::from_bytes(path).into(),
    })
}

const LISTENS: u32 = 1 << 16;
const CONNECTED: u8 = 3;

/// The inode number in `socket:[123]`.
fn inode_of(target: &[u8]) -> Option<u64> {
    let number = target.strip_prefix(b"socket:[")?.strip_suffix(b"]")?;
    std::str::from_utf8(number).ok()?.parse().ok()
}

/// The names in a directory that are numbers.
fn numbers(directory: &str) -> Vec<u32> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let number = |entry: fs::DirEntry| entry.file_name().to_str()?.parse().ok();
    entries.filter_map(number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_kernel_are_read() {
        let line = b"0000000000000000: 00000002 00000000 00010000 0001 01 31337 /run/a b .sock";
        let socket = parse(line).expect("a socket");
        assert!(matches!(socket.state, State::Listening));
        assert_eq!(
            (socket.inode, socket.path),
            (31337, "/run/a b .sock".into())
        );
        let line = b"0000000000000000: 00000003 00000000 00000000 0001 03  7 /run/x.sock";
        let socket = parse(line).expect("a socket");
        assert!(matches!(socket.state, State::Connected));
        assert_eq!((socket.inode, socket.path), (7, "/run/x.sock".into()));
        let others: [&[u8]; 4] = [
            b"0000000000000000: 00000003 00000000 00000000 0001 03 8",
            b"0000000000000000: 00000002 00000000 00010000 0001 01 9 @abstract",
            b"Num       RefCount Protocol Flags    Type St Inode Path",
            b"",
        ];
        assert!(others.iter().all(|line| parse(line).is_none()));
        assert_eq!(inode_of(b"socket:[12]"), Some(12));
        assert_eq!(inode_of(b"pipe:[12]"), None);
    }

    #[test]
    fn paths_are_those_of_the_process() {
        assert_eq!(as_seen_by(7, Path::new("/run")), Path::new("/run"));
        assert_eq!(as_seen_by(7, Path::new("")), Path::new("/proc/7/cwd/"));
        assert_eq!(
            as_seen_by(7, Path::new("/proc/self/fd/3")),
            Path::new("/proc/7/fd/3")
        );
    }
}
