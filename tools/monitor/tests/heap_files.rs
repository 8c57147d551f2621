//! Heap profiles as text (`.hp`): files of real programs, files that grow, and damaged ones.

use crate::site::{Dir, Site, until};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::Command;

const SOURCE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../formats/events/corpus/Heap.hs"
);

/// Builds the program; `false`, with a message, if there is no GHC that can.
fn build(dir: &Dir, flags: &[&str]) -> bool {
    let mut ghc = Command::new("ghc");
    ghc.args(["-v0", "-O1", "-rtsopts", "-eventlog", "-outputdir", "."]);
    ghc.args(flags).args(["-o", "program", SOURCE]);
    match ghc.current_dir(&dir.0).output() {
        Ok(output) if output.status.success() => true,
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            // A GHC without the libraries for profiling.
            assert!(said.contains("profiling libraries"), "{said}");
            eprintln!("SKIPPED: {said}");
            false
        }
        Err(error) => {
            eprintln!("SKIPPED: no ghc: {error}");
            false
        }
    }
}

/// Runs the program with these flags of the runtime system, and returns the profile that it has
/// written.
fn profile(dir: &Dir, rounds: u32, flags: &[&str]) -> String {
    let output = Command::new(dir.0.join("program"))
        .args([&*rounds.to_string(), "20000", "+RTS"])
        .args(flags)
        .env_remove("GHCRTS")
        .current_dir(&dir.0)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    std::fs::read_to_string(dir.0.join("program.hp")).unwrap()
}

/// The bands of a sample.
type Bands = BTreeMap<String, u64>;

/// The samples of a file that have bands, read line by line.
fn samples(file: &str) -> Vec<(f64, Bands)> {
    let mut all = Vec::new();
    let mut open = Bands::new();
    for line in file.lines() {
        if line.starts_with("BEGIN_SAMPLE ") {
            open = Bands::new();
        } else if let Some(time) = line.strip_prefix("END_SAMPLE ") {
            all.push((time.parse::<f64>().unwrap(), std::mem::take(&mut open)));
        } else if let Some((label, value)) = line.rsplit_once('\t') {
            *open.entry(label.to_owned()).or_default() += value.parse::<u64>().unwrap();
        }
    }
    all.retain(|(_, bands)| !bands.is_empty());
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    all
}

/// The samples in an answer.
fn told(heap: &Value) -> Vec<(f64, Bands)> {
    let bands = heap["bands"].as_array().unwrap();
    let times = heap["samples"].as_array().unwrap().iter().enumerate();
    let sample = |(at, time): (usize, &Value)| {
        let values = bands.iter().map(|band| {
            let name = band["name"].as_str().unwrap().to_owned();
            (name, band["values"][at].as_u64().unwrap())
        });
        let bands = values.filter(|(_, value)| *value > 0).collect();
        (time.as_u64().unwrap() as f64 / 1e9, bands)
    };
    times.map(sample).collect()
}

#[track_caller]
fn same(told: &[(f64, Bands)], expected: &[(f64, Bands)]) {
    let times = |all: &[(f64, Bands)]| all.iter().map(|it| it.0).collect::<Vec<_>>();
    assert_eq!(times(told), times(expected));
    for ((time, told), (_, expected)) in told.iter().zip(expected) {
        let expected: Bands = expected
            .iter()
            .filter(|it| *it.1 > 0)
            .map(|(name, value)| (name.clone(), *value))
            .collect();
        assert_eq!(told, &expected, "at {time}");
    }
}

/// Waits until a session has this many samples; all samples of a file, with those without bands.
#[track_caller]
fn session_with(site: &Site, name: &str, samples: usize) -> Value {
    until("the samples are read", || {
        let session = site.sessions(name).pop()?;
        assert_eq!(session["error"], Value::Null);
        (session["heap_file"]["samples"] == samples).then_some(session)
    })
}

fn all_samples(file: &str) -> usize {
    let ends = file.lines().filter(|line| line.starts_with("END_SAMPLE"));
    ends.count()
}

/// The first lines of a file, which are in quotes.
fn head<'a>(file: &'a str, key: &str) -> &'a str {
    let line = file.lines().find_map(|line| line.strip_prefix(key));
    line.unwrap().trim().trim_matches('"')
}

