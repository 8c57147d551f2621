//! All metrics: one table for every format.
//!
//! Names, units and kinds follow OpenTelemetry's rules: a metric that can be summed over its
//! attributes is a counter or an up-down counter, others are gauges, and things have units as
//! `{thread}`. The names for Prometheus are derived from these by Prometheus' own rules for
//! OpenTelemetry.

/// The kind of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only grows, and can be summed.
    Counter,
    /// It grows and falls, and can be summed.
    UpDownCounter,
    /// It cannot be summed.
    Gauge,
    /// A distribution of durations.
    Histogram,
}

/// Since when a counter counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// Since the start of the program, also for late readers: the log has running totals.
    Program,
    /// Since reading began: events are counted.
    Observed,
}

/// A metric.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metric {
    /// Its name, as OpenTelemetry has it.
    pub name: &'static str,
    /// Its unit, in the code for units of measure (UCUM).
    pub unit: &'static str,
    /// Its kind.
    pub kind: Kind,
    /// Since when it counts.
    pub since: Since,
    pub(crate) help: &'static str,
    /// Its attributes.
    pub attributes: &'static [&'static str],
    /// The events that it is computed from.
    pub events: &'static str,
}

impl Metric {
    /// Its description, one sentence.
    pub fn help(&self) -> &'static str {
        self.help.trim()
    }

    /// Its name for Prometheus: with the unit, and `_total` if it is a counter.
    pub fn prometheus_name(&self) -> String {
        let mut name = self.prometheus_family();
        if self.kind == Kind::Counter {
            name.push_str("_total");
        }
        name
    }

    /// The same without `_total`: the family name in OpenMetrics.
    pub fn prometheus_family(&self) -> String {
        let mut name = prometheus_word(self.name);
        if let Some(unit) = self.prometheus_unit() {
            name.push('_');
            name.push_str(unit);
        }
        name
    }

    /// The unit in the name for Prometheus. Units in braces are left out.
    pub fn prometheus_unit(&self) -> Option<&'static str> {
        Some(match (self.unit, self.kind) {
            ("By", _) => "bytes",
            ("s", _) => "seconds",
            ("ns", _) => "nanoseconds",
            ("1", Kind::Gauge) => "ratio",
            _ => return None,
        })
    }
}

/// A name for Prometheus: letters, digits and underscores.
pub fn prometheus_word(name: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut word: String = name
        .chars()
        .map(|c| if allowed(c) { c } else { '_' })
        .collect();
    if word.starts_with(|c: char| c.is_ascii_digit()) {
        word.insert(0, '_');
    }
    word
}

