//! `threads`, `thread/N`: the table of threads, and one of them.

use super::names::{self, row_name};
use super::question::{Answer, Question, Refusal, json};
use crate::fold::Fold;
use crate::fold::threads::{Over, Reasons};
use crate::session::Contents;
use eventlog_series::{Doing, Row};
use eventlog_state::{State, Thread, ThreadState};
use serde::Serialize;
use std::cmp::Ordering;
use std::collections::BTreeMap;

#[derive(Debug, Serialize)]
struct Table {
    /// The number of threads in this time.
    total: usize,
    rows: Vec<Line>,
    /// Since when finished threads are kept, if older ones were removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    kept_from: Option<u64>,
    /// The moment that times refer to.
    at: u64,
}

#[derive(Debug, Serialize)]
struct Line {
    id: u32,
    row: String,
    label: Option<String>,
    state: &'static str,
    reason: Option<String>,
    /// The thread that it waits for, if that is in the log.
    waits_for: Option<u32>,
    cap: Option<u16>,
    /// Since when it is in this state.
    since: u64,
    run_time: u64,
    runnable: u64,
    foreign: u64,
    /// Nanoseconds by reason.
    blocked: BTreeMap<String, u64>,
    blocked_total: u64,
    switches: u64,
    migrations: u64,
    created: Option<u64>,
    ended: Option<u64>,
    age: Option<u64>,
    until: u64,
}

/// A thread, alive or finished.
#[derive(Clone, Copy)]
enum Known<'a> {
    Alive(u32, &'a Thread),
    Over(&'a Over),
}

impl<'a> Known<'a> {
    fn id(self) -> u32 {
        match self {
            Self::Alive(id, _) => id,
            Self::Over(over) => over.id,
        }
    }

    fn thread(self) -> &'a Thread {
        match self {
            Self::Alive(_, thread) => thread,
            Self::Over(over) => &over.thread,
        }
    }

    fn ended(self) -> Option<u64> {
        match self {
            Self::Alive(..) => None,
            Self::Over(over) => Some(over.ended),
        }
    }

    /// When it was first seen.
    fn begin(self) -> u64 {
        self.thread().created().unwrap_or(0)
    }

    /// How long it has been in its present state.
    fn open(self, now: u64) -> u64 {
        match self {
            Self::Alive(_, thread) => now.saturating_sub(thread.since()),
            Self::Over(_) => 0,
        }
    }

    fn run_time(self, now: u64) -> u64 {
        match self {
            Self::Alive(_, thread) => thread.ran_until(now),
            Self::Over(over) => over.thread.running(),
        }
    }

    fn blocked(self, now: u64) -> u64 {
        let thread = self.thread();
        let open = match thread.state() {
            ThreadState::Blocked { .. } => self.open(now),
            _ => 0,
        };
        thread.blocked().saturating_add(open)
    }

    fn age(self, now: u64) -> Option<u64> {
        let created = self.thread().created()?;
        Some(self.ended().unwrap_or(now).saturating_sub(created))
    }

    fn matches(self, find: &str) -> bool {
        let thread = self.thread();
        find.is_empty()
            || self.id().to_string() == find
            || thread.state().name().contains(find)
            || thread
                .label()
                .is_some_and(|label| label.to_lowercase().contains(find))
    }
}

/// All known threads.
fn known(fold: &Fold) -> impl Iterator<Item = Known<'_>> {
    let alive = fold.state().threads();
    let alive = alive.map(|(id, thread)| Known::Alive(id, thread));
    let over = fold.seen().threads.over().iter().map(Known::Over);
    alive.chain(over)
}

