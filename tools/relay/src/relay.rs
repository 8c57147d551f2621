//! The relay itself.

use crate::address::Address;
use crate::block_on::block_on;
use crate::clients::Clients;
use crate::error::Error;
use crate::feed::{self, Feed};
use crate::intake::Intake;
use crate::listen;
use crate::options::Options;
use crate::reader::Reader;
use crate::reads;
use crate::recorder::Recorder;
use crate::server::{Served, Server, Shared};
use crate::source::Source;
use crate::start::Start;
use crate::status::{AddressStatus, Status};
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Sources and their readers: see the [crate](crate).
///
/// It can be cloned: all clones are the same relay. When the last one is dropped without
/// [`drain`](Self::drain), it ends at once, and clients get no end mark.
#[derive(Clone, Debug)]
pub struct Relay {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    id: u64,
    options: Options,
    since: Instant,
    /// In the order in which they were added.
    sources: Mutex<Vec<Arc<Source>>>,
    addresses: Mutex<Vec<AddressStatus>>,
    clients: Arc<Clients>,
    /// Stops reading sources.
    stop: Arc<AtomicBool>,
    server: Server,
}

impl Relay {
    /// A relay without sources, and the thread that serves its clients.
    ///
    /// # Errors
    ///
    /// If that cannot be started.
    pub fn start(options: Options) -> Result<Self, Error> {
        // The standard library seeds these from the system, each differently.
        let id = RandomState::new().hash_one(std::process::id());
        let clients = Arc::new(Clients::new());
        let shared = Shared {
            clients: clients.clone(),
            limit: options.max_clients,
            how: feed::FeedOptions {
                relay: id,
                follow_restarts: options.follow_restarts,
                mark_ends: true,
                notices: options.notices.clone(),
            },
            notices: options.notices.clone(),
        };
        let server = Server::start(shared).map_err(Error::Thread)?;
        Ok(Self {
            inner: Arc::new(Inner {
                id,
                options,
                since: Instant::now(),
                sources: Mutex::default(),
                addresses: Mutex::default(),
                clients,
                stop: Arc::default(),
                server,
            }),
        })
    }

    /// The number by which the relay recognises its own streams. No two relays have the
    /// same.
    pub fn id(&self) -> u64 {
        self.inner.id
    }

    /// Registers the name of a source before the source itself is added, so that clients can
    /// connect before it: those get every byte.
    ///
    /// # Errors
    ///
    /// If there is one of this name.
    pub fn reserve(&self, name: &str) -> Result<(), Error> {
        self.inner.is_open()?;
        let mut sources = self.inner.sources();
        if sources.iter().any(|source| &*source.name == name) {
            let name = name.to_owned();
            return Err(Error::NameTaken { name });
        }
        sources.push(Arc::new(Source::new(name)));
        Ok(())
    }

    /// Reads a source from now on, on a thread of its own. Clients name it by `name`, which may
    /// have been [reserved](Self::reserve).
    ///
    /// # Errors
    ///
    /// If there is one of this name, or the thread cannot be started.
    pub fn add(&self, name: &str, intake: Intake) -> Result<(), Error> {
        self.inner.is_open()?;
        let source = match self.inner.source(name) {
            Ok(source) => source,
            Err(_) => {
                self.reserve(name)?;
                self.inner.source(name)?
            }
        };
        if !source.take() {
            let name = name.to_owned();
            return Err(Error::NameTaken { name });
        }
        let options = &self.inner.options;
        let how = reads::ReadOptions {
            relay: self.inner.id,
            ring_bytes: options.ring_bytes,
            order_bytes: options.order_bytes,
            on_lag: options.on_lag,
            notices: options.notices.clone(),
            stop: self.inner.stop.clone(),
        };
        reads::start(source.clone(), intake, how).map_err(|error| {
            source.give_back();
            Error::Thread(error)
        })
    }

    /// Serves a source at an address, from when this returns. Returns the address to connect to,
    /// with the port that the system chose.
    ///
    /// `of` may be `None` if there is exactly one source.
    ///
    /// # Errors
    ///
    /// If the address cannot be listened on, or the source is missing or ambiguous.
    pub fn serve(&self, at: &Address, of: Option<&str>) -> Result<Address, Error> {
        self.serve_with(at, of, true)
    }

    /// The same for clients that would read the source directly without this relay. Their log never
    /// gets an end mark that the source has not sent, so that they can tell whether to look for the
    /// source again.
    ///
    /// # Errors
    ///
    /// As for [`serve`](Self::serve).
    pub fn serve_instead(&self, at: &Address, of: Option<&str>) -> Result<Address, Error> {
        self.serve_with(at, of, false)
    }

