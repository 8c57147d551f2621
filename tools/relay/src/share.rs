//! Shares the single client slot of a program between tools.
//!
//! A program serves one client. Of all tools that read a program that was
//! [found](eventlog_source::programs), one holds the slot, with a relay for the others at
//! `DIR/NAME.relay`, and reads from that relay itself. When it ends, for whatever reason, the
//! others lose their connections; each attaches again, and one of them gets the slot.

use crate::{Address, Arrivals, Event, Intake, Options, Relay};
use eventlog_source::programs::{Holder, Presence, Program, Slot};
use eventlog_source::{Arrival, Connection, Error};
use rustix::io::Errno;
use rustix::net::RecvFlags;
use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a tool may hold the slot before it serves others.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often that is checked.
const PAUSE: Duration = Duration::from_millis(5);
/// How long to check whether a connection lasts.
const GLANCE: Duration = Duration::from_millis(20);
/// How long a thread of our own relay may take for an immediate action.
const SOON: Duration = Duration::from_secs(10);
/// How often the source checks whether it is to end.
const TICK: Duration = Duration::from_millis(50);
/// How long other clients may take to read the rest when we end.
const REST: Duration = Duration::from_secs(2);

/// For a tool that reads programs which other tools may read, too.
///
/// Dropping it releases its slots: its clients get what has arrived until then.
#[derive(Debug)]
pub struct Share {
    verb: String,
    /// How much of each program is kept for slow clients.
    ring_bytes: usize,
    /// By the path of the program's socket.
    held: Mutex<BTreeMap<PathBuf, HeldSlot>>,
}

/// The slot of a program, held by us.
#[derive(Debug)]
enum HeldSlot {
    /// And served.
    Served(Holding),
    /// For a short visit, or served by another relay.
    Alone(#[expect(dead_code, reason = "it is kept for what its drop does")] Slot),
}

impl HeldSlot {
    /// Stops reading.
    fn stop(&self) {
        if let Self::Served(holding) = self {
            holding.stop();
        }
    }
}

impl Share {
    /// For a verb with this name, which other tools show as the holder of a slot.
    pub fn new(verb: impl Into<String>) -> Self {
        Self {
            verb: verb.into(),
            ring_bytes: Options::default().ring_bytes,
            held: Mutex::default(),
        }
    }

    /// Keeps this much of each program for slow clients.
    #[must_use]
    pub fn ring_bytes(self, ring_bytes: usize) -> Self {
        Self { ring_bytes, ..self }
    }

    /// Connects to the relay that serves the program. If there is none, this one does from now on, until the
    /// program ends or this is dropped.
    ///
    /// # Errors
    ///
    /// `NotFound` and `ConnectionRefused` if the program is gone, `ResourceBusy` if another
    /// tool has the slot and does not serve us; and those of the system.
    pub fn attach(&self, program: &Program) -> io::Result<UnixStream> {
        self.attach_or(program, |slot| {
            let (holding, stream) = Holding::begin(slot, self.ring_bytes)?;
            Ok((HeldSlot::Served(holding), stream))
        })
    }

    /// The same for a short visit: if there is no relay, this connects to the program, and
    /// serves no others.
    ///
    /// # Errors
    ///
    /// As for [`attach`](Self::attach).
    pub fn visit(&self, program: &Program) -> io::Result<UnixStream> {
        self.attach_or(program, |slot| {
            let stream = slot.connect()?;
            Ok((HeldSlot::Alone(slot), stream))
        })
    }

    /// Releases all slots. Other clients get what has arrived until then.
    pub fn leave(&self) {
        let held = std::mem::take(&mut *self.held());
        // All are stopped at the same time, and then waited for one after the other.
        held.values().for_each(HeldSlot::stop);
        drop(held);
    }

    fn held(&self) -> MutexGuard<'_, BTreeMap<PathBuf, HeldSlot>> {
        // Every change under this lock is complete before anything could panic.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same with the caller's own relay: this takes the slot and connects to the program,
    /// and `serve` begins to serve others at [`Slot::relay`].
    ///
    /// # Errors
    ///
    /// As for [`attach`](Self::attach), and those of `serve`.
    pub fn attach_and(
        &self,
        program: &Program,
        serve: impl Fn(&Slot) -> io::Result<()>,
    ) -> io::Result<UnixStream> {
        self.attach_or(program, |slot| {
            let stream = slot.connect()?;
            serve(&slot)?;
            Ok((HeldSlot::Alone(slot), stream))
        })
    }

    fn attach_or(
        &self,
        program: &Program,
        hold: impl Fn(Slot) -> io::Result<(HeldSlot, UnixStream)>,
    ) -> io::Result<UnixStream> {
        let since = Instant::now();
        loop {
            match program.connect_to_relay() {
                Ok(stream) if is_served(&stream)? => return Ok(stream),
                Ok(_) => {}
                Err(error) if is_nobody(&error) => {}
                Err(error) => return Err(error),
            }
            match program.presence() {
                Presence::Dead => return Err(ErrorKind::ConnectionRefused.into()),
                Presence::Gone => return Err(ErrorKind::NotFound.into()),
                _ => {}
            }
            if let Some(slot) = Slot::take(program, &self.verb)? {
                let (mine, stream) = hold(slot)?;
                // An earlier slot of this program has ended.
                let before = self.held().insert(program.socket(), mine);
                drop(before);
                return Ok(stream);
            }
            if since.elapsed() > PATIENCE {
                return Err(busy(program));
            }
            std::thread::sleep(PAUSE);
        }
    }
}

/// Whether the other end of a connection is not about to end: the kernel still accepts some
/// connections then, and drops them. Usually data arrives at once.
fn is_served(stream: &UnixStream) -> io::Result<bool> {
    stream.set_read_timeout(Some(GLANCE))?;
    let peeked = rustix::net::recv(stream, &mut [0; 1], RecvFlags::PEEK);
    stream.set_read_timeout(None)?;
    Ok(!matches!(
        peeked,
        Ok((_, 0)) | Err(Errno::CONNRESET | Errno::PIPE)
    ))
}

/// Whether there is no relay, or none any more.
fn is_nobody(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::NotFound | ErrorKind::ConnectionRefused
    )
}

