//! What a program says of itself, when it is run with `+RTS --info`.

use super::runtime::{Version, Way};
use crate::errors::{self, Advise};
use crate::printable::shell_word;
use anyhow::Result;
use regex::Regex;
use std::io::{ErrorKind, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long the program may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How much of its output is read.
const MOST: u64 = 64 * 1024;

/// The answer.
#[derive(Debug, Default)]
pub struct Answer {
    pub way: Option<Way>,
    pub version: Option<Version>,
    pub version_text: Option<String>,
    /// What it was given with `-with-rtsopts`.
    pub options: Option<String>,
    /// It refuses all options on its command line.
    pub refuses: bool,
}

/// Runs the program, and says so.
pub fn ask(program: &Path) -> Result<Answer> {
    let path = match program.components().count() {
        // Not one of that name in PATH.
        1 => Path::new(".").join(program),
        _ => program.to_owned(),
    };
    let shown = path.display().to_string();
    errors::note(format_args!("running `{} +RTS --info`", shell_word(&shown)));
    let mut child = Command::new(&path)
        .args(["+RTS", "--info"])
        .env_remove("GHCRTS")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .advise(format_args!("cannot run {shown}"), "")?;
    let readers = [
        child.stdout.take().map(|pipe| gather(Box::new(pipe))),
        child.stderr.take().map(|pipe| gather(Box::new(pipe))),
    ];
    let started = Instant::now();
    let ended = loop {
        match child.try_wait() {
            Ok(Some(_)) => break true,
            Ok(None) if started.elapsed() < PATIENCE => {
                std::thread::sleep(Duration::from_millis(5));
            }
            _ => {
                // Through its own handle, so that no other process can be killed.
                let _ = child.kill();
                let _ = child.wait();
                break false;
            }
        }
    };
    if !ended {
        errors::warn("the program did not answer within 10 s and was stopped");
        return Ok(Answer::default());
    }
    let texts = readers.into_iter().flatten().filter_map(|reader| {
        // A process that it started may hold the pipe open; its own output has arrived by now.
        let patience = Instant::now();
        while !reader.is_finished() && patience.elapsed() < Duration::from_secs(1) {
            std::thread::sleep(Duration::from_millis(5));
        }
        reader.is_finished().then(|| reader.join().ok()).flatten()
    });
    let text: String = texts.collect();
    let answer = understand(&text);
    if answer.way.is_none() && !answer.refuses {
        errors::warn("the program did not answer: it takes no options of the runtime system");
    }
    Ok(answer)
}

/// Reads to the end, so that the program never waits for us.
fn gather(mut pipe: Box<dyn Read + Send>) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let (mut text, mut buffer) = (Vec::new(), [0; 4096]);
        loop {
            match pipe.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) if (text.len() as u64) < MOST => text.extend_from_slice(&buffer[..count]),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        String::from_utf8_lossy(&text).into_owned()
    })
}

fn understand(text: &str) -> Answer {
    let value = |key: &str| -> Option<String> {
        let pattern = format!(r#"\("{key}", *"([^"]*)"\)"#);
        let found = Regex::new(&pattern).ok()?.captures(text)?;
        Some(found[1].to_owned())
    };
    let version_text = value("GHC version");
    Answer {
        way: value("RTS way").map(|way| Way::parse(&way)),
        version: version_text.as_deref().and_then(Version::parse),
        version_text,
        options: value("Flag -with-rtsopts"),
        refuses: text.contains("RTS options are disabled"),
    }
}
