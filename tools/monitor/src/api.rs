//! The API: requests and answers.

mod collections;
mod earliest;
mod events;
mod heap;
mod heap_tree;
mod names;
mod overview;
pub(crate) mod question;
mod series;
mod spans;
mod threads;
mod timeline;

use crate::registry::Registry;
use crate::session::Data;
use question::{Answer, Question, Refusal, json};

/// What an answer takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cost {
    /// It is made from what is in memory.
    Nothing,
    /// It reads some parts of the log.
    Reads,
    /// It may read all of the log, for as long as a request may take.
    Searches,
}

/// What the answer to a request takes.
pub(crate) fn cost(path: &str) -> Cost {
    let what = path
        .strip_prefix("s/")
        .and_then(|rest| rest.split_once('/'));
    match what {
        Some((_, "events" | "arrows")) => Cost::Searches,
        Some((_, "tiles" | "at")) => Cost::Reads,
        Some((_, what)) if what.starts_with("thread/") => Cost::Reads,
        _ => Cost::Nothing,
    }
}

/// Answers a request. `clients` is the number of connected clients.
pub(crate) fn answer(
    registry: &Registry,
    question: &Question,
    clients: usize,
) -> Result<Answer, Refusal> {
    let nothing = || {
        let path = &question.path;
        Refusal::missing(format!("there is nothing at /api/{path}"))
    };
    if question.path == "sessions" {
        only_get(question)?;
        return json(&registry.summaries());
    }
    let rest = question.path.strip_prefix("s/").ok_or_else(nothing)?;
    let (id, what) = rest.split_once('/').ok_or_else(nothing)?;
    let session = registry.get(id).ok_or_else(|| {
        Refusal::missing(format!(
            "there is no session {id}, or not any more; /api/sessions lists all sessions"
        ))
    })?;
    let contents = match session.data() {
        Some(Data::Log(contents)) => contents,
        Some(Data::Heap(file)) => {
            only_get(question)?;
            return of_profile(what, heap::Profile::of_file(&file.look()), question);
        }
        None => {
            let name = session.name();
            let message = format!("no log has arrived from {name} yet");
            return Err(Refusal::missing(message));
        }
    };
    if what != "tiles" {
        only_get(question)?;
    } else if !question.posts {
        return Err(Refusal {
            status: 405,
            message: "use POST to request tiles".to_owned(),
        });
    }
    match what {
        "overview" => overview::overview(contents),
        "rows" => timeline::rows(contents),
        "tiles" => timeline::tiles(contents, question),
        "at" => events::at(contents, question),
        "events" => events::events(contents, question),
        "arrows" => events::arrows(contents, question),
        "threads" => threads::threads(contents, question),
        "spans" => spans::spans(contents, question),
        "spans/summary" => spans::summary(contents, question),
        "series" => series::series(contents, question),
        "collections" => collections::collections(contents, question),
        "heap" | "heap/diff" | "heap/tree" => {
            of_profile(what, heap::Profile::of_log(&contents.fold.look()), question)
        }
        "stream" => overview::stream(&session, contents, question, clients),
        _ => match what.strip_prefix("thread/") {
            Some(thread) => threads::thread(contents, thread),
            None => Err(nothing()),
        },
    }
}

/// Answers a request for a heap profile. That of a log is asked for nothing else; a `.hp` file has
/// nothing else.
fn of_profile(
    what: &str,
    profile: heap::Profile<'_>,
    question: &Question,
) -> Result<Answer, Refusal> {
    match what {
        "heap" => heap::heap(profile, question),
        "heap/diff" => heap::difference(profile, question),
        "heap/tree" => heap_tree::tree(profile, question),
        _ => Err(Refusal::missing(
            "a .hp file has heap samples only: use heap and heap/diff; the eventlog of a run with \
             +RTS -l brings the rest",
        )),
    }
}

fn only_get(question: &Question) -> Result<(), Refusal> {
    match question.posts {
        false => Ok(()),
        true => Err(Refusal {
            status: 405,
            message: "use GET for this request".to_owned(),
        }),
    }
}
