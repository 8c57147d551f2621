//! `overview`, `stream`: the session as a whole.

use super::names::row_name;
use super::question::{Answer, Question, Refusal, json};
use crate::session::{Contents, Session};
use eventlog_series::Row;
use eventlog_state::report::Report;
use eventlog_state::{CapState, Loss, State};
use serde::Serialize;
use std::collections::BTreeMap;

#[derive(Debug, Serialize)]
struct Overview {
    program: Program,
    begin: Option<u64>,
    end: Option<u64>,
    uptime: Option<u64>,
    mutator: Option<u64>,
    collecting: Option<u64>,
    productivity: Option<f64>,
    heap: Heap,
    pauses: Option<Pauses>,
    threads: Option<Threads>,
    /// Events per second.
    event_rate: Option<f64>,
    losses: Losses,
    missing: Vec<Missing>,
    capabilities: Vec<Capability>,
    stream: eventlog_state::report::Stream,
}

#[derive(Debug, Serialize)]
struct Program {
    name: Option<String>,
    args: Vec<String>,
    /// The options of the runtime system.
    flags: Vec<String>,
    rts: Option<String>,
    pid: Option<u32>,
    ppid: Option<u32>,
    started: Option<String>,
    env_count: usize,
    heap: Option<eventlog_state::HeapParameters>,
    /// Other programs whose events are in the log.
    others: usize,
}

#[derive(Debug, Serialize)]
struct Heap {
    live: Option<u64>,
    peak_live: Option<u64>,
    size: Option<u64>,
    peak_size: Option<u64>,
    blocks: Option<u64>,
    returned: Option<u64>,
    allocated: Option<u64>,
    /// Bytes allocated per second of mutator time.
    rate: Option<u64>,
    samples: u64,
}

#[derive(Debug, Serialize)]
struct Pauses {
    count: u64,
    total: u64,
    max: u64,
    mean: u64,
    p50: u64,
    p90: u64,
    p99: u64,
    generations: Vec<Generation>,
}

#[derive(Debug, Serialize)]
struct Generation {
    generation: Option<u16>,
    count: u64,
    total: u64,
    max: u64,
}

#[derive(Debug, Serialize)]
struct Threads {
    created: u64,
    finished: u64,
    alive: usize,
    peak: u64,
    switches: u64,
    migrations: u64,
    wakeups: u64,
}

#[derive(Debug, Serialize)]
struct Losses {
    notes: u64,
    chunks: u64,
    bytes: u64,
    blocks: u64,
    unreadable_bytes: u64,
    /// Events that arrived out of order.
    late: u64,
    /// Since when the log has events of every capability.
    whole_from: Option<u64>,
    refused_threads: u64,
}

/// Data that the log does not contain.
#[derive(Debug, Serialize)]
struct Missing {
    what: &'static str,
    why: &'static str,
    /// The option that adds it.
    flag: &'static str,
}

#[derive(Debug, Serialize)]
struct Capability {
    cap: u16,
    row: String,
    state: &'static str,
    shares: BTreeMap<&'static str, f64>,
    switches: u64,
    disabled: bool,
}

pub(super) fn overview(contents: &Contents) -> Result<Answer, Refusal> {
    let fold = contents.fold.look();
    let state = fold.state();
    let report = fold.totals().report(state);
    let elapsed = report.time.elapsed_ns.filter(|elapsed| *elapsed > 0);
    let rate = elapsed.map(|elapsed| report.stream.events as f64 / elapsed as f64 * 1e9);
    let losses = state.losses();
    json(&Overview {
        program: program(state, &report),
        begin: report.time.first_ns,
        end: report.time.last_ns,
        uptime: report.time.elapsed_ns,
        mutator: report.time.mutator_ns,
        collecting: report.time.gc_ns,
        productivity: report.time.productivity,
        heap: Heap {
            live: report.heap.live_bytes,
            peak_live: report.heap.peak_live_bytes,
            size: report.heap.size_bytes,
            peak_size: report.heap.peak_size_bytes,
            blocks: report.heap.blocks_bytes,
            returned: report.heap.returned_bytes,
            allocated: report.heap.allocated_bytes,
            rate: report.heap.allocation_rate,
            samples: report.heap.heap_profile_samples,
        },
        pauses: pauses(&report),
        threads: report.threads.as_ref().map(|threads| Threads {
            created: threads.created,
            finished: threads.finished,
            alive: state.thread_count(),
            peak: threads.peak_alive,
            switches: threads.switches,
            migrations: threads.migrations,
            wakeups: threads.wakeups,
        }),
        event_rate: rate,
        losses: Losses {
            notes: losses.notes,
            chunks: losses.chunks,
            bytes: losses.bytes,
            blocks: losses.blocks,
            unreadable_bytes: report.stream.unreadable_bytes,
            late: fold.late(),
            whole_from: losses.whole_from,
            refused_threads: state.refused().0,
        },
        missing: missing(state, &report),
        capabilities: capabilities(state),
        stream: report.stream,
    })
}

fn program(state: &State, report: &Report) -> Program {
    let first = state.programs().first();
    let args = report.program.args.clone().unwrap_or_default();
    let mut flags = Vec::new();
    let mut to_rts = false;
    for arg in &args {
        match arg.as_str() {
            "+RTS" => to_rts = true,
            "-RTS" => to_rts = false,
            "--RTS" => break,
            _ if to_rts => flags.push(arg.clone()),
            _ => {}
        }
    }
    Program {
        name: report.program.name.clone(),
        flags,
        args,
        rts: report.program.rts.clone(),
        pid: report.program.pid,
        ppid: first.and_then(|first| first.ppid),
        started: report.program.started.clone(),
        env_count: first.map_or(0, |first| first.env.len()),
        heap: first.and_then(|first| first.heap),
        others: state.programs().iter().count().saturating_sub(1),
    }
}

