//! The connection to one client.

use std::io::{self, IoSlice};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::time::Duration;

use super::{peer, set_best_effort, tcp};
use crate::faults::FAULTS;
use crate::fork;
use crate::identity::OwnDescriptor;
use crate::memory::OutOfMemory;
use crate::system;
use crate::tuning::Control;

/// For a Unix socket, which does not find a size of its own: with the usual 208 KiB the
/// poll thread and the client take turns, ten times as often.
const UNIX_SNDBUF: i32 = 1 << 20;
/// Bytes taken from a client at a time.
const RECEIVE: usize = 16 * 1024;
/// Reads per round: a client that never stops talking must not keep the stream
/// from being served.
const READS_PER_ROUND: usize = 16;

/// The options of a client's socket, 0 for the default; and whether it may send commands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClientOptions {
    /// Bytes.
    pub sndbuf: i32,
    /// Seconds.
    pub linger: i32,
    pub control: Control,
}

#[derive(Debug)]
pub(crate) struct Client {
    socket: OwnDescriptor,
    /// An error has ended the connection, and was counted. What the client had said
    /// before can still be there.
    broken: bool,
    is_tcp: bool,
    linger: i32,
    /// The peer has said that it will send nothing more.
    pub at_eof: bool,
    /// Its commands are obeyed.
    pub may_command: bool,
    received: u64,
    /// What is read goes here, not onto a stack.
    input: Vec<u8>,
}

/// The outcome of a send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    Bytes(usize),
    /// The socket is full: wait until it can be written.
    Full,
    /// The system is short of memory: try again in a moment.
    Later,
    /// The client is gone.
    Gone,
}

impl Client {
    pub(crate) fn new(
        socket: OwnedFd,
        is_tcp: bool,
        options: ClientOptions,
    ) -> Result<Client, OutOfMemory> {
        let mut input = Vec::new();
        input.try_reserve_exact(RECEIVE)?;
        input.resize(RECEIVE, 0);
        fork::own(fork::Slot::Client, Some(socket.as_raw_fd()));
        if is_tcp {
            tcp::prepare_client(&socket);
        }
        // The system caps it as it likes.
        match options.sndbuf {
            1.. => set_best_effort(&socket, libc::SOL_SOCKET, libc::SO_SNDBUF, options.sndbuf),
            // TCP finds its own size, unless it is given one.
            _ if is_tcp => {}
            _ => set_best_effort(&socket, libc::SOL_SOCKET, libc::SO_SNDBUF, UNIX_SNDBUF),
        }
        Ok(Client {
            may_command: peer::may_command(&socket, is_tcp, options.control),
            socket: OwnDescriptor::new(socket),
            broken: false,
            is_tcp,
            linger: options.linger,
            at_eof: false,
            received: 0,
            input,
        })
    }

