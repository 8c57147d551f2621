//! `rows`, `tiles`: the states of capabilities and threads.

use super::names::{self, row_name};
use super::question::{Answer, Question, Refusal, json};
use crate::drawn::Key;
use crate::scan::Limit;
use crate::session::Contents;
use eventlog_series::{Row, reasons};
use serde::{Deserialize, Serialize};
use std::io::ErrorKind;
use std::sync::Arc;

/// The most tiles of one request.
const MOST_TILES: usize = 4096;
/// Their most bytes.
const MOST_BYTES: usize = 16 << 20;

#[derive(Debug, Serialize)]
struct Rows {
    caps: Vec<Cap>,
    threads: Threads,
    states: States,
    reasons: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Cap {
    row: String,
    cap: u16,
    until: u64,
}

#[derive(Debug, Serialize)]
struct Threads {
    count: usize,
    alive: usize,
    until: u64,
    /// When the last one finished, if none is alive: there is nothing to be known after that.
    ended: Option<u64>,
}

#[derive(Debug, Serialize)]
struct States {
    cap: Vec<&'static str>,
    thread: Vec<&'static str>,
}

pub(super) fn rows(contents: &Contents) -> Result<Answer, Refusal> {
    let rows = contents.rows.look();
    let caps = rows.caps().map(|cap| Cap {
        row: row_name(Row::Cap(cap)),
        cap,
        until: rows.until(Row::Cap(cap)),
    });
    let (count, alive) = rows.thread_counts();
    let ended = match alive {
        0 => {
            let fold = contents.fold.look();
            let over = fold.seen().threads.over().iter();
            over.map(|over| over.ended).max()
        }
        _ => None,
    };
    let short = |name: &&str| name.strip_prefix("blocked_on_").unwrap_or(name).to_owned();
    json(&Rows {
        caps: caps.collect(),
        threads: Threads {
            count,
            alive,
            until: rows.until(Row::Threads),
            ended,
        },
        states: States {
            cap: Row::Cap(0).states(),
            thread: Row::Threads.states(),
        },
        reasons: reasons().iter().map(short).collect(),
    })
}

/// The requested tiles.
#[derive(Debug, Deserialize)]
struct Wanted {
    z: u8,
    from: u64,
    to: u64,
    rows: Vec<String>,
}

pub(super) fn tiles(contents: &Contents, question: &Question) -> Result<Answer, Refusal> {
    let wanted: Wanted = serde_json::from_slice(&question.body).map_err(|error| {
        Refusal::bad(format!(
            "the body must be {{\"z\":..,\"from\":..,\"to\":..,\"rows\":[..]}}: {error}"
        ))
    })?;
    let of_each = wanted.to.saturating_sub(wanted.from);
    let all = usize::try_from(of_each)
        .ok()
        .and_then(|of_each| of_each.checked_mul(wanted.rows.len()));
    if all.is_none_or(|all| all > MOST_TILES) {
        return Err(Refusal::bad(format!(
            "at most {MOST_TILES} tiles can be requested at a time; request fewer"
        )));
    }
    if wanted.z > 63 {
        return Err(Refusal::bad("the zoom z must be from 0 to 63"));
    }
    let mut out = Vec::new();
    let stop = Limit::usual(&question.wanted);
    for name in &wanted.rows {
        let row = names::row(name)?;
        for index in wanted.from..wanted.to {
            if stop.is_over() {
                return Err(Refusal {
                    status: 503,
                    message: "these tiles take too long; request fewer at a time".to_owned(),
                });
            }
            let bytes = match contents.drawn.get((row, wanted.z, index)) {
                Some(bytes) => bytes,
                None => tile(contents, (row, wanted.z, index))?,
            };
            out.extend((bytes.len() as u32).to_le_bytes());
            out.extend(&*bytes);
            if out.len() > MOST_BYTES {
                return Err(Refusal::bad(
                    "these tiles have too many bytes; request fewer",
                ));
            }
        }
    }
    Ok(Answer::Bytes(out))
}

/// Each tile separately, so that the log can be extended in between.
fn tile(contents: &Contents, (row, z, index): Key) -> Result<Arc<[u8]>, Refusal> {
    let version = contents.drawn.version();
    let tile = contents.rows.look().tile(&contents.raw, row, z, index);
    let (bytes, is_final) = match tile {
        Ok(tile) => (tile.encode(z, index), tile.is_final),
        // A part of it was removed just now.
        Err(error) if error.kind() == ErrorKind::NotFound => (vec![0, 0], false),
        Err(error) => return Err(error.into()),
    };
    let bytes = bytes.into();
    contents
        .drawn
        .keep((row, z, index), version, is_final, &bytes);
    Ok(bytes)
}
