//! `eventlog run`. Mostly with shell scripts that do what a GHC program does:
//! open the FIFO that GHCRTS names for reading and writing, and write a log.

use crate::common::{Dir, Done, Log, command, done, eventlog, finished, wait_until};
use ghc_eventlog::EventBody;
use std::fs::File;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

/// Runs a script with the log FIFO as `$log` and open as descriptor 9.
fn script(dir: &Dir, args: &[&str], text: &str) -> Command {
    let text = format!("log=${{GHCRTS##*-ol}}; exec 9<>\"$log\"; {text}");
    let mut run = command();
    run.arg("run")
        .args(args)
        .args(["--", "sh", "-c", &text])
        .current_dir(dir.path());
    run.stdout(Stdio::piped()).stderr(Stdio::piped());
    run
}

fn end(child: std::process::Child) -> Done {
    finished(child.wait_with_output().expect("it ends"))
}

fn log() -> Vec<u8> {
    Log::new().messages(0, &[(1, "hello")]).end()
}

#[test]
fn the_log_is_recorded_and_the_program_is_itself() {
    let dir = Dir::new();
    dir.with("log", &log());
    let run = done(&mut script(
        &dir,
        &["-o", "out"],
        "cat log >&9; echo out; echo err >&2; exit 7",
    ));
    let run = run.exits(7);
    assert_eq!(
        (run.stdout.as_str(), run.stderr.as_str()),
        ("out\n", "err\n")
    );
    assert_eq!(std::fs::read(dir.file("out")).expect("a recording"), log());
}

#[test]
fn the_output_is_named_after_the_program() {
    let dir = Dir::new();
    dir.with("log", &log());
    dir.with(
        "sh.eventlog",
        b"an older run, which is longer than the new one"
            .repeat(1000)
            .as_slice(),
    );
    done(&mut script(&dir, &[], "cat log >&9")).exits(0);
    assert_eq!(
        std::fs::read(dir.file("sh.eventlog")).expect("a recording"),
        log()
    );
}

#[test]
fn the_rts_is_told_what_to_do_and_keeps_the_users_wishes() {
    let dir = Dir::new();
    let mut run = script(
        &dir,
        &["-o", "out", "--events=-au", "--rts", "-hT -i1"],
        "echo $GHCRTS",
    );
    let stdout = done(run.env("GHCRTS", "-A4m")).stdout;
    assert!(stdout.starts_with("-l-au -A4m -hT -i1 -ol/"), "{stdout}");
    assert!(!stdout.trim().ends_with(' '));
}

#[test]
fn the_exit_status_is_that_of_the_program() {
    let dir = Dir::new();
    done(&mut script(&dir, &[], "kill -9 $$")).exits(137);
    done(&mut script(&dir, &[], "kill -TERM $$")).exits(143);
    eventlog(&["run", "-o", &dir.file("out"), "--", "/nonexistent/program"])
        .exits(127)
        .says("cannot run");
    let text = dir.with("text", b"");
    eventlog(&["run", "-o", &dir.file("out"), "--", &text])
        .exits(126)
        .says("cannot run");
    eventlog(&["run"]).exits(2);
    assert!(!dir.names().contains(&"out".to_owned()));
}

#[test]
fn a_program_without_a_log_is_told() {
    let dir = Dir::new();
    eventlog(&["run", "-o", &dir.file("out"), "--", "true"])
        .exits(0)
        .says("no eventlog")
        .says("hint:");
    assert_eq!(dir.names(), [""; 0]);
}

#[test]
fn a_program_is_not_started_in_vain() {
    let dir = Dir::new();
    let marker = dir.file("marker");
    let touch = ["--", "touch", &marker];
    for output in ["/nonexistent/out", dir.path().to_str().expect("UTF-8")] {
        let mut args = vec!["run", "-o", output];
        args.extend(touch);
        eventlog(&args).exits(125).says("not started");
    }
    assert!(!std::path::Path::new(&marker).exists());
}

#[test]
fn the_program_goes_on_when_the_output_fails() {
    let dir = Dir::new();
    let long = (0..200)
        .fold(Log::new(), |log, n| {
            log.messages(0, &[(n, &"x".repeat(60_000))])
        })
        .end();
    dir.with("log", &long);
    let run = done(&mut script(
        &dir,
        &["-o", "/dev/full"],
        "cat log >&9; echo through; exit 3",
    ));
    let run = run.exits(3).says("No space left");
    assert_eq!(run.stdout, "through\n");
}

