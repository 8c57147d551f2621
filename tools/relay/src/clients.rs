//! The connected clients.

use crate::cursor::lag;
use crate::feed::ReaderStats;
use crate::status::ClientStatus;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tokio::sync::watch;

/// All clients.
#[derive(Debug)]
pub(crate) struct Clients {
    all: Mutex<BTreeMap<u64, Client>>,
    total: AtomicU64,
    refused: AtomicU64,
    lagged: AtomicU64,
    /// How many are connected to a socket.
    connected: watch::Sender<usize>,
}

#[derive(Debug)]
struct Client {
    source: Arc<str>,
    address: Option<Arc<str>>,
    since: Instant,
    got: Arc<ReaderStats>,
}

/// A connected client; dropping this removes it.
#[derive(Debug)]
pub(crate) struct Registered {
    clients: Arc<Clients>,
    pub(crate) number: u64,
    socket: bool,
}

impl Clients {
    pub(crate) fn new() -> Self {
        Self {
            all: Mutex::default(),
            total: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            lagged: AtomicU64::new(0),
            connected: watch::Sender::new(0),
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Client>> {
        // Every change under this lock is complete before anything could panic.
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a client; `most` limits the number of those at sockets.
    pub(crate) fn register(
        self: &Arc<Self>,
        source: &Arc<str>,
        address: Option<&Arc<str>>,
        limit: usize,
        got: Arc<ReaderStats>,
    ) -> Option<Registered> {
        let socket = address.is_some();
        if socket && *self.connected.borrow() >= limit {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        let number = self.total.fetch_add(1, Ordering::Relaxed) + 1;
        let client = Client {
            source: source.clone(),
            address: address.cloned(),
            since: Instant::now(),
            got,
        };
        self.lock().insert(number, client);
        if socket {
            self.connected.send_modify(|count| *count += 1);
        }
        Some(Registered {
            clients: self.clone(),
            number,
            socket,
        })
    }

    /// Publishes how many are connected to sockets.
    pub(crate) fn watch(&self) -> watch::Receiver<usize> {
        self.connected.subscribe()
    }

    pub(crate) fn lagged(&self) {
        self.lagged.fetch_add(1, Ordering::Relaxed);
    }

    /// How many connected, were refused, and fell behind.
    pub(crate) fn counts(&self) -> (u64, u64, u64) {
        let count = |of: &AtomicU64| of.load(Ordering::Relaxed);
        (
            count(&self.total),
            count(&self.refused),
            count(&self.lagged),
        )
    }

    pub(crate) fn status(&self) -> Vec<ClientStatus> {
        let clients = self.lock();
        let status = clients.iter().map(|(&number, client)| {
            let at = client.got.at.lock().unwrap_or_else(PoisonError::into_inner);
            let at = at
                .as_ref()
                .and_then(|(session, cursor)| Some((session.upgrade()?, cursor.upgrade()?)));
            let got = |of: &AtomicU64| of.load(Ordering::Relaxed);
            ClientStatus {
                client: number,
                source: client.source.to_string(),
                session: at.as_ref().map(|(session, _)| session.number),
                address: client.address.as_deref().map(str::to_owned),
                connected_s: client.since.elapsed().as_secs_f64(),
                bytes: got(&client.got.bytes),
                lag_bytes: at.map_or(0, |(session, cursor)| lag(&cursor, &session.ring)),
                missed_bytes: got(&client.got.missed),
                resyncs: got(&client.got.resyncs),
            }
        });
        status.collect()
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.clients.lock().remove(&self.number);
        if self.socket {
            self.clients.connected.send_modify(|count| *count -= 1);
        }
    }
}