fn busy(program: &Program) -> io::Error {
    let holder = Holder::of(program).ok().flatten();
    let verb = holder.as_ref().and_then(|it| it.verb.as_deref());
    let verb = verb.map_or("another tool".to_owned(), |verb| format!("eventlog {verb}"));
    let pid = holder.as_ref().and_then(|it| it.pid);
    let pid = pid.map_or(String::new(), |pid| format!(" (process {pid})"));
    let message = format!("{verb}{pid} reads it, and does not serve others yet");
    io::Error::new(ErrorKind::ResourceBusy, message)
}

/// A program that this process reads and serves.
#[derive(Debug)]
struct Holding {
    relay: Relay,
    /// The number of our own client.
    own: u64,
    stop: Arc<AtomicBool>,
}

impl Holding {
    fn begin(slot: Slot, ring_bytes: usize) -> io::Result<(Self, UnixStream)> {
        let program = slot.program().clone();
        let name = program.name().to_string_lossy().into_owned();
        let connection = Connection::unix(slot.connect()?);
        let (came, clients) = mpsc::channel();
        let mut options = Options::default().notices(move |event| {
            if let Event::ClientCame { client, .. } = event {
                let _ = came.send(*client);
            }
        });
        // As with a direct connection: a log that begins again arrives in the same connection.
        options.follow_restarts = true;
        options.ring_bytes = ring_bytes;
        let relay = Relay::start(options).map_err(io::Error::other)?;
        relay.reserve(&name).map_err(io::Error::other)?;
        // Our own client connects first, and so gets every byte. This address is not
        // published.
        let private = slot.private();
        let served = relay.serve_instead(&Address::Unix(private.clone()), Some(&name));
        let stream = served
            .map_err(io::Error::other)
            .and_then(|_| UnixStream::connect(&private))?;
        let own = wait_for(&clients)?;
        slot.remove_private()?;
        let at = Address::Unix(slot.relay());
        let stop = Arc::new(AtomicBool::new(false));
        let (ready, asked) = mpsc::channel();
        let held = Held {
            reading: Some((connection, slot)),
            begun: false,
            stop: Arc::clone(&stop),
            ready,
        };
        let holding = Self { relay, own, stop };
        let relay = &holding.relay;
        relay
            .add(&name, Intake::new(held))
            .map_err(io::Error::other)?;
        // Commands reach the program from then on.
        wait_for(&asked)?;
        relay
            .serve_instead(&at, Some(&name))
            .map_err(io::Error::other)?;
        Ok((holding, stream))
    }
}

impl Holding {
    fn stop(&self) {
        // Relaxed: it guards no other data.
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn wait_for<T>(channel: &Receiver<T>) -> io::Result<T> {
    let got = channel.recv_timeout(SOON);
    got.map_err(|_| {
        io::Error::new(
            ErrorKind::TimedOut,
            "the relay of this process hangs; please report it",
        )
    })
}

impl Drop for Holding {
    fn drop(&mut self) {
        self.stop();
        let since = Instant::now();
        while since.elapsed() < REST {
            let status = self.relay.status();
            let others = status.clients.iter().any(|it| it.client != self.own);
            if !others && status.sources.iter().all(|source| source.over) {
                return;
            }
            std::thread::sleep(PAUSE);
        }
    }
}

/// The log of a program whose slot we hold.
struct Held {
    /// Dropped at the end, which frees the slot.
    reading: Option<(Connection, Slot)>,
    begun: bool,
    stop: Arc<AtomicBool>,
    /// Notified once the relay has the connection for commands.
    ready: Sender<()>,
}

impl Held {
    /// Releases the slot.
    fn end(&mut self) {
        if let Some((connection, slot)) = self.reading.take() {
            // The relay has a duplicate, for commands.
            let _ = rustix::net::shutdown(&connection, rustix::net::Shutdown::Both);
            drop(connection);
            drop(slot);
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.end();
    }
}

impl Arrivals for Held {
    fn next(&mut self, buffer: &mut [u8]) -> Result<Arrival, Error> {
        let Some((connection, slot)) = &mut self.reading else {
            return Ok(Arrival::End);
        };
        if !std::mem::replace(&mut self.begun, true) {
            connection.set_tick(Some(TICK));
            return Ok(Arrival::NewLog);
        }
        // Relaxed: it guards no other data.
        if self.stop.load(Ordering::Relaxed) {
            self.end();
            return Ok(Arrival::End);
        }
        match connection.read(buffer) {
            Ok(0) => {}
            Ok(count) => return Ok(Arrival::Bytes(count)),
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::Interrupted => return Ok(Arrival::Idle),
                // A program that is killed causes this error, or just the end of the
                // stream.
                ErrorKind::ConnectionReset => {}
                _ => {
                    let from = slot.program().source();
                    self.end();
                    return Err(Error::Read { from, cause: error });
                }
            },
        }
        self.end();
        Ok(Arrival::End)
    }

    fn commands(&mut self) -> Option<OwnedFd> {
        let _ = self.ready.send(());
        let (connection, _) = self.reading.as_ref()?;
        connection.as_fd().try_clone_to_owned().ok()
    }
}