#[test]
fn the_program_never_waits_for_the_output_and_losses_are_told() {
    let dir = Dir::new();
    let text = "x".repeat(60_000);
    let long = (0..200)
        .fold(Log::new(), |log, n| log.messages(0, &[(n, &text)]))
        .end();
    dir.with("log", &long);
    let fifo = dir.file("out");
    assert!(
        Command::new("mkfifo")
            .arg(&fifo)
            .status()
            .expect("mkfifo")
            .success()
    );
    let args = ["-o", "out", "--buffer", "1M"];
    let child = script(&dir, &args, "cat log >&9; touch through; cat log >&9")
        .spawn()
        .expect("it starts");
    // 12 MB have been written although nothing has been read yet.
    wait_until("the program is through", || {
        std::path::Path::new(&dir.file("through")).exists()
    });
    let mut bytes = Vec::new();
    File::open(&fifo)
        .expect("the FIFO")
        .read_to_end(&mut bytes)
        .expect("read");
    let recorded = dir.with("recorded", &bytes);
    end(child).exits(0).says("are lost");
    let shown = eventlog(&["show", "--json", &recorded]).exits(0).json();
    let losses = |line: &&serde_json::Value| {
        line["event"] == "log_msg"
            && line["message"]
                .as_str()
                .is_some_and(|text| text.contains("lost"))
    };
    assert!(
        shown.iter().any(|line| losses(&line)),
        "{} events",
        shown.len()
    );
    assert!(shown.len() < 400);
}

#[test]
fn what_was_written_before_a_crash_is_kept() {
    let dir = Dir::new();
    let whole = Log::new().messages(0, &[(1, "before")]).bytes;
    dir.with("log", &whole[..whole.len() - 3]);
    done(&mut script(
        &dir,
        &["-o", "out"],
        "cat log >&9; kill -SEGV $$",
    ))
    .exits(139);
    assert_eq!(
        std::fs::read(dir.file("out")).expect("a recording"),
        whole[..whole.len() - 3]
    );
}

#[test]
fn the_recording_ends_with_the_program_whoever_holds_the_fifo() {
    let dir = Dir::new();
    dir.with("log", &log());
    // A process that the program leaves behind inherits the descriptor.
    let text = "cat log >&9; sleep 600 >/dev/null 2>&1 & echo $! > pid; exit 0";
    done(&mut script(&dir, &["-o", "out"], text)).exits(0);
    // It still runs.
    let pid = std::fs::read_to_string(dir.file("pid")).expect("a pid");
    done(Command::new("kill").arg(pid.trim())).exits(0);
    assert_eq!(std::fs::read(dir.file("out")).expect("a recording"), log());
}

#[test]
fn signals_go_to_the_program() {
    let dir = Dir::new();
    dir.with("log", &log());
    let text = "trap 'cat log >&9; exit 9' TERM; touch ready; while :; do sleep 0.05; done";
    let child = script(&dir, &["-o", "out"], text)
        .spawn()
        .expect("it starts");
    wait_until("the program is ready", || {
        std::path::Path::new(&dir.file("ready")).exists()
    });
    let pid = child.id().to_string();
    // A terminal sends an interrupt to the program as well; it must not end the recording.
    for signal in ["-INT", "-TERM"] {
        assert!(
            Command::new("kill")
                .args([signal, &pid])
                .status()
                .expect("kill")
                .success()
        );
    }
    end(child).exits(9);
    assert_eq!(std::fs::read(dir.file("out")).expect("a recording"), log());
}

/// However early the signals arrive.
#[test]
fn a_signal_in_the_first_moment_goes_to_the_program() {
    for signal in ["TERM", "HUP"] {
        let dir = Dir::new();
        let text = format!(
            "trap 'exit 9' {signal}; kill -{signal} $PPID; \
             n=0; while test $n -lt 4000; do n=$((n + 1)); sleep 0.05; done"
        );
        let mut run = command();
        run.args(["run", "-o", "out", "--", "sh", "-c", &text])
            .current_dir(dir.path());
        done(&mut run).exits(9);
    }
}

#[test]
fn a_log_that_starts_again_goes_into_another_file() {
    let dir = Dir::new();
    dir.with("log", &log());
    done(&mut script(
        &dir,
        &["-o", "out.eventlog"],
        "cat log >&9; cat log >&9",
    ))
    .exits(0);
    for name in ["out.eventlog", "out.0002.eventlog"] {
        assert_eq!(
            std::fs::read(dir.file(name)).expect("a recording"),
            log(),
            "{name}"
        );
    }
}

