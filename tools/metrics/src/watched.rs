//! The programs that are watched now, which start and end at any time.

use crate::collected::Collected;
use crate::watch::Program;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a program that has ended is still exported: a scraper with an interval of a minute gets
/// its last values.
const KEPT: Duration = Duration::from_secs(90);
/// The most ended programs that are kept; of more the oldest are removed.
const MOST_ENDED: usize = 64;

/// All exported programs, in the order in which they were added.
#[derive(Debug, Default)]
pub struct Watched {
    programs: Mutex<Vec<Entry>>,
    /// Programs may be added at any time, so readiness does not wait for one.
    open: bool,
}

#[derive(Debug)]
struct Entry {
    program: Arc<Program>,
    ended: Option<Instant>,
}

impl Watched {
    /// A fixed set of programs.
    pub fn these(programs: &[Arc<Program>]) -> Self {
        let entry = |program: &Arc<Program>| Entry {
            program: Arc::clone(program),
            ended: None,
        };
        Self {
            programs: Mutex::new(programs.iter().map(entry).collect()),
            open: false,
        }
    }

    /// An empty set; programs are added when they are found.
    pub fn that_come() -> Self {
        Self {
            open: true,
            ..Self::default()
        }
    }

    fn programs(&self) -> MutexGuard<'_, Vec<Entry>> {
        // Every change under this lock is complete before anything could panic.
        self.programs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a program, and removes an ended one of the same name.
    pub fn came(&self, program: &Arc<Program>) {
        let mut programs = self.programs();
        programs.retain(|it| it.ended.is_none() || it.program.name() != program.name());
        programs.push(Entry {
            program: Arc::clone(program),
            ended: None,
        });
    }

    /// A found program has ended. Its last values are exported for a while.
    pub fn ended(&self, program: &Arc<Program>) {
        self.ended_at(program, Instant::now());
    }

    fn ended_at(&self, program: &Arc<Program>, now: Instant) {
        let mut programs = self.programs();
        for it in programs.iter_mut() {
            if Arc::ptr_eq(&it.program, program) {
                it.ended = Some(now);
            }
        }
        // A program without any data is removed at once.
        programs.retain(|it| it.ended.is_none() || it.program.is_begun());
        let ended = programs.iter().filter(|it| it.ended.is_some()).count();
        if ended > MOST_ENDED {
            let mut times: Vec<Instant> = programs.iter().filter_map(|it| it.ended).collect();
            times.sort_unstable();
            let oldest = times[ended - MOST_ENDED];
            programs.retain(|it| it.ended.is_none_or(|at| at >= oldest));
        }
    }

    /// All exported programs.
    pub fn all(&self) -> Vec<Arc<Program>> {
        self.all_at(Instant::now())
    }

    fn all_at(&self, now: Instant) -> Vec<Arc<Program>> {
        let mut programs = self.programs();
        programs.retain(|it| it.ended.is_none_or(|at| now.duration_since(at) < KEPT));
        programs.iter().map(|it| Arc::clone(&it.program)).collect()
    }

    /// Those that are read now.
    pub fn running(&self) -> Vec<Arc<Program>> {
        let programs = self.programs();
        let running = programs.iter().filter(|it| it.ended.is_none());
        running.map(|it| Arc::clone(&it.program)).collect()
    }

    /// The one of that name.
    pub fn named(&self, name: &str) -> Option<Arc<Program>> {
        self.all()
            .into_iter()
            .rev()
            .find(|program| program.name() == name)
    }

    /// The metrics of all of them, each program once: two sources may have the same program, and
    /// no series may be exported twice. The latest wins.
    pub fn collect(&self) -> Vec<Collected> {
        let mut seen = BTreeSet::new();
        let mut all: Vec<Collected> = Vec::new();
        for program in self.all().iter().rev() {
            let Some(collected) = program.collect() else {
                continue;
            };
            let resource = &collected.resource;
            if seen.insert((resource.job(), resource.instance())) {
                all.push(collected);
            }
        }
        all.reverse();
        all
    }

    /// Whether there is something to scrape, or programs are found automatically.
    pub fn is_ready(&self) -> bool {
        self.open || self.all().iter().any(|program| program.is_begun())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fold::Options;
    use ghc_eventlog::{BlockBuilder, CapsetType, EventBody, Header};

    fn program(name: &str, pid: u32) -> Arc<Program> {
        let header = Header::standard();
        let mut block = BlockBuilder::new(None);
        for body in [
            EventBody::CapsetCreate {
                capset: 0,
                capset_type: CapsetType::OS_PROCESS,
            },
            EventBody::OsprocessPid { capset: 0, pid },
            EventBody::WallClockTime {
                capset: 0,
                seconds: 1_000,
                nanoseconds: 0,
            },
        ] {
            block.push_body(&header, 5, &body).expect("an event");
        }
        let program = Arc::new(Program::of_log(name.to_owned(), Options::default()));
        program.feed_for_tests(&[header.as_bytes(), block.finish()].concat());
        program
    }

    fn names(programs: &[Arc<Program>]) -> Vec<&str> {
        programs.iter().map(|program| program.name()).collect()
    }

    #[test]
    fn those_that_have_ended_stay_for_a_while() {
        let watched = Watched::that_come();
        assert!(watched.is_ready());
        let (a, b) = (program("a", 1), program("b", 2));
        watched.came(&a);
        watched.came(&b);
        let now = Instant::now();
        watched.ended_at(&a, now);
        assert_eq!(names(&watched.all_at(now)), ["a", "b"]);
        assert_eq!(names(&watched.running()), ["b"]);
        // Another one of its name.
        watched.came(&program("a", 3));
        assert_eq!(names(&watched.all_at(now)), ["b", "a"]);
        watched.ended_at(&b, now);
        assert_eq!(names(&watched.all_at(now + KEPT)), ["a"]);
    }

    #[test]
    fn nothing_is_kept_of_one_that_told_nothing() {
        let watched = Watched::that_come();
        let silent = Arc::new(Program::of_log("silent".to_owned(), Options::default()));
        watched.came(&silent);
        watched.ended(&silent);
        assert!(watched.all().is_empty());
    }

    #[test]
    fn thousands_that_have_ended_take_no_memory() {
        let watched = Watched::that_come();
        let start = Instant::now();
        for number in 0..1_000 {
            let it = program(&format!("p{number}"), number);
            watched.came(&it);
            watched.ended_at(&it, start + Duration::from_millis(number.into()));
        }
        let left = watched.all_at(start);
        assert_eq!(left.len(), MOST_ENDED);
        assert_eq!(left[0].name(), format!("p{}", 1_000 - MOST_ENDED));
    }

    #[test]
    fn one_program_over_two_sources_is_told_once() {
        let two = [program("a", 1), program("b", 1), program("c", 2)];
        let told = Watched::these(&two).collect();
        let pids = told
            .iter()
            .map(|it| it.resource.get("process.pid").map(ToString::to_string));
        let pids: Vec<String> = pids.flatten().collect();
        assert_eq!(pids, ["1", "2"]);
    }
}
