//! Generated programs, which were never run: logs in which everything happens that a model has to
//! follow, in an order that a runtime system could have.

use super::{Random, block, event, log};
use ghc_eventlog::{
    Breakdown, CapsetType, EventBody, Item, Reader, StopStatus, definition::Class, definition_of,
};
use std::collections::BTreeMap;

/// What a capability is doing.
#[derive(Clone, Default)]
struct Cap {
    created: bool,
    running: Option<u32>,
    collecting: bool,
    allocated: u64,
    sparks: u64,
}

/// The capability to which a thread belongs, and whether it is blocked.
#[derive(Clone, Copy)]
struct Thread {
    cap: u16,
    blocked: bool,
}

/// What was logged: capability, time, event.
type Logged = (Option<u16>, u64, Vec<u8>);

struct Program {
    random: Random,
    now: u64,
    caps: Vec<Cap>,
    threads: BTreeMap<u32, Thread>,
    next: u32,
    free: Vec<u32>,
    tasks: Vec<u64>,
    spans: Vec<String>,
    telemetry: Vec<u64>,
    sample: Option<u64>,
    era: u64,
    cost_centres: u32,
    phase: u8,
    logged: Vec<Logged>,
}

impl Program {
    fn log(&mut self, cap: Option<u16>, body: EventBody<'_>) {
        self.now += 1 + self.random.below(20);
        self.logged.push((cap, self.now, event(self.now, body)));
    }

    /// Logs an event like `log`, but dated back.
    fn log_dated_back(&mut self, cap: u16, body: EventBody<'_>) {
        self.now += 1;
        let time = self.now - self.random.below(self.now.min(60));
        self.logged.push((Some(cap), self.now, event(time, body)));
    }

    fn number(&mut self) -> u32 {
        if self.random.one_in(10)
            && let Some(used) = self.free.pop()
        {
            return used;
        }
        self.next += 1;
        self.next
    }

    fn create_cap(&mut self, cap: u16) {
        let created_cap = cap;
        self.log(None, EventBody::CapCreate { created_cap });
        let capset = u32::from(cap % 2);
        let body = EventBody::CapsetAssignCap {
            capset,
            assigned_cap: cap,
        };
        self.log(None, body);
        self.caps[usize::from(cap)].created = true;
    }

    fn begin(&mut self) {
        for capset in 0..2 {
            let capset_type = CapsetType::OS_PROCESS;
            self.log(
                None,
                EventBody::CapsetCreate {
                    capset,
                    capset_type,
                },
            );
            let pid = 100 + capset;
            self.log(None, EventBody::OsprocessPid { capset, pid });
            let body = EventBody::WallClockTime {
                capset,
                seconds: 1_700_000_000,
                nanoseconds: 5 + capset,
            };
            self.log(None, body);
        }
        let body = EventBody::HeapProfBegin {
            profile: 0,
            period: 1000,
            breakdown: Breakdown::CLOSURE_TYPE,
            module_filter: "".into(),
            closure_filter: "".into(),
            type_filter: "".into(),
            cost_centre_filter: "".into(),
            stack_filter: "".into(),
            retainer_filter: "".into(),
            biography_filter: "".into(),
        };
        self.log(None, body);
        let first = 1 + self.random.below(self.caps.len() as u64) as u16;
        (0..first).for_each(|cap| self.create_cap(cap));
    }

    fn step(&mut self) {
        let cap = self.random.below(self.caps.len() as u64) as u16;
        if !self.caps[usize::from(cap)].created {
            // Some capabilities are created late, some never.
            if self.random.one_in(40) {
                self.create_cap(cap);
            }
            return;
        }
        match self.random.below(12) {
            0..=6 => self.schedule(cap),
            7 => self.collect(cap),
            8 => self.message(cap),
            9 => self.profile(),
            10 => self.describe(cap),
            _ => self.sizes(cap),
        }
    }

