//! `events`, `at`, `arrows`: single events, from the log itself.

use super::earliest::Earliest;
use super::names::{self, reason};
use super::question::{Answer, Question, Refusal, json};
use crate::places::{BACK, Place};
use crate::scan::Limit;
use crate::session::Contents;
use eventlog_series::{Doing, Row};
use eventlog_state::ThreadState;
use ghc_eventlog::{Event, EventBody, StopStatus};
use rustc_hash::FxHashMap;
use serde::Serialize;
use std::ops::ControlFlow;

/// The longest text in an answer.
const LONGEST: usize = 4096;

/// An event in an answer.
#[derive(Clone, Debug, Serialize)]
struct Line {
    time: u64,
    cap: Option<u16>,
    name: &'static str,
    text: String,
    /// Its offset in the log, after the header.
    offset: u64,
}

/// The text of an event, without its name.
fn text(event: &Event<'_>) -> String {
    let mut text = match event.body {
        EventBody::UserMsg { message } | EventBody::LogMsg { message } => {
            message.to_string_lossy().into_owned()
        }
        EventBody::UserMarker { marker } => marker.to_string_lossy().into_owned(),
        _ => {
            let whole = event.to_string();
            let rest = whole.strip_prefix(event.name()).unwrap_or(&whole);
            rest.trim_start().to_owned()
        }
    };
    if text.len() > LONGEST {
        let mut end = LONGEST;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push('\u{2026}');
    }
    text
}

impl Line {
    fn of(event: &Event<'_>) -> Self {
        Self {
            time: event.time,
            cap: event.cap,
            name: event.name(),
            text: text(event),
            offset: event.offset,
        }
    }
}

/// The kinds of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    All,
    Messages,
    Markers,
    Both,
}

impl Kind {
    fn of(text: Option<&str>) -> Result<Self, Refusal> {
        match text {
            None | Some("" | "all") => Ok(Self::All),
            Some("message") => Ok(Self::Messages),
            Some("marker") => Ok(Self::Markers),
            Some("user") => Ok(Self::Both),
            Some(other) => Err(Refusal::bad(format!(
                "there is no kind {other:?} of events; use message, marker, user or all"
            ))),
        }
    }

    /// As bits: the kinds of events that it is made of; 0 for all.
    fn bits(self) -> u8 {
        match self {
            Self::All => 0,
            Self::Messages => MESSAGES,
            Self::Markers => MARKERS,
            Self::Both => MESSAGES | MARKERS,
        }
    }

    fn has(self, event: &Event<'_>) -> bool {
        self == Self::All || self.bits() & bit(event) != 0
    }
}

const MESSAGES: u8 = 1;
const MARKERS: u8 = 2;
const ARROWS: u8 = 4;

/// The bit of an event, if it is of one of these kinds.
fn bit(event: &Event<'_>) -> u8 {
    match event.body {
        EventBody::UserMsg { .. } => MESSAGES,
        EventBody::UserMarker { .. } => MARKERS,
        _ => 0,
    }
}

#[derive(Debug, Serialize)]
struct Events {
    /// Whether there are more in this time.
    more: bool,
    rows: Vec<Line>,
    /// The search stopped at this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    looked_until: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kept_from: Option<u64>,
}

/// The parts of the log that cover a time, and since when they are kept.
fn places(contents: &Contents, from: u64, to: u64) -> (Vec<Place>, Option<u64>) {
    let places = contents.places.look();
    (places.of(from, to), places.kept_from())
}

