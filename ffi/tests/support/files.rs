//! Places in the file system: the repository, fresh directories, free ports.

use std::io::ErrorKind;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

/// The root of the repository.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("ffi/ is in the repository")
        .to_path_buf()
}

/// A source of a test program.
pub fn test_program(name: &str) -> PathBuf {
    repository().join("ffi/tests/programs").join(name)
}

/// A fresh directory with a short name (socket paths are short), removed when
/// dropped. `EVENTLOG_TEST_KEEP` keeps it.
#[derive(Debug)]
pub struct TempDir(PathBuf);

impl TempDir {
    pub fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        loop {
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            let path = std::env::temp_dir().join(format!("els-{}-{number}", std::process::id()));
            match std::fs::create_dir(&path) {
                Ok(()) => return Self(path),
                // Of a run that was killed, with the same process id.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => panic!("{}: {error}", path.display()),
            }
        }
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        if std::env::var_os("EVENTLOG_TEST_KEEP").is_none() {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
}

/// A copy of a program, to be run. Not made by this process: another test may start a program
/// meanwhile, whose process has all our descriptors until it executes it, and what somebody has
/// open to write cannot be run.
pub fn copy_program(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg(from).arg(to).status();
    assert!(copied.expect("cp").success(), "{from:?} to {to:?}");
}

/// A TCP port for a program that is still to be started. It is outside the range from which the
/// system gives ports to clients, and stays ours until the tests end: a socket is bound to it. A
/// program that asks for SO_REUSEADDR can listen there beside it; other tests find it taken.
pub fn free_port() -> u16 {
    static OURS: Mutex<Vec<OwnedFd>> = Mutex::new(Vec::new());
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let start = std::process::id().wrapping_mul(61);
        let port = 15_000 + (start.wrapping_add(step) % 15_000) as u16;
        if let Some(socket) = bound(port) {
            OURS.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(socket);
            return port;
        }
    }
}

/// A socket that is bound to this port of 127.0.0.1, if nobody else's is.
fn bound(port: u16) -> Option<OwnedFd> {
    // SAFETY: no pointers.
    let socket = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    assert!(socket >= 0, "{}", std::io::Error::last_os_error());
    // SAFETY: it is open, and nobody else's.
    let socket = unsafe { OwnedFd::from_raw_fd(socket) };
    // SAFETY: all zeroes are an address.
    let mut address: libc::sockaddr_in = unsafe { std::mem::zeroed() };
    address.sin_family = libc::AF_INET as libc::sa_family_t;
    address.sin_port = port.to_be();
    address.sin_addr.s_addr = u32::from(Ipv4Addr::LOCALHOST).to_be();
    let size = size_of_val(&address) as libc::socklen_t;
    // SAFETY: the descriptor is open; the address outlives the call.
    let bound = unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), size) };
    if bound != 0 {
        return None;
    }
    let yes: libc::c_int = 1;
    // Only now: with it, it would not matter to bind whether another test's socket has the port.
    // SAFETY: the descriptor is open; the value outlives the call.
    let shared = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_REUSEADDR,
            (&raw const yes).cast(),
            size_of_val(&yes) as libc::socklen_t,
        )
    };
    assert_eq!(shared, 0, "{}", std::io::Error::last_os_error());
    Some(socket)
}
