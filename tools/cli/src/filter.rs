//! Which events are wanted: by type, capability, thread, time and text.

mod nothing;
mod types;

pub use types::{CLASSES, TypeSet, class_of};

use ghc_eventlog::{Event, EventBody, StopStatus, Value};
use nothing::Seen;
use regex::{Regex, RegexBuilder};
use std::collections::{BTreeMap, HashSet};
use std::str::FromStr;

/// The options that filter.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Filters")]
pub struct FilterArgs {
    /// Only these types: names (gc_start), patterns (heap_*), numbers, or classes (gc, thread, user,
    /// heap, spark, ...); `eventlog types` lists them
    #[arg(long = "type", short, value_name = "TYPE", value_delimiter = ',')]
    types: Vec<String>,

    /// Not these types
    #[arg(long, short = 'x', value_name = "TYPE", value_delimiter = ',')]
    exclude: Vec<String>,

    /// Only these capabilities: 0, 0-3, or global
    #[arg(long, short, value_name = "CAP", value_delimiter = ',')]
    cap: Vec<Caps>,

    /// Only what is about these threads, or happens while they run: numbers or labels
    #[arg(long, value_name = "THREAD", value_delimiter = ',')]
    thread: Vec<String>,

    /// Only from this time on, since the program's start: 1.5s, 200ms
    #[arg(long, value_name = "TIME", value_parser = crate::units::nanos)]
    from: Option<u64>,

    /// Only up to this time
    #[arg(long, value_name = "TIME", value_parser = crate::units::nanos)]
    to: Option<u64>,

    /// Only messages, markers, labels and other texts that match
    #[arg(long, short, value_name = "REGEX")]
    grep: Option<String>,

    /// Match without regard to case
    #[arg(long, short, requires = "grep")]
    ignore_case: bool,
}

/// Capabilities of the command line.
#[derive(Clone, Copy, Debug)]
enum Caps {
    Global,
    Range(u16, u16),
}

impl FromStr for Caps {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if matches!(text, "global" | "none") {
            return Ok(Self::Global);
        }
        let number = |text: &str| {
            text.parse()
                .map_err(|_| format!("{text:?} is no capability: use 0, 0-3 or global"))
        };
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        match (number(first)?, number(last)?) {
            (first, last) if first > last => {
                Err(format!("{text} ends before it begins: use {last}-{first}"))
            }
            (first, last) => Ok(Self::Range(first, last)),
        }
    }
}

/// A filter with its state. It must be given all events, in the order of the log, because it tracks
/// which thread runs on which capability.
#[derive(Debug)]
pub struct Filter {
    types: TypeSet,
    caps: Vec<Caps>,
    threads: Option<Threads>,
    from: u64,
    to: u64,
    grep: Option<Regex>,
    /// By capability. Looked at for every event, so no map.
    running: Vec<Option<u32>>,
    seen: Seen,
}

/// The wanted threads.
#[derive(Debug, Default)]
struct Threads {
    ids: HashSet<u32>,
    /// And whether a thread had it.
    labels: BTreeMap<String, bool>,
    /// Those that have a wanted label.
    labelled: HashSet<u32>,
}

impl FilterArgs {
    /// Makes the filter.
    pub fn build(&self) -> anyhow::Result<Filter> {
        let mut types = if self.types.is_empty() {
            TypeSet::all()
        } else {
            TypeSet::none()
        };
        for name in &self.types {
            types.set(name, true).map_err(crate::errors::usage)?;
        }
        for name in &self.exclude {
            types.set(name, false).map_err(crate::errors::usage)?;
        }
        if let (Some(from), Some(to)) = (self.from, self.to)
            && from > to
        {
            return Err(crate::errors::usage(
                "--from is later than --to: nothing can match",
            ));
        }
        if types.is_empty() {
            return Err(crate::errors::usage(
                "--exclude takes out all that --type lets through: nothing can match",
            ));
        }
        let mut threads = Threads::default();
        for text in &self.thread {
            match text.parse() {
                Ok(id) => threads.ids.insert(id),
                Err(_) => threads.labels.insert(text.clone(), false).is_none(),
            };
        }
        let grep = match &self.grep {
            Some(pattern) => {
                let built = RegexBuilder::new(pattern)
                    .case_insensitive(self.ignore_case)
                    // Messages may have several lines.
                    .dot_matches_new_line(true)
                    .build();
                Some(built.map_err(crate::errors::usage)?)
            }
            None => None,
        };
        Ok(Filter {
            types,
            caps: self.cap.clone(),
            threads: (!self.thread.is_empty()).then_some(threads),
            from: self.from.unwrap_or(0),
            to: self.to.unwrap_or(u64::MAX),
            grep,
            running: Vec::new(),
            seen: Seen::default(),
        })
    }
}

