//! `eventlog run`. Mostly with shell scripts that do what a GHC program does:
//! open the FIFO that GHCRTS names for reading and writing, and write a log.

mod common;
use common::{Dir, Done, Log, command, done, eventlog, finished, wait_until};
use ghc_eventlog::EventBody;
use std::fs::File;
use std::io::Read;
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
    // 12 MB have gone through although nobody has read anything yet.
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
    let text = "cat log >&9; sleep 30 >/dev/null 2>&1 & echo $! > pid; exit 0";
    let start = std::time::Instant::now();
    done(&mut script(&dir, &["-o", "out"], text)).exits(0);
    assert!(start.elapsed().as_secs() < 10);
    assert_eq!(std::fs::read(dir.file("out")).expect("a recording"), log());
    let pid = std::fs::read_to_string(dir.file("pid")).expect("a pid");
    Command::new("kill").arg(pid.trim()).status().expect("kill");
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
    // An interrupt is the terminal's business; it must not end the recording.
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
    // A temporary directory that the RTS could not be told of is avoided.
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
