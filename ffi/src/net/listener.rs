//! The listening socket, Unix or TCP.

use std::os::fd::{AsRawFd, RawFd};
use std::time::Duration;

use super::BACKLOG;
use super::client::{Client, ClientOptions};
use super::file_watch::{FileWatch, Look};
use super::port_file::PortFile;
use super::unix::SocketFile;
use super::{tcp, unix};
use crate::faults::FAULTS;
use crate::fork;
use crate::identity::OwnDescriptor;
use crate::lock::{Held, Lock};
use crate::memory::OutOfMemory;
use crate::renewable::Renewable;
use crate::status::Result;
use crate::system;

/// Where to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    Unix(Vec<u8>),
    Inet { host: Vec<u8>, port: Vec<u8> },
}

/// The file of the socket that this process listens on, for the exit of a
/// process whose RTS does not end. The poll thread takes it back first.
static SOCKET_FILE: Renewable<Lock<Option<SocketFile>>> = Renewable::new(Lock::new(None));

/// The same, of a TCP socket.
static PORT_FILE: Renewable<Lock<PortTold>> = Renewable::new(Lock::new(PortTold::NOWHERE));

/// Where the port is told.
#[derive(Debug)]
struct PortTold {
    /// Wherever a log of this process is listened for.
    wanted: Option<Vec<u8>>,
    /// While one is.
    file: Option<PortFile>,
}

impl PortTold {
    const NOWHERE: PortTold = PortTold {
        wanted: None,
        file: None,
    };
}

/// In a child, with the locks and the files of its parent.
///
/// # Safety
/// As for [`Renewable::renew`].
pub(crate) unsafe fn renew() {
    // SAFETY: the contract is the same.
    unsafe {
        SOCKET_FILE.renew(Lock::new(None));
        PORT_FILE.renew(Lock::new(PortTold::NOWHERE));
    }
}

/// Write the ports of TCP sockets to this file from now on.
pub(crate) fn tell_ports_in(path: Option<Vec<u8>>) {
    PORT_FILE.lock().wanted = path;
}

#[derive(Debug)]
pub(crate) struct Listener {
    socket: OwnDescriptor,
    options: ClientOptions,
    is_tcp: bool,
    port: u16,
    /// Of a Unix socket.
    watch: Option<FileWatch>,
}

/// The outcome of an accept.
#[derive(Debug)]
pub(crate) enum Accepted {
    Client(Client),
    /// Nobody is there.
    Nobody,
    /// The system is out of descriptors or memory, or refuses for another reason: try
    /// again later; at once it would fail again, forever.
    Later,
    /// The descriptor is closed, or not that of a listener: the program has closed it.
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
                tell_port(port)?;
                (socket, None, port)
            }
        };
        let is_tcp = file.is_none();
        // The first thing after it is made: an exit may come at any moment.
        let watch = {
            let mut slot = socket_file();
            *slot = file;
            slot.as_ref().map(FileWatch::new)
        };
        fork::own(fork::Slot::Listener, Some(socket.as_raw_fd()));
        Ok(Listener {
            socket: OwnDescriptor::new(socket),
            options,
            is_tcp,
            port,
            watch,
        })
    }

    pub(crate) fn fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }

    /// 0 for a Unix socket.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// To be polled for input, which comes when something has happened to the socket's
    /// file; -1 for nothing.
    pub(crate) fn file_watch_fd(&self) -> RawFd {
        self.watch.as_ref().map_or(-1, FileWatch::fd)
    }

    /// That has come.
    pub(crate) fn file_watch_told(&mut self) {
        if let Some(watch) = &mut self.watch {
            watch.told();
        }
    }

    /// When to wake up to look for the file. `alone`: nobody is connected.
    pub(crate) fn looks_for_file_at(&self, alone: bool) -> Option<Duration> {
        self.watch.as_ref()?.wakes_at(alone)
    }

    /// A client has left.
    pub(crate) fn look_by_the_way(&mut self) {
        if let Some(watch) = &mut self.watch {
            watch.look_by_the_way();
        }
    }

    /// Look for the file, if it is time, and make it again if it is gone.
    pub(crate) fn look_after_file(&mut self) {
        let Some(watch) = self.watch.as_mut().filter(|watch| watch.is_due()) else {
            return;
        };
        let mut slot = socket_file();
        let Some(file) = slot.as_ref() else {
            // The program exits, and has removed it.
            self.watch = None;
            return;
        };
        match watch.look(file) {
            Look::There => return,
            Look::Gone { news: true } => FAULTS.socket_files_removed.count(),
            Look::Gone { news: false } => {}
        }
        // Those who wait at the socket that has no file any more are served first.
        if somebody_waits(self.socket.as_raw_fd()) {
            return;
        }
        // What cannot be made now may be later.
        let Ok((socket, file)) = file.make_again() else {
            return;
        };
        FAULTS.socket_files_remade.count();
        fork::own(fork::Slot::Listener, Some(socket.as_raw_fd()));
        self.socket = OwnDescriptor::new(socket);
        self.watch = Some(FileWatch::new(&file));
        *slot = Some(file);
    }

    pub(crate) fn accept(&self) -> Accepted {
        if self.socket.is_another() {
            return Accepted::Lost;
        }
        // Not forever, if each of them is gone by then.
        for _ in 0..BACKLOG {
            let error = match system::accept(self.fd()) {
                Ok(socket) => {
                    return match Client::new(socket, self.is_tcp, self.options) {
                        Ok(client) => Accepted::Client(client),
                        Err(OutOfMemory) => {
                            FAULTS.clients_refused.count();
                            Accepted::Later
                        }
                    };
                }
                Err(error) => error,
            };
            match error.raw_os_error() {
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
        remove_files();
        fork::own(fork::Slot::Listener, None);
    }
}

/// Remove the socket's file, or the one that tells its port, if there is one. Called at
/// exit, too.
pub(crate) fn remove_files() {
    if let Some(file) = socket_file().take() {
        file.remove();
    }
    let file = PORT_FILE.lock().file.take();
    if let Some(file) = file {
        file.remove();
    }
}

fn tell_port(port: u16) -> Result<()> {
    // Not with the lock held: it may take a while.
    let Some(path) = PORT_FILE.lock().wanted.take() else {
        return Ok(());
    };
    let written = PortFile::write(&path, port);
    let mut told = PORT_FILE.lock();
    told.wanted = Some(path);
    told.file = Some(written?);
    Ok(())
}

fn somebody_waits(listener: RawFd) -> bool {
    let mut entry = libc::pollfd {
        fd: listener,
        events: libc::POLLIN,
        revents: 0,
    };
    // SAFETY: one entry, as said.
    unsafe { libc::poll(&mut entry, 1, 0) > 0 }
}

fn socket_file() -> Held<'static, Option<SocketFile>> {
    SOCKET_FILE.lock()
}