impl Filter {
    /// The log starts again: nothing runs.
    pub fn restart(&mut self) {
        self.running.clear();
        if let Some(threads) = &mut self.threads {
            threads.labelled.clear();
        }
    }

    /// The thread that runs on a capability, as far as the log says.
    pub fn running(&self, cap: Option<u16>) -> Option<u32> {
        self.running.get(usize::from(cap?)).copied().flatten()
    }

    /// Whether the event is wanted.
    pub fn wants(&mut self, event: &Event<'_>) -> bool {
        let before = self.running(event.cap);
        self.follow(event);
        let wanted = self.types.contains(event.id())
            && (self.from..=self.to).contains(&event.time)
            && self.wants_cap(event.cap)
            && self.wants_thread(event, before)
            && self.wants_text(event);
        if !self.seen.matched {
            self.seen.matched = wanted;
            self.note(event, before);
        }
        wanted
    }

    /// Records which conditions an event meets, until one event meets all of them: if nothing
    /// matches, the user is told which condition no event met.
    fn note(&mut self, event: &Event<'_>, before: Option<u32>) {
        let (cap, thread) = (self.wants_cap(event.cap), self.about_wanted(event, before));
        let text = self.wants_text(event);
        let seen = &mut self.seen;
        seen.events += 1;
        seen.types |= self.types.contains(event.id());
        seen.times |= (self.from..=self.to).contains(&event.time);
        seen.caps |= cap;
        seen.threads |= thread;
        seen.texts |= text;
        let (first, last) = seen.range.unwrap_or((event.time, event.time));
        seen.range = Some((first.min(event.time), last.max(event.time)));
    }

    /// Keeps track of threads and labels.
    fn follow(&mut self, event: &Event<'_>) {
        match event.body {
            EventBody::RunThread { thread } => {
                self.runs(event.cap, Some(thread));
            }
            EventBody::StopThread { .. } => {
                self.runs(event.cap, None);
            }
            EventBody::ThreadLabel { thread, label } => {
                if let Some(threads) = &mut self.threads
                    && let Some(label) = threads.labels.get_mut(label.to_string_lossy().as_ref())
                {
                    *label = true;
                    threads.labelled.insert(thread);
                }
            }
            _ => {}
        }
    }

    fn runs(&mut self, cap: Option<u16>, thread: Option<u32>) {
        let Some(cap) = cap.map(usize::from) else {
            return;
        };
        if self.running.len() <= cap {
            self.running.resize(cap + 1, None);
        }
        self.running[cap] = thread;
    }

    fn wants_cap(&self, cap: Option<u16>) -> bool {
        self.caps.is_empty()
            || self.caps.iter().any(|wanted| match (*wanted, cap) {
                (Caps::Global, None) => true,
                (Caps::Range(first, last), Some(cap)) => (first..=last).contains(&cap),
                _ => false,
            })
    }

    fn wants_thread(&mut self, event: &Event<'_>, before: Option<u32>) -> bool {
        let wanted = self.about_wanted(event, before);
        if let EventBody::StopThread {
            status: StopStatus::FINISHED,
            thread,
            ..
        } = event.body
            && let Some(threads) = &mut self.threads
        {
            // Keeps the set small in programs with very many threads.
            threads.labelled.remove(&thread);
        }
        wanted
    }

    /// Whether the event is about a wanted thread.
    fn about_wanted(&self, event: &Event<'_>, before: Option<u32>) -> bool {
        let now = self.running(event.cap);
        let Some(threads) = &self.threads else {
            return true;
        };
        // An event that names a thread is about that one, whatever runs.
        let subject = match event.body {
            EventBody::CreateSparkThread { spark_thread } => Some(spark_thread),
            body => match body.field("thread") {
                Some(Value::UInt(thread)) => u32::try_from(thread).ok(),
                _ => before.or(now),
            },
        };
        let Some(thread) = subject else {
            return false;
        };
        threads.ids.contains(&thread) || threads.labelled.contains(&thread)
    }

    fn wants_text(&self, event: &Event<'_>) -> bool {
        let Some(grep) = &self.grep else {
            return true;
        };
        let mut found = false;
        event.body.fields(|_, value| {
            found = found
                || match value {
                    Value::Text(text) => grep.is_match(&text.to_string_lossy()),
                    Value::Texts(texts) => texts
                        .iter()
                        .any(|text| grep.is_match(&text.to_string_lossy())),
                    Value::Blob(bytes) => grep.is_match(&String::from_utf8_lossy(bytes)),
                    _ => false,
                };
        });
        found
    }
}