    pub(crate) fn fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }

    /// Bytes that came from the client.
    pub(crate) fn received(&self) -> u64 {
        self.received
    }

    /// A TCP peer that half-closed looks like one that is gone; only the answer
    /// to something sent tells. (Elsewhere than on Linux that goes for all.)
    pub(crate) fn needs_probing(&self) -> bool {
        (self.is_tcp || system::HALF_CLOSED == 0) && self.at_eof
    }

    /// Its machine may vanish without closing the connection.
    pub(crate) fn can_vanish(&self) -> bool {
        self.is_tcp
    }

    /// How long that has not acknowledged what it was sent; `None` if there is nothing.
    pub(crate) fn silence(&self) -> Option<Duration> {
        tcp::silence(&self.socket).filter(|_| self.is_tcp)
    }

    pub(crate) fn send(&mut self, pieces: &[IoSlice<'_>]) -> Sent {
        if self.socket.is_another() {
            self.break_off();
            return Sent::Gone;
        }
        // SAFETY: all zeroes are a value of this C struct.
        let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
        // IoSlice has the layout of iovec; sendmsg does not write through it.
        message.msg_iov = pieces.as_ptr().cast_mut().cast();
        #[allow(clippy::unnecessary_cast, reason = "of other types elsewhere")]
        {
            message.msg_iovlen = pieces.len() as _;
        }
        loop {
            // SAFETY: an open descriptor, and pieces that live until the return.
            let sent = unsafe { libc::sendmsg(self.fd(), &message, system::SEND_FLAGS) };
            if let Ok(sent) = usize::try_from(sent) {
                if sent < pieces.iter().map(|piece| piece.len()).sum() {
                    FAULTS.sends_partial.count();
                }
                return Sent::Bytes(sent);
            }
            match io::Error::last_os_error().raw_os_error() {
                Some(libc::EINTR) => FAULTS.interrupted.count(),
                Some(libc::EAGAIN) => {
                    FAULTS.sends_full.count();
                    return Sent::Full;
                }
                Some(libc::ENOBUFS | libc::ENOMEM) => {
                    FAULTS.sends_deferred.count();
                    return Sent::Later;
                }
                _ => {
                    self.break_off();
                    return Sent::Gone;
                }
            }
        }
    }

    /// The connection has ended by an error, which is counted once.
    pub(crate) fn break_off(&mut self) {
        if !std::mem::replace(&mut self.broken, true) {
            FAULTS.clients_broken.count();
        }
    }

    /// Read what the client has sent, even if it is dropped, so that
    /// a close resets nothing that is still on its way; up to a limit, and while
    /// `goes_on` says so. False if the connection is broken.
    pub(crate) fn receive(
        &mut self,
        mut listen: impl FnMut(&[u8]),
        goes_on: impl Fn() -> bool,
    ) -> bool {
        if self.socket.is_another() {
            self.break_off();
            return false;
        }
        for _ in 0..READS_PER_ROUND {
            if !goes_on() {
                return true;
            }
            // SAFETY: an open descriptor, and a buffer of the length given.
            let received = unsafe {
                libc::recv(
                    self.fd(),
                    self.input.as_mut_ptr().cast(),
                    self.input.len(),
                    libc::MSG_DONTWAIT,
                )
            };
            match received {
                0 => {
                    self.at_eof = true;
                    return true;
                }
                1.. => {
                    self.received += received as u64;
                    listen(&self.input[..received as usize]);
                }
                _ => match io::Error::last_os_error().raw_os_error() {
                    Some(libc::EINTR) => FAULTS.interrupted.count(),
                    Some(libc::EAGAIN) => return true,
                    _ => {
                        self.break_off();
                        return false;
                    }
                },
            }
        }
        true
    }

    /// Say that the stream ends here. What was sent is delivered even if the
    /// process ends now.
    pub(crate) fn end_stream(&mut self, patience: Duration) {
        if self.socket.is_another() {
            return;
        }
        // It makes the close wait.
        if self.linger > 0 && !patience.is_zero() {
            let linger = libc::linger {
                l_onoff: 1,
                l_linger: self.linger,
            };
            set_best_effort(&self.socket, libc::SOL_SOCKET, libc::SO_LINGER, linger);
        }
        // SAFETY: an open descriptor.
        unsafe { libc::shutdown(self.fd(), libc::SHUT_WR) };
        // TCP answers input that comes after a close with a reset, which destroys
        // what the peer has not read yet. A client that ever spoke may speak again.
        if self.is_tcp && self.received > 0 {
            self.await_eof(patience);
        }
        self.receive(|_| {}, || true);
    }

    fn await_eof(&mut self, patience: Duration) {
        let deadline = std::time::Instant::now() + patience;
        while !self.at_eof {
            let left = deadline.saturating_duration_since(std::time::Instant::now());
            if left.is_zero() {
                return;
            }
            let mut wait = [libc::pollfd {
                fd: self.fd(),
                events: libc::POLLIN,
                revents: 0,
            }];
            let timeout = left.as_millis().clamp(1, 1000) as i32;
            // SAFETY: one entry, as said.
            if unsafe { libc::poll(wait.as_mut_ptr(), 1, timeout) } < 0 {
                std::thread::sleep(Duration::from_millis(1));
            }
            if !self.receive(|_| {}, || true) {
                return;
            }
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        fork::own(fork::Slot::Client, None);
    }
}
