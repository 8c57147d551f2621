//! The monitor: reads sources, each on two threads of its own.

use crate::folding::Folding;
use crate::http::{self, Listen, Server, Token};
use crate::input::Input;
use crate::reading::Reading;
use crate::registry::Registry;
use crate::session::Origin;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Options of a monitor.
#[derive(Clone, Debug)]
pub struct Options {
    /// How many bytes of the newest part of each program's log are kept.
    pub keep: u64,
    /// The directory for them. It is created when needed, with access for our user only.
    pub directory: PathBuf,
}

/// Reads sources and keeps their sessions. Dropping it stops reading.
#[derive(Debug)]
pub struct Monitor {
    registry: Arc<Registry>,
}

/// Shows whether a source is still being read.
#[derive(Clone, Debug)]
pub struct Reads(Arc<AtomicBool>);

impl Reads {
    /// Whether the source has ended.
    pub fn is_over(&self) -> bool {
        // Relaxed: it guards no other data.
        self.0.load(Ordering::Relaxed)
    }
}

impl Monitor {
    /// A monitor without sources.
    pub fn new(options: Options) -> Self {
        let registry = Registry::new(options.keep, options.directory);
        Self {
            registry: Arc::new(registry),
        }
    }

    /// Starts reading a source. `name` is its name, `from` its address or path, `live` whether it
    /// is a running program.
    ///
    /// # Errors
    ///
    /// If its threads cannot be started.
    pub fn add(&self, name: &str, from: &str, live: bool, input: Input) -> io::Result<Reads> {
        let origin = Origin {
            name: name.to_owned(),
            from: from.to_owned(),
            live,
        };
        let over = Arc::new(AtomicBool::new(false));
        let reads = Reads(Arc::clone(&over));
        let reading = Reading::new(Arc::clone(&self.registry), origin, Folding::start()?);
        std::thread::Builder::new()
            .name("monitor-reads".to_owned())
            .spawn(move || {
                reading.run(input);
                over.store(true, Ordering::Relaxed);
            })?;
        Ok(reads)
    }

    /// Serves the sessions, on separate threads. Without a token, everybody who can connect has
    /// access.
    ///
    /// # Errors
    ///
    /// If the address cannot be listened on, or the thread cannot be started.
    pub fn serve(&self, at: &Listen, token: Option<Token>) -> io::Result<Server> {
        http::serve(&self.registry, at, token)
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        self.registry.stop();
    }
}
