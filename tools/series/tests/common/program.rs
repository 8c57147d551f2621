//! Logs of generated programs: capabilities that run threads, pass them on, collect and
//! write their buffers, in an order that a runtime system could produce.

use super::state::{Random, event, header, marker};
use ghc_eventlog::{EventBody, StopStatus};
use std::collections::BTreeMap;

/// The shape of a generated log.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub caps: u16,
    pub steps: usize,
    /// Events of a block, about.
    pub events: u64,
    /// Blocks arrive up to this long after their end.
    pub delay: u64,
    /// The global block is written at the end.
    pub global_at_exit: bool,
    /// The longest time to write a buffer.
    pub gap: u64,
    /// Nanoseconds between two events, at most.
    pub pace: u64,
}

#[derive(Clone, Default)]
struct Cap {
    running: Option<u32>,
    requested: bool,
    collecting: bool,
    begin: u64,
    events: Vec<Vec<u8>>,
    arrived: u64,
    spoke: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Doing {
    Ready,
    Running,
    Blocked,
    Foreign,
}

struct Program {
    random: Random,
    now: u64,
    shape: Shape,
    caps: Vec<Cap>,
    threads: BTreeMap<u32, (u16, Doing)>,
    next: u32,
    over: Vec<u32>,
    /// Each block with its arrival time.
    blocks: Vec<(u64, Vec<u8>)>,
}

impl Program {
    fn log(&mut self, cap: u16, body: EventBody<'_>) {
        self.now += 1 + self.random.below(self.shape.pace);
        let now = self.now;
        self.log_at(cap, now, body);
    }

    fn log_at(&mut self, cap: u16, time: u64, body: EventBody<'_>) {
        let full = self.random.one_in(self.shape.events);
        let now = self.now;
        let it = &mut self.caps[usize::from(cap)];
        if !it.spoke {
            (it.spoke, it.begin) = (true, now);
        }
        it.events.push(event(time, body));
        if full {
            self.flush(cap);
        }
    }

    fn flush(&mut self, cap: u16) {
        let end = self.now;
        self.now += self.random.below(self.shape.gap + 1);
        let late = self.random.below(self.shape.delay + 1);
        let begin = self.now;
        let it = &mut self.caps[usize::from(cap)];
        let body = it.events.concat();
        let bytes = [
            marker(Some(cap), it.begin, 24 + body.len() as u32, end),
            body,
        ]
        .concat();
        it.events.clear();
        it.begin = begin;
        it.arrived = it.arrived.max(end + late);
        self.blocks.push((it.arrived, bytes));
    }

    fn pick(&mut self, cap: u16, doing: Doing) -> Option<u32> {
        let own = self.threads.iter().filter(|(_, it)| **it == (cap, doing));
        let own: Vec<u32> = own.map(|(id, _)| *id).collect();
        let at = self.random.below(own.len().max(1) as u64) as usize;
        own.get(at).copied()
    }

    fn step(&mut self) {
        let cap = self.random.below(self.caps.len() as u64) as u16;
        let here = self.caps[usize::from(cap)].clone();
        if here.collecting {
            return self.collect(cap);
        }
        if here.requested {
            self.log(cap, EventBody::GcStart);
            self.caps[usize::from(cap)].collecting = true;
            return;
        }
        match self.random.below(24) {
            // The first events of a capability show its state.
            0 if here.spoke => {
                let body = EventBody::UserMsg {
                    message: "something".into(),
                };
                self.log(cap, body);
            }
            1 if here.running.is_none() => {
                if self.random.one_in(2) {
                    self.log(cap, EventBody::RequestParGc);
                    self.caps[usize::from(cap)].requested = true;
                } else {
                    self.log(cap, EventBody::GcStart);
                    self.caps[usize::from(cap)].collecting = true;
                }
            }
            2 if here.spoke && self.random.one_in(4) => self.flush(cap),
            _ => self.schedule(cap, here.running),
        }
    }

    fn schedule(&mut self, cap: u16, running: Option<u32>) {
        if let Some(thread) = running {
            match self.random.below(6) {
                0 => self.create(cap),
                1 => {
                    // A blocked thread of any capability.
                    let other = self.random.below(self.caps.len() as u64) as u16;
                    if let Some(thread) = self.pick(other, Doing::Blocked) {
                        let other_cap = other;
                        self.log(cap, EventBody::ThreadWakeup { thread, other_cap });
                        if other == cap {
                            self.threads.insert(thread, (cap, Doing::Ready));
                        }
                    }
                }
                _ => self.stop(cap, thread),
            }
            return;
        }
        match self.random.below(10) {
            0 => self.create(cap),
            1 => {
                if let Some(thread) = self.pick(cap, Doing::Blocked) {
                    let other_cap = cap;
                    self.log(cap, EventBody::ThreadWakeup { thread, other_cap });
                    self.threads.insert(thread, (cap, Doing::Ready));
                }
            }
            2 | 3 => {
                let to = self.random.below(self.caps.len() as u64) as u16;
                // Sometimes the log does not say that a thread was woken before it is passed on.
                let was = match self.random.below(4) {
                    0 => Doing::Blocked,
                    _ => Doing::Ready,
                };
                if let Some(thread) = self.pick(cap, was)
                    && to != cap
                {
                    let new_cap = to;
                    self.log(cap, EventBody::MigrateThread { thread, new_cap });
                    self.threads.insert(thread, (to, Doing::Ready));
                }
            }
            // Killed in its sleep, or back from a foreign call: it runs without having been
            // woken.
            4 => {
                let sleeps = [Doing::Blocked, Doing::Foreign][self.random.below(2) as usize];
                if let Some(thread) = self.pick(cap, sleeps) {
                    self.run(cap, thread);
                }
            }
            _ => {
                if let Some(thread) = self.pick(cap, Doing::Ready) {
                    self.run(cap, thread);
                }
            }
        }
    }