fn pauses(report: &Report) -> Option<Pauses> {
    let gc = report.gc.as_ref()?;
    let all = &gc.pauses;
    Some(Pauses {
        count: all.count,
        total: all.total_ns,
        max: all.max_ns,
        mean: all.mean_ns,
        p50: all.p50_ns,
        p90: all.p90_ns,
        p99: all.p99_ns,
        generations: gc
            .generations
            .iter()
            .map(|of| Generation {
                generation: of.generation,
                count: of.pauses.count,
                total: of.pauses.total_ns,
                max: of.pauses.max_ns,
            })
            .collect(),
    })
}

fn missing(state: &State, report: &Report) -> Vec<Missing> {
    if report.stream.events == 0 {
        return vec![Missing {
            what: "events",
            why: "none has arrived yet: the runtime system hands its buffers over when they are full \
                  (2 MiB) or flushed; GHC 9.2 and newer flush by an option, and the library \
                  eventlog-socket by GHC_EVENTLOG_FLUSH_INTERVAL=1s with GHC 9.0, too",
            flag: "+RTS -l --eventlog-flush-interval=1",
        }];
    }
    let tells = state.classes();
    let identified = report.program.rts.is_some() || report.program.args.is_some();
    let mut missing = Vec::new();
    let mut unless = |there: bool, what, why, flag| {
        if !there {
            missing.push(Missing { what, why, flag });
        }
    };
    unless(
        tells.scheduler,
        "threads and what capabilities do",
        "there are no scheduler events in the log",
        "+RTS -ls",
    );
    unless(
        tells.gc,
        "collections and the size of the heap",
        "there are no events of the garbage collector in the log",
        "+RTS -lg",
    );
    unless(
        tells.sparks,
        "sparks",
        "there are no counters of sparks in the log; only the threaded runtime system has them",
        "+RTS -lp -N",
    );
    unless(
        report.heap.heap_profile_samples > 0,
        "the heap profile",
        "the log has no sample of one; those of a running program can be late",
        "+RTS -hT",
    );
    unless(
        report.stream.user_messages + report.stream.user_markers > 0,
        "messages, markers and spans",
        "the program has written none yet",
        "Debug.Trace: traceEventIO, traceMarkerIO",
    );
    unless(
        identified,
        "the program's name and arguments",
        "they are not in the log yet; GHC 9.0 and older write them when the program ends",
        "GHC 9.2 or newer",
    );
    missing
}

fn capabilities(state: &State) -> Vec<Capability> {
    let caps = state.caps();
    caps.map(|(number, cap)| {
        let now = state.time().saturating_sub(cap.since());
        let spent = |of: CapState| {
            let open = if cap.state() == of { now } else { 0 };
            cap.total(of).saturating_add(open)
        };
        let whole: f64 = CapState::ALL.iter().map(|&of| spent(of) as f64).sum();
        let share = |of: CapState| match whole > 0.0 {
            true => spent(of) as f64 / whole,
            false => 0.0,
        };
        Capability {
            cap: number,
            row: row_name(Row::Cap(number)),
            state: cap.state().name(),
            shares: CapState::ALL
                .iter()
                .map(|&of| (of.name(), share(of)))
                .collect(),
            switches: cap.runs(),
            disabled: cap.is_disabled(),
        }
    })
    .collect()
}

#[derive(Debug, Serialize)]
struct Stream<'a> {
    lag: Option<u64>,
    bytes: u64,
    events: u64,
    blocks: u64,
    /// Events that arrived out of order.
    disorder: u64,
    /// Bytes of events that wait to be put in order.
    waiting_bytes: usize,
    rows: Vec<Final>,
    /// The latest losses.
    losses: Vec<&'a Loss>,
    losses_total: u64,
    lost: &'a eventlog_state::Losses,
    unreadable_bytes: u64,
    kept_from: Option<u64>,
    error: Option<String>,
    clients: usize,
    /// Memory that this process occupies, in bytes.
    memory: Option<u64>,
}

#[derive(Debug, Serialize)]
struct Final {
    row: String,
    until: u64,
}

pub(super) fn stream(
    session: &Session,
    contents: &Contents,
    question: &Question,
    clients: usize,
) -> Result<Answer, Refusal> {
    let limit = question.count("limit", 200, 4096)?;
    let summary = session.summary();
    let rows = contents.rows.look();
    let finals = rows.caps().map(|cap| Final {
        row: row_name(Row::Cap(cap)),
        until: rows.until(Row::Cap(cap)),
    });
    let finals: Vec<Final> = finals.collect();
    drop(rows);
    let fold = contents.fold.look();
    let report = fold.totals().report(fold.state());
    let losses = &fold.seen().losses;
    json(&Stream {
        lag: summary.lag,
        bytes: summary.bytes,
        events: report.stream.events,
        blocks: report.stream.blocks,
        disorder: fold.late(),
        waiting_bytes: fold.held(),
        rows: finals,
        losses: losses.iter().rev().take(limit).collect(),
        losses_total: losses.total(),
        lost: fold.state().losses(),
        unreadable_bytes: report.stream.unreadable_bytes,
        kept_from: summary.kept_from,
        error: summary.error,
        clients,
        memory: memory(),
    })
}

/// Memory that this process occupies, if the system reports it.
fn memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = text.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}