/// What to sort by.
fn order(key: &str) -> Result<fn(Known<'_>, Known<'_>, u64) -> Ordering, Refusal> {
    Ok(match key {
        "id" => |a, b, _| a.id().cmp(&b.id()),
        // Threads without a label are last.
        "label" => |a, b, _| {
            let label = |it: Known<'_>| {
                let label = it.thread().label();
                (label.is_none(), label.unwrap_or_default().to_owned())
            };
            label(a).cmp(&label(b))
        },
        "state" | "reason" => |a, b, _| a.thread().state().name().cmp(b.thread().state().name()),
        "cap" => |a, b, _| a.thread().cap().cmp(&b.thread().cap()),
        "run_time" => |a, b, now| a.run_time(now).cmp(&b.run_time(now)),
        "runnable" => |a, b, _| a.thread().runnable().cmp(&b.thread().runnable()),
        "foreign" => |a, b, _| a.thread().foreign().cmp(&b.thread().foreign()),
        "blocked" | "blocked_total" => |a, b, now| a.blocked(now).cmp(&b.blocked(now)),
        "switches" => |a, b, _| a.thread().runs().cmp(&b.thread().runs()),
        "migrations" => |a, b, _| a.thread().migrations().cmp(&b.thread().migrations()),
        "created" => |a, b, _| a.thread().created().cmp(&b.thread().created()),
        "ended" => |a, b, _| a.ended().cmp(&b.ended()),
        "since" => |a, b, _| a.thread().since().cmp(&b.thread().since()),
        "age" => |a, b, now| a.age(now).cmp(&b.age(now)),
        "until" => |_, _, _| Ordering::Equal,
        _ => {
            return Err(Refusal::bad(format!(
                "threads cannot be sorted by {key:?}; use id, label, state, cap, run_time, blocked, \
                 switches, created, ended or age"
            )));
        }
    })
}

pub(super) fn threads(contents: &Contents, question: &Question) -> Result<Answer, Refusal> {
    let (from, to) = question.window()?;
    let offset = question.number("offset")?.unwrap_or(0usize);
    let limit = question.count("limit", 100, 5000)?;
    let find = question.text("find").unwrap_or_default().to_lowercase();
    let descending = question.flag("desc") && question.text("desc") != Some("");
    let fold = contents.fold.look();
    let now = fold.state().time();
    let order = order(question.text("sort").unwrap_or("id"))?;
    let within = |it: &Known<'_>| it.begin() < to && it.ended().is_none_or(|end| end >= from);
    let mut all: Vec<Known<'_>> = known(&fold)
        .filter(within)
        .filter(|it| it.matches(&find))
        .collect();
    let compare = |a: &Known<'_>, b: &Known<'_>| {
        let by_key = match descending {
            true => order(*b, *a, now),
            false => order(*a, *b, now),
        };
        by_key.then_with(|| a.id().cmp(&b.id()))
    };
    let total = all.len();
    // Only the returned part has to be sorted.
    let shown = offset.saturating_add(limit).min(total);
    if shown < total && shown > 0 {
        all.select_nth_unstable_by(shown - 1, compare);
        all.truncate(shown);
    }
    all.sort_unstable_by(compare);
    let lines = all.get(offset.min(all.len())..shown).unwrap_or_default();
    let mut lines: Vec<Line> = lines.iter().map(|it| line(*it, &fold)).collect();
    let over = fold.seen().threads.over();
    let kept_from = over.first_of_rest().map(|first| first.ended);
    drop(fold);
    let rows = contents.rows.look();
    for line in &mut lines {
        line.until = rows.until(Row::Thread(line.id));
    }
    drop(rows);
    json(&Table {
        total,
        rows: lines,
        kept_from,
        at: now,
    })
}

