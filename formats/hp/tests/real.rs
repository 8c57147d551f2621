//! Files written by GHC's runtime system, compared with the eventlog of the same run.

use ghc_eventlog::{EventBody, Item as LogItem, Reader};
use ghc_hp::{Item, Parser};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

/// Data of several types, modules and cost centres.
const MAIN: &str = r#"
module Main (main) where
import Control.Exception (evaluate)
import Control.Monad
import qualified Data.IntMap.Strict as IM
import qualified Data.Set as S

data Tree = Leaf | Node !Int Tree Tree

grow :: Int -> Int -> Tree
grow 0 _ = Leaf
grow d n = {-# SCC "grow" #-} Node n (grow (d - 1) (2 * n)) (grow (d - 1) (2 * n + 1))

total :: Tree -> Int
total Leaf = 0
total (Node n l r) = n + total l + total r

main :: IO ()
main = do
  let base = {-# SCC "base_of_all_that_is_computed" #-} IM.fromList [(i, show i) | i <- [1 .. 20000 :: Int]]
  _ <- evaluate (IM.size base)
  trees <- forM [1 .. 25 :: Int] $ \r -> do
    let set = {-# SCC "set" #-} S.fromList [i * r `mod` 7919 | i <- [1 .. 20000]]
        tree = grow 11 r
    _ <- evaluate (S.size set + total tree + maybe 0 length (IM.lookup r base))
    pure tree
  print (sum (map total trees))
"#;

/// A directory that is removed at the end of the test.
struct Dir(PathBuf);

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn directory(name: &str) -> Dir {
    let path = std::env::temp_dir().join(format!("ghc-hp-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&path).expect("a directory");
    Dir(path)
}

/// Builds the program; `None`, with a message, if there is no GHC that can.
fn build(dir: &Dir, flags: &[&str]) -> Option<()> {
    std::fs::write(dir.0.join("Main.hs"), MAIN).expect("a file");
    let mut ghc = Command::new("ghc");
    let built = ghc
        .args([
            "-v0",
            "-O1",
            "-rtsopts",
            "-eventlog",
            "-o",
            "program",
            "Main.hs",
        ])
        .args(flags)
        .current_dir(&dir.0)
        .output();
    match built {
        Ok(output) if output.status.success() => Some(()),
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            // A GHC without the libraries for profiling.
            assert!(said.contains("profiling libraries"), "{said}");
            eprintln!("SKIPPED: {said}");
            None
        }
        Err(error) => {
            eprintln!("SKIPPED: no ghc: {error}");
            None
        }
    }
}

/// The bands of each sample that has any.
type Samples = Vec<Vec<(String, u64)>>;

fn sorted(mut bands: Vec<(String, u64)>) -> Vec<(String, u64)> {
    bands.sort();
    bands
}

struct Run {
    parser: Parser,
    file: Samples,
    times: Vec<u64>,
    log: Samples,
}

/// Runs the program with these flags of the runtime system.
fn run(dir: &Dir, flags: &[&str]) -> Run {
    let output = Command::new(dir.0.join("program"))
        .args(["an", "argument \"quoted\"", "+RTS", "-l", "-olout.eventlog"])
        .args(flags)
        .env_remove("GHCRTS")
        .current_dir(&dir.0)
        .output()
        .expect("it runs");
    assert!(output.status.success(), "{output:?}");
    let file = std::fs::read(dir.0.join("program.hp")).expect("a profile");
    let log = std::fs::read(dir.0.join("out.eventlog")).expect("a log");
    let mut parser = Parser::default();
    let (mut samples, mut times) = (Samples::new(), Vec::new());
    for piece in file.chunks(100) {
        let pushed = parser.push(piece, &mut |item| {
            let Item::Sample(sample) = item else { return };
            times.push(sample.time());
            let bands = sample.bands().map(|it| (it.label.to_owned(), it.value));
            samples.push(sorted(bands.collect()));
        });
        pushed.expect("a heap profile");
    }
    samples.retain(|bands| !bands.is_empty());
    Run {
        parser,
        file: samples,
        times,
        log: samples_of(&log),
    }
}

/// The samples in an eventlog, with the names that the runtime system gives them in the file.
fn samples_of(log: &[u8]) -> Samples {
    let mut reader = Reader::new(log);
    let mut centres = BTreeMap::new();
    let mut samples: Samples = Vec::new();
    while let Some(item) = reader.next_item().expect("a log") {
        let LogItem::Event(event) = item else {
            continue;
        };
        match event.body {
            EventBody::HeapProfCostCentre {
                cost_centre,
                label,
                module,
                ..
            } => {
                let name = match label.to_string().as_str() {
                    "CAF" => format!("{module}.CAF"),
                    label => label.to_owned(),
                };
                centres.insert(cost_centre, name);
            }
            EventBody::HeapProfSampleBegin { .. } | EventBody::HeapBioProfSampleBegin { .. } => {
                samples.push(Vec::new());
            }
            EventBody::HeapProfSampleString {
                residency, label, ..
            } => {
                let sample = samples.last_mut().expect("it has begun");
                sample.push((label.to_string(), residency));
            }
            EventBody::HeapProfSampleCostCentre {
                residency, stack, ..
            } => {
                let names: Vec<&str> = stack.iter().map(|id| centres[&id].as_str()).collect();
                let name = match names[..] {
                    [] => "MAIN".to_owned(),
                    _ => names.join("/"),
                };
                let sample = samples.last_mut().expect("it has begun");
                sample.push((name, residency));
            }
            _ => {}
        }
    }
    samples.retain(|bands| !bands.is_empty());
    samples.into_iter().map(sorted).collect()
}

#[track_caller]
fn is_sound(run: &Run, breakdown: Option<char>) {
    assert!(run.parser.is_between());
    let header = run.parser.header();
    assert_eq!(header.breakdown(), breakdown);
    assert_eq!(
        (&*header.sample_unit, &*header.value_unit),
        ("seconds", "bytes")
    );
    assert!(
        header.job.contains("program") && header.date.contains("20"),
        "{header:?}"
    );
    assert!(run.file.len() > 2, "{} samples", run.file.len());
    assert!(
        run.times.is_sorted() && run.times[0] == 0,
        "{:?}",
        run.times
    );
}

#[test]
fn closure_types_without_profiling() {
    let dir = directory("plain");
    let Some(()) = build(&dir, &[]) else { return };
    let run = run(&dir, &["-hT", "-i0.01"]);
    is_sound(&run, None);
    assert_eq!(run.file, run.log);
}

#[test]
fn every_breakdown_of_a_program_with_profiling() {
    let dir = directory("prof");
    let Some(()) = build(&dir, &["-prof", "-fprof-auto-top"]) else {
        return;
    };
    for breakdown in ['c', 'm', 'd', 'y', 'r', 'b'] {
        let flag = format!("-h{breakdown}");
        let mut run = run(&dir, &[&flag, "-i0.02", "-L1000"]);
        is_sound(&run, Some(breakdown));
        assert!(run.parser.header().job.contains("argument \"quoted\""));
        match breakdown {
            'c' => {
                // The log does not contain the numbers of stacks.
                for bands in &mut run.file {
                    for (label, _) in &mut *bands {
                        if label.starts_with('(')
                            && let Some((_, name)) = label.split_once(')')
                        {
                            *label = name.to_owned();
                        }
                    }
                    bands.sort();
                }
                let longest = run.file.iter().flatten().map(|band| band.0.len()).max();
                assert!(longest > Some(25), "{longest:?}");
                assert_eq!(run.file, run.log);
            }
            _ => assert_eq!(run.file, run.log, "{flag}"),
        }
        let bands = run.file.iter().flatten();
        let known = match breakdown {
            'c' => "grow",
            'm' => "Main",
            'd' => "Node",
            'y' => "Tree",
            'r' => "SYSTEM",
            _ => "DRAG",
        };
        let mut labels = bands.map(|(label, _)| label);
        assert!(
            labels.any(|label| label.contains(known)),
            "{flag}: no {known}"
        );
    }
    // Names that are cut off because -L is not given.
    let run = run(&dir, &["-hc", "-i0.02"]);
    is_sound(&run, Some('c'));
    let totals = |samples: &Samples| -> Vec<u64> {
        let total = |bands: &Vec<(String, u64)>| bands.iter().map(|band| band.1).sum();
        samples.iter().map(total).collect()
    };
    assert_eq!(totals(&run.file), totals(&run.log));
    assert!(
        run.file
            .iter()
            .flatten()
            .any(|(label, _)| label.ends_with("..."))
    );
}
