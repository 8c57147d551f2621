//! Names in requests and answers.

use super::question::Refusal;
use eventlog_series::Row;
use ghc_eventlog::StopStatus;

/// Parses the name of a row: `c0`, `t17`, `threads`.
pub(crate) fn row(name: &str) -> Result<Row, Refusal> {
    let row = match name {
        "threads" => Some(Row::Threads),
        _ => match name.split_at_checked(1) {
            Some(("c", number)) => number.parse().ok().map(Row::Cap),
            Some(("t", number)) => number.parse().ok().map(Row::Thread),
            _ => None,
        },
    };
    row.ok_or_else(|| Refusal::bad(format!("there is no row {name:?}; use c0, t17 or threads")))
}

/// The name of a row.
pub(crate) fn row_name(row: Row) -> String {
    match row {
        Row::Cap(cap) => format!("c{cap}"),
        Row::Thread(thread) => format!("t{thread}"),
        Row::Threads => "threads".to_owned(),
    }
}

/// The name of a block reason.
pub(crate) fn reason(code: u16) -> String {
    match StopStatus(code).name() {
        Some(name) => name.strip_prefix("blocked_on_").unwrap_or(name).to_owned(),
        None => format!("status_{code}"),
    }
}