    fn schedule(&mut self, cap: u16) {
        let here = self.caps[usize::from(cap)].clone();
        if here.collecting {
            return;
        }
        if let Some(thread) = here.running {
            match self.random.below(6) {
                0 => self.create(cap),
                1 => {
                    let label = ["worker", "main", "a thread with a long name"];
                    let label = label[self.random.below(3) as usize].into();
                    self.log(Some(cap), EventBody::ThreadLabel { thread, label });
                }
                _ => self.stop(cap, thread),
            }
            return;
        }
        let own: Vec<u32> = self
            .threads
            .iter()
            .filter(|(_, thread)| thread.cap == cap)
            .map(|(id, _)| *id)
            .collect();
        if own.is_empty() {
            return self.create(cap);
        }
        let id = own[self.random.below(own.len() as u64) as usize];
        let thread = self.threads[&id];
        let other = self.random.below(self.caps.len() as u64) as u16;
        let is_there = self.caps[usize::from(other)].created && other != cap;
        match self.random.below(8) {
            0 => self.create(cap),
            1 if is_there => {
                let (thread, new_cap) = (id, other);
                self.log(Some(cap), EventBody::MigrateThread { thread, new_cap });
                self.threads.entry(id).and_modify(|it| it.cap = other);
            }
            // Another capability wakes it by a message.
            2 if is_there => {
                let (thread, other_cap) = (id, cap);
                self.log(Some(other), EventBody::ThreadWakeup { thread, other_cap });
            }
            _ if thread.blocked => {
                let (thread, other_cap) = (id, cap);
                self.log(Some(cap), EventBody::ThreadWakeup { thread, other_cap });
                self.threads.entry(id).and_modify(|it| it.blocked = false);
            }
            _ => {
                self.log(Some(cap), EventBody::RunThread { thread: id });
                self.caps[usize::from(cap)].running = Some(id);
            }
        }
    }

    fn create(&mut self, cap: u16) {
        let before = self.next;
        let thread = self.number();
        // Some threads are older than the log.
        let may_be_older = self.next > before;
        if !may_be_older || !self.random.one_in(20) {
            self.log(Some(cap), EventBody::CreateThread { thread });
        }
        let blocked = false;
        self.threads.insert(thread, Thread { cap, blocked });
    }

    fn stop(&mut self, cap: u16, thread: u32) {
        let code = [1, 3, 4, 5, 6, 7, 8, 9, 12, 18, 20][self.random.below(11) as usize];
        let status = StopStatus(code);
        let info = Some(if code == 8 { 1 } else { 0 });
        let body = EventBody::StopThread {
            thread,
            status,
            info,
        };
        self.log(Some(cap), body);
        self.caps[usize::from(cap)].running = None;
        if status == StopStatus::FINISHED {
            self.threads.remove(&thread);
            self.free.push(thread);
        } else {
            let blocked = code >= 7;
            self.threads
                .entry(thread)
                .and_modify(|it| it.blocked = blocked);
        }
    }

