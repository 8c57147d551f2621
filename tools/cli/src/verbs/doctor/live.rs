//! What the stream of a running program shows.

use super::report::{Check, Report};
use super::runtime::{self, Version, Way};
use crate::filter::class_of;
use crate::input::{Input, Reading, Step};
use crate::source::SourceArgs;
use crate::units::{Bytes, Nanos};
use anyhow::Result;
use eventlog_state::{Keep, Losses, Program, State, Turn};
use ghc_eventlog::{Event, Header, Item};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often the clock is read while nothing arrives.
const TICK: Duration = Duration::from_millis(20);
/// Blocks that arrive closer together than this are one flush.
const APART: Duration = Duration::from_millis(15);
/// Blocks that arrive this soon after the first one are sent because we have connected: what the
/// program repeats for every client, and the flush that the library asks for then.
const BEGINNING: Duration = Duration::from_millis(500);
/// Blocks of this size were sent because they were full.
const FULL: u32 = 1 << 20;

/// What has been seen so far.
#[derive(Default)]
struct Seen {
    /// The state of the latest log.
    state: Option<State>,
    /// Events by class.
    classes: BTreeMap<&'static str, u64>,
    blocks: u64,
    full: u64,
    /// The times of flushes.
    flushes: Vec<Instant>,
    last: Option<Instant>,
}

/// Listens for a while.
pub fn examine(source: &SourceArgs, listen: Duration) -> Result<Report> {
    let reading = Reading {
        tick: Some(TICK),
        recover: true,
        ..Reading::default()
    };
    let input = Input::open(source, reading)?;
    let until = Instant::now() + listen;
    let mut seen = Seen::default();
    let outcome = input.each(|step| {
        let now = Instant::now();
        match step {
            Step::Header(header) => seen.state = Some(listening(&header)),
            Step::Item(Item::Event(event)) => seen.event(&event),
            Step::Item(Item::Block(block)) => seen.block(block.size, now),
            Step::Item(_) | Step::Run(_) | Step::Rejoined | Step::Idle => {}
        }
        Ok(match now < until {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        })
    })?;
    Ok(seen.report(source.source.to_string(), listen, !outcome.stopped))
}

/// Of the state of the log, only the program and the losses are needed.
fn listening(header: &Arc<Header>) -> State {
    State::new(header, Keep::least())
}

impl Seen {
    fn program(&self) -> Option<&Program> {
        self.state.as_ref()?.programs().first()
    }

    fn args(&self) -> &[Arc<str>] {
        self.program().map_or(&[], |program| &program.args)
    }

    fn event(&mut self, event: &Event<'_>) {
        if let Some(state) = &mut self.state {
            state.apply(event, Turn::Early, &mut |_| {});
        }
        if let Some(class) = class_of(event.id()) {
            *self.classes.entry(class).or_default() += 1;
        }
    }

    fn block(&mut self, size: u32, now: Instant) {
        self.blocks += 1;
        self.full += u64::from(size >= FULL);
        let new = self.last.is_none_or(|last| now - last > APART);
        self.last = Some(now);
        // More than enough to compute the interval between them.
        if new && self.flushes.len() < 10_000 {
            self.flushes.push(now);
        }
    }

    fn report(self, target: String, listen: Duration, ended: bool) -> Report {
        // "GHC-9.6.6 rts_thr"
        let program = self.program();
        let rts = program.and_then(|program| program.rts.as_deref());
        let (version, way) = rts
            .unwrap_or("")
            .split_once(' ')
            .unwrap_or((rts.unwrap_or(""), ""));
        let ghc = version.strip_prefix("GHC-").map(str::to_owned);
        let version = ghc.as_deref().and_then(Version::parse);
        let way = Some(way)
            .filter(|way| way.starts_with("rts"))
            .map(Way::parse);
        let mut checks = vec![self.connection(listen, ended)];
        if self.state.is_some() {
            if let Some(way) = &way {
                checks.push(runtime::threaded(way, true));
            }
            checks.push(self.arguments());
            checks.push(self.seen_classes());
            checks.push(self.flush(listen, way.as_ref(), version));
            checks.push(self.heap_profile());
            checks.extend(self.lost());
        }
        Report {
            target,
            kind: "stream",
            ghc,
            way: way.map(|way| way.name),
            checks,
        }
    }

