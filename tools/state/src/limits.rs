//! What a state keeps, and how much of it.

/// Which parts of the runtime system are followed, and the limits to them.
///
/// A limit is not a failure: what exceeds it is refused and counted
/// ([`State::refused`](crate::State::refused)), and everything else stays right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// Each thread. Without it, only the numbers that capabilities give of threads.
    pub threads: bool,
    /// Definitions, byte for byte, so that a log can begin with them again.
    pub definitions: bool,
    /// The names of info tables: there can be millions.
    pub info_tables: bool,
    /// Spans between two messages of the program.
    pub spans: bool,
    /// Whether what no runtime system writes is reported as [`Fact::Odd`](crate::Fact::Odd).
    pub oddities: bool,
    /// How much of each is kept.
    pub limits: Limits,
}

/// How many things of a kind are kept at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Threads that are alive.
    pub threads: usize,
    /// Labels of threads.
    pub labels: usize,
    /// Bytes of one label.
    pub label_bytes: usize,
    /// Operating system threads.
    pub tasks: usize,
    /// Info tables.
    pub info_tables: usize,
    /// Cost centres.
    pub cost_centres: usize,
    /// Other definitions.
    pub definitions: usize,
    /// Bytes of definitions, info tables and cost centres included.
    pub definition_bytes: usize,
    /// Bands of one heap sample.
    pub bands: usize,
    /// Spans that are open at a time.
    pub spans: usize,
    /// Bytes of messages that define something for later ones.
    pub message_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            threads: 4 << 20,
            labels: 1 << 20,
            label_bytes: 1024,
            tasks: 1 << 20,
            info_tables: 16 << 20,
            cost_centres: 1 << 20,
            definitions: 1 << 20,
            definition_bytes: 4 << 30,
            bands: 1 << 18,
            spans: 1 << 20,
            message_bytes: 64 << 20,
        }
    }
}

impl Keep {
    /// Nothing that takes more memory the longer the log is: only programs, capabilities,
    /// collections, the heap, the sample that is open.
    pub fn least() -> Self {
        Self {
            threads: false,
            definitions: false,
            info_tables: false,
            spans: false,
            oddities: false,
            limits: Limits::default(),
        }
    }

    /// What the beginning of a log that goes on in the middle of a stream needs. The names of info
    /// tables are not repeated there.
    pub fn for_beginnings() -> Self {
        Self {
            info_tables: false,
            oddities: false,
            ..Self::all()
        }
    }

    /// Everything that a log can contain.
    pub fn all() -> Self {
        Self {
            threads: true,
            definitions: true,
            info_tables: true,
            spans: true,
            oddities: true,
            limits: Limits::default(),
        }
    }
}

impl Default for Keep {
    fn default() -> Self {
        Self::all()
    }
}