#[track_caller]
fn is_shown(site: &Site, dir: &Dir, file: &str, breakdown: &str) {
    // The name says nothing; the content does.
    let name = format!("{breakdown}.txt");
    let path = dir.0.join(&name);
    std::fs::write(&path, file).unwrap();
    site.file(&path);
    let session = session_with(site, breakdown, all_samples(file));
    let about = &session["heap_file"];
    assert_eq!(about["job"], head(file, "JOB"));
    assert_eq!(about["date"], head(file, "DATE"));
    assert_eq!(about["sample_unit"], "seconds");
    assert_eq!(about["value_unit"], "bytes");
    assert_eq!(session["bytes"], file.len());
    let id = session["id"].as_str().unwrap();
    let heap = site.get(&format!("s/{id}/heap?points=5000&top=1000"));
    assert_eq!(heap["breakdown"], breakdown);
    assert_eq!(heap["other_bands"], 0);
    let expected = samples(file);
    assert!(expected.len() > 2, "{} samples", expected.len());
    same(&told(&heap), &expected);
    // What has changed between the first and the last sample.
    let (a, b) = (&expected[0], expected.last().unwrap());
    let nanoseconds = |time: f64| (time * 1e9).round() as u64;
    let path = format!(
        "s/{id}/heap/diff?a={}&b={}&limit=5000",
        nanoseconds(a.0),
        nanoseconds(b.0)
    );
    let diff = site.get(&path);
    assert_eq!(diff["total_a"], a.1.values().sum::<u64>());
    assert_eq!(diff["total_b"], b.1.values().sum::<u64>());
    for band in diff["bands"].as_array().unwrap() {
        let name = band["name"].as_str().unwrap();
        let of = |bands: &Bands| bands.get(name).copied().unwrap_or(0);
        assert_eq!(band["a"], of(&a.1), "{name}");
        assert_eq!(band["b"], of(&b.1), "{name}");
    }
}

#[test]
fn a_profile_of_a_program_without_profiling() {
    let dir = Dir::new();
    if !build(&dir, &[]) {
        return;
    }
    let file = profile(&dir, 150, &["-hT", "-i0.01"]);
    let site = Site::new();
    is_shown(&site, &dir, &file, "closure_type");
}

/// How many bytes each cost-centre stack has itself, callers first.
fn stacks(tree: &Value) -> Bands {
    let nodes = tree["nodes"].as_array().unwrap();
    let mut paths: Vec<String> = Vec::new();
    let mut own = Bands::new();
    for node in nodes {
        let label = match (node["label"].as_str().unwrap(), &node["module"]) {
            // As the runtime system names it in the file.
            ("CAF", Value::String(module)) => format!("{module}.CAF"),
            (label, _) => label.to_owned(),
        };
        let path = match node["parent"].as_u64().map(|it| &*paths[it as usize]) {
            None | Some("MAIN") => label,
            Some(parent) => format!("{parent}/{label}"),
        };
        let bytes = node["own"].as_u64().unwrap();
        if bytes > 0 {
            assert!(own.insert(path.clone(), bytes).is_none(), "{path} twice");
        }
        paths.push(path);
    }
    own
}