#[test]
fn nothing_is_left_behind() {
    let dir = Dir::new();
    let mut run = script(&dir, &["-o", "out"], "cat /dev/null");
    done(run.env("TMPDIR", dir.path())).exits(0);
    assert_eq!(dir.names(), [""; 0]);
    // A temporary directory whose name the RTS cannot be given is avoided.
    let blank = dir.file("with blank");
    std::fs::create_dir(&blank).expect("a directory");
    dir.with("log", &log());
    let mut run = script(&dir, &["-o", "out"], "cat log >&9");
    done(run.env("TMPDIR", &blank)).exits(0);
    assert_eq!(std::fs::read(dir.file("out")).expect("a recording"), log());
}

/// With a real program, where there is a GHC.
#[test]
fn an_unmodified_haskell_program() {
    if Command::new("ghc").arg("--version").output().is_err() {
        eprintln!("no ghc: skipped");
        return;
    }
    let dir = Dir::new();
    let source = "import Debug.Trace\n\
                  main = mapM_ (\\n -> traceEventIO (\"number \" ++ show n)) [1 .. 100000 :: Int] >> putStrLn \"done\"\n";
    dir.with("Main.hs", source.as_bytes());
    let version = done(Command::new("ghc").arg("--numeric-version")).stdout;
    let old = ["8.", "9.0", "9.2"]
        .iter()
        .any(|old| version.starts_with(old));
    let mut ghc = Command::new("ghc");
    ghc.args(["-v0", "-threaded", "-o", "program", "Main.hs"])
        .args(old.then_some("-eventlog"));
    done(ghc.current_dir(dir.path())).exits(0);
    let run = done(
        command()
            .current_dir(dir.path())
            .args(["run", "--", "./program"]),
    )
    .exits(0);
    assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("done\n", ""));
    let file = dir.file("program.eventlog");
    let shown = eventlog(&["show", "--type", "user_msg", &file]).exits(0);
    assert_eq!(shown.stderr, "");
    assert_eq!(shown.lines().len(), 100_000);
    let _ = EventBody::GcStart;
}

/// More bytes of a log than fit into a pipe.
fn long() -> Vec<u8> {
    let text = "x".repeat(60_000);
    let log = (0..100).fold(Log::new(), |log, n| log.messages(0, &[(n, &text)]));
    log.end()
}

/// Kills `run` only, not the program that it runs.
fn kill(child: &std::process::Child) {
    let pid = child.id().to_string();
    let status = Command::new("kill").args(["-KILL", &pid]).status();
    assert!(status.expect("kill").success());
}

/// Ends the processes that `run` has started, if they hang.
struct Group(u32);

impl Drop for Group {
    fn drop(&mut self) {
        let group = format!("-{}", self.0);
        let mut kill = Command::new("kill");
        // Usually they have ended already.
        let _ = kill
            .args(["-KILL", "--", &group])
            .stderr(Stdio::null())
            .status();
    }
}

/// However and whenever `run` is killed, the program reaches its end, the directory of the FIFO is
/// removed, and what was recorded can be read.
#[test]
fn the_program_goes_on_when_run_is_killed() {
    // In the middle of the log; before the log is opened; between two logs.
    let before = "touch ready; while test ! -e go; do sleep 0.02; done";
    let texts = [
        (
            true,
            format!("exec 9<>\"$log\"; cat log >&9; {before}; cat log >&9"),
        ),
        (
            false,
            format!("{before}; sleep 0.3; exec 9<>\"$log\"; cat log >&9"),
        ),
        (
            true,
            format!(
                "exec 9<>\"$log\"; cat log >&9; exec 9>&-; {before}; exec 9<>\"$log\"; cat log >&9"
            ),
        ),
    ];
    for (is_logged, text) in texts {
        let (dir, temp) = (Dir::new(), Dir::new());
        dir.with("log", &long());
        let text = format!("log=${{GHCRTS##*-ol}}; {text}; touch through");
        let mut run = command();
        run.args(["run", "-o", "out", "--", "sh", "-c", &text])
            .current_dir(dir.path())
            .env("TMPDIR", temp.path())
            .process_group(0)
            .stderr(Stdio::null());
        let mut child = run.spawn().expect("it starts");
        let _group = Group(child.id());
        let there = |name: &str| std::path::Path::new(&dir.file(name)).exists();
        wait_until("the program waits", || there("ready"));
        // What is written is behind what is read.
        let header = Log::new().bytes.len() as u64;
        wait_until("something is recorded", || {
            let out = std::fs::metadata(dir.file("out"));
            !is_logged || out.is_ok_and(|out| out.len() >= header)
        });
        kill(&child);
        child.wait().expect("it ends");
        dir.with("go", b"");
        wait_until("the program is through", || there("through"));
        wait_until("nothing is left", || temp.names().is_empty());
        assert_eq!(there("out"), is_logged);
        if is_logged {
            eventlog(&["show", &dir.file("out")]).exits(0);
        }
    }
}