pub(super) fn events(contents: &Contents, question: &Question) -> Result<Answer, Refusal> {
    let (from, to) = question.window()?;
    let limit = question.count("limit", 200, 5000)?.max(1);
    let cap: Option<u16> = question.number("cap")?;
    let kind = Kind::of(question.text("kind"))?;
    let find = question.pattern("find")?;
    let name = question.text("name").filter(|name| !name.is_empty());
    let (places, kept_from) = places(contents, from, to);
    let mut found = Earliest::new(limit);
    let mut looked_until = None;
    let stop = Limit::usual(&question.wanted);
    for place in &places {
        let begin = place.times.0.saturating_sub(BACK);
        if !found.wants(begin) {
            break;
        }
        if stop.is_over() {
            looked_until = Some(begin);
            break;
        }
        if place.has_none(kind.bits()) {
            continue;
        }
        let mut has = 0;
        let _ = contents.log().events(place, |event| {
            has |= bit(event);
            let wanted = (from..to).contains(&event.time)
                && cap.is_none_or(|cap| event.cap == Some(cap))
                && kind.has(event)
                && name.is_none_or(|name| event.name() == name);
            if !wanted {
                return ControlFlow::<()>::Continue(());
            }
            match &find {
                None => found.push(event.time, || Line::of(event)),
                // Once there are enough, later events need not be checked.
                Some(find) if found.wants(event.time) => {
                    let line = Line::of(event);
                    if find.is_match(&line.text) || find.is_match(line.name) {
                        found.push(event.time, || line);
                    }
                }
                Some(_) => {}
            }
            ControlFlow::Continue(())
        })?;
        // Most logs have few messages: the many pages of a live program look for them only once.
        let lacks = (MESSAGES | MARKERS) & !has;
        if lacks != 0 && !place.has_none(lacks) {
            contents.places.change().lacks(place, lacks);
        }
    }
    let more = found.total() > limit as u64 || looked_until.is_some();
    let rows = found.into_vec();
    let full = rows.len() >= limit;
    json(&Events {
        more: more || (find.is_some() && full),
        rows,
        looked_until,
        kept_from: kept_from.filter(|kept| *kept > from),
    })
}

#[derive(Debug, Serialize)]
struct At {
    interval: Option<RowInterval>,
    events: Vec<Line>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kept_from: Option<u64>,
}

/// The interval of a row.
#[derive(Debug, Serialize)]
struct RowInterval {
    state: String,
    from: u64,
    to: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    thread: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cap: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    woken_by: Option<Waker>,
    #[serde(skip_serializing_if = "Option::is_none")]
    waits_for: Option<u32>,
}

/// The waker of a thread: the thread that ran on the capability, if any.
#[derive(Clone, Copy, Debug, Serialize)]
struct Waker {
    time: u64,
    cap: Option<u16>,
    thread: Option<u32>,
}

/// How far around a moment events are searched.
const AROUND: [u64; 4] = [1_000_000, 50_000_000, 1_000_000_000, 20_000_000_000];
/// The most bytes that are searched for one moment.
const BYTES: u64 = 64 << 20;

pub(super) fn at(contents: &Contents, question: &Question) -> Result<Answer, Refusal> {
    let name = question.text("row");
    let row = names::row(
        name.ok_or_else(|| Refusal::bad("the parameter row is missing; use row=c0 or row=t17"))?,
    )?;
    let time = question.time("time")?;
    let time =
        time.ok_or_else(|| Refusal::bad("the parameter time is missing; use time=NANOSECONDS"))?;
    let before = question.count("before", 10, 500)?;
    let after = question.count("after", 10, 500)?;
    let kept_from = contents.places.look().kept_from();
    let gone = kept_from.filter(|kept| time < *kept);
    let interval = match gone {
        Some(_) => None,
        None => contents.rows.look().at(&contents.raw, row, time)?,
    };
    let stop = Limit::usual(&question.wanted);
    let events = around(contents, row, time, (before, after), &stop)?;
    let interval = interval.map(|interval| {
        let told = |state: String| RowInterval {
            state,
            from: interval.from,
            to: interval.to,
            thread: None,
            label: None,
            cap: None,
            reason: None,
            woken_by: None,
            waits_for: None,
        };
        let mut told = match interval.doing {
            Doing::Cap { state, thread } => RowInterval {
                thread,
                ..told(state.name().to_owned())
            },
            Doing::Thread(state) => RowInterval {
                cap: match state {
                    ThreadState::Running { cap } => Some(cap),
                    _ => None,
                },
                reason: match state {
                    ThreadState::Blocked { why, .. } => Some(reason(why.0)),
                    _ => None,
                },
                waits_for: match state {
                    ThreadState::Blocked { by, .. } => by,
                    _ => None,
                },
                ..told(match state {
                    ThreadState::Blocked { .. } => "blocked".to_owned(),
                    other => other.name().to_owned(),
                })
            },
        };
        let thread = match row {
            Row::Thread(id) => Some(id),
            _ => told.thread,
        };
        let fold = contents.fold.look();
        let known = thread.and_then(|id| fold.state().thread(id));
        told.label = known.and_then(|it| it.label()).map(str::to_owned);
        told
    });
    let interval = match (interval, row) {
        (Some(mut told), Row::Thread(thread)) => {
            told.woken_by = match told.state.as_str() {
                "blocked" => waker(contents, thread, told.to, &stop)?,
                _ => waker(contents, thread, told.from, &stop)?,
            };
            Some(told)
        }
        (interval, _) => interval,
    };
    json(&At {
        interval,
        events,
        kept_from: gone,
    })
}

