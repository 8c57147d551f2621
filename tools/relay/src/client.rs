//! One client of a socket.

use crate::clients::{Clients, Registered};
use crate::commands::FromClient;
use crate::event::{Event, Gone, Notices};
use crate::feed::{Feed, Step};
use crate::source::Source;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{Shutdown, shutdown};
use std::io::{self, IoSlice};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, sleep, timeout};

/// The most bytes of one write.
const WRITE: usize = 256 << 10;
/// The number of writes before other clients get their turn.
const TURN: usize = 4;
/// How much a client may send in a second; more has to wait.
const INPUT: usize = 64 << 10;
/// How often a client that has stopped sending is checked for having disconnected.
const LOOK: Duration = Duration::from_secs(1);
/// How long a TCP client that has stopped sending may receive nothing before it counts
/// as gone.
const HALF_CLOSED: Duration = Duration::from_secs(60);
/// How long a client has to read the end of its log and disconnect.
const LINGER: Duration = Duration::from_secs(5);

/// A socket of either kind.
#[derive(Debug)]
pub(crate) enum Socket {
    Unix(UnixStream),
    Tcp(TcpStream),
}

macro_rules! either {
    ($socket:expr, $stream:ident => $does:expr) => {
        match $socket {
            Socket::Unix($stream) => $does,
            Socket::Tcp($stream) => $does,
        }
    };
}

impl Socket {
    async fn readable(&self) -> io::Result<()> {
        either!(self, stream => stream.readable().await)
    }

    async fn writable(&self) -> io::Result<()> {
        either!(self, stream => stream.writable().await)
    }

    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        either!(self, stream => stream.try_read(buffer))
    }

    fn write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        either!(self, stream => stream.try_write_vectored(slices))
    }

    fn stop_writing(&self) {
        let _ = either!(self, stream => shutdown(stream.as_fd(), Shutdown::Write));
    }

    /// Whether the peer has closed it, both ways.
    fn is_gone(&self) -> bool {
        either!(self, stream => {
            let mut fds = [PollFd::from_borrowed_fd(stream.as_fd(), PollFlags::empty())];
            let none = Timespec { tv_sec: 0, tv_nsec: 0 };
            poll(&mut fds, Some(&none)).is_ok()
                && fds[0].revents().intersects(PollFlags::HUP | PollFlags::ERR)
        })
    }
}

/// Input from the client.
struct Input {
    /// Where commands are passed on to, if they are.
    source: Option<Arc<Source>>,
    commands: FromClient,
    second: Instant,
    taken: usize,
    at_end: bool,
    is_tcp: bool,
    /// The time of the last write.
    wrote: Instant,
}

impl Input {
    /// Reads input; ends when the client is gone. It can be dropped at any time.
    async fn take(&mut self, socket: &Socket) {
        loop {
            if self.at_end {
                if socket.is_gone() || (self.is_tcp && self.wrote.elapsed() > HALF_CLOSED) {
                    return;
                }
                sleep(LOOK).await;
                continue;
            }
            if self.taken >= INPUT {
                tokio::time::sleep_until(self.second + Duration::from_secs(1)).await;
                (self.second, self.taken) = (Instant::now(), 0);
            }
            if socket.readable().await.is_err() || !self.read(socket) {
                return;
            }
        }
    }

    /// Reads a little. Returns whether the client is still connected.
    fn read(&mut self, socket: &Socket) -> bool {
        let mut buffer = [0; 4096];
        match socket.read(&mut buffer) {
            Ok(0) => {
                self.at_end = true;
                !socket.is_gone()
            }
            Ok(count) => {
                if self.second.elapsed() > Duration::from_secs(1) {
                    (self.second, self.taken) = (Instant::now(), 0);
                }
                self.taken += count;
                if let Some(source) = &self.source {
                    self.commands.take(&buffer[..count], &source.commands);
                }
                true
            }
            Err(error) => matches!(
                error.kind(),
                io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
            ),
        }
    }
}

/// Serves a client to its end. Commands from Unix sockets are passed on.
pub(crate) async fn serve(
    socket: Socket,
    feed: Feed,
    source: Arc<Source>,
    registered: Registered,
    (clients, notices): (Arc<Clients>, Notices),
) {
    let is_tcp = matches!(socket, Socket::Tcp(_));
    let (name, got) = (source.name.clone(), feed.got().clone());
    let mut input = Input {
        source: (!is_tcp).then_some(source),
        commands: FromClient::default(),
        second: Instant::now(),
        taken: 0,
        at_end: false,
        is_tcp,
        wrote: Instant::now(),
    };
    let reason = write(&socket, feed, &mut input).await;
    if reason == Gone::Lagged {
        clients.lagged();
    }
    if reason != Gone::Left {
        // Bytes in flight arrive only if the input is read until the client has seen the
        // end.
        socket.stop_writing();
        let _ = timeout(LINGER, input.take_to_end(&socket)).await;
    }
    drop(socket);
    let client = registered.number;
    drop(registered);
    notices.tell(&Event::ClientGone {
        client,
        source: &name,
        reason,
        bytes: got.bytes.load(Ordering::Relaxed),
        missed_bytes: got.missed.load(Ordering::Relaxed),
        resyncs: got.resyncs.load(Ordering::Relaxed),
    });
}

impl Input {
    async fn take_to_end(&mut self, socket: &Socket) {
        self.source = None;
        while !self.at_end && socket.readable().await.is_ok() {
            if !self.read(socket) {
                return;
            }
        }
    }
}

async fn write(socket: &Socket, mut feed: Feed, input: &mut Input) -> Gone {
    let mut turn = 0;
    loop {
        let step = feed.step(WRITE, &mut |slices| {
            let slices: Vec<IoSlice<'_>> = slices.iter().map(|bytes| IoSlice::new(bytes)).collect();
            socket.write(&slices)
        });
        match step {
            Ok(Step::Wrote(_)) => {
                input.wrote = Instant::now();
                turn += 1;
                if turn == TURN {
                    turn = 0;
                    tokio::task::yield_now().await;
                }
            }
            Ok(Step::Waits) => {
                tokio::select! {
                    () = feed.wait() => {}
                    () = input.take(socket) => return Gone::Left,
                }
            }
            Ok(Step::Over(gone)) => return gone,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                tokio::select! {
                    ready = socket.writable() => if ready.is_err() {
                        return Gone::Left;
                    },
                    () = input.take(socket) => return Gone::Left,
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return Gone::Left,
        }
    }
}