#[test]
fn profiles_of_a_program_with_profiling() {
    let dir = Dir::new();
    if !build(&dir, &["-prof", "-fprof-auto-top"]) {
        return;
    }
    let site = Site::new();
    for (flag, breakdown) in [
        ("-hm", "module"),
        ("-hy", "type_description"),
        ("-hb", "biography"),
        ("-hc", "cost_centre"),
    ] {
        // GHC 9.0.2 can crash in longer profiles by biography.
        let (rounds, every) = match flag {
            "-hb" => (20, "-i0.02"),
            _ => (80, "-i0.01"),
        };
        let flags = [flag, every, "-L1000", "-l", "-olprogram.eventlog"];
        let file = profile(&dir, rounds, &flags);
        is_shown(&site, &dir, &file, breakdown);
        if flag != "-hc" {
            continue;
        }
        // The tree of stacks comes from the log. The file of the same run has the same stacks:
        // as text, and innermost first.
        let log = dir.0.join("program.eventlog");
        site.file(&log);
        let id = site.read_to("program", std::fs::metadata(&log).unwrap().len());
        let expected = samples(&file);
        let heap = until("all samples are read", || {
            let heap = site.get(&format!("s/{id}/heap?points=5000"));
            let times = heap["samples"].as_array().unwrap().clone();
            let total = |at: usize| {
                let bands = heap["bands"].as_array().unwrap().iter();
                let bands = bands.map(|band| band["values"][at].as_u64().unwrap());
                bands.sum::<u64>() > 0
            };
            let some = times.iter().enumerate().filter(|it| total(it.0));
            let some: Vec<Value> = some.map(|it| it.1.clone()).collect();
            (some.len() == expected.len()).then_some(some)
        });
        let mut located = false;
        for (time, (_, bands)) in heap.iter().zip(&expected) {
            let tree = site.get(&format!("s/{id}/heap/tree?at={time}&limit=20000"));
            assert_eq!(tree["time"], *time);
            assert_eq!(tree["other_nodes"], 0);
            assert_eq!(tree["total"], bands.values().sum::<u64>());
            let mut outside_in = Bands::new();
            for (label, value) in bands {
                let stack = label.split_once(')').map_or(&**label, |it| it.1);
                let frames: Vec<&str> = stack.split('/').rev().collect();
                *outside_in.entry(frames.join("/")).or_default() += value;
            }
            outside_in.retain(|_, value| *value > 0);
            assert_eq!(stacks(&tree), outside_in);
            located |= tree["nodes"].as_array().unwrap().iter().any(|node| {
                let place = node["location"].as_str();
                node["module"] == "Main" && place.is_some_and(|it| it.contains("Heap.hs:"))
            });
        }
        let tree = site.get(&format!("s/{id}/heap/tree"));
        assert_eq!(tree["time"], *heap.last().unwrap());
        assert!(located, "no cost centre has its place in the source");
        // The file has no definitions.
        let id = site.sessions(breakdown)[0]["id"]
            .as_str()
            .unwrap()
            .to_owned();
        let error = site.refused(&format!("s/{id}/heap/tree"), 404);
        assert!(error.contains("-hc"), "{error}");
    }
}

const FILE: &str = "JOB \"demo of files +RTS -hc\"\nDATE \"Mon Nov 30 09:10 2026\"\n\
    SAMPLE_UNIT \"seconds\"\nVALUE_UNIT \"bytes\"\n\
    BEGIN_SAMPLE 0.000000\nEND_SAMPLE 0.000000\n\
    BEGIN_SAMPLE 0.500000\n(120)parse/main\t4096\nMAIN\t160\nEND_SAMPLE 0.500000\n\
    BEGIN_SAMPLE 1.000000\n(120)parse/main\t8192\nEND_SAMPLE 1.000000\n\
    BEGIN_SAMPLE 1.500000\n(120)parse/main\t1024\n(7)other\t16\nEND_SAMPLE 1.500000\n";

fn append(path: &Path, bytes: &[u8]) {
    let mut file = std::fs::OpenOptions::new().append(true).open(path).unwrap();
    file.write_all(bytes).unwrap();
}

