use super::*;
use crate::limits::Keep;
use crate::test_log::Log;
use crate::turn::Turn;

/// A time of the log in nanoseconds: far enough apart for every event to have a slot of its own.
const STEP: u64 = 10_000;

type Told = (Option<u16>, u64, EventBody<'static>);

struct Random(u64);

impl Random {
    fn below(&mut self, below: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) % below
    }

    fn take<T>(&mut self, of: &mut Vec<T>) -> Option<T> {
        match of.len() as u64 {
            0 => None,
            count => Some(of.swap_remove(self.below(count) as usize)),
        }
    }
}

/// What a generated program does, and what was counted while it was generated.
#[derive(Default)]
struct Program {
    events: Vec<Told>,
    created: u64,
    finished: u64,
    peak: u64,
    wakeups: u64,
    migrations: u64,
    pauses: Vec<u64>,
    live: (u64, u64),
    caps: Vec<Capability>,
    /// For how long each thread ran.
    ran: BTreeMap<u32, u64>,
}

#[derive(Default)]
struct Capability {
    running: Option<(u32, u64)>,
    ready: Vec<u32>,
    blocked: Vec<u32>,
    ran: u64,
    runs: u64,
    allocated: u64,
    collected: u64,
}

impl Program {
    fn new(seed: u64, caps: usize, steps: u64) -> Self {
        let mut random = Random(seed);
        let mut program = Self::default();
        program.caps.resize_with(caps, Capability::default);
        for step in 1..=steps {
            let number = random.below(caps as u64) as u16;
            program.step(number, step * STEP, &mut random);
        }
        for cap in &mut program.caps {
            if let Some((thread, since)) = cap.running {
                let open = program.events.last().map_or(0, |last| last.1) - since;
                cap.ran += open;
                *program.ran.entry(thread).or_default() += open;
            }
        }
        program
    }

    fn tell(&mut self, cap: u16, time: u64, body: EventBody<'static>) {
        self.events.push((Some(cap), time, body));
    }

    fn step(&mut self, number: u16, time: u64, random: &mut Random) {
        let others = self.caps.len() as u64;
        let cap = &mut self.caps[usize::from(number)];
        match (random.below(10), cap.running) {
            (0..4, Some((thread, since))) => {
                cap.running = None;
                cap.ran += time - since;
                *self.ran.entry(thread).or_default() += time - since;
                let status = match random.below(3) {
                    0 => {
                        self.finished += 1;
                        StopStatus::FINISHED
                    }
                    1 => {
                        cap.blocked.push(thread);
                        StopStatus(8)
                    }
                    _ => {
                        cap.ready.push(thread);
                        StopStatus::YIELDING
                    }
                };
                let info = Some(0);
                self.tell(
                    number,
                    time,
                    EventBody::StopThread {
                        thread,
                        status,
                        info,
                    },
                );
            }
            (0..4, None) => {
                if let Some(thread) = random.take(&mut cap.ready) {
                    cap.running = Some((thread, time));
                    cap.runs += 1;
                    self.tell(number, time, EventBody::RunThread { thread });
                }
            }
            (4..6, _) => {
                self.created += 1;
                let thread = self.created as u32;
                cap.ready.push(thread);
                self.peak = self.peak.max(self.created - self.finished);
                self.tell(number, time, EventBody::CreateThread { thread });
            }
            (6, _) => {
                if let Some(thread) = random.take(&mut cap.blocked) {
                    cap.ready.push(thread);
                    self.wakeups += 1;
                    let other_cap = number;
                    self.tell(number, time, EventBody::ThreadWakeup { thread, other_cap });
                }
            }
            (7, _) => {
                if let Some(thread) = random.take(&mut cap.ready) {
                    let new_cap = random.below(others) as u16;
                    self.caps[usize::from(new_cap)].ready.push(thread);
                    self.migrations += 1;
                    self.tell(number, time, EventBody::MigrateThread { thread, new_cap });
                }
            }
            (8, _) => {
                cap.allocated += random.below(10_000);
                let bytes = cap.allocated;
                self.tell(number, time, EventBody::HeapAllocated { capset: 0, bytes });
            }
            (_, None) => {
                // A collection: it ends before the next event of any capability.
                let took = 1 + random.below(STEP - 1);
                cap.collected += took;
                self.pauses.push(took);
                self.live = (random.below(1 << 20), self.live.1);
                self.live.1 = self.live.1.max(self.live.0);
                let bytes = self.live.0;
                self.tell(number, time, EventBody::GcStart);
                self.tell(number, time, EventBody::HeapLive { capset: 0, bytes });
                self.tell(number, time, statistics(random.below(3) as u16));
                self.tell(number, time + took, EventBody::GcEnd);
            }
            (_, Some(_)) => {
                let message = "as it were".into();
                self.tell(number, time, EventBody::UserMsg { message });
            }
        }
    }

    fn log(&self, order: impl IntoIterator<Item = usize>) -> Log {
        let mut log = Log::new();
        for at in order {
            let (cap, time, body) = self.events[at];
            log.push(cap, time, body);
        }
        log
    }
}

fn statistics(generation: u16) -> EventBody<'static> {
    EventBody::GcStatsGhc {
        capset: 0,
        generation,
        copied: 100,
        slop: 0,
        fragmentation: 0,
        par_threads: 1,
        par_max_copied: 0,
        par_tot_copied: 0,
        par_balanced_copied: Some(0),
    }
}