/// A table of metrics: statics, and a list of them. The doc comment of each is its
/// description.
macro_rules! metrics {
    ($(#[doc = $about:literal])* $list:ident;
        $($(#[doc = $help:literal])+ $CONST:ident = $name:literal $unit:literal $kind:ident
        $since:ident [$($attribute:literal),*] $events:literal;)*) => {
        $($(#[doc = $help])+
        pub static $CONST: $crate::table::Metric = $crate::table::Metric {
            name: $name,
            unit: $unit,
            kind: $crate::table::Kind::$kind,
            since: $crate::table::Since::$since,
            help: concat!($($help),+),
            attributes: &[$($attribute),*],
            events: $events,
        };)*
        $(#[doc = $about])*
        pub static $list: &[&$crate::table::Metric] = &[$(&$CONST),*];
    };
}
pub(crate) use metrics;

metrics! {
    /// All of them that a log can tell, in the order in which they are listed.
    METRICS;
    /// Live data, as the last major collection found it.
    HEAP_LIVE = "ghc.heap.live" "By" UpDownCounter Program [] "HEAP_LIVE";
    /// Size of the heap.
    HEAP_SIZE = "ghc.heap.size" "By" UpDownCounter Program [] "HEAP_SIZE";
    /// Memory in blocks that are in use.
    HEAP_IN_USE = "ghc.heap.in_use" "By" UpDownCounter Program [] "BLOCKS_SIZE";
    /// Largest size of the heap (-M), if it is limited.
    HEAP_LIMIT = "ghc.heap.limit" "By" UpDownCounter Program [] "HEAP_INFO";
    /// Memory allocated since the start of the program.
    HEAP_ALLOCATED = "ghc.heap.allocated" "By" Counter Program ["ghc.capability.id"] "HEAP_ALLOCATED";
    /// Memory by band of the heap profile: the largest bands, and the others together.
    HEAP_PROFILE_SIZE = "ghc.heap.profile.size" "By" UpDownCounter Program
        ["ghc.heap.profile.band", "ghc.heap.profile.breakdown", "ghc.heap.profile.source"]
        "HEAP_PROF_SAMPLE_*";
    /// Memory that the runtime system held at its last attempt to give some back.
    MEMORY_COMMITTED = "ghc.memory.committed" "By" UpDownCounter Program [] "MEM_RETURN";
    /// Memory that the runtime system needed at that attempt.
    MEMORY_NEEDED = "ghc.memory.needed" "By" UpDownCounter Program [] "MEM_RETURN";
    /// Memory given back to the operating system.
    MEMORY_RETURNED = "ghc.memory.returned" "By" Counter Observed [] "MEM_RETURN";
    /// Garbage collections.
    GC_COLLECTIONS = "ghc.gc.collections" "{collection}" Counter Observed ["ghc.gc.generation"]
        "GC_STATS, GC_START, GC_END";
    /// How long the program was stopped for a collection.
    GC_PAUSE_DURATION = "ghc.gc.pause.duration" "s" Histogram Observed ["ghc.gc.generation"]
        "GC_START, GC_END";
    /// From the request for a collection until all capabilities had stopped.
    GC_SYNC_DURATION = "ghc.gc.sync.duration" "s" Histogram Observed []
        "REQUEST_*_GC, GC_START";
    /// Memory copied by collections.
    GC_COPIED = "ghc.gc.copied" "By" Counter Observed ["ghc.gc.generation"] "GC_STATS";
    /// Memory copied by parallel collections.
    GC_PARALLEL_COPIED = "ghc.gc.parallel.copied" "By" Counter Observed [] "GC_STATS";
    /// Part of that memory that was shared evenly among the collector threads.
    GC_PARALLEL_BALANCED = "ghc.gc.parallel.balanced" "By" Counter Observed [] "GC_STATS";
    /// Memory that was kept and not used after the last collection.
    GC_LAST_FRAGMENTATION = "ghc.gc.last_collection.heap.fragmentation" "By" Gauge Observed []
        "GC_STATS";
    /// Memory lost at the ends of blocks in the last collection.
    GC_LAST_SLOP = "ghc.gc.last_collection.heap.slop" "By" Gauge Observed [] "GC_STATS";
    /// How long the non-moving collector marked while the program ran.
    GC_NONMOVING_MARK_DURATION = "ghc.gc.nonmoving.mark.duration" "s" Histogram Observed []
        "CONC_MARK_*";
    /// How long the non-moving collector stopped the program at the end of marking.
    GC_NONMOVING_SYNC_DURATION = "ghc.gc.nonmoving.sync.duration" "s" Histogram Observed []
        "CONC_SYNC_*";
    /// Time that a capability has spent in each state.
    CAPABILITY_TIME = "ghc.capability.time" "s" Counter Observed
        ["ghc.capability.id", "ghc.capability.state"] "RUN, STOP, GC_*";
    /// Capabilities.
    CAPABILITY_COUNT = "ghc.capability.count" "{capability}" UpDownCounter Program
        ["ghc.capability.enabled"] "CAP_*";
    /// Threads that are alive, by state.
    THREAD_COUNT = "ghc.thread.count" "{thread}" UpDownCounter Observed
        ["ghc.thread.state", "ghc.thread.block.reason"] "CREATE, RUN, STOP, WAKEUP";
    /// Threads created.
    THREAD_CREATIONS = "ghc.thread.creations" "{thread}" Counter Observed [] "CREATE_THREAD";
    /// Threads that have finished.
    THREAD_COMPLETIONS = "ghc.thread.completions" "{thread}" Counter Observed [] "STOP_THREAD";
    /// Moves of threads to another capability.
    THREAD_MIGRATIONS = "ghc.thread.migrations" "{migration}" Counter Observed [] "MIGRATE_THREAD";
    /// How often threads stopped running, by reason.
    THREAD_SWITCHES = "ghc.thread.switches" "{switch}" Counter Observed ["ghc.thread.stop.reason"]
        "STOP_THREAD";
    /// How long threads that were ready waited to run.
    THREAD_SCHEDULE_DURATION = "ghc.thread.schedule.duration" "s" Histogram Observed []
        "CREATE, STOP, WAKEUP, RUN";
    /// How long threads were blocked, by reason.
    THREAD_BLOCKED_DURATION = "ghc.thread.blocked.duration" "s" Histogram Observed
        ["ghc.thread.block.reason"] "STOP, WAKEUP, RUN";
    /// Operating system threads that work for the runtime system.
    TASK_COUNT = "ghc.task.count" "{task}" UpDownCounter Observed [] "TASK_CREATE, TASK_DELETE";
    /// Sparks offered, by result.
    SPARK_CREATIONS = "ghc.spark.creations" "{spark}" Counter Program
        ["ghc.spark.creation.result"] "SPARK_COUNTERS";
    /// Sparks that left the pool, by outcome.
    SPARK_COMPLETIONS = "ghc.spark.completions" "{spark}" Counter Program ["ghc.spark.outcome"]
        "SPARK_COUNTERS";
    /// Sparks in the pool.
    SPARK_POOL_SIZE = "ghc.spark.pool.size" "{spark}" UpDownCounter Program ["ghc.capability.id"]
        "SPARK_COUNTERS";
    /// How long the program's own spans took.
    USER_SPAN_DURATION = "ghc.user_span.duration" "s" Histogram Observed ["ghc.user_span.name"]
        "START x, then STOP x or END x";
    /// Messages of the program.
    USER_MESSAGES = "ghc.user.messages" "{message}" Counter Observed [] "USER_MSG";
    /// Markers of the program.
    USER_MARKERS = "ghc.user.markers" "{marker}" Counter Observed [] "USER_MARKER";
    /// Events.
    EVENTLOG_EVENTS = "ghc.eventlog.events" "{event}" Counter Observed [] "all";
    /// Bytes of the log.
    EVENTLOG_RECEIVED = "ghc.eventlog.received" "By" Counter Observed [] "all";
    /// Bytes that are missing from the log, by source of the loss.
    EVENTLOG_LOST = "ghc.eventlog.lost" "By" Counter Observed ["ghc.eventlog.loss.source"]
        "notes of losses in the log";
    /// Chunks that are missing from the log, by source of the loss.
    EVENTLOG_LOST_CHUNKS = "ghc.eventlog.lost_chunks" "{chunk}" Counter Observed
        ["ghc.eventlog.loss.source"] "notes of losses in the log";
    /// Age of the newest event of a running program.
    EVENTLOG_LAG = "ghc.eventlog.lag" "s" Gauge Observed [] "the time of day";
    /// Connections to the program.
    EVENTLOG_CONNECTION_COUNT = "ghc.eventlog.connection.count" "{connection}" UpDownCounter Observed []
        "the connection";
    /// How often a connection to the program was made again.
    EVENTLOG_RECONNECTIONS = "ghc.eventlog.reconnections" "{reconnection}" Counter Observed []
        "the connection";
    /// Time since the start of the program, up to its newest event.
    PROCESS_UPTIME = "process.uptime" "s" Gauge Program [] "the newest event";
    /// Physical memory of the process, if it runs on this machine.
    PROCESS_MEMORY_USAGE = "process.memory.usage" "By" UpDownCounter Program []
        "/proc, of a program on this machine";
    /// Processor time of the process, if it runs on this machine.
    PROCESS_CPU_TIME = "process.cpu.time" "s" Counter Program ["cpu.mode"]
        "/proc, of a program on this machine";
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Prometheus' rules for names from OpenTelemetry, as in its translator.
    fn translated(metric: &Metric) -> String {
        let mut tokens: Vec<&str> = metric
            .name
            .split(|c: char| !(c.is_ascii_alphanumeric() || c == ':'))
            .filter(|token| !token.is_empty())
            .collect();
        let unit = match metric.unit {
            "By" => "bytes",
            "s" => "seconds",
            unit if unit.contains(['{', '}']) => "",
            "1" => "",
            other => panic!("a unit that has no name here: {other}"),
        };
        if !unit.is_empty() && !tokens.contains(&unit) {
            tokens.push(unit);
        }
        if metric.kind == Kind::Counter {
            tokens.retain(|&token| token != "total");
            tokens.push("total");
        }
        if metric.unit == "1" && metric.kind == Kind::Gauge {
            tokens.retain(|&token| token != "ratio");
            tokens.push("ratio");
        }
        let name = tokens.join("_");
        match name.starts_with(|c: char| c.is_ascii_digit()) {
            true => format!("_{name}"),
            false => name,
        }
    }

    #[test]
    fn names_for_prometheus_are_those_of_its_own_translation() {
        let mut names = BTreeSet::new();
        for metric in METRICS {
            assert_eq!(
                metric.prometheus_name(),
                translated(metric),
                "{}",
                metric.name
            );
            assert!(names.insert(metric.prometheus_name()), "{}", metric.name);
        }
        assert!(names.contains("ghc_heap_allocated_bytes_total"));
        assert!(names.contains("ghc_gc_pause_duration_seconds"));
        assert!(names.contains("ghc_thread_count"));
    }

    #[test]
    fn names_follow_the_rules() {
        for metric in METRICS {
            let name = metric.name;
            assert!(
                name.starts_with("ghc.") || name.starts_with("process."),
                "{name}"
            );
            let word = |c: char| c.is_ascii_lowercase() || c == '.' || c == '_';
            assert!(name.chars().all(word), "{name}");
            assert!(metric.help().ends_with('.'), "{name}");
            assert!(
                !name.ends_with(".total") && !name.ends_with("_total"),
                "{name}"
            );
            let durations = metric.kind == Kind::Histogram;
            assert_eq!(name.ends_with(".duration"), durations, "{name}");
            assert!(!durations || metric.unit == "s", "{name}");
            // No attribute is the beginning of another name: OpenTelemetry forbids it.
            for other in METRICS {
                let prefix = format!("{name}.");
                assert!(!other.name.starts_with(&prefix), "{name} {}", other.name);
            }
        }
    }
}
