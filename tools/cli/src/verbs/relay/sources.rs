//! The sources of the relay, with reports of their connections.

use super::news::News;
use super::teller::MessageSender;
use crate::source;
use eventlog_relay::{Address, Arrivals, Intake, Relay};
use eventlog_source::{
    Arrival, Connecting, Error, Notice, Reconnecting, Replay, Source, Speed, Wait,
};
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use std::time::Duration;

/// How often the stop flag is read.
const TICK: Duration = Duration::from_millis(100);

/// Set once nothing is to be read any more.
#[derive(Clone, Debug, Default)]
pub struct StopReading(Arc<AtomicBool>);

impl StopReading {
    /// Stops reading from now on.
    pub fn set(&self) {
        // It guards no other data.
        self.0.store(true, Ordering::Relaxed);
    }

    fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// How sources are read.
#[derive(Clone, Debug)]
pub struct ReadOptions {
    /// How long to wait for one that is not there.
    pub wait: Wait,
    /// How often programs are asked for their events.
    pub flush: Option<Duration>,
    /// When to stop.
    pub over: StopReading,
    /// Where notices are sent.
    pub told: MessageSender,
    /// The relay itself, once it has started: programs that are found are shared.
    pub relay: Arc<OnceLock<Relay>>,
}

impl ReadOptions {
    fn connecting(&self, name: &str) -> Connecting {
        let (over, told, name) = (self.over.clone(), self.told.clone(), name.to_owned());
        let (relay, source) = (self.relay.clone(), name.clone());
        Connecting::new()
            .programs(move |program| {
                source::attach_and(program, |slot| {
                    let at = Address::Unix(slot.relay());
                    let relay = relay.get().ok_or(io::ErrorKind::NotConnected)?;
                    let served = relay.serve_instead(&at, Some(&source));
                    served.map(drop).map_err(io::Error::other)
                })
            })
            .wait(self.wait)
            // A program that is not up yet has no log, and no socket either.
            .missing_ok(true)
            .tick(Some(TICK))
            .stop(move || over.is_set())
            .notices(move |notice| tell(notice, &name, &told))
    }

    /// A source for as long as it exists: sockets are connected to again, and files are read as
    /// they grow.
    pub fn live(&self, name: &str, source: &Source) -> Intake {
        // Only sockets can be asked.
        let flush = self.flush.filter(|_| source.is_socket());
        let how = self.connecting(name).flush(flush);
        let intake = Intake::new(Watched {
            arrivals: Reconnecting::new(source.clone(), how),
            name: name.to_owned(),
            told: self.told.clone(),
        });
        // Nothing of a file is lost when it is read later. Every other source has a program at its
        // other end, which must not wait.
        intake.may_wait(source.size().is_some())
    }

    /// A recording at the pace at which it was written, as soon as the gate is open.
    pub fn replay(
        &self,
        name: &str,
        source: &Source,
        speed: Speed,
        gate: Gate,
    ) -> Result<Intake, Error> {
        let how = self.connecting(name).wait(Duration::ZERO).missing_ok(false);
        let log = source.connect(&how)?;
        if !gate.wait(Duration::ZERO) {
            let source = name.to_owned();
            self.told.tell(News::ReplayWaits { source });
        }
        let over = self.over.clone();
        let over_too = self.over.clone();
        let intake = Intake::read(Gated {
            log: Replay::new(log, speed).stop(move || over.is_set()),
            gate: Some(gate),
            over: over_too,
        });
        Ok(intake.may_wait(source.size().is_some()))
    }
}

fn tell(notice: &Notice<'_>, name: &str, told: &MessageSender) {
    if let Some(message) = source::notice_text(notice) {
        let source = name.to_owned();
        told.tell(News::SourceNotice { source, message });
    }
}

/// A source whose connections are reported.
struct Watched {
    arrivals: Reconnecting,
    name: String,
    told: MessageSender,
}

impl Arrivals for Watched {
    fn next(&mut self, buffer: &mut [u8]) -> Result<Arrival, Error> {
        let arrival = self.arrivals.next(buffer)?;
        if matches!(arrival, Arrival::NewLog) {
            self.told.tell(News::SourceConnected {
                source: self.name.clone(),
                from: self.arrivals.source().to_string(),
            });
        }
        Ok(arrival)
    }

    fn commands(&mut self) -> Option<OwnedFd> {
        Arrivals::commands(&mut self.arrivals)
    }
}

/// Opened once, by the first client of a replay.
#[derive(Clone, Debug, Default)]
pub struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    /// Opens it for all that wait.
    pub fn open(&self) {
        let (open, changed) = &*self.0;
        *open.lock().unwrap_or_else(PoisonError::into_inner) = true;
        changed.notify_all();
    }

    /// Waits for it to open, for a while. Returns whether it is open.
    fn wait(&self, patience: Duration) -> bool {
        let (open, changed) = &*self.0;
        let open = open.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = changed.wait_timeout_while(open, patience, |open| !*open);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// A log that is not read before its gate is open.
struct Gated<R> {
    log: R,
    gate: Option<Gate>,
    over: StopReading,
}

impl<R: Read> Read for Gated<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(gate) = &self.gate {
            if self.over.is_set() {
                return Ok(0);
            }
            if !gate.wait(TICK) {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            self.gate = None;
        }
        self.log.read(buffer)
    }
}