/// A few events of one capability at a time, keeping the order of each.
fn in_blocks(program: &Program, seed: u64) -> Vec<usize> {
    let mut random = Random(seed);
    let mut caps: BTreeMap<Option<u16>, std::collections::VecDeque<usize>> = BTreeMap::new();
    for (at, event) in program.events.iter().enumerate() {
        caps.entry(event.0).or_default().push_back(at);
    }
    let mut caps: Vec<_> = caps.into_values().collect();
    let mut order = Vec::new();
    while !caps.is_empty() {
        let cap = random.below(caps.len() as u64) as usize;
        let count = caps[cap].len().min(1 + random.below(200) as usize);
        order.extend(caps[cap].drain(..count));
        caps.retain(|cap| !cap.is_empty());
    }
    order
}

fn report(log: &Log, turn: Turn, mut totals: Totals, threads: bool) -> Report {
    let keep = Keep {
        threads,
        ..Keep::least()
    };
    let mut state = State::new(&log.header.clone().into(), keep);
    log.each(|event| {
        totals.event(event);
        state.apply(event, turn, &mut |fact| totals.see(&fact));
    });
    state.finish(&mut |fact| totals.see(&fact));
    totals.report(&state)
}

#[test]
fn the_same_in_any_order_of_blocks() {
    for seed in 0..20 {
        let program = Program::new(seed, 1 + seed as usize % 5, 2_500);
        let order = in_blocks(&program, seed);
        let sorted = program.log(0..program.events.len());
        let sorted = report(&sorted, Turn::Certain, Totals::new(), false);
        let arrived = report(&program.log(order), Turn::Early, Totals::new(), false);
        let (sorted, text) = (format!("{sorted:?}"), format!("{arrived:?}"));
        assert_eq!(sorted, text, "seed {seed}");

        let threads = arrived.threads.expect("threads");
        let runs = program.caps.iter().map(|cap| cap.runs).sum();
        assert_eq!(
            [threads.created, threads.finished, threads.peak_alive],
            [program.created, program.finished, program.peak]
        );
        assert_eq!(
            [threads.switches, threads.wakeups, threads.migrations],
            [runs, program.wakeups, program.migrations]
        );
        for cap in &arrived.capabilities {
            let wanted = &program.caps[usize::from(cap.cap)];
            assert_eq!(cap.running_ns, Some(wanted.ran));
            assert_eq!(cap.gc_ns, Some(wanted.collected));
            assert_eq!(cap.switches, Some(wanted.runs));
        }
        let gc = arrived.gc.expect("collections");
        assert_eq!(gc.pauses.count, program.pauses.len() as u64);
        assert_eq!(gc.pauses.total_ns, program.pauses.iter().sum::<u64>());
        assert_eq!(Some(gc.pauses.max_ns), program.pauses.iter().max().copied());
        assert_eq!(gc.copied_bytes, Some(100 * gc.pauses.count));
        let allocated = program.caps.iter().map(|cap| cap.allocated).sum();
        assert_eq!(arrived.heap.allocated_bytes, Some(allocated));
        assert_eq!(arrived.heap.live_bytes, Some(program.live.0));
        assert_eq!(arrived.heap.peak_live_bytes, Some(program.live.1));
    }
}

#[test]
fn the_longest_threads_of_all() {
    for seed in 0..6 {
        let program = Program::new(seed, 3, 8_000);
        let mut wanted: Vec<(u64, u32)> = program.ran.iter().map(|(&id, &ran)| (ran, id)).collect();
        wanted.sort_unstable_by_key(|&(ran, _)| std::cmp::Reverse(ran));
        let log = program.log(0..program.events.len());
        for count in [0, 1, 5, 300] {
            let report = report(&log, Turn::Certain, Totals::with_threads(count), true);
            let top = report.top_threads.flatten().expect("threads");
            let top: Vec<u64> = top
                .iter()
                .map(|thread| {
                    assert_eq!(
                        program.ran.get(&thread.thread).copied().unwrap_or(0),
                        thread.running_ns
                    );
                    thread.running_ns
                })
                .collect();
            let mut all: Vec<u64> = wanted.iter().map(|&(ran, _)| ran).collect();
            // Also the threads that never ran.
            all.resize(program.created as usize, 0);
            all.truncate(count);
            assert_eq!(top, all, "seed {seed}, {count} threads");
        }
    }
}

/// Two programs in one log: their heaps add up, and nothing is counted twice.
#[test]
fn heaps_of_several_programs() {
    let mut log = Log::new();
    let told = [
        (
            1,
            EventBody::HeapSize {
                capset: 0,
                bytes: 10,
            },
        ),
        (
            2,
            EventBody::HeapSize {
                capset: 9,
                bytes: 5,
            },
        ),
        (
            3,
            EventBody::HeapSize {
                capset: 0,
                bytes: 4,
            },
        ),
    ];
    for (time, body) in told {
        log.push(Some(0), time, body);
    }
    let report = report(&log, Turn::Early, Totals::new(), false);
    assert_eq!(report.heap.size_bytes, Some(9));
    assert_eq!(report.heap.peak_size_bytes, Some(15));
}