/// The second process has no other purpose.
#[test]
fn the_log_is_recorded_when_the_second_process_is_killed() {
    let dir = Dir::new();
    dir.with("log", &long());
    let text = "touch ready; while test ! -e go; do sleep 0.02; done; cat log >&9; exit 4";
    let run = script(&dir, &["-o", "out"], text)
        .spawn()
        .expect("it starts");
    wait_until("the program waits", || {
        std::path::Path::new(&dir.file("ready")).exists()
    });
    let children = format!("/proc/{0}/task/{0}/children", run.id());
    let children = std::fs::read_to_string(children).expect("children");
    let keeper = children.split_whitespace().find(|pid| {
        let arguments = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&arguments).contains("--keep-reading")
    });
    let status = Command::new("kill")
        .args(["-KILL", keeper.expect("one")])
        .status();
    assert!(status.expect("kill").success());
    dir.with("go", b"");
    end(run).exits(4);
    assert!(std::fs::read(dir.file("out")).expect("a recording") == long());
}

#[test]
fn a_limit_on_file_sizes_is_a_full_disk() {
    let (dir, temp) = (Dir::new(), Dir::new());
    dir.with("log", &long());
    let program = env!("CARGO_BIN_EXE_eventlog");
    let inner = "log=${GHCRTS##*-ol}; exec 9<>\"$log\"; cat log >&9; echo through; exit 3";
    let text = format!("ulimit -f 100; exec {program} run -o out -- sh -c '{inner}'");
    let mut shell = Command::new("sh");
    shell
        .args(["-c", &text])
        .current_dir(dir.path())
        .env_remove("GHCRTS")
        .env("TMPDIR", temp.path());
    let run = done(&mut shell).exits(3).says("File too large");
    assert_eq!(run.stdout, "through\n");
    assert_eq!(temp.names(), [""; 0]);
    // The program itself is still ended by its own limits.
    let text = format!("ulimit -f 1; exec {program} run -o out -- sh -c 'cat log > copy'");
    let code = done(shell.args(["-c", &text])).code;
    assert_ne!(code, 0);
}

#[test]
fn all_files_are_named_and_those_of_earlier_runs_are_gone() {
    let dir = Dir::new();
    dir.with("log", &log());
    for name in ["out.0002.eventlog", "out.0007.eventlog"] {
        dir.with(name, b"of an earlier run");
    }
    for name in ["out.1.eventlog", "out.x.eventlog", "other.0002.eventlog"] {
        dir.with(name, b"of somebody else");
    }
    let run = |text| done(&mut script(&dir, &["-o", "out.eventlog"], text)).exits(0);
    run("cat log >&9; cat log >&9")
        .says("2 files")
        .says("out.eventlog, out.0002.eventlog");
    let others = ["out.1.eventlog", "out.eventlog", "out.x.eventlog"];
    let first = ["log", "other.0002.eventlog", "out.0002.eventlog"];
    assert_eq!(dir.names(), [&first[..], &others].concat());
    assert_eq!(run("cat log >&9").stderr, "");
    assert_eq!(dir.names(), [&first[..2], &others].concat());
}

#[test]
fn the_log_may_go_to_standard_output() {
    let dir = Dir::new();
    dir.with("log", &long());
    let text = "cat log >&9; echo said; exit 6";
    let child = script(&dir, &["-o", "-"], text).spawn().expect("it starts");
    let output = child.wait_with_output().expect("it ends");
    assert!(output.stdout == long());
    assert_eq!(output.stderr, b"said\n");
    assert_eq!(output.status.code(), Some(6));
    // A reader that closes its end does not affect the program.
    let mut child = script(&dir, &["-o", "-"], text).spawn().expect("it starts");
    drop(child.stdout.take());
    let run = end(child).exits(6);
    assert_eq!(run.stderr, "said\n");
    assert_eq!(dir.names(), ["log"]);
}

#[test]
fn a_recording_may_be_packed() {
    let dir = Dir::new();
    dir.with("log", &long());
    let args = ["-o", "out.eventlog.zst"];
    done(&mut script(&dir, &args, "cat log >&9; cat log >&9")).exits(0);
    for name in ["out.eventlog.zst", "out.0002.eventlog.zst"] {
        let packed = std::fs::read(dir.file(name)).expect("a recording");
        assert!(packed.len() < long().len() / 10);
        assert!(zstd::stream::decode_all(&packed[..]).expect("zstd") == long());
    }
    done(&mut script(&dir, &["-o", "out.gz"], "touch started"))
        .exits(125)
        .says("zst");
    assert!(!dir.names().contains(&"started".to_owned()));
}
