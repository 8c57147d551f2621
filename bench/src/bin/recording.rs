//! The cost of one call of `writeEventLog` with a ring file, beside the ring of a client and a
//! plain copy. All of them record everything: nothing is lost, and nothing waits.

use std::path::{Path, PathBuf};

use bench::build::{Built, Library};
use bench::client::Manner;
use bench::process::Scratch;
use bench::report::{Text, bytes, experiment};
use bench::scale::Scale;
use bench::writing::{Writers, Writing};

/// The size of the memory that the copy uses in a circle.
const SIZE: &str = "16M";
/// A chunk, and the calls of a run.
const CHUNKS: [(u64, u64); 5] = [
    (64, 400_000),
    (1 << 10, 200_000),
    (8 << 10, 60_000),
    (64 << 10, 8_000),
    (2 << 20, 400),
];
const METRICS: [&str; 9] = [
    "p50",
    "p99",
    "p99.9",
    "max",
    "MB/s",
    "lost %",
    "system calls",
    "yields",
    "faults",
];

/// Where the chunks go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    /// Over 16 MiB of memory that is not read.
    Copy,
    /// To a client that stalls: into its ring until that is full, then nowhere.
    Nowhere,
    /// Into a ring file on this file system.
    File(Place),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Memory,
    Disk,
}

impl Target {
    fn name(self) -> &'static str {
        match self {
            Target::Copy => "memcpy",
            Target::Nowhere => "stalled client",
            Target::File(Place::Memory) => "ring file, tmpfs",
            Target::File(Place::Disk) => "ring file, disk",
        }
    }
}

impl Place {
    /// A directory on it, if there is one.
    fn directory(self) -> Option<PathBuf> {
        match self {
            Place::Memory => Some(PathBuf::from("/dev/shm")).filter(|path| path.is_dir()),
            Place::Disk => Some(std::env::temp_dir()),
        }
    }
}

fn main() -> Result<(), String> {
    let scale = Scale::from_args()?;
    let built = Built::new()?;
    let writers = Writers::new(&built, &[Library::Ours, Library::Memcpy])?;
    let part = scale.choose(20, 1);
    let mut cases = Vec::new();
    let targets = [
        Target::Copy,
        Target::Nowhere,
        Target::File(Place::Memory),
        Target::File(Place::Disk),
    ];
    for (chunk, calls) in CHUNKS {
        for threads in [1, 2] {
            for target in targets {
                let calls = (calls / part / threads).max(20);
                let labels = [threads.to_string(), bytes(chunk), target.name().to_owned()];
                cases.push((labels.to_vec(), (target, threads, chunk, calls)));
            }
        }
    }
    let results = experiment(
        "recording",
        &["threads", "chunk", "to"],
        &METRICS,
        cases,
        scale.rounds(7, 60),
        |&(target, threads, chunk, calls)| run(&writers, target, threads, chunk, calls),
    );
    results.write_csv()?;

    let mut text = Text::default();
    text.add("### The ring file");
    text.add(
        "Nanoseconds of one call, flat out, into a ring file of 16 MiB, which goes round many \
         times; beside a copy into 16 MiB of memory, and a client that reads nothing (its calls \
         are quick, as most of them lose). Nothing is lost to a file. `faults`: pages that \
         the callers touched first, or first since the kernel wrote them out.",
    );
    for threads in ["1", "2"] {
        text.add(format!("**{threads} thread(s)**"));
        text.add(results.table(&[threads], &METRICS));
    }
    text.publish("recording")
}

fn run(
    writers: &Writers,
    target: Target,
    threads: u64,
    chunk: u64,
    calls: u64,
) -> Result<Vec<f64>, String> {
    let (library, client) = match target {
        Target::Copy => (Library::Memcpy, Manner::None),
        Target::Nowhere => (Library::Ours, Manner::Stalled),
        Target::File(_) => (Library::Ours, Manner::None),
    };
    let mut writing = Writing::new(library, client, chunk, calls);
    writing.threads = threads;
    let scratch;
    if let Target::File(place) = target {
        let directory = place.directory().ok_or("no such file system")?;
        scratch = Scratch::within(&directory).map_err(|error| error.to_string())?;
        writing.socket = false;
        writing.settings = settings(&scratch.join("ring"));
    }
    let written = writers.run(&writing)?;
    let q = &written.quantiles;
    let lost = written.figure("chunks_lost") + written.figure("ring_file_chunks_refused");
    Ok(vec![
        q.p50,
        q.p99,
        q.p999,
        q.max,
        writing.bytes() as f64 * 1e3 / written.figure("wall_ns"),
        lost / (threads * calls) as f64 * 100.0,
        written.figure("system_calls"),
        written.figure("yields"),
        written.figure("faults"),
    ])
}

fn settings(file: &Path) -> Vec<(&'static str, String)> {
    vec![
        ("GHC_EVENTLOG_RING_FILE", file.display().to_string()),
        ("GHC_EVENTLOG_RING_FILE_SIZE", SIZE.into()),
    ]
}
