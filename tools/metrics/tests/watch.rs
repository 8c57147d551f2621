//! Whoever gets the output of a program can collect its values, as others can meanwhile.

use eventlog_metrics::{Options, Program};
use eventlog_source::{Connecting, Reconnecting, Source};
use std::path::PathBuf;
use std::sync::mpsc::channel;
use std::time::Duration;

/// It is read on another thread, which would otherwise wait forever.
#[test]
fn the_values_are_free_while_output_is_handed_on() {
    let log = "../../formats/events/corpus/9.0.2-hello.eventlog";
    let log: PathBuf = [env!("CARGO_MANIFEST_DIR"), log].iter().collect();
    let (sender, collected) = channel();
    std::thread::spawn(move || {
        let options = Options {
            interval: Some(1_000_000),
            ..Options::default()
        };
        let program = Program::of_log("hello".to_owned(), options);
        let source = Reconnecting::new(Source::File(log), Connecting::new());
        let mut collect = |_| {
            // The receiver is gone if the test has failed.
            let _ = sender.send(program.collect().is_some());
        };
        program.follow(source, true, &mut collect).expect("a log");
    });
    let mut count = 0;
    // It ends when the log does.
    while let Ok(is_some) = collected.recv_timeout(Duration::from_secs(60)) {
        assert!(is_some);
        count += 1;
    }
    assert!(count >= 3, "{count}");
}