    fn collect(&mut self, cap: u16) {
        let here = self.caps[usize::from(cap)].clone();
        if !here.collecting {
            if here.running.is_some() {
                return;
            }
            if self.random.one_in(2) {
                self.log(Some(cap), EventBody::RequestParGc);
            }
            self.log(Some(cap), EventBody::GcStart);
            self.caps[usize::from(cap)].collecting = true;
            return;
        }
        match self.random.below(5) {
            0 => self.log(Some(cap), EventBody::GcWork),
            1 => self.log(Some(cap), EventBody::GcIdle),
            2 => self.log(Some(cap), EventBody::GcDone),
            _ => {
                let body = EventBody::GcStatsGhc {
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
                self.log(Some(cap), body);
                self.log_dated_back(cap, EventBody::GcEnd);
                self.caps[usize::from(cap)].collecting = false;
            }
        }
    }

    fn message(&mut self, cap: u16) {
        let count = self.spans.len() as u64;
        match self.random.below(5) {
            0 | 1 => {
                let number = self.random.below(4);
                let span = match number {
                    0 => format!("span {}", self.random.below(3)),
                    _ => format!("{number} request"),
                };
                let text = format!("START {span}");
                let message = text.as_str().into();
                self.log(Some(cap), EventBody::UserMsg { message });
                self.spans.push(span);
            }
            2 if count > 0 => {
                let span = self.spans.swap_remove(self.random.below(count) as usize);
                let text = format!("STOP {span}");
                let marker = text.as_str().into();
                self.log(Some(cap), EventBody::UserMarker { marker });
            }
            3 => {
                let mut data = vec![0xff, 0xcc + self.random.below(2) as u8];
                data.extend(self.random.below(30).to_be_bytes());
                data.extend(b"text");
                data.push(self.random.below(2) as u8);
                self.log(Some(cap), EventBody::UserBinaryMsg { data: &data });
            }
            _ => {
                let open = self.telemetry.len() as u64;
                let (kind, id) = match self.random.below(3) {
                    0 if open > 0 => {
                        let at = self.random.below(open) as usize;
                        (2, self.telemetry.swap_remove(at))
                    }
                    1 if open > 0 => (3, self.telemetry[self.random.below(open) as usize]),
                    _ => {
                        let id = self.random.below(1 << 20);
                        self.telemetry.push(id);
                        (1, id)
                    }
                };
                let mut data = b"OT\x03".to_vec();
                data.push(kind);
                data.extend(id.to_le_bytes());
                data.extend(b"name");
                self.log(Some(cap), EventBody::UserBinaryMsg { data: &data });
            }
        }
    }

    fn profile(&mut self) {
        match self.sample {
            None => {
                self.era += 1;
                let (era, sample_time) = (self.era, self.now);
                let body = match self.random.one_in(3) {
                    true => EventBody::HeapBioProfSampleBegin { era, sample_time },
                    false => EventBody::HeapProfSampleBegin { era },
                };
                self.log(None, body);
                self.sample = Some(era);
            }
            Some(era) if self.random.one_in(5) => {
                self.log(None, EventBody::HeapProfSampleEnd { era });
                self.sample = None;
            }
            Some(_) => {
                let label = format!("band {}", self.random.below(9));
                let body = EventBody::HeapProfSampleString {
                    profile: 0,
                    residency: self.random.below(1000),
                    label: label.as_str().into(),
                };
                self.log(None, body);
            }
        }
    }

    fn describe(&mut self, cap: u16) {
        let count = self.tasks.len() as u64;
        match self.random.below(9) {
            0 | 1 => {
                let task = 1000 + self.random.below(1 << 20);
                if self.tasks.contains(&task) {
                    return;
                }
                let body = EventBody::TaskCreate {
                    task,
                    task_cap: cap,
                    kernel_thread: task + 7,
                };
                self.log(None, body);
                self.tasks.push(task);
            }
            2 if count > 0 => {
                let task = self.tasks[self.random.below(count) as usize];
                let body = EventBody::TaskMigrate {
                    task,
                    old_cap: 0,
                    new_cap: cap,
                };
                self.log(None, body);
            }
            3 if count > 0 => {
                let at = self.random.below(count) as usize;
                let task = self.tasks.swap_remove(at);
                self.log(None, EventBody::TaskDelete { task });
            }
            4 => {
                self.cost_centres += 1;
                let body = EventBody::HeapProfCostCentre {
                    cost_centre: self.cost_centres,
                    label: "f".into(),
                    module: "M".into(),
                    location: "m.hs:1".into(),
                    is_caf: 0,
                };
                self.log(None, body);
            }
            5 => {
                let counter = self.random.below(20);
                let body = EventBody::TickyCounterSample {
                    counter,
                    entries: self.random.below(100),
                    allocs: self.now,
                    allocated: 4,
                };
                self.log(None, body);
            }
            6 => {
                self.phase = (self.phase + 1) % 6;
                let body = match self.phase {
                    1 => EventBody::ConcMarkBegin,
                    2 => EventBody::ConcMarkEnd { marked: 3 },
                    3 => EventBody::ConcSyncBegin,
                    4 => EventBody::ConcSyncEnd,
                    5 => EventBody::ConcSweepBegin,
                    _ => EventBody::ConcSweepEnd,
                };
                self.log(None, body);
            }
            7 => {
                let (disabled_cap, enabled_cap) = (cap, cap);
                match self.random.one_in(2) {
                    true => self.log(None, EventBody::CapDisable { disabled_cap }),
                    false => self.log(None, EventBody::CapEnable { enabled_cap }),
                }
            }
            _ => {
                let ppid = self.random.below(4) as u32;
                self.log(None, EventBody::OsprocessPpid { capset: 0, ppid });
            }
        }
    }

    fn sizes(&mut self, cap: u16) {
        let of = &mut self.caps[usize::from(cap)];
        of.allocated += self.random.below(1000);
        of.sparks += self.random.below(3);
        let (allocated, sparks) = (of.allocated, of.sparks);
        let capset = self.random.below(2) as u32;
        let bytes = self.random.below(1 << 30);
        let body = match self.random.below(6) {
            0 => EventBody::HeapAllocated {
                capset: 0,
                bytes: allocated,
            },
            1 => EventBody::HeapSize { capset, bytes },
            2 => EventBody::HeapLive { capset, bytes },
            3 => EventBody::BlocksSize { capset, bytes },
            4 => EventBody::MemReturn {
                capset,
                current: bytes as u32,
                needed: 2,
                returned: 1,
            },
            _ => EventBody::SparkCounters {
                created: sparks,
                dud: 0,
                overflowed: 0,
                converted: sparks / 2,
                gcd: 0,
                fizzled: 0,
                remaining: self.random.below(9),
            },
        };
        match self.random.one_in(3) {
            true => self.log_dated_back(cap, body),
            false => self.log(Some(cap), body),
        }
    }
}

/// How the buffers of a log are written.
#[derive(Clone, Copy)]
pub struct Blocks {
    /// About how many events a block has.
    pub events: u64,
    /// Blocks arrive up to this much later than they are written.
    pub delay: u64,
    /// The global block is written at exit, as with GHC 9.0.
    pub global_at_exit: bool,
}

/// The log of a program that was never run.
pub fn program(seed: u64, steps: usize, blocks: Blocks) -> Vec<u8> {
    let mut random = Random(seed);
    let caps = 1 + random.below(6) as usize;
    let mut program = Program {
        now: 0,
        caps: vec![Cap::default(); caps],
        threads: BTreeMap::new(),
        next: 0,
        free: Vec::new(),
        tasks: Vec::new(),
        spans: Vec::new(),
        telemetry: Vec::new(),
        sample: None,
        era: 0,
        cost_centres: 0,
        phase: 0,
        logged: Vec::new(),
        random,
    };
    program.begin();
    (0..steps).for_each(|_| program.step());
    let Program {
        logged, mut random, ..
    } = program;
    written(super::header().as_bytes(), &logged, blocks, &mut random)
}

/// A log of a real program, as if its buffers had been written much more often.
pub fn rewritten(bytes: &[u8], blocks: Blocks, random: &mut Random) -> Vec<u8> {
    let mut reader = Reader::new(bytes);
    let mut logged: Vec<Logged> = Vec::new();
    let mut reached: BTreeMap<Option<u16>, u64> = BTreeMap::new();
    while let Some(item) = reader.next_item().unwrap() {
        if let Item::Event(event) = item {
            let reached = reached.entry(event.cap).or_default();
            *reached = event.time.max(*reached);
            logged.push((event.cap, *reached, event.raw.to_vec()));
        }
    }
    let header = reader.header().unwrap().as_bytes().to_vec();
    logged.sort_by_key(|(_, time, _)| *time);
    written(&header, &logged, blocks, random)
}

/// Whether the event is needed to identify the program.
fn is_at_start(raw: &[u8]) -> bool {
    let id = u16::from_be_bytes([raw[0], raw[1]]);
    let told = raw.get(10..).and_then(|payload| definition_of(id, payload));
    told.is_some_and(|told| matches!(told.class, Class::CapCreate | Class::Startup))
}

fn written(header: &[u8], logged: &[Logged], blocks: Blocks, random: &mut Random) -> Vec<u8> {
    struct Buffer {
        since: u64,
        events: Vec<Vec<u8>>,
        latest: u64,
    }
    let mut buffers: BTreeMap<Option<u16>, Buffer> = BTreeMap::new();
    let mut arrived: Vec<(u64, Vec<u8>)> = Vec::new();
    let mut flush = |cap: Option<u16>, buffer: &mut Buffer, now: u64, late: u64| {
        let bytes = block(cap, buffer.since, now, &buffer.events);
        (buffer.since, buffer.latest) = (now, buffer.latest.max(now + late));
        buffer.events.clear();
        arrived.push((buffer.latest, bytes));
    };
    let end = logged.iter().map(|(_, now, _)| *now).max().unwrap_or(0);
    for (at, (cap, now, raw)) in logged.iter().enumerate() {
        let buffer = buffers.entry(*cap).or_insert_with(|| Buffer {
            since: *now,
            events: Vec::new(),
            latest: 0,
        });
        buffer.events.push(raw.clone());
        // Which capabilities exist is written at once.
        let more = logged.get(at + 1);
        let goes_on = more.is_some_and(|(cap, _, raw)| cap.is_none() && is_at_start(raw));
        let at_once = cap.is_none() && is_at_start(raw) && !goes_on;
        let waits = cap.is_none() && blocks.global_at_exit;
        if !waits && (at_once || random.one_in(blocks.events)) {
            // A capability of which nothing is known does not hold the others back, so its
            // announcement must not be late.
            let late = match cap {
                None => 0,
                Some(_) => random.below(2) * random.below(blocks.delay + 1),
            };
            flush(*cap, buffer, *now, late);
        }
        // An empty block of a capability that may have nothing to log.
        if random.one_in(blocks.events * 4)
            && let Some((cap, buffer)) = buffers.iter_mut().find(|(cap, _)| cap.is_some())
        {
            flush(*cap, buffer, *now, 0);
        }
    }
    for (cap, buffer) in &mut buffers {
        flush(*cap, buffer, end, 0);
    }
    arrived.sort_by_key(|(time, _)| *time);
    let mut parts: Vec<Vec<u8>> = arrived.into_iter().map(|(_, bytes)| bytes).collect();
    if random.one_in(2) {
        parts.push(vec![0xff, 0xff]);
    }
    let plain = log(&parts);
    [header, &plain[super::header().as_bytes().len()..]].concat()
}