#[test]
fn a_profile_is_followed_as_it_grows() {
    let site = Site::new();
    let path = site.kept.0.join("grows.hp");
    std::fs::write(&path, "").unwrap();
    site.file(&path);
    // Not even its kind is known yet.
    append(&path, &FILE.as_bytes()[..3]);
    std::thread::sleep(std::time::Duration::from_millis(100));
    assert_eq!(site.sessions("grows")[0]["heap_file"], Value::Null);
    let mut from = 3;
    let ends = FILE.match_indices("END_SAMPLE").map(|it| it.0);
    for (number, end) in ends.enumerate() {
        // Up to the middle of the line that completes a sample: it does not count yet.
        append(&path, &FILE.as_bytes()[from..end + 15]);
        std::thread::sleep(std::time::Duration::from_millis(60));
        let session = session_with(&site, "grows", number);
        assert_eq!(
            (&session["live"], &session["ended"]),
            (&true.into(), &false.into())
        );
        append(&path, &FILE.as_bytes()[end + 15..end + 20]);
        from = end + 20;
        let session = session_with(&site, "grows", number + 1);
        let id = session["id"].as_str().unwrap();
        let heap = site.get(&format!("s/{id}/heap"));
        same(&told(&heap), &samples(&FILE[..from]));
        assert_eq!(session["end"], number as u64 * 500_000_000);
    }
    // The program is started again, and begins another file of that name.
    let second = FILE.replace("demo of files", "the second");
    let two = second.find("BEGIN_SAMPLE 1.0").unwrap();
    std::fs::write(&path, &second.as_bytes()[..two]).unwrap();
    let session = until("the new file is seen", || {
        let sessions = site.sessions("grows");
        sessions
            .get(1)
            .filter(|it| it["heap_file"]["samples"] == 2)
            .cloned()
    });
    assert_eq!(session["heap_file"]["job"], "the second +RTS -hc");
    assert_eq!(session["restarts"], 1);
    let first = &site.sessions("grows")[0];
    assert_eq!(
        (&first["ended"], &first["error"]),
        (&true.into(), &Value::Null)
    );
    // Nothing was copied.
    assert!(!site.kept.0.join("cache").exists());
}

#[test]
fn other_pages_are_empty_and_say_why() {
    let site = Site::new();
    let path = site.kept.0.join("some.hp");
    std::fs::write(&path, FILE).unwrap();
    site.file(&path);
    let session = session_with(&site, "some", 4);
    let id = session["id"].as_str().unwrap();
    for what in [
        "overview", "rows", "threads", "spans", "events", "stream", "series", "x",
    ] {
        let error = site.refused(&format!("s/{id}/{what}"), 404);
        assert!(error.contains("+RTS -l"), "{what}: {error}");
    }
    let heap = site.get(&format!("s/{id}/heap?from=400000000&to=1200000000"));
    assert_eq!(
        heap["samples"],
        serde_json::json!([500_000_000, 1_000_000_000])
    );
    let band = &heap["bands"][0];
    assert_eq!(
        (&band["name"], &band["last"]),
        (&"(120)parse/main".into(), &8192.into())
    );
    assert_eq!(band["trend"], 8192.0);
}

#[test]
fn a_damaged_profile_says_so_and_shows_what_is_before() {
    let site = Site::new();
    let path = site.kept.0.join("damaged.hp");
    let damaged = FILE.replace("\t8192", "\tmany");
    std::fs::write(&path, &damaged).unwrap();
    site.file(&path);
    let session = until("it is told", || {
        let session = site.sessions("damaged").pop()?;
        session["error"].is_string().then_some(session)
    });
    let error = session["error"].as_str().unwrap();
    assert!(
        error.contains("damaged.hp") && error.contains("line 12"),
        "{error}"
    );
    let id = session["id"].as_str().unwrap();
    let heap = site.get(&format!("s/{id}/heap"));
    same(&told(&heap), &samples(FILE)[..1]);
}

#[test]
fn a_foreign_file_with_the_name_of_a_profile_says_so() {
    let site = Site::new();
    for (name, text) in [
        ("text", "JOBS for today: none\n".repeat(100)),
        // Its first lines are missing.
        ("late", FILE[FILE.find("BEGIN").unwrap()..].to_owned()),
    ] {
        let path = site.kept.0.join(format!("{name}.hp"));
        std::fs::write(&path, text).unwrap();
        site.file(&path);
        let error = until("it is told", || {
            let session = site.sessions(name).pop()?;
            session["error"].as_str().map(str::to_owned)
        });
        assert!(
            error.contains(name) && error.contains("heap profile"),
            "{error}"
        );
    }
}

#[test]
fn a_profile_that_is_piped_in_and_breaks_off_says_so() {
    let site = Site::new();
    let mut program = site.program("piped");
    program
        .write_all(&FILE.as_bytes()[..FILE.len() - 30])
        .unwrap();
    drop(program);
    let session = until("it has ended", || {
        let session = site.sessions("piped").pop()?;
        (session["ended"] == true).then_some(session)
    });
    let error = session["error"].as_str().unwrap();
    assert!(error.contains("breaks off"), "{error}");
    assert_eq!(session["heap_file"]["samples"], 3);
}
