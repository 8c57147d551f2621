//! The list of sessions, for everybody who wants to know when it changes.

use crate::registry::Registry;
use bytes::Bytes;
use http_body_util::channel::{Channel, Sender};
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

/// It is not told more often than this.
const OFTEN: Duration = Duration::from_millis(250);
/// A long list is told less often: no client gets more bytes in a second.
const BYTES: usize = 80_000;
/// When nothing changes, a client that is gone is found out in this time.
const QUIET: Duration = Duration::from_secs(15);

/// What streams tell, made once for all.
#[derive(Debug)]
pub(super) struct News {
    registry: Arc<Registry>,
    latest: watch::Sender<Bytes>,
    streams: AtomicUsize,
}

/// Counts a stream as long as there is one.
struct Counted(Arc<News>);

impl Drop for Counted {
    fn drop(&mut self) {
        // A number that is shown, and nothing else.
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

    /// How many streams there are.
    pub(super) fn streams(&self) -> usize {
        self.streams.load(Ordering::Relaxed)
    }

    fn event(&self) -> Bytes {
        let list = serde_json::to_string(&self.registry.summaries());
        let list = list.unwrap_or_else(|_| "[]".to_owned());
        format!("event: sessions\ndata: {list}\n\n").into()
    }

    /// Looks what has changed, for ever.
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

    /// A stream, which is written by a task of this thread.
    pub(super) fn stream(self: &Arc<Self>) -> Channel<Bytes, Infallible> {
        let (sender, body) = Channel::new(1);
        self.streams.fetch_add(1, Ordering::Relaxed);
        let counted = Counted(Arc::clone(self));
        tokio::task::spawn_local(async move {
            // A client that goes away ends it.
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
            // One that is slow misses some, and gets the latest.
            let news = match timeout(QUIET, latest.changed()).await {
                Ok(Ok(())) => latest.borrow_and_update().clone(),
                Ok(Err(_)) => return Ok(()),
                Err(_) => Bytes::from_static(b":\n\n"),
            };
            sender.send_data(news).await?;
        }
    }
}