    fn create(&mut self, cap: u16) {
        // The end of a thread has to be written before its number is reused.
        let again = self.caps.len() == 1 && self.random.one_in(12);
        let thread = match self.over.pop().filter(|_| again) {
            Some(thread) => thread,
            None => {
                self.next += 1;
                self.next
            }
        };
        self.log(cap, EventBody::CreateThread { thread });
        self.threads.insert(thread, (cap, Doing::Ready));
    }

    fn run(&mut self, cap: u16, thread: u32) {
        self.log(cap, EventBody::RunThread { thread });
        self.caps[usize::from(cap)].running = Some(thread);
        self.threads.insert(thread, (cap, Doing::Running));
    }

    fn stop(&mut self, cap: u16, thread: u32) {
        let code = [1, 3, 5, 6, 7, 7, 7, 8, 12, 18, 20][self.random.below(11) as usize];
        let status = StopStatus(code);
        let info = Some(if code == 8 { 1 } else { 0 });
        let body = EventBody::StopThread {
            thread,
            status,
            info,
        };
        self.log(cap, body);
        self.caps[usize::from(cap)].running = None;
        match code {
            5 => {
                self.threads.remove(&thread);
                self.over.push(thread);
            }
            1 | 3 => {
                self.threads.insert(thread, (cap, Doing::Ready));
            }
            6 => {
                self.threads.insert(thread, (cap, Doing::Foreign));
            }
            _ => {
                self.threads.insert(thread, (cap, Doing::Blocked));
            }
        }
    }

    fn collect(&mut self, cap: u16) {
        match self.random.below(5) {
            0 => self.log(cap, EventBody::GcWork),
            1 => self.log(cap, EventBody::GcIdle),
            2 => self.log(cap, EventBody::GcDone),
            _ => {
                // Has an earlier time than the events about the collection as a whole.
                self.now += 1 + self.random.below(self.shape.pace);
                let time = self.now;
                let stats = EventBody::GcStatsGhc {
                    capset: 0,
                    generation: 1,
                    copied: 1,
                    slop: 2,
                    fragmentation: 3,
                    par_threads: 1,
                    par_max_copied: 0,
                    par_tot_copied: 0,
                    par_balanced_copied: Some(0),
                };
                self.log(cap, stats);
                let begin = self.caps[usize::from(cap)].begin;
                self.log_at(cap, time.max(begin), EventBody::GcEnd);
                let it = &mut self.caps[usize::from(cap)];
                (it.collecting, it.requested) = (false, false);
            }
        }
    }
}

/// The log of a program.
pub fn program(seed: u64, shape: Shape) -> Vec<u8> {
    let mut program = Program {
        random: Random(seed),
        now: 1000,
        shape,
        caps: vec![Cap::default(); usize::from(shape.caps)],
        threads: BTreeMap::new(),
        next: 0,
        over: Vec::new(),
        blocks: Vec::new(),
    };
    (0..shape.steps).for_each(|_| program.step());
    (0..shape.caps).for_each(|cap| program.flush(cap));
    let caps = (0..shape.caps).map(|created_cap| event(1, EventBody::CapCreate { created_cap }));
    let caps = caps.collect::<Vec<_>>().concat();
    let global = [marker(None, 1, 24 + caps.len() as u32, 1), caps].concat();
    let Program { mut blocks, .. } = program;
    blocks.sort_by_key(|(arrived, _)| *arrived);
    let mut log = header().as_bytes().to_vec();
    if !shape.global_at_exit {
        log.extend(&global);
    }
    for (_, block) in &blocks {
        log.extend(block);
    }
    if shape.global_at_exit {
        log.extend(&global);
    }
    log
}

/// Shapes of all kinds.
pub fn shapes(random: &mut Random) -> Shape {
    Shape {
        caps: 1 + random.below(4) as u16,
        steps: [300, 3000, 20_000][random.below(3) as usize],
        events: [1, 10, 200, 5000][random.below(4) as usize],
        delay: [0, 100, 10_000, 1_000_000][random.below(4) as usize],
        global_at_exit: random.one_in(2),
        gap: [0, 5, 2000][random.below(3) as usize],
        pace: [3, 40, 3000][random.below(3) as usize],
    }
}
