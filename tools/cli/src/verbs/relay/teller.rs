//! Prints what happens, on a thread of its own, so that the relay never waits for the terminal.

use super::news::{News, Weight};
use super::view::View;
use super::watch::{FullStatus, Watch};
use crate::errors;
use crate::printable;
use crate::progress::Panel;
use serde::Serialize;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The most messages that may wait.
const ROOM: usize = 1024;
/// How often the state is drawn.
const DRAW: Duration = Duration::from_millis(250);
/// How long to wait for the last messages, where a thread may get no processor for a while.
const LAST: Duration = Duration::from_secs(5);

/// How messages are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Only warnings and errors.
    Quiet,
    /// In words, one message after the other.
    Words,
    /// As JSON, one object a line.
    Json,
    /// The state is drawn on the terminal again and again; what it does not show is printed in
    /// words.
    Panel,
}

/// Takes messages from any thread.
#[derive(Clone, Debug)]
pub struct MessageSender {
    to: SyncSender<News>,
    lost: Arc<AtomicU64>,
}

impl MessageSender {
    /// Takes a message. It never waits: a message for which there is no room is counted.
    pub fn tell(&self, news: News) {
        if let Err(TrySendError::Full(_)) = self.to.try_send(news) {
            // It guards no other data.
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The messages that are to be printed.
#[derive(Debug)]
pub struct Inbox {
    from: Receiver<News>,
    lost: Arc<AtomicU64>,
}

/// A channel for messages, before the thread that prints them exists.
pub fn channel() -> (MessageSender, Inbox) {
    let (to, from) = sync_channel(ROOM);
    let lost = Arc::default();
    let told = MessageSender {
        to,
        lost: Arc::clone(&lost),
    };
    (told, Inbox { from, lost })
}

/// The thread that prints messages.
#[derive(Debug)]
pub struct MessageThread(JoinHandle<()>);

impl MessageThread {
    /// Starts it.
    pub fn start(inbox: Inbox, manner: Manner, watch: Watch) -> Self {
        Self(std::thread::spawn(move || run(&inbox, manner, watch)))
    }

    /// Waits until everything is printed, but not for a terminal that accepts nothing. All
    /// [`MessageSender`]s must be gone, or have sent [`News::Ended`].
    pub fn finish(self) {
        let start = Instant::now();
        while !self.0.is_finished() && start.elapsed() < LAST {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

fn run(inbox: &Inbox, manner: Manner, watch: Watch) {
    let mut panel = (manner == Manner::Panel).then(|| (Panel::new(), View::default()));
    // Drained or not, the relay ends when the other handles are dropped.
    let mut watch = Some(watch);
    let mut next = Instant::now();
    loop {
        let news = match &panel {
            None => inbox
                .from
                .recv()
                .map_err(|_| RecvTimeoutError::Disconnected),
            Some(_) => {
                let left = next.saturating_duration_since(Instant::now());
                inbox.from.recv_timeout(left)
            }
        };
        match news {
            Ok(News::Ended) => {
                watch = None;
                panel = None;
                write(&News::Ended, manner);
            }
            Ok(news) => write(&news, manner),
            Err(RecvTimeoutError::Disconnected) => return,
            Err(RecvTimeoutError::Timeout) => {
                next = Instant::now() + DRAW;
                if let (Some((panel, view)), Some(watch)) = (&mut panel, &watch) {
                    let status: FullStatus = watch.status();
                    panel.draw(|room| view.lines(&status, room));
                }
            }
        }
        let lines = inbox.lost.swap(0, Ordering::Relaxed);
        if lines > 0 {
            write(&News::LinesLost { lines }, manner);
        }
        if watch.is_none() {
            return;
        }
    }
}

fn write(news: &News, manner: Manner) {
    if manner == Manner::Json {
        return write_json(news);
    }
    let Some((weight, text)) = news.text() else {
        return;
    };
    match (weight, manner) {
        (Weight::Warning, _) => errors::warn(text),
        (_, Manner::Quiet) | (Weight::Detail, Manner::Panel) => {}
        (Weight::Hint, _) => errors::hint(text),
        (Weight::Note | Weight::Detail, _) => errors::note(text),
    }
}

/// A line with the time.
#[derive(Serialize)]
struct Line<'a> {
    unix_s: f64,
    #[serde(flatten)]
    news: &'a News,
}

fn write_json(news: &News) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let unix_s = now.map_or(0.0, |now| (now.as_secs_f64() * 1e3).round() / 1e3);
    let mut line = Vec::new();
    let written = printable::write_json(&mut line, &Line { unix_s, news });
    if written.is_ok() {
        line.push(b'\n');
        // If standard error is closed, the message cannot be reported anywhere.
        let _ = std::io::stderr().lock().write_all(&line);
    }
}
