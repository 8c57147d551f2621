//! Streams of the list of sessions, sent when it changes.

use crate::registry::Registry;
use bytes::Bytes;
use http_body_util::channel::{Channel, Sender};
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

/// The shortest time between two lists.
const OFTEN: Duration = Duration::from_millis(250);
/// A long list is sent less often: the most bytes per second for a client.
const BYTES: usize = 80_000;
/// When nothing changes, a disconnected client is detected within this time.
const QUIET: Duration = Duration::from_secs(15);

/// The current event, encoded once for all streams.
#[derive(Debug)]
pub(super) struct News {
    registry: Arc<Registry>,
    latest: watch::Sender<Bytes>,
    streams: AtomicUsize,
}

/// Counts a stream until it is dropped.
struct Counted(Arc<News>);

impl Drop for Counted {
    fn drop(&mut self) {
        // Relaxed: the number is only displayed.
        self.0.streams.fetch_sub(1, Ordering::Relaxed);
    }
}

impl News {
    pub(super) fn new(registry: Arc<Registry>) -> Self {
        Self {
            registry,
            latest: watch::Sender::new(Bytes::new()),
            streams: AtomicUsize::new(0),
        }
    }

    /// The number of streams.
    pub(super) fn streams(&self) -> usize {
        self.streams.load(Ordering::Relaxed)
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
    pub(super) fn stream(self: &Arc<Self>) -> Channel<Bytes, Infallible> {
        let (sender, body) = Channel::new(1);
        self.streams.fetch_add(1, Ordering::Relaxed);
        let counted = Counted(Arc::clone(self));
        tokio::task::spawn_local(async move {
            // It ends when the client disconnects.
            let _ = counted.0.tell(sender).await;
        });
        body
    }

    async fn tell(
        &self,
        mut sender: Sender<Bytes, Infallible>,
    ) -> Result<(), http_body_util::channel::SendError> {
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
