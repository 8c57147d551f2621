//! The thread that serves all clients.

use crate::address::Address;
use crate::client::{self, Socket};
use crate::clients::Clients;
use crate::event::{Event, Notices};
use crate::feed::{self, Feed};
use crate::listen::Listening;
use crate::source::Source;
use crate::start::Start;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;

/// The pause after a failed accept.
const AGAIN: Duration = Duration::from_millis(100);

/// Sends orders to the thread.
#[derive(Debug)]
pub(crate) struct Server {
    orders: UnboundedSender<Order>,
    thread: Option<JoinHandle<()>>,
}

/// An order for the thread.
#[derive(Debug)]
enum Order {
    Serve(Served),
    /// Serve no new client; answered when the files of the sockets are removed.
    StopListening(SyncSender<()>),
}

/// A listening socket, and what its clients get.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) listening: Listening,
    pub(crate) at: Address,
    pub(crate) source: Arc<Source>,
    /// Whether logs may get an end mark that the source has not sent.
    pub(crate) mark_ends: bool,
}

/// State shared by all clients.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    pub(crate) clients: Arc<Clients>,
    pub(crate) limit: usize,
    pub(crate) how: feed::FeedOptions,
    pub(crate) notices: Notices,
}

impl Server {
    pub(crate) fn start(shared: Shared) -> io::Result<Self> {
        let (orders, inbox) = unbounded_channel();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()?;
        let thread = std::thread::Builder::new()
            .name("relay-serves".into())
            .spawn(move || runtime.block_on(run(inbox, shared)))?;
        Ok(Self {
            orders,
            thread: Some(thread),
        })
    }

    pub(crate) fn serve(&self, served: Served) {
        // The thread runs as long as this exists.
        let _ = self.orders.send(Order::Serve(served));
    }

    /// Returns when no client can connect any more, and the files of the sockets are removed: the
    /// process may end right after that. Only in a callback for events, on the server's own thread,
    /// this does not wait.
    pub(crate) fn stop_listening(&self) {
        let (done, is_done) = sync_channel(1);
        let _ = self.orders.send(Order::StopListening(done));
        if !self.thread.as_ref().is_some_and(is_own) {
            let _ = is_done.recv();
        }
    }
}

impl Drop for Server {
    /// All connections are closed.
    fn drop(&mut self) {
        let (orders, _) = unbounded_channel();
        self.orders = orders;
        // The callback for events may hold the last reference to the relay.
        if let Some(thread) = self.thread.take().filter(|thread| !is_own(thread)) {
            let _ = thread.join();
        }
    }
}

/// Whether this runs on that thread.
fn is_own(thread: &JoinHandle<()>) -> bool {
    thread.thread().id() == std::thread::current().id()
}

async fn run(mut orders: UnboundedReceiver<Order>, shared: Shared) {
    let mut listeners = JoinSet::new();
    // Spawned tasks end with the runtime.
    while let Some(order) = orders.recv().await {
        match order {
            Order::Serve(served) => {
                listeners.spawn(listen(served, shared.clone()));
            }
            Order::StopListening(done) => {
                listeners.shutdown().await;
                let _ = done.send(());
            }
        }
    }
}

async fn listen(served: Served, mut shared: Shared) {
    let Served {
        listening,
        at,
        source,
        mark_ends,
    } = served;
    shared.how.mark_ends &= mark_ends;
    // Removed when this task ends.
    let (listener, _file) = match listening {
        Listening::Unix(listener, file) => (
            UnixListener::from_std(listener).map(Accept::Unix),
            Some(file),
        ),
        Listening::Tcp(listener) => (TcpListener::from_std(listener).map(Accept::Tcp), None),
    };
    let listener = match listener {
        Ok(listener) => listener,
        Err(cause) => {
            let (at, cause) = (&at, &cause);
            return shared.notices.tell(&Event::ListenerFailed { at, cause });
        }
    };
    let address: Arc<str> = at.to_string().into();
    let mut told = false;
    loop {
        match listener.accept().await {
            Ok(socket) => {
                told = false;
                welcome(socket, (&at, &address), &source, &shared);
            }
            Err(cause) => {
                if !std::mem::replace(&mut told, true) {
                    let (at, cause) = (&at, &cause);
                    shared.notices.tell(&Event::ListenerFailed { at, cause });
                }
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
}

enum Accept {
    Unix(UnixListener),
    Tcp(TcpListener),
}

impl Accept {
    async fn accept(&self) -> io::Result<Socket> {
        match self {
            Self::Unix(listener) => Ok(Socket::Unix(listener.accept().await?.0)),
            Self::Tcp(listener) => {
                let stream = listener.accept().await?.0;
                // Keep-alive detects a client that disappears.
                let _ = rustix::net::sockopt::set_socket_keepalive(&stream, true);
                // Send at once: blocks are written whole.
                let _ = stream.set_nodelay(true);
                Ok(Socket::Tcp(stream))
            }
        }
    }
}

fn welcome(
    socket: Socket,
    (at, address): (&Address, &Arc<str>),
    source: &Arc<Source>,
    shared: &Shared,
) {
    let mut feed = Feed::new(source.clone(), shared.how.clone(), Start::Now);
    feed.come();
    let (clients, limit) = (&shared.clients, shared.limit);
    let Some(registered) = clients.register(&source.name, Some(address), limit, feed.got().clone())
    else {
        return shared.notices.tell(&Event::ClientRefused { at, limit });
    };
    shared.notices.tell(&Event::ClientCame {
        client: registered.number,
        source: &source.name,
        at,
    });
    let of_all = (shared.clients.clone(), shared.notices.clone());
    tokio::spawn(client::serve(
        socket,
        feed,
        source.clone(),
        registered,
        of_all,
    ));
}
