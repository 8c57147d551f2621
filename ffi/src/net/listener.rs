//! The listening socket, Unix or TCP.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::{Mutex, MutexGuard};

use super::BACKLOG;
use super::client::{Client, ClientOptions};
use super::unix::SocketFile;
use super::{tcp, unix};
use crate::faults::FAULTS;
use crate::fork;
use crate::identity::OwnDescriptor;
use crate::status::Result;

/// Where to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    Unix(Vec<u8>),
    Inet { host: Vec<u8>, port: Vec<u8> },
}

/// The file of the socket that this process listens on, for the exit of a
/// process whose RTS does not end. The poll thread takes it back first.
static SOCKET_FILE: Mutex<Option<SocketFile>> = Mutex::new(None);

#[derive(Debug)]
pub(crate) struct Listener {
    socket: OwnDescriptor,
    options: ClientOptions,
    is_tcp: bool,
    port: u16,
}

/// What came of trying to accept.
#[derive(Debug)]
pub(crate) enum Accepted {
    Client(Client),
    /// Nobody is there.
    Nobody,
    /// The system is out of descriptors or memory, or refuses for another reason: try
    /// again later, or whoever waits would be found at once and for ever.
    Later,
    /// The descriptor is none, or not that of a listener: the program has closed it.
    Lost,
}

impl Listener {
    pub(crate) fn open(address: &Address, options: ClientOptions) -> Result<Listener> {
        let (socket, file, port) = match address {
            Address::Unix(path) => {
                let (socket, file) = unix::listen(path)?;
                (socket, Some(file), 0)
            }
            Address::Inet { host, port } => {
                let (socket, port) = tcp::listen(host, port)?;
                (socket, None, port)
            }
        };
        let is_tcp = file.is_none();
        *socket_file() = file;
        fork::own(fork::Slot::Listener, Some(socket.as_raw_fd()));
        Ok(Listener {
            socket: OwnDescriptor::new(socket),
            options,
            is_tcp,
            port,
        })
    }

    pub(crate) fn fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }

    /// 0 for a Unix socket.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn accept(&self) -> Accepted {
        // Not for ever, if nobody ever is still there.
        for _ in 0..BACKLOG {
            let flags = libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
            let nowhere = std::ptr::null_mut();
            // SAFETY: an open descriptor; the peer's address is not asked for.
            let fd = unsafe { libc::accept4(self.fd(), nowhere, std::ptr::null_mut(), flags) };
            if fd >= 0 {
                // SAFETY: a descriptor that was just opened, and that nobody else
                // owns.
                let socket = unsafe { OwnedFd::from_raw_fd(fd) };
                return Accepted::Client(Client::new(socket, self.is_tcp, self.options));
            }
            match io::Error::last_os_error().raw_os_error() {
                Some(libc::EINTR) => FAULTS.interrupted.count(),
                // The peer has gone again; the next one may be there.
                Some(libc::ECONNABORTED | libc::EPROTO) => FAULTS.accepts_aborted.count(),
                Some(libc::EAGAIN) => return Accepted::Nobody,
                Some(libc::EBADF | libc::ENOTSOCK | libc::EINVAL) => return Accepted::Lost,
                _ => break,
            }
        }
        FAULTS.accepts_deferred.count();
        Accepted::Later
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // The name goes before the socket: nobody finds one that is closed.
        remove_socket_file();
        fork::own(fork::Slot::Listener, None);
    }
}

/// Remove the socket's file, if there is one. Called at exit, too.
pub(crate) fn remove_socket_file() {
    if let Some(file) = socket_file().take() {
        file.remove();
    }
}

fn socket_file() -> MutexGuard<'static, Option<SocketFile>> {
    SOCKET_FILE.lock().unwrap_or_else(|e| e.into_inner())
}
