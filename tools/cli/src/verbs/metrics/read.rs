//! Reading the logs, each on a thread of its own.

use super::found::{self, Reading as ReadingFound};
use super::messages::{Said, TICK, Told};
use super::{Making, Sources};
use crate::errors;
use crate::source::{self, tell};
use anyhow::Result;
use eventlog_metrics::{Program, Watched};
use eventlog_source::{Connecting, Reconnecting, Source};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::time::Instant;

/// How far the reading threads may be ahead of the receiver of their output.
const AHEAD: usize = 16;
/// Where programs that are found by themselves come from.
pub struct Finding<'a> {
    pub making: &'a Making,
    pub watched: &'a Watched,
}

/// Reads all sources, and the programs that are found. `each` gets their output, one after the
/// other. Returns the worst of all exit codes.
pub fn all(
    how: &Sources,
    given: Vec<(Source, Arc<Program>)>,
    finding: Option<&Finding<'_>>,
    each: &mut dyn FnMut(Told) -> Result<()>,
) -> Result<ExitCode> {
    let (sender, told) = sync_channel(AHEAD);
    let mut left = given.len();
    let several = left > 1;
    let reading = ReadingFound::default();
    let reading = &reading;
    let mut code = ExitCode::SUCCESS;
    std::thread::scope(|scope| {
        for (source, program) in given {
            let sender = sender.clone();
            scope.spawn(move || {
                let result = one(how, &source, &program, &sender);
                // The receiver may be gone.
                let _ = sender.send(Said::Over(result));
            });
        }
        if finding.is_some() {
            left += 1;
            let sender = sender.clone();
            scope.spawn(move || {
                found::watch(how, reading, &sender);
                let _ = sender.send(Said::Over(Ok(ExitCode::SUCCESS)));
            });
        }
        // Each program that is found gets its own.
        let own = finding.is_some().then_some(sender);
        let mut next = how.tick.map(|tick| Instant::now() + tick);
        let mut failed = None;
        while left > 0 {
            let said = match next {
                // It is due, however much output is waiting.
                Some(next) if Instant::now() >= next => Err(RecvTimeoutError::Timeout),
                None => told.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(next) => told.recv_timeout(next.saturating_duration_since(Instant::now())),
            };
            let told = match said {
                Ok(Said::Told(told)) => told,
                Ok(Said::Came(it)) => {
                    if let (Some(finding), Some(sender)) = (finding, &own) {
                        let program = finding.making.found(&it.name().to_string_lossy());
                        finding.watched.came(&program);
                        left += 1;
                        let sender = sender.clone();
                        scope.spawn(move || {
                            let result = found::read(how, reading, &it, &program, &sender);
                            let _ = sender.send(Said::Went(program));
                            let _ = sender.send(Said::Over(result));
                        });
                    }
                    continue;
                }
                Ok(Said::Went(program)) => {
                    if let Some(finding) = finding {
                        finding.watched.ended(&program);
                    }
                    continue;
                }
                Err(RecvTimeoutError::Timeout) => {
                    next = next.zip(how.tick).map(|(_, tick)| Instant::now() + tick);
                    Told::Tick
                }
                Ok(Said::Over(result)) => {
                    left -= 1;
                    match result {
                        Ok(result) if result == ExitCode::SUCCESS => {}
                        Ok(result) => code = result,
                        // One that fails does not end the others.
                        Err(error) if several => code = errors::report(&error),
                        Err(error) => failed = failed.take().or(Some(error)),
                    }
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => break,
            };
            if failed.is_none()
                && let Err(error) = each(told)
            {
                failed = Some(error);
                how.stop.set();
            }
        }
        if failed.is_none() && how.tick.is_some() {
            failed = each(Told::Tick).err();
        }
        failed.map_or(Ok(code), Err)
    })
}

/// Reads one.
fn one(
    how: &Sources,
    source: &Source,
    program: &Program,
    sender: &SyncSender<Said>,
) -> Result<ExitCode> {
    let stop = how.stop.clone();
    let connecting = Connecting::new()
        .wait(how.wait)
        .missing_ok(how.follow)
        .tick(Some(TICK))
        .stop(move || stop.is_set())
        .programs(source::attach)
        .notices(|notice| tell(notice, true));
    // A program that runs is not made to wait.
    let wait = !how.follow && !source.is_socket();
    let mut out = |told| {
        // If nothing receives it, the process is about to end.
        let _ = sender.send(Said::output(told, wait));
    };
    if how.follow || (how.reconnect && source.is_socket()) {
        let connecting = connecting.flush(how.flush.every);
        let log = Reconnecting::new(source.clone(), connecting);
        // A log that is followed is over when it is complete.
        let until_end = !(how.reconnect && source.is_socket());
        return match program.follow(log, until_end, &mut out) {
            Ok(()) => Ok(ExitCode::SUCCESS),
            Err(error) => Err(source::failed(error)),
        };
    }
    let mut connection = how.flush.connect(source, &connecting)?;
    let read = program.read(&mut connection, || how.stop.is_set(), &mut out);
    let fault = read.map_err(|cause| {
        let from = source.clone();
        source::failed(eventlog_source::Error::Read { from, cause })
    })?;
    match fault {
        Err(fault) if !program.is_begun() => {
            Err(anyhow::Error::new(fault).context(source.to_string()))
        }
        Err(fault) => {
            errors::fault(&source.to_string(), fault);
            Ok(ExitCode::from(errors::INPUT))
        }
        Ok(()) if !program.is_begun() && !how.stop.is_set() => {
            Err(errors::no_header(&source.to_string()))
        }
        Ok(()) => Ok(ExitCode::SUCCESS),
    }
}
