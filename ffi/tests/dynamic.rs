//! Programs linked with the shared libraries of GHC.

use crate::support;

use support::build::way_available;
use support::ghc::ghc;
use support::skip::need;
use support::worker::Setup;
use support::{Build, Collector, Expected, Main, Stream, Transport, Way};

fn dynamic_program(main: Main) {
    let ghc = need!(ghc());
    need!(way_available(ghc, Way::Dynamic));
    for _ in 0..5 {
        let build = Build::new(main).way(Way::Dynamic);
        let mut worker = Setup::of(build, Transport::Unix).rts("-hT").spawn(ghc);
        worker.ready();
        let mut first = worker.client();
        first.read_until_text("datb");
        worker.command("log 1 30000 100");
        first.read_bytes(1_000_000);
        Stream::cut(&first.leave());
        let collector = Collector::connect(&worker.address);
        collector.wait_for_text("datb");
        worker.command("message the last words");
        let expected = Expected::of(&worker, ghc).heap_profile();
        let status = worker.finish();
        assert!(status.success(), "{status}: {}", worker.process.stderr());
        assert_eq!(worker.process.stderr(), "");
        let bytes = collector.finish();
        let stream = Stream::complete(&bytes);
        expected.check(&stream, "the late client");
        assert!(stream.has_message("the last words"));
        assert!(!worker.socket_path().exists(), "the socket file is left");
    }
}

#[test]
fn dynamic_c_main() {
    dynamic_program(Main::Wrap);
}

#[test]
fn dynamic_haskell() {
    dynamic_program(Main::Haskell);
}