/// Whether an event is about a thread.
fn concerns(event: &Event<'_>, thread: u32) -> bool {
    let field = event.body.field("thread");
    field.and_then(|field| field.as_u64()) == Some(u64::from(thread))
}

/// Events of a row around a moment, in the order of time.
fn around(
    contents: &Contents,
    row: Row,
    time: u64,
    (before, after): (usize, usize),
    stop: &Limit,
) -> Result<Vec<Line>, Refusal> {
    let mut lines = Vec::new();
    for width in AROUND {
        let (from, to) = (time.saturating_sub(width), time.saturating_add(width));
        let (places, _) = places(contents, from, to);
        let bytes: u64 = places.iter().map(|it| it.bytes.1 - it.bytes.0).sum();
        if bytes > BYTES && !lines.is_empty() {
            break;
        }
        // The latest before the moment are the earliest in reversed order.
        let (mut back, mut on) = (Earliest::new(before), Earliest::new(after));
        for place in &places {
            if stop.is_over() {
                break;
            }
            let _ = contents.log().events(place, |event| {
                let wanted = (from..to).contains(&event.time)
                    && match row {
                        Row::Cap(cap) => event.cap == Some(cap),
                        Row::Thread(thread) => concerns(event, thread),
                        Row::Threads => true,
                    };
                if wanted && event.time <= time {
                    back.push(u64::MAX - event.time, || Line::of(event));
                } else if wanted {
                    on.push(event.time, || Line::of(event));
                }
                ControlFlow::<()>::Continue(())
            })?;
        }
        let enough = back.total() >= before as u64 && on.total() >= after as u64;
        lines = back.into_vec();
        lines.extend(on.into_vec());
        lines.sort_by_key(|line| (line.time, line.offset));
        if enough || bytes > BYTES || stop.is_over() {
            break;
        }
    }
    Ok(lines)
}

/// The last waker of a thread before about that time.
fn waker(
    contents: &Contents,
    thread: u32,
    at: u64,
    stop: &Limit,
) -> Result<Option<Waker>, Refusal> {
    let from = at.saturating_sub(AROUND[1]);
    let (places, _) = places(contents, from, at.saturating_add(1));
    let mut last: Option<Waker> = None;
    let mut bytes = 0;
    for place in &places {
        bytes += place.bytes.1 - place.bytes.0;
        if stop.is_over() || bytes > BYTES {
            break;
        }
        let mut running = Running::default();
        let _ = contents.log().events(place, |event| {
            running.event(event);
            if event.time <= at
                && event.time >= from
                && let EventBody::ThreadWakeup { thread: woken, .. } = event.body
                && woken == thread
                && last.is_none_or(|last| last.time <= event.time)
            {
                last = Some(Waker {
                    time: event.time,
                    cap: event.cap,
                    thread: running.on(event.cap),
                });
            }
            ControlFlow::<()>::Continue(())
        })?;
    }
    Ok(last)
}

/// The running thread of each capability, according to the events read so far.
#[derive(Debug, Default)]
struct Running(FxHashMap<u16, u32>);

