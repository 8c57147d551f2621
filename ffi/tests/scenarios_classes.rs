//! Classes of events that a client turns on and off while the program runs.

use crate::support;

use eventlog_control::{Frame, RtsCommand};
use support::Transport;
use support::examples::{Example, Show, Watcher, What, over_both};
use support::ghc::Ghc;

over_both! {
    scheduler
    garbage_collector
    nonmoving_collector
    sparks_sampled
    sparks_in_full
    users_own
    capabilities
}

const SCHEDULER: What = What::Types(&[0, 1, 2, 3, 4, 8]);
const COLLECTOR: What = What::Types(&[9, 10, 20, 21, 22, 49, 50, 51, 53, 54]);
/// Of the non-moving collector the RTS logs the phases always, its census only if
/// this class is on.
const NONMOVING_CENSUS: What = What::Types(&[207]);
const SPARK_COUNTERS: What = What::Types(&[34]);
const SPARKS: What = What::Types(&[35, 36, 37, 38, 39, 40, 41]);
const USER: What = What::Types(&[19, 58]);
const CAPABILITIES: What = What::Types(&[45, 46, 47, 48]);

fn oddball(ghc: &Ghc, transport: Transport, options: &str) -> Show {
    let example = Example::new("oddball", transport).arguments("--pause 150");
    run(ghc, example.rts(options).rts("-A256K"))
}

fn run(ghc: &Ghc, example: Example) -> Show {
    example.flushing(ghc).controlled().spawn(ghc)
}

fn scheduler(ghc: &Ghc, transport: Transport) {
    let show = oddball(ghc, transport, "-l-au");
    let class = Class {
        events: SCHEDULER,
        start: RtsCommand::StartScheduler,
        stop: RtsCommand::StopScheduler,
        round: What::Marker("Summing"),
    };
    class.is_off_then_on_then_off(show, transport);
}

fn garbage_collector(ghc: &Ghc, transport: Transport) {
    let show = oddball(ghc, transport, "-l-au");
    let class = Class {
        events: COLLECTOR,
        start: RtsCommand::StartGc,
        stop: RtsCommand::StopGc,
        round: What::Marker("Summing"),
    };
    class.is_off_then_on_then_off(show, transport);
}

fn nonmoving_collector(ghc: &Ghc, transport: Transport) {
    let show = oddball(ghc, transport, "-l-au --nonmoving-gc");
    let class = Class {
        events: NONMOVING_CENSUS,
        start: RtsCommand::StartNonmovingGc,
        stop: RtsCommand::StopNonmovingGc,
        round: What::Marker("Summing"),
    };
    class.is_off_then_on_then_off(show, transport);
}

fn parfib(ghc: &Ghc, transport: Transport) -> Show {
    let example = Example::new("parfib", transport).arguments("--pause 150 10 24");
    run(ghc, example.rts("-l-au -N2"))
}

fn sparks_sampled(ghc: &Ghc, transport: Transport) {
    let class = Class {
        events: SPARK_COUNTERS,
        start: RtsCommand::StartSparkSampled,
        stop: RtsCommand::StopSparkSampled,
        round: What::Marker("Fibbing"),
    };
    class.is_off_then_on_then_off(parfib(ghc, transport), transport);
}

fn sparks_in_full(ghc: &Ghc, transport: Transport) {
    let class = Class {
        events: SPARKS,
        start: RtsCommand::StartSparkFull,
        stop: RtsCommand::StopSparkFull,
        round: What::Marker("Fibbing"),
    };
    class.is_off_then_on_then_off(parfib(ghc, transport), transport);
}

/// There are no markers to count in while they are off: collections it is.
fn users_own(ghc: &Ghc, transport: Transport) {
    let show = oddball(ghc, transport, "-l-aug");
    let class = Class {
        events: USER,
        start: RtsCommand::StartUser,
        stop: RtsCommand::StopUser,
        round: What::MajorCollection,
    };
    let mut watcher = show.watch();
    watcher.wait_for(What::Marker("Summing"));
    class.is_turned_off(&mut watcher);
    // There are several in a round of oddball.
    watcher.without(USER, 40, What::MajorCollection);
    watcher.send(Frame::rts(class.start).as_bytes());
    watcher.wait_for(What::Marker("Summing"));
    watcher.leave(transport);
    show.stop();
}

/// This class is on if any other one is.
fn capabilities(ghc: &Ghc, transport: Transport) {
    let example = Example::new("capn-dance", transport).arguments("--pause 150");
    let show = run(ghc, example.rts("-l-au"));
    let class = Class {
        events: CAPABILITIES,
        start: RtsCommand::StartCapability,
        stop: RtsCommand::StopCapability,
        round: What::Marker("Dancing"),
    };
    let mut watcher = show.watch();
    watcher.wait_for(class.round);
    watcher.wait_for(class.events);
    class.is_turned_off(&mut watcher);
    class.is_turned_on_and_off(&mut watcher);
    watcher.leave(transport);
    show.stop();
}

/// A class of events, and a program that has something to say of it in every round.
#[derive(Debug)]
struct Class {
    events: What,
    start: RtsCommand,
    stop: RtsCommand,
    round: What,
}

impl Class {
    fn is_off_then_on_then_off(&self, show: Show, transport: Transport) {
        let mut watcher = show.watch();
        watcher.wait_for(self.round);
        watcher.without(self.events, 1, self.round);
        self.is_turned_on_and_off(&mut watcher);
        watcher.leave(transport);
        show.stop();
    }

    fn is_turned_on_and_off(&self, watcher: &mut Watcher) {
        watcher.send(Frame::rts(self.start).as_bytes());
        watcher.wait_for(self.events);
        self.is_turned_off(watcher);
    }

    fn is_turned_off(&self, watcher: &mut Watcher) {
        watcher.send(Frame::rts(self.stop).as_bytes());
        watcher.sync();
        watcher.wait_for_more(2, self.round);
        watcher.without(self.events, 1, self.round);
    }
}
