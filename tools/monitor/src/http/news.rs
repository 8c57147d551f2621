//! Streams of the list of sessions, sent when it changes.

use crate::api::question::Refusal;
use crate::registry::Registry;
use bytes::Bytes;
use http_body_util::channel::{Channel, SendError, Sender};
use hyper::body::{Body, Frame};
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};
use tokio::time::{sleep, timeout};

/// The most streams. The other connections are left to requests.
const STREAMS: usize = 400;

/// The shortest time between two lists.
const OFTEN: Duration = Duration::from_millis(250);
/// A long list is sent less often: the most bytes per second for a client.
const BYTES: usize = 80_000;
/// When nothing changes, something is sent this often, so that a client that is out of reach is
/// detected.
const QUIET: Duration = Duration::from_secs(15);

/// The current event, encoded once for all streams.
#[derive(Debug)]
pub(super) struct News {
    registry: Arc<Registry>,
    latest: watch::Sender<Bytes>,
    places: Arc<Semaphore>,
}

/// The body of a stream. It is dropped when the client disconnects, which frees its place and ends
/// its task.
#[derive(Debug)]
pub(super) struct Stream {
    lists: Channel<Bytes, Infallible>,
    _place: OwnedSemaphorePermit,
    _ends: oneshot::Sender<()>,
}

impl Body for Stream {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Pin::new(&mut self.lists).poll_frame(context)
    }
}

impl News {
    pub(super) fn new(registry: Arc<Registry>) -> Self {
        Self {
            registry,
            latest: watch::Sender::new(Bytes::new()),
            places: Arc::new(Semaphore::new(STREAMS)),
        }
    }

    /// The number of streams.
    pub(super) fn streams(&self) -> usize {
        STREAMS - self.places.available_permits()
    }

    fn event(&self) -> Bytes {
        let list = serde_json::to_string(&self.registry.summaries());
        let list = list.unwrap_or_else(|_| "[]".to_owned());
        format!("event: sessions\ndata: {list}\n\n").into()
    }

    /// Checks for changes in a loop.
    pub(super) async fn watch(self: Arc<Self>) {
        loop {
            let mut pause = OFTEN;
            if self.latest.receiver_count() > 0 {
                let event = self.event();
                pause = pause.max(Duration::from_millis((event.len() * 1000 / BYTES) as u64));
                self.latest.send_if_modified(|latest| {
                    let changed = *latest != event;
                    *latest = event;
                    changed
                });
            }
            sleep(pause).await;
        }
    }

    /// A stream, written by a task of this thread.
    pub(super) fn stream(self: &Arc<Self>) -> Result<Stream, Refusal> {
        let place = Arc::clone(&self.places).try_acquire_owned();
        let place = place.map_err(|_| Refusal {
            status: 503,
            message: format!(
                "{STREAMS} pages are open at this monitor, which is the most; close some of them"
            ),
        })?;
        let (sender, lists) = Channel::new(1);
        let (ends, ended) = oneshot::channel::<()>();
        let news = Arc::clone(self);
        tokio::task::spawn_local(async move {
            tokio::select! {
                _ = news.tell(sender) => {}
                _ = ended => {}
            }
        });
        Ok(Stream {
            lists,
            _place: place,
            _ends: ends,
        })
    }

    async fn tell(&self, mut sender: Sender<Bytes, Infallible>) -> Result<(), SendError> {
        let mut latest = self.latest.subscribe();
        latest.mark_unchanged();
        sender.send_data(self.event()).await?;
        loop {
            // A slow client misses some lists, and gets the latest.
            let news = match timeout(QUIET, latest.changed()).await {
                Ok(Ok(())) => latest.borrow_and_update().clone(),
                Ok(Err(_)) => return Ok(()),
                Err(_) => Bytes::from_static(b":\n\n"),
            };
            sender.send_data(news).await?;
        }
    }
}
