//! What happens with more callers, larger rings, and clients that connect and disconnect.

use bench::build::{Built, Library};
use bench::client::Manner;
use bench::report::{Text, bytes, experiment};
use bench::scale::{Rounds, Scale};
use bench::writing::{Writers, Writing, Written};

fn main() -> Result<(), String> {
    let scale = Scale::from_args()?;
    let built = Built::new()?;
    let libraries = built.among(&[Library::Ours, Library::Peer, Library::Memcpy]);
    let writers = Writers::new(&built, &libraries)?;
    let rounds = scale.rounds(5, 35);
    let mut text = Text::default();
    text.add("### Scaling");
    producers(scale, rounds, &libraries, &writers, &mut text)?;
    rings(scale, rounds, &writers, &mut text)?;
    let libraries = built.among(&[Library::Ours, Library::Peer]);
    connections(scale, rounds, &libraries, &writers, &mut text)?;
    text.publish("scaling")
}

fn producers(
    scale: Scale,
    rounds: Rounds,
    libraries: &[Library],
    writers: &Writers,
    text: &mut Text,
) -> Result<(), String> {
    let mut cases = Vec::new();
    for (chunk, calls) in [(1 << 10, 100_000), (64 << 10, 4_000), (2 << 20, 200)] {
        for threads in [1, 2, 4, 8] {
            for library in libraries {
                let calls = (calls / threads / scale.choose(10, 1)).max(10);
                let mut writing = Writing::new(*library, Manner::Fast, chunk, calls);
                writing.threads = threads;
                let labels = [bytes(chunk), threads.to_string(), library.name().into()];
                cases.push((labels.to_vec(), writing));
            }
        }
    }
    let columns = &[
        "p50",
        "p99.9",
        "max",
        "offered MB/s",
        "taken MB/s",
        "lost %",
        "yields",
    ];
    let results = experiment(
        "producers",
        &["chunk", "threads", "lib"],
        columns,
        cases,
        rounds,
        |writing| {
            let written = writers.run(writing)?;
            let lost = lost(writing, &written);
            let offered = writing.bytes() as f64 * 1e3 / written.figure("wall_ns");
            let q = &written.quantiles;
            Ok(vec![
                q.p50,
                q.p999,
                q.max,
                offered,
                offered * (1.0 - if lost.is_nan() { 0.0 } else { lost } / 100.0),
                lost,
                written.figure("yields"),
            ])
        },
    );
    results.write_csv()?;
    text.add(
        "**Callers**, flat out, a fast client; the same number of calls in total. \
         Nanoseconds of a call; `taken`: what was not lost.",
    );
    text.add(results.table(&[], columns));
    Ok(())
}

fn rings(scale: Scale, rounds: Rounds, writers: &Writers, text: &mut Text) -> Result<(), String> {
    let mut cases = Vec::new();
    for size in [256 << 10, 1 << 20, 4 << 20, 16 << 20, 64 << 20, 256 << 20] {
        for (chunk, calls) in [(1 << 10, 200_000), (64 << 10, 8_000)] {
            let calls = calls / scale.choose(10, 1);
            let mut writing = Writing::new(Library::Ours, Manner::Fast, chunk, calls);
            writing.settings = vec![("GHC_EVENTLOG_BUFFER_SIZE", size.to_string())];
            cases.push((vec![bytes(size), bytes(chunk)], writing));
        }
    }
    let columns = &["p50", "p99", "p99.9", "max", "lost %", "max RSS MiB"];
    let results = experiment(
        "rings",
        &["ring", "chunk"],
        columns,
        cases,
        rounds,
        |writing| {
            let written = writers.run(writing)?;
            let q = &written.quantiles;
            Ok(vec![
                q.p50,
                q.p99,
                q.p999,
                q.max,
                lost(writing, &written),
                written.figure("max_rss_kib") / 1024.0,
            ])
        },
    );
    results.write_csv()?;
    text.add("**Size of the ring** (ours), flat out, a fast client.");
    text.add(results.table(&[], columns));
    Ok(())
}

fn connections(
    scale: Scale,
    rounds: Rounds,
    libraries: &[Library],
    writers: &Writers,
    text: &mut Text,
) -> Result<(), String> {
    let mut cases = Vec::new();
    for tcp in [false, true] {
        for library in libraries {
            let calls = scale.choose(10_000, 50_000);
            let mut writing = Writing::new(*library, Manner::Visiting, 1 << 10, calls);
            writing.tcp = tcp;
            writing.pace_ns = 20_000;
            let socket = if tcp { "tcp" } else { "unix" };
            cases.push((vec![socket.into(), library.name().into()], writing));
        }
    }
    let columns = &["visits / s", "p50", "p99.9", "max"];
    let results = experiment(
        "connections",
        &["socket", "lib"],
        columns,
        cases,
        rounds,
        |writing| {
            let written = writers.run(writing)?;
            let seen = &written.seen;
            let q = &written.quantiles;
            let took = seen.took.map_or(f64::NAN, |took| took.as_secs_f64());
            Ok(vec![seen.visits as f64 / took, q.p50, q.p999, q.max])
        },
    );
    results.write_csv()?;
    text.add(
        "**Clients that come and go** (connect, read until the events begin, leave) while 1 KiB \
         is written every 20 us.",
    );
    text.add(results.table(&[], columns));
    Ok(())
}

/// Calls that found no room, in per cent.
fn lost(writing: &Writing, written: &Written) -> f64 {
    let calls = (writing.threads * writing.calls) as f64;
    written.figure("chunks_lost") / calls * 100.0
}