impl Running {
    fn event(&mut self, event: &Event<'_>) {
        let Some(cap) = event.cap else { return };
        match event.body {
            EventBody::RunThread { thread } => drop(self.0.insert(cap, thread)),
            EventBody::StopThread { .. } => drop(self.0.remove(&cap)),
            _ => {}
        }
    }

    fn on(&self, cap: Option<u16>) -> Option<u32> {
        self.0.get(&cap?).copied()
    }
}

#[derive(Debug, Serialize)]
struct Arrows {
    /// The number of arrows in the part that was read.
    total: u64,
    /// There are more than were asked for, and the rest was not read.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    more: bool,
    rows: Vec<Arrow>,
    #[serde(skip_serializing_if = "Option::is_none")]
    looked_until: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kept_from: Option<u64>,
}

#[derive(Debug, Serialize)]
struct Arrow {
    kind: &'static str,
    time: u64,
    from_cap: Option<u16>,
    /// Of a black hole: where its owner ran, if it did.
    to_cap: Option<u16>,
    thread: u32,
    /// Who woke it, or owns the black hole.
    by: Option<u32>,
}

const BLACK_HOLE: &str = "blackhole";

pub(super) fn arrows(contents: &Contents, question: &Question) -> Result<Answer, Refusal> {
    let (from, to) = question.window()?;
    let limit = question.count("limit", 500, 5000)?;
    let most: u64 = question.number("most")?.unwrap_or(u64::MAX);
    let (places, kept_from) = places(contents, from, to);
    let mut found = Earliest::new(limit);
    let mut looked_until = None;
    let stop = Limit::usual(&question.wanted);
    let mut more = false;
    for place in &places {
        if found.total() > most {
            more = true;
            break;
        }
        if stop.is_over() {
            looked_until = Some(place.times.0);
            break;
        }
        if place.has_none(ARROWS) {
            continue;
        }
        let (mut running, mut any) = (Running::default(), false);
        let _ = contents.log().events(place, |event| {
            let by = running.on(event.cap);
            running.event(event);
            any |= matches!(
                event.body,
                EventBody::ThreadWakeup { .. }
                    | EventBody::MigrateThread { .. }
                    | EventBody::StopThread {
                        status: StopStatus::BLACK_HOLE,
                        ..
                    }
            );
            if !(from..to).contains(&event.time) {
                return ControlFlow::<()>::Continue(());
            }
            let arrow = |kind, thread, to_cap, by| Arrow {
                kind,
                time: event.time,
                from_cap: event.cap,
                to_cap,
                thread,
                by,
            };
            match event.body {
                EventBody::ThreadWakeup { thread, other_cap } => {
                    found.push(event.time, || arrow("wakeup", thread, Some(other_cap), by));
                }
                EventBody::MigrateThread { thread, new_cap } => {
                    found.push(event.time, || arrow("migration", thread, Some(new_cap), by));
                }
                EventBody::StopThread {
                    thread,
                    status: StopStatus::BLACK_HOLE,
                    info: Some(owner),
                } => found.push(event.time, || arrow(BLACK_HOLE, thread, None, Some(owner))),
                _ => {}
            }
            ControlFlow::Continue(())
        })?;
        if !any {
            contents.places.change().lacks(place, ARROWS);
        }
    }
    let total = found.total();
    let mut rows: Vec<Arrow> = found.into_vec();
    let threads = contents.rows.look();
    for arrow in rows.iter_mut().filter(|arrow| arrow.kind == BLACK_HOLE) {
        // The owner may have been on any capability.
        let owner = arrow.by.map(Row::Thread);
        let interval = owner.map(|row| threads.at(&contents.raw, row, arrow.time));
        if let Some(Some(interval)) = interval.transpose()?
            && let Doing::Thread(ThreadState::Running { cap }) = interval.doing
        {
            arrow.to_cap = Some(cap);
        }
    }
    drop(threads);
    json(&Arrows {
        total,
        more,
        rows,
        looked_until,
        kept_from: kept_from.filter(|kept| *kept > from),
    })
}
