//! What one call of `writeEventLog` costs the program, beside the peer and a plain copy.

use bench::build::{Built, Library};
use bench::client::Manner;
use bench::report::{Text, bytes, experiment};
use bench::scale::Scale;
use bench::writing::{Writers, Writing, Written};

const LIBRARIES: [Library; 3] = [Library::Ours, Library::Peer, Library::Memcpy];
const CLIENTS: [Manner; 4] = [Manner::Fast, Manner::Slow, Manner::Stalled, Manner::None];
/// A chunk, the calls of an unpaced run, and the pace of a paced run: below what the socket and a
/// reader can take on two processors.
const CHUNKS: [(u64, u64, u64); 6] = [
    (64, 200_000, 5_000),
    (1 << 10, 200_000, 20_000),
    (8 << 10, 60_000, 100_000),
    (64 << 10, 8_000, 500_000),
    (512 << 10, 1_200, 2_000_000),
    (2 << 20, 600, 8_000_000),
];
/// The most that is written to a client that does not read: the peer keeps all of it.
const UNREAD: u64 = 512 << 20;
/// How long the calls of a paced run take together, in nanoseconds.
const PACED: u64 = 500_000_000;

const METRICS: [&str; 12] = [
    "p50",
    "p99",
    "p99.9",
    "max",
    "MB/s",
    "lost %",
    "calls",
    "system calls",
    "yields",
    "preemptions",
    "wake-ups",
    "faults",
];

fn main() -> Result<(), String> {
    let scale = Scale::from_args()?;
    let built = Built::new()?;
    let libraries = built.among(&LIBRARIES);
    let writers = Writers::new(&built, &libraries)?;
    let part = scale.choose(20, 1);

    let mut cases = Vec::new();
    for (chunk, calls, pace_ns) in CHUNKS {
        for threads in [1, 2] {
            for client in CLIENTS {
                for library in &libraries {
                    let most = match client {
                        Manner::Fast => u64::MAX,
                        _ => (UNREAD / chunk / 2).max(200),
                    };
                    let calls = calls.min(most) / part / threads;
                    let mut writing = Writing::new(*library, client, chunk, calls.max(20));
                    writing.threads = threads;
                    add(&mut cases, "flat out", writing.clone());
                    if client == Manner::Fast {
                        // The same number of bytes a second, whatever the number of threads.
                        writing.pace_ns = pace_ns * threads;
                        writing.calls = (PACED / part / writing.pace_ns).max(20);
                        add(&mut cases, "paced", writing);
                    }
                }
            }
        }
    }
    let results = experiment(
        "callback",
        &["how", "threads", "chunk", "client", "lib"],
        &METRICS,
        cases,
        scale.rounds(5, 260),
        |writing| Ok(figures(writing, &writers.run(writing)?)),
    );
    results.write_csv()?;

    let mut text = Text::default();
    text.add("### The writer's callback");
    text.add(
        "Nanoseconds of one call; medians over interleaved rounds. `lost %`: calls that found \
         the ring full (such a call is quick). `system calls`: those that the callers made for \
         the library, of `calls`; `yields`, `preemptions`: context switches of the callers; `faults`: \
         pages that they touched first.",
    );
    let columns = [
        "p50",
        "p99",
        "p99.9",
        "max",
        "lost %",
        "calls",
        "system calls",
        "yields",
        "faults",
    ];
    for threads in ["1", "2"] {
        text.add(format!("**Paced, a fast client, {threads} thread(s)**"));
        text.add(results.table(&["paced", threads], &columns));
    }
    for threads in ["1", "2"] {
        for client in CLIENTS {
            let client = client.name();
            text.add(format!(
                "**Flat out, client: {client}, {threads} thread(s)**"
            ));
            text.add(results.table(&["flat out", threads, "", client], &columns));
        }
    }
    text.add(
        "**The peer's p99.9, as a multiple of ours (fast client; target: 10 or more from 64 KiB)**",
    );
    let mut body = Vec::new();
    for (chunk, ..) in CHUNKS {
        let chunk = bytes(chunk);
        let mut line = vec![chunk.clone()];
        for how in ["paced", "flat out"] {
            for threads in ["1", "2"] {
                let of = |lib| results.median(&[how, threads, &chunk, "fast", lib], "p99.9");
                line.push(bench::report::human(of("peer") / of("ours")));
            }
        }
        body.push(line);
    }
    let head = [
        "chunk",
        "paced",
        "paced, 2 threads",
        "flat out",
        "flat out, 2 threads",
    ];
    text.add(bench::report::markdown(&head, 1, body));

    // There was room for what was paced: every call was kept, or a claim of the README is wrong.
    let lost = results.metric("lost %");
    for row in &results.rows {
        if row.labels[0] == "paced" && row.labels[4] == "ours" && row.median(lost) > 0.0 {
            text.add(format!("LOST although paced: {}", row.labels.join(" ")));
        }
    }
    // The callers wake the poll thread, and make no other system call.
    let (made, wakeups) = (results.metric("system calls"), results.metric("wake-ups"));
    for row in &results.rows {
        if row.labels[4] == "ours" && row.runs.iter().any(|run| run[made] > run[wakeups]) {
            text.add(format!(
                "SYSTEM CALLS besides wake-ups: {}",
                row.labels.join(" ")
            ));
        }
    }
    text.publish("callback")
}

fn add(cases: &mut Vec<(Vec<String>, Writing)>, how: &str, writing: Writing) {
    let labels = [
        how.to_owned(),
        writing.threads.to_string(),
        bytes(writing.chunk),
        writing.client.name().to_owned(),
        writing.library.name().to_owned(),
    ];
    cases.push((labels.to_vec(), writing));
}

fn figures(writing: &Writing, written: &Written) -> Vec<f64> {
    let calls = (writing.threads * writing.calls) as f64;
    let q = &written.quantiles;
    vec![
        q.p50,
        q.p99,
        q.p999,
        q.max,
        writing.bytes() as f64 * 1e3 / written.figure("wall_ns"),
        written.figure("chunks_lost") / calls * 100.0,
        calls,
        written.figure("system_calls"),
        written.figure("yields"),
        written.figure("preemptions"),
        written.figure("wakeups"),
        written.figure("faults"),
    ]
}
