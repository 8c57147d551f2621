//! One run of `writer.c`.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::build::{Built, Library};
use crate::client::{Address, Client, Manner, Seen, free_port};
use crate::process::{Figures, Running, Scratch};
use crate::stats::Quantiles;

/// How long a run may take, at most.
const LIMIT: Duration = Duration::from_secs(120);

/// The parameters of a run.
#[derive(Debug, Clone)]
pub struct Writing {
    /// The library that the program is linked with.
    pub library: Library,
    /// False: without any.
    pub socket: bool,
    /// Over a Unix socket, or TCP.
    pub tcp: bool,
    /// The client.
    pub client: Manner,
    /// Callers at the same time.
    pub threads: u64,
    /// Bytes of a call.
    pub chunk: u64,
    /// Calls of each thread.
    pub calls: u64,
    /// From one call of a thread to its next, in nanoseconds; 0: flat out.
    pub pace_ns: u64,
    /// Each chunk contains its time.
    pub stamped: bool,
    /// The client has to receive all of it.
    pub whole: bool,
    /// Milliseconds of idle time to measure, afterwards.
    pub idle_ms: u64,
    /// Variables for the library.
    pub settings: Vec<(&'static str, String)>,
}

impl Writing {
    /// One thread, flat out, over a Unix socket.
    pub fn new(library: Library, client: Manner, chunk: u64, calls: u64) -> Writing {
        Writing {
            library,
            socket: true,
            tcp: false,
            client,
            threads: 1,
            chunk,
            calls,
            pace_ns: 0,
            stamped: false,
            whole: false,
            idle_ms: 0,
            settings: Vec::new(),
        }
    }

    /// The payload of all calls, in bytes.
    pub fn bytes(&self) -> u64 {
        self.threads * self.calls * self.chunk
    }
}

/// The results of a run.
#[derive(Debug)]
pub struct Written {
    /// The figures that the program prints.
    pub figures: Figures,
    /// Nanoseconds of the calls.
    pub quantiles: Quantiles,
    /// What the client received.
    pub seen: Seen,
}

impl Written {
    /// A figure; NaN if the program does not print it.
    pub fn figure(&self, name: &str) -> f64 {
        self.figures.get(name).copied().unwrap_or(f64::NAN)
    }
}

/// The programs, one for each library.
#[derive(Debug)]
pub struct Writers(HashMap<Library, PathBuf>);

impl Writers {
    /// Those for `libraries`.
    ///
    /// # Errors
    /// One cannot be built.
    pub fn new(built: &Built, libraries: &[Library]) -> Result<Writers, String> {
        let each = libraries.iter();
        let programs = each.map(|library| Ok((*library, built.writer(*library)?)));
        Ok(Writers(programs.collect::<Result<_, String>>()?))
    }

    /// Run one.
    ///
    /// A description of what went wrong.
    /// In words.
    pub fn run(&self, writing: &Writing) -> Result<Written, String> {
        let program = self.0.get(&writing.library).ok_or("not built")?;
        let scratch = Scratch::new().map_err(|error| error.to_string())?;
        let (address, place) = if writing.tcp {
            let port = free_port().map_err(|error| error.to_string())?;
            (Address::Tcp(port), format!("port={port}"))
        } else {
            let path = scratch.join("socket");
            let place = format!("unix={}", path.display());
            (Address::Unix(path), place)
        };
        let samples = scratch.join("samples");
        // The copy has no socket.
        let client = match writing.library {
            Library::Memcpy => Manner::None,
            _ => writing.client,
        };
        let waits = matches!(client, Manner::Fast | Manner::Slow | Manner::Stalled);
        let mut command = Command::new(program);
        if writing.socket {
            command.arg(place);
        }
        command.arg(format!("samples={}", samples.display()));
        for (name, value) in [
            ("threads", writing.threads),
            ("chunk", writing.chunk),
            ("calls", writing.calls),
            ("pace_ns", writing.pace_ns),
            ("stamped", writing.stamped.into()),
            ("idle_ms", writing.idle_ms),
            ("wait", waits.into()),
        ] {
            command.arg(format!("{name}={value}"));
        }
        let running = Running::start(&mut command, &writing.settings)?;
        running.line("listening", LIMIT)?;
        let client = match client {
            Manner::None => None,
            manner => Some(
                Client::start(&address, manner, writing.bytes(), writing.stamped)
                    .map_err(|error| format!("connecting: {error}"))?,
            ),
        };
        let figures = running.result(LIMIT)?;
        if let Some(client) = client.as_ref().filter(|_| writing.whole) {
            client.wait(LIMIT);
        }
        let words = fs::read(&samples).map_err(|error| format!("samples: {error}"))?;
        let samples: Vec<u64> = words
            .as_chunks()
            .0
            .iter()
            .map(|word| u64::from_ne_bytes(*word))
            .collect();
        // Before the client disconnects: a visiting client would wait for an answer.
        drop(running);
        // The connection ends with an error because the program was killed.
        let seen = client.map(|client| client.stop().unwrap_or_default());
        Ok(Written {
            figures,
            quantiles: Quantiles::of(&samples),
            seen: seen.unwrap_or_default(),
        })
    }
}