    fn serve_with(
        &self,
        at: &Address,
        of: Option<&str>,
        mark_ends: bool,
    ) -> Result<Address, Error> {
        self.inner.is_open()?;
        let source = match of {
            Some(name) => self.inner.source(name)?,
            None => self.inner.only_source()?,
        };
        let (listening, bound) = listen::start(at).map_err(|cause| Error::Serve {
            at: at.clone(),
            cause,
        })?;
        self.inner.addresses().push(AddressStatus {
            address: bound.to_string(),
            source: source.name.to_string(),
        });
        self.inner.server.serve(Served {
            listening,
            at: bound.clone(),
            source,
            mark_ends,
        });
        Ok(bound)
    }

    /// Reads the log of a source in this process. It waits for a session if there is none.
    ///
    /// # Errors
    ///
    /// If there is no such source.
    pub fn reader(&self, name: &str, start: Start) -> Result<Reader, Error> {
        self.inner.is_open()?;
        let source = self.inner.source(name)?;
        let options = &self.inner.options;
        let how = feed::FeedOptions {
            relay: self.inner.id,
            follow_restarts: options.follow_restarts,
            mark_ends: true,
            notices: options.notices.clone(),
        };
        let mut feed = Feed::new(source.clone(), how, start);
        feed.come();
        let clients = &self.inner.clients;
        let got = feed.got().clone();
        // Only clients at sockets are limited.
        let registered = clients.register(&source.name, None, usize::MAX, got);
        let registered = registered.ok_or(Error::Draining)?;
        Ok(Reader::new(feed, registered))
    }

    /// A recorder: a reader for which the source waits.
    ///
    /// # Errors
    ///
    /// If there is no such source, or it has a recorder.
    pub fn recorder(&self, name: &str) -> Result<Recorder, Error> {
        self.inner.is_open()?;
        let source = self.inner.source(name)?;
        let Some(session) = source.take_recorder() else {
            return Err(Error::NoRecorder {
                name: name.to_owned(),
                reason: "it has a recorder already",
            });
        };
        Ok(Recorder::new(source, session))
    }

    /// The current status.
    pub fn status(&self) -> Status {
        let sources = self.inner.sources().clone();
        let (clients_total, clients_refused, clients_lagged) = self.inner.clients.counts();
        let commands = sources.iter().map(|source| source.commands.counts());
        let (commands, commands_dropped) =
            commands.fold((0, 0), |sum, of| (sum.0 + of.0, sum.1 + of.1));
        Status {
            relay: self.inner.id,
            uptime_s: self.inner.since.elapsed().as_secs_f64(),
            sources: sources.iter().map(|source| source.status()).collect(),
            addresses: self.inner.addresses().clone(),
            clients: self.inner.clients.status(),
            clients_total,
            clients_refused,
            clients_lagged,
            commands,
            commands_dropped,
            resident_bytes: resident(),
        }
    }

    /// Ends the relay: no new client is served, sources are not read any more, and each log ends
    /// with an end mark after the last whole block that has arrived. Returns when all clients
    /// have read theirs, or when the time is over. Other clones of the relay can then only
    /// return its status.
    pub fn drain(self, limit: Duration) {
        let until = Instant::now() + limit;
        self.inner.stop.store(true, Ordering::Relaxed);
        self.inner.server.stop_listening();
        self.inner.addresses().clear();
        for source in self.inner.sources().iter() {
            source.cut_short();
        }
        let mut connected = self.inner.clients.watch();
        let gone = connected.wait_for(|count| *count == 0);
        let _ = block_on(gone, Some(until));
    }
}

impl Inner {
    fn sources(&self) -> MutexGuard<'_, Vec<Arc<Source>>> {
        // Every change under this lock is complete before anything could panic.
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn addresses(&self) -> MutexGuard<'_, Vec<AddressStatus>> {
        self.addresses
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn is_open(&self) -> Result<(), Error> {
        match self.stop.load(Ordering::Relaxed) {
            true => Err(Error::Draining),
            false => Ok(()),
        }
    }

    fn source(&self, name: &str) -> Result<Arc<Source>, Error> {
        let sources = self.sources();
        let source = sources.iter().find(|source| &*source.name == name);
        source.cloned().ok_or_else(|| Error::NoSource {
            name: name.to_owned(),
        })
    }

    fn only_source(&self) -> Result<Arc<Source>, Error> {
        let sources = self.sources();
        match &sources[..] {
            [source] => Ok(source.clone()),
            sources => Err(Error::NameNeeded {
                names: sources
                    .iter()
                    .map(|source| source.name.to_string())
                    .collect(),
            }),
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for source in self.sources().iter() {
            source.close();
        }
    }
}

/// Memory that this process occupies, if the system reports it.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}
