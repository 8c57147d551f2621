//! A client that reads in the background, at its own pace.

use super::client::{Address, Client, contains};
use super::waiting::{FLUSH_LIMIT, LIMIT, eventually};
use std::io::ErrorKind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

#[derive(Debug, Clone, Copy)]
pub enum Pace {
    Fast,
    BytesPerSecond(u64),
}

#[derive(Debug, Default)]
struct Shared {
    bytes: Mutex<Vec<u8>>,
    leave: AtomicBool,
}

#[derive(Debug)]
pub struct Collector {
    shared: Arc<Shared>,
    thread: JoinHandle<Result<(), String>>,
}

impl Collector {
    #[track_caller]
    pub fn connect(address: &Address) -> Self {
        Self::start(Client::connect(address), Pace::Fast)
    }

    /// Go on in the background, with what the client has received already.
    pub fn resume(client: Client) -> Self {
        Self::start(client, Pace::Fast)
    }

    pub fn start(mut client: Client, pace: Pace) -> Self {
        let shared = Arc::new(Shared::default());
        *shared.bytes.lock().expect("bytes") = std::mem::take(&mut client.received);
        let theirs = Arc::clone(&shared);
        let thread = std::thread::spawn(move || collect(client, pace, &theirs));
        Self { shared, thread }
    }

    pub fn len(&self) -> usize {
        self.shared.bytes.lock().expect("bytes").len()
    }

    #[track_caller]
    pub fn wait_for_text(&self, text: &str) {
        // Each byte is looked at once: there may be hundreds of megabytes.
        let mut from = 0;
        eventually(FLUSH_LIMIT, &format!("{text:?} in the stream"), || {
            let bytes = self.shared.bytes.lock().expect("bytes");
            let found = contains(&bytes[from..], text.as_bytes());
            from = bytes.len().saturating_sub(text.len());
            found
        });
    }

    pub fn contains(&self, text: &str) -> bool {
        contains(&self.shared.bytes.lock().expect("bytes"), text.as_bytes())
    }

    /// Everything, up to the end of the stream.
    #[track_caller]
    pub fn finish(self) -> Vec<u8> {
        let what = "the end of the stream";
        eventually(2 * LIMIT, what, || self.thread.is_finished());
        if let Err(error) = self.thread.join().expect("the collector") {
            panic!("{error}");
        }
        std::mem::take(&mut self.shared.bytes.lock().expect("bytes"))
    }

    /// Hang up now.
    pub fn leave(self) -> Vec<u8> {
        self.shared.leave.store(true, Ordering::Relaxed);
        let _ = self.thread.join().expect("the collector");
        std::mem::take(&mut self.shared.bytes.lock().expect("bytes"))
    }
}

fn collect(mut client: Client, pace: Pace, shared: &Shared) -> Result<(), String> {
    // Not what was missed in a pause may be made up for: never faster than this.
    let mut due = Instant::now();
    let mut total = 0_u64;
    while !shared.leave.load(Ordering::Relaxed) {
        match client.read_some(Duration::from_millis(50)) {
            Ok(0) => return Ok(()),
            Ok(count) => {
                let mut bytes = shared.bytes.lock().expect("bytes");
                bytes.append(&mut client.received);
                drop(bytes);
                total += count as u64;
                if let Pace::BytesPerSecond(rate) = pace {
                    let now = Instant::now();
                    due = due.max(now) + Duration::from_secs_f64(count as f64 / rate as f64);
                    std::thread::sleep(due.saturating_duration_since(now));
                }
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) => return Err(format!("the stream broke after {total} bytes: {error}")),
        }
    }
    Ok(())
}