    fn connection(&self, listen: Duration, ended: bool) -> Check {
        let check = "connection";
        let time = Nanos(listen.as_nanos() as u64);
        match (self.state.is_some(), ended) {
            (true, false) => Check::ok(
                check,
                format!("connected; {} blocks in {time}", self.blocks),
            ),
            (true, true) => Check::advice(
                check,
                format!(
                    "the stream ended after {} blocks: the program has ended",
                    self.blocks
                ),
            ),
            (false, true) => Check::missing(check, "closed at once, without a log").tell(
                "the program ended, or has no log: link it with -eventlog (up to GHC 9.2), \
                 run it with +RTS -l",
            ),
            (false, false) => {
                Check::missing(check, format!("connected, but nothing came in {time}"))
                    .tell("another client is served, or the log has not begun")
                    .add("+RTS -l")
            }
        }
    }

    fn arguments(&self) -> Check {
        match self.args() {
            [] => Check::unknown("arguments", "the program has not logged its arguments yet"),
            args => Check::ok("arguments", args.join(" ")),
        }
    }

    fn seen_classes(&self) -> Check {
        let check = "classes";
        let list: Vec<String> = self
            .classes
            .iter()
            .map(|(class, count)| format!("{class} {count}"))
            .collect();
        if list.is_empty() {
            return Check::unknown(check, "no events came");
        }
        let has = |classes: &[&str]| classes.iter().any(|class| self.classes.contains_key(class));
        let mut missing = Vec::new();
        if !has(&["thread"]) {
            missing.push("threads (-ls)");
        }
        if !has(&["gc", "heap"]) {
            missing.push("collections (-lg)");
        }
        if !has(&["user"]) {
            missing.push("messages of the program (-lu; traceEventIO)");
        }
        let found = list.join(", ");
        match missing.is_empty() {
            true => Check::ok(check, found),
            false => Check::advice(check, found).tell(format!(
                "not seen, perhaps only in this time: {}",
                missing.join(", ")
            )),
        }
    }

    fn flush(&self, listen: Duration, way: Option<&Way>, version: Option<Version>) -> Check {
        let check = "flush";
        let time = Nanos(listen.as_nanos() as u64);
        let asked = self.args().iter();
        let asked = asked
            .filter(|of| of.starts_with("--eventlog-flush-interval"))
            .count()
            > 0;
        let fault = way
            .filter(|_| asked)
            .and_then(|way| runtime::flush_interval_fault(way, version));
        let beginning = self
            .flushes
            .first()
            .map(|first| *first + BEGINNING.min(listen / 2));
        let later = self.flushes.iter().copied();
        let later: Vec<Instant> = later.filter(|at| Some(*at) > beginning).collect();
        let (Some(first), Some(last)) = (later.first(), later.last()) else {
            let found = format!(
                "after the beginning nothing came in {time}: events come when a \
                                 buffer of 2 MiB is full"
            );
            return Check::advice(check, found)
                .tell(
                    "to see them sooner, set this where the program starts, or let any verb ask \
                     for them: --flush 1s",
                )
                .add("GHC_EVENTLOG_FLUSH_INTERVAL=1s");
        };
        let every = match later.len() {
            1 => *last - self.flushes[0],
            count => (*last - *first) / (count as u32 - 1),
        };
        let every = Nanos(every.as_nanos() as u64);
        let found = match self.full * 2 > self.blocks {
            true => format!(
                "buffers come full ({}), one about every {every}",
                Bytes(FULL.into())
            ),
            false => format!("blocks come about every {every}"),
        };
        match fault {
            Some(fault) => Check::advice(check, found).tell(fault),
            None => Check::ok(check, found),
        }
    }

    fn heap_profile(&self) -> Check {
        let check = "heap_profile";
        let breakdown = self.state.as_ref();
        let breakdown = breakdown.and_then(|state| state.samples().breakdown());
        match (breakdown, self.classes.contains_key("heap_profile")) {
            (Some(breakdown), _) => {
                let name = breakdown.name().unwrap_or("something unknown");
                Check::ok(check, format!("on, by {}", name.replace('_', " ")))
            }
            (None, true) => Check::ok(check, "on"),
            (None, false) => Check::advice(check, "none in the stream").add("+RTS -hT"),
        }
    }

    fn lost(&self) -> Option<Check> {
        let Losses { chunks, bytes, .. } = *self.state.as_ref()?.losses();
        (chunks > 0).then(|| {
            let found = format!("{chunks} chunks were lost ({})", Bytes(bytes));
            Check::advice("losses", found)
                .tell("a larger ring bridges longer pauses of the client")
                .add("GHC_EVENTLOG_BUFFER_SIZE=64M")
        })
    }
}
