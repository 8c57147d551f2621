//! What a stream has to say of its program before anything can be made of it.

use super::ghc::Ghc;
use super::header::{u16_at, u32_at, u64_at};
use super::stream::Stream;
use super::worker::Worker;
use std::collections::HashSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const CAPSET_CREATE: u16 = 25;
const CAPSET_ASSIGN_CAP: u16 = 27;
const RTS_IDENTIFIER: u16 = 29;
const PROGRAM_ARGS: u16 = 30;
const OSPROCESS_PID: u16 = 32;
const WALL_CLOCK_TIME: u16 = 43;
const CAP_CREATE: u16 = 45;
const HEAP_INFO_GHC: u16 = 52;
const HEAP_PROF_BEGIN: u16 = 160;
const HEAP_PROF_COST_CENTRE: u16 = 161;

const OS_PROCESS: u16 = 1 + 1;
const BY_CLOSURE_TYPE: u32 = 7;

/// What is to be defined.
#[derive(Debug)]
pub struct Expected {
    pub pid: u32,
    pub started: SystemTime,
    pub served: SystemTime,
    pub rts: String,
    pub capabilities: u16,
    pub heap_profile: bool,
    pub cost_centres: bool,
}

impl Expected {
    /// Of a threaded worker with one capability.
    pub fn of(worker: &Worker, ghc: &Ghc) -> Self {
        Self {
            pid: worker.process.pid(),
            started: worker.started,
            served: worker.served.unwrap_or_else(SystemTime::now),
            rts: format!("GHC-{} rts_thr", ghc.version()),
            capabilities: 1,
            heap_profile: false,
            cost_centres: false,
        }
    }

    pub fn capabilities(mut self, capabilities: u16) -> Self {
        self.capabilities = capabilities;
        self
    }

    pub fn heap_profile(mut self) -> Self {
        self.heap_profile = true;
        self
    }

    pub fn cost_centres(mut self) -> Self {
        self.cost_centres = true;
        self
    }

    /// Fails if anything is missing or untrue.
    #[track_caller]
    pub fn check(&self, stream: &Stream<'_>, whose: &str) {
        let missing = self.missing(stream);
        assert!(missing.is_empty(), "{whose}: {missing:#?}");
    }

    /// Nothing is missing.
    pub fn complete(&self, stream: &Stream<'_>) -> bool {
        self.missing(stream).is_empty()
    }

    fn missing(&self, stream: &Stream<'_>) -> Vec<String> {
        let mut missing = Vec::new();
        let mut demand = |holds: bool, what: String| {
            if !holds {
                missing.push(what);
            }
        };

        let process_set = stream
            .all(CAPSET_CREATE)
            .find(|event| u16_at(event.payload, 4) == Some(OS_PROCESS))
            .and_then(|event| u32_at(event.payload, 0));
        demand(process_set.is_some(), "no capset of the process".into());

        let identifiers: Vec<String> = stream
            .all(RTS_IDENTIFIER)
            .map(|event| text_from(event.payload, 4))
            .collect();
        let right = identifiers.iter().all(|text| text.starts_with(&self.rts));
        demand(
            !identifiers.is_empty() && right,
            format!("RTS {:?}, not {identifiers:?}", self.rts),
        );

        let arguments: Vec<String> = stream
            .all(PROGRAM_ARGS)
            .map(|event| text_from(event.payload, 4))
            .collect();
        let right = arguments.iter().all(|all| {
            let words: Vec<&str> = all.split('\0').collect();
            words[0].ends_with("program") && words.contains(&"serve")
        });
        demand(
            !arguments.is_empty() && right,
            format!("arguments {arguments:?}"),
        );

        let pids: Vec<Option<u32>> = stream
            .all(OSPROCESS_PID)
            .map(|event| u32_at(event.payload, 4))
            .collect();
        let right = pids.iter().all(|pid| *pid == Some(self.pid));
        demand(
            !pids.is_empty() && right,
            format!("pid {}, not {pids:?}", self.pid),
        );

        // Wall clock minus event time is when the RTS began: after the process was spawned, and
        // before it took commands.
        let until = self.served.duration_since(self.started);
        let until = until.unwrap_or_default().as_secs_f64() + 0.5;
        let mut clocks = 0;
        for event in stream.all(WALL_CLOCK_TIME) {
            let seconds = u64_at(event.payload, 4).unwrap_or(0);
            let nanoseconds = u32_at(event.payload, 12).unwrap_or(0);
            let wall = UNIX_EPOCH + Duration::new(seconds, nanoseconds);
            let began = wall - Duration::from_nanos(event.time);
            let off = match began.duration_since(self.started) {
                Ok(later) => later.as_secs_f64(),
                Err(earlier) => -earlier.duration().as_secs_f64(),
            };
            demand(
                (-0.5..until).contains(&off),
                format!("wall clock puts the start {off} s after the spawning"),
            );
            clocks += 1;
        }
        demand(clocks > 0, "no wall clock".into());

        for cap in 0..self.capabilities {
            let created = stream
                .all(CAP_CREATE)
                .any(|e| u16_at(e.payload, 0) == Some(cap));
            demand(created, format!("capability {cap} is not created"));
            let assigned = stream
                .all(CAPSET_ASSIGN_CAP)
                .any(|e| u32_at(e.payload, 0) == process_set && u16_at(e.payload, 4) == Some(cap));
            demand(
                assigned,
                format!("capability {cap} is not in the process's capset"),
            );
        }

        demand(
            stream.count(HEAP_INFO_GHC) > 0,
            "no heap information".into(),
        );

        // Each is told once: by the log, or in its place by the library.
        let mut seen = HashSet::new();
        for event in &stream.definitions {
            let new = seen.insert((event.number, event.time, event.payload));
            demand(
                new,
                format!("event {} of {} ns is there twice", event.number, event.time),
            );
        }

        if self.heap_profile {
            let breakdown = stream
                .all(HEAP_PROF_BEGIN)
                .map(|event| u32_at(event.payload, 9));
            let breakdowns: Vec<_> = breakdown.collect();
            let right = breakdowns.iter().all(|by| *by == Some(BY_CLOSURE_TYPE));
            demand(
                !breakdowns.is_empty() && right,
                format!("heap profile by closure type, not {breakdowns:?}"),
            );
        }
        if self.cost_centres {
            let main = stream
                .all(HEAP_PROF_COST_CENTRE)
                .any(|event| text_from(event.payload, 4).starts_with("MAIN\0"));
            demand(main, "no cost centre MAIN".into());
            let own = stream
                .all(HEAP_PROF_COST_CENTRE)
                .any(|event| text_from(event.payload, 4).contains("Worker.hs"));
            demand(own, "no cost centre of the program".into());
        }
        missing
    }
}

fn text_from(payload: &[u8], from: usize) -> String {
    String::from_utf8_lossy(payload.get(from..).unwrap_or_default()).into_owned()
}
