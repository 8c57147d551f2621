//! What GHC's own reader says about threads.

use ghc_eventlog::{EventBody, Item, Reader};
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What `ghc-events validate threads` says about a log: whether it is valid, and the state of each
/// thread at the end.
pub fn ghc_events(log: &[u8]) -> std::io::Result<(bool, BTreeMap<u32, String>)> {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("eventlog-late-{}-{number}.eventlog", std::process::id());
    let path = std::env::temp_dir().join(name);
    std::fs::write(&path, log)?;
    let output = Command::new("ghc-events")
        .args(["validate".as_ref(), "threads".as_ref(), path.as_os_str()])
        .env("LC_ALL", "C.UTF-8")
        .output();
    std::fs::remove_file(&path)?;
    let output = output?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let threads = text.lines().filter_map(|line| {
        let (id, state) = line.strip_prefix("Key: ")?.split_once(", Value: ")?;
        Some((id.parse().ok()?, state.to_owned()))
    });
    let valid = output.status.success() && text.starts_with("Valid");
    Ok((valid, threads.collect()))
}

/// The threads of which nothing is told after another capability woke them: `ghc-events` passes
/// over such wake-ups, and says that these are stopped where they are in truth queued.
pub fn woken_from_afar(bytes: &[u8]) -> BTreeSet<u32> {
    let mut told = Vec::new();
    let mut reader = Reader::new(bytes);
    while let Some(item) = reader.next_item().unwrap() {
        let Item::Event(event) = item else { continue };
        let (thread, afar) = match event.body {
            EventBody::ThreadWakeup { thread, other_cap } => (thread, event.cap != Some(other_cap)),
            EventBody::CreateThread { thread }
            | EventBody::RunThread { thread }
            | EventBody::StopThread { thread, .. } => (thread, false),
            _ => continue,
        };
        told.push((event.time, thread, afar));
    }
    // It sorts so, too: events of one time stay as they are in the log.
    told.sort_by_key(|(time, ..)| *time);
    let last: BTreeMap<u32, bool> = told.into_iter().map(|(_, id, afar)| (id, afar)).collect();
    last.into_iter()
        .filter_map(|(id, afar)| afar.then_some(id))
        .collect()
}
