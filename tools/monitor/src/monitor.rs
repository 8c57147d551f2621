//! The monitor: sources that are read, each on a thread of its own.

use crate::http::{self, Listen, Server, Token};
use crate::input::Input;
use crate::reading::Reading;
use crate::registry::Registry;
use crate::session::Origin;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// How a monitor keeps what it reads.
#[derive(Clone, Debug)]
pub struct Options {
    /// How many of the newest bytes of the log of each program are kept.
    pub keep: u64,
    /// In which directory. It is made when it is needed, for our own user alone.
    pub directory: PathBuf,
}

/// Reads sources, and knows what they say. Dropped, it reads no more.
#[derive(Debug)]
pub struct Monitor {
    registry: Arc<Registry>,
}

/// Whether a source is still read.
#[derive(Clone, Debug)]
pub struct Reads(Arc<AtomicBool>);

impl Reads {
    /// Whether there will be nothing more of it.
    pub fn is_over(&self) -> bool {
        // It guards no other data.
        self.0.load(Ordering::Relaxed)
    }
}

impl Monitor {
    /// Nothing is read yet.
    pub fn new(options: Options) -> Self {
        let registry = Registry::new(options.keep, options.directory);
        Self {
            registry: Arc::new(registry),
        }
    }

    /// Reads a source from now on. `name` is what it is called, `from` what it is, `live` whether a
    /// program is at its other end.
    ///
    /// # Errors
    ///
    /// The thread for it cannot be started.
    pub fn add(&self, name: &str, from: &str, live: bool, input: Input) -> io::Result<Reads> {
        let origin = Origin {
            name: name.to_owned(),
            from: from.to_owned(),
            live,
        };
        let over = Arc::new(AtomicBool::new(false));
        let reads = Reads(Arc::clone(&over));
        let reading = Reading::new(Arc::clone(&self.registry), origin);
        std::thread::Builder::new()
            .name("monitor-reads".to_owned())
            .spawn(move || {
                reading.run(input);
                over.store(true, Ordering::Relaxed);
            })?;
        Ok(reads)
    }

    /// Serves what is known, on threads of its own. Without a token, everybody who can connect may
    /// ask.
    ///
    /// # Errors
    ///
    /// The address cannot be had, or the thread cannot be started.
    pub fn serve(&self, at: &Listen, token: Option<Token>) -> io::Result<Server> {
        http::serve(&self.registry, at, token)
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        self.registry.stop();
    }
}
