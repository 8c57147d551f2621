//! What reaches a client: how fast, how soon, and at what additional cost for the process.

use bench::build::{Built, Library};
use bench::client::Manner;
use bench::report::{Text, bytes, experiment};
use bench::scale::Scale;
use bench::stats::Quantiles;
use bench::writing::{Writers, Writing, Written};

const LIBRARIES: [Library; 3] = [Library::Ours, Library::Peer, Library::Write];
const CHUNKS: [u64; 3] = [64 << 10, 512 << 10, 2 << 20];
const DELAYS: [&str; 10] = [
    "p50",
    "p99",
    "p99.9",
    "max",
    "arrived %",
    "library CPU %",
    "sleeps / MiB",
    "wake-ups / MiB",
    "idle CPU us/s",
    "idle sleeps / s",
];
const MIB: f64 = 1_048_576.0;

fn main() -> Result<(), String> {
    let scale = Scale::from_args()?;
    let built = Built::new()?;
    let libraries = built.among(&LIBRARIES);
    let writers = Writers::new(&built, &libraries)?;
    let mut text = Text::default();
    text.add("### End to end");
    sustained(scale, &libraries, &writers, &mut text)?;
    delays(scale, &libraries, &writers, &mut text)?;
    text.publish("stream")
}

/// Everything is delivered: our library waits for room.
fn blocking(mut writing: Writing) -> Writing {
    writing.settings = vec![("GHC_EVENTLOG_OVERFLOW", "block".into())];
    writing
}

fn transport(tcp: bool) -> String {
    if tcp { "tcp" } else { "unix" }.into()
}

fn sustained(
    scale: Scale,
    libraries: &[Library],
    writers: &Writers,
    text: &mut Text,
) -> Result<(), String> {
    let total: u64 = scale.choose(64 << 20, 1 << 30);
    let mut cases = Vec::new();
    for tcp in [false, true] {
        for chunk in CHUNKS {
            for library in libraries {
                let writing = Writing::new(*library, Manner::Fast, chunk, total / chunk);
                let mut writing = blocking(writing);
                writing.tcp = tcp;
                writing.whole = true;
                let labels = [transport(tcp), bytes(chunk), library.name().into()];
                cases.push((labels.to_vec(), writing));
            }
        }
    }
    let results = experiment(
        "stream",
        &["socket", "chunk", "lib"],
        &[
            "MB/s",
            "sleeps / MiB",
            "wake-ups / MiB",
            "CPU s / GB",
            "max RSS MiB",
        ],
        cases,
        scale.rounds(7, 80),
        |writing| {
            let written = writers.run(writing)?;
            let took = written.seen.took.ok_or("not all of it arrived")?;
            let bytes = writing.bytes() as f64;
            let cpu = written.figure("cpu_callers_ns") + written.figure("cpu_library_ns");
            Ok(vec![
                bytes / took.as_secs_f64() / 1e6,
                written.figure("sleeps") / (bytes / MIB),
                written.figure("wakeups") / (bytes / MIB),
                cpu / bytes,
                written.figure("max_rss_kib") / 1024.0,
            ])
        },
    );
    results.write_csv()?;
    text.add(
        "**Sustained**: written flat out and all of it read (ours with the policy `block`), \
         timed by the client. `write(2)`: the caller writes from one buffer to the same kind \
         of socket.",
    );
    text.add(results.table(
        &[],
        &[
            "MB/s",
            "sleeps / MiB",
            "wake-ups / MiB",
            "CPU s / GB",
            "max RSS MiB",
        ],
    ));
    let mut body = Vec::new();
    for socket in ["unix", "tcp"] {
        for chunk in CHUNKS {
            let chunk = bytes(chunk);
            let rate = |lib| results.median(&[socket, &chunk, lib], "MB/s");
            body.push(vec![
                socket.into(),
                chunk.clone(),
                format!("{:.2}", rate("ours") / rate("write(2)")),
                format!("{:.2}", rate("peer") / rate("write(2)")),
            ]);
        }
    }
    let head = ["socket", "chunk", "ours / write(2)", "peer / write(2)"];
    text.add(bench::report::markdown(&head, 2, body));
    Ok(())
}

/// One chunk a millisecond, which contains the time.
fn delays(
    scale: Scale,
    libraries: &[Library],
    writers: &Writers,
    text: &mut Text,
) -> Result<(), String> {
    let mut cases = Vec::new();
    for tcp in [false, true] {
        for chunk in [1 << 10, 64 << 10] {
            for library in libraries {
                let calls = scale.choose(200, 1000);
                let mut writing = Writing::new(*library, Manner::Fast, chunk, calls);
                writing.tcp = tcp;
                writing.pace_ns = 1_000_000;
                writing.stamped = true;
                writing.idle_ms = scale.choose(200, 1000);
                let labels = [transport(tcp), bytes(chunk), library.name().into()];
                cases.push((labels.to_vec(), writing));
            }
        }
    }
    let results = experiment(
        "delay",
        &["socket", "chunk", "lib"],
        &DELAYS,
        cases,
        scale.rounds(5, 100),
        |writing| {
            let written = writers.run(writing)?;
            let delays = &written.seen.delays;
            let q = Quantiles::of(delays);
            let mib = writing.bytes() as f64 / MIB;
            let idle_s = writing.idle_ms as f64 / 1e3;
            Ok(vec![
                q.p50,
                q.p99,
                q.p999,
                q.max,
                delays.len() as f64 / writing.calls as f64 * 100.0,
                share(&written),
                written.figure("sleeps") / mib,
                written.figure("wakeups") / mib,
                written.figure("idle_cpu_ns") / 1e3 / idle_s,
                written.figure("idle_sleeps") / idle_s,
            ])
        },
    );
    results.write_csv()?;
    text.add(
        "**Delay** from the call of the writer to the client, one chunk a millisecond, in \
         nanoseconds; what the library's threads take of one processor meanwhile, and when \
         nothing is written for a second.",
    );
    text.add(results.table(&[], &DELAYS));
    for row in &results.rows {
        let sleeps = row.median(results.metric("idle sleeps / s"));
        if row.labels[2] == "ours" && sleeps > 0.0 {
            text.add(format!("WOKEN although idle: {}", row.labels.join(" ")));
        }
    }
    Ok(())
}

/// Share of one processor, in per cent, used by threads other than the caller.
fn share(written: &Written) -> f64 {
    written.figure("cpu_library_ns") / written.figure("wall_ns") * 100.0
}