fn line(of: Known<'_>, fold: &Fold) -> Line {
    let now = fold.state().time();
    let thread = of.thread();
    let mut reasons: Reasons = match of {
        Known::Alive(id, _) => fold.seen().threads.blocked(id),
        Known::Over(over) => over.blocked.clone(),
    };
    let (mut reason, mut waits_for) = (None, None);
    if let ThreadState::Blocked { why, by } = thread.state() {
        (reason, waits_for) = (Some(names::reason(why.0)), by);
        reasons.push((why.0, of.open(now)));
    }
    let mut blocked: BTreeMap<String, u64> = BTreeMap::new();
    for (why, took) in reasons {
        let sum = blocked.entry(names::reason(why)).or_default();
        *sum = sum.saturating_add(took);
    }
    Line {
        id: of.id(),
        row: row_name(Row::Thread(of.id())),
        label: thread.label().map(str::to_owned),
        state: match thread.state() {
            ThreadState::Blocked { .. } => "blocked",
            state => state.name(),
        },
        reason,
        waits_for,
        cap: thread.cap(),
        since: thread.since(),
        run_time: of.run_time(now),
        runnable: thread.runnable(),
        foreign: thread.foreign(),
        blocked,
        blocked_total: of.blocked(now),
        switches: thread.runs(),
        migrations: thread.migrations(),
        created: thread.created(),
        ended: of.ended(),
        age: of.age(now),
        until: 0,
    }
}

/// Everything about one thread.
#[derive(Debug, Serialize)]
struct One {
    #[serde(flatten)]
    line: Line,
    /// Its newest runs, the newest first.
    runs: Vec<Run>,
    /// The longest time that it was blocked, among the intervals that were read.
    blocked_longest: Option<Stretch>,
    spans_open: Vec<OpenSpan>,
}

#[derive(Debug, Serialize)]
struct Run {
    from: u64,
    to: u64,
    cap: u16,
}

#[derive(Debug, Serialize)]
struct Stretch {
    from: u64,
    to: u64,
    reason: String,
}

#[derive(Debug, Serialize)]
struct OpenSpan {
    name: String,
    from: u64,
}

/// How many intervals of a thread are read, the newest.
const STRETCHES: usize = 400;
const RUNS: usize = 100;

pub(super) fn thread(contents: &Contents, id: &str) -> Result<Answer, Refusal> {
    let nobody = || Refusal::missing(format!("there is no thread {id} in this session"));
    let number: u32 = id.parse().map_err(|_| nobody())?;
    let fold = contents.fold.look();
    let state: &State = fold.state();
    let alive = state.thread(number).map(|it| Known::Alive(number, it));
    let over = || {
        let over = &mut fold.seen().threads.over().iter().rev();
        over.find(|it| it.id == number).map(Known::Over)
    };
    let found = alive.or_else(over).ok_or_else(nobody)?;
    let mut line = line(found, &fold);
    let open = state.spans().open();
    let spans_open = open
        .filter(|span| span.thread == Some(number))
        .map(|span| OpenSpan {
            name: span.name.to_string(),
            from: span.start,
        })
        .collect();
    let begin = found.begin();
    let mut at = found.ended().unwrap_or(u64::MAX);
    drop(fold);
    let row = Row::Thread(number);
    let rows = contents.rows.look();
    line.until = rows.until(row);
    at = at.min(line.until);
    let (mut runs, mut longest): (Vec<Run>, Option<Stretch>) = (Vec::new(), None);
    for _ in 0..STRETCHES {
        if at <= begin || runs.len() >= RUNS {
            break;
        }
        // It ends at the part that is not kept any more.
        let Ok(Some(interval)) = rows.at(&contents.raw, row, at - 1) else {
            break;
        };
        let (from, to) = (interval.from, interval.to);
        match interval.doing {
            Doing::Thread(ThreadState::Running { cap }) => runs.push(Run { from, to, cap }),
            Doing::Thread(ThreadState::Blocked { why, .. }) => {
                let before = longest.as_ref().map(|it| it.to - it.from);
                let reason = names::reason(why.0);
                let this = Stretch { from, to, reason };
                longest = match before {
                    Some(before) if before >= to - from => longest,
                    _ => Some(this),
                };
            }
            _ => {}
        }
        if from >= at {
            break;
        }
        at = from;
    }
    drop(rows);
    json(&One {
        line,
        runs,
        blocked_longest: longest,
        spans_open,
    })
}
