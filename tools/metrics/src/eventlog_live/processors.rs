//! What eventlog-live can export: one table for its configuration and its schema.

/// The kind of output of a processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// Log records.
    Logs,
    /// Metrics.
    Metrics,
    /// Spans.
    Traces,
    /// Profiles, which are not exported here.
    Profiles,
}

impl Group {
    /// All of them, in the order of its configuration.
    pub const ALL: [Self; 4] = [Self::Logs, Self::Metrics, Self::Traces, Self::Profiles];

    /// Its key in the configuration.
    pub fn key(self) -> &'static str {
        match self {
            Self::Logs => "logs",
            Self::Metrics => "metrics",
            Self::Traces => "traces",
            Self::Profiles => "profiles",
        }
    }
}

/// Something that can be exported.
#[derive(Debug)]
pub struct Processor {
    /// Its kind of output.
    pub group: Group,
    /// Its key in the configuration.
    pub key: &'static str,
    /// Its default name.
    pub name: &'static str,
    /// Its description.
    pub description: &'static str,
    /// Whether it is exported without any configuration.
    pub usual: bool,
}

macro_rules! processors {
    ($($group:ident $key:literal $name:literal $usual:literal $description:literal;)*) => {
        /// All of them, by group.
        pub static PROCESSORS: &[Processor] = &[$(Processor {
            group: Group::$group,
            key: $key,
            name: $name,
            description: $description,
            usual: $usual,
        }),*];
    };
}

processors! {
    Logs "thread_label" "ghc_eventlog_ThreadLabel" true "Names of threads.";
    Logs "user_marker" "ghc_eventlog_UserMarker" true "Markers of the program.";
    Logs "user_message" "ghc_eventlog_UserMessage" true "Messages of the program.";
    Logs "internal_log_message" "eventlog_live_InternalLogMessage" true
        "Messages of the exporter itself: losses.";
    Metrics "blocks_size" "ghc_eventlog_BlocksSize" true "Memory in blocks that are in use.";
    Metrics "capability_usage" "ghc_eventlog_CapabilityUsageDuration" true
        "Time that capabilities have spent.";
    Metrics "heap_allocated" "ghc_eventlog_HeapAllocated" true "Memory allocated.";
    Metrics "heap_live" "ghc_eventlog_HeapLive" true "Live data.";
    Metrics "heap_prof_sample" "ghc_eventlog_HeapProfSample" true
        "Memory by band of the heap profile.";
    Metrics "heap_size" "ghc_eventlog_HeapSize" true "Size of the heap.";
    Metrics "mem_current" "ghc_eventlog_MemCurrent" true "Megablocks held.";
    Metrics "mem_needed" "ghc_eventlog_MemNeeded" true "Megablocks needed.";
    Metrics "mem_returned" "ghc_eventlog_MemReturned" true "Megablocks given back.";
    Traces "capability_usage" "ghc_eventlog_CapabilityUsage" false "States of capabilities.";
    Traces "thread_state" "ghc_eventlog_ThreadState" false "States of threads.";
    Profiles "call_stack_profile" "ghc_eventlog_CallStackProfile" false "Samples of call stacks.";
    Profiles "cost_centre_stack_profile" "ghc_eventlog_CostCentreStackProfile" false
        "Samples of cost centre stacks.";
}
