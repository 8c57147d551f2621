//! New numbers and times for the events of a log that joins others.

use super::open_telemetry;
use super::stack_profiler::{self, Numbers};
use super::survey::Survey;
use ghc_eventlog::{BlockBuilder, Breakdown, Event, EventBody, Header, Stack, Text};
use std::collections::BTreeSet;
use std::io::Write as _;

/// What is added to the numbers of one log.
#[derive(Clone, Debug, Default)]
pub struct Renumber {
    caps: u16,
    threads: u32,
    capsets: u32,
    cost_centres: u32,
    /// For everything that is identified by an address in the memory of the program: tasks, info
    /// tables, ticky counters.
    addresses: u64,
    time: u64,
    /// Profiles whose bands are not named after info tables.
    named: BTreeSet<u8>,
    /// A stack, name or message with new numbers, while it is being encoded.
    buffer: Vec<u8>,
}

/// Plans the numbers: each log begins where the one before it ends.
pub fn plan(surveys: &[Survey], by_clock: bool) -> Vec<Renumber> {
    let starts: Option<Vec<i128>> = surveys
        .iter()
        .map(|survey| Some(survey.clock?.at(0).unix_nanos()))
        .collect();
    let earliest = starts
        .as_ref()
        .and_then(|starts| starts.iter().min().copied());
    let mut next = Renumber::default();
    let mut plan = Vec::new();
    for (at, survey) in (0u64..).zip(surveys) {
        let mut this = next.clone();
        if let (true, Some(starts), Some(earliest)) = (by_clock, &starts, earliest) {
            this.time = u64::try_from(starts[at as usize] - earliest).unwrap_or(0);
        }
        // Addresses have 47 bits.
        this.addresses = at << 48;
        next.caps = next.caps.wrapping_add(survey.caps as u16);
        next.threads = next.threads.wrapping_add(survey.threads);
        next.capsets = next.capsets.wrapping_add(survey.capsets);
        next.cost_centres = next.cost_centres.wrapping_add(survey.cost_centres);
        plan.push(this);
    }
    plan
}

impl Renumber {
    pub fn time(&self, time: u64) -> u64 {
        time.saturating_add(self.time)
    }

    pub fn cap(&self, cap: Option<u16>) -> Option<u16> {
        cap.map(|cap| self.number(cap))
    }

    pub fn number(&self, cap: u16) -> u16 {
        cap.wrapping_add(self.caps)
    }

    /// The same event with new numbers. Stacks, names and messages are left to
    /// [`push`](Self::push), which has a place to
    /// put them.
    pub fn body<'a>(&self, event: &Event<'a>) -> EventBody<'a> {
        use EventBody as E;
        let mut body = event.body;
        match &mut body {
            E::CreateThread { thread }
            | E::RunThread { thread }
            | E::ThreadRunnable { thread }
            | E::ThreadLabel { thread, .. } => self.thread(thread),
            E::StopThread {
                thread,
                status,
                info,
            } => {
                self.thread(thread);
                // An owner of 0 is unknown.
                if *status == ghc_eventlog::StopStatus::BLACK_HOLE
                    && let Some(owner @ 1..) = info
                {
                    self.thread(owner);
                }
            }
            E::MigrateThread {
                thread,
                new_cap: cap,
            }
            | E::ThreadWakeup {
                thread,
                other_cap: cap,
            } => {
                self.thread(thread);
                *cap = self.number(*cap);
            }
            E::CapsetCreate { capset, .. }
            | E::CapsetDelete { capset }
            | E::RtsIdentifier { capset, .. }
            | E::ProgramArgs { capset, .. }
            | E::ProgramEnv { capset, .. }
            | E::OsprocessPid { capset, .. }
            | E::OsprocessPpid { capset, .. }
            | E::HeapAllocated { capset, .. }
            | E::HeapSize { capset, .. }
            | E::HeapLive { capset, .. }
            | E::HeapInfoGhc { capset, .. }
            | E::GcStatsGhc { capset, .. }
            | E::MemReturn { capset, .. }
            | E::BlocksSize { capset, .. } => self.capset(capset),
            E::WallClockTime { capset, .. } => self.capset(capset),
            E::CapsetAssignCap {
                capset,
                assigned_cap: cap,
            }
            | E::CapsetRemoveCap {
                capset,
                removed_cap: cap,
            } => {
                self.capset(capset);
                *cap = self.number(*cap);
            }
            E::CapCreate { created_cap: cap }
            | E::CapDelete { deleted_cap: cap }
            | E::CapDisable { disabled_cap: cap }
            | E::CapEnable { enabled_cap: cap }
            | E::SparkSteal { victim_cap: cap }
            | E::ConcUpdRemSetFlush { flushed_cap: cap } => *cap = self.number(*cap),
            E::TaskCreate {
                task,
                task_cap: cap,
                ..
            } => {
                *task = task.wrapping_add(self.addresses);
                *cap = self.number(*cap);
            }
            E::TaskMigrate {
                task,
                old_cap,
                new_cap,
            } => {
                *task = task.wrapping_add(self.addresses);
                *old_cap = self.number(*old_cap);
                *new_cap = self.number(*new_cap);
            }
            E::TaskDelete { task } => *task = task.wrapping_add(self.addresses),
            E::Ipe { info, .. } => *info = self.address(*info),
            E::TickyCounterDef { counter, info, .. } => {
                *counter = self.address(*counter);
                *info = info.map(|info| self.address(info));
            }
            E::TickyCounterSample { counter, .. } => *counter = self.address(*counter),
            E::HeapProfCostCentre { cost_centre, .. } => {
                *cost_centre = cost_centre.wrapping_add(self.cost_centres);
            }
            E::ProfSampleCostCentre { sampled_cap, .. } => {
                *sampled_cap = sampled_cap.wrapping_add(self.caps.into());
            }
            _ => {}
        }
        body
    }

    /// A new address; 0, which is no address, stays 0.
    pub fn address(&self, address: u64) -> u64 {
        match address {
            0 => 0,
            _ => address.wrapping_add(self.addresses),
        }
    }

    /// The new number of something that the program numbers itself.
    pub fn counted(&self, number: u64) -> u64 {
        number.wrapping_add(self.addresses)
    }

    pub fn thread(&self, thread: &mut u32) {
        *thread = thread.wrapping_add(self.threads);
    }

    fn capset(&self, capset: &mut u32) {
        *capset = capset.wrapping_add(self.capsets);
    }

    /// Appends the event to a block; `false` if it cannot be written under this header.
    pub fn push(
        &mut self,
        block: &mut BlockBuilder,
        header: &Header,
        time: u64,
        body: &EventBody<'_>,
        event: &Event<'_>,
    ) -> bool {
        let mut body = *body;
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        self.long(&mut body, &mut buffer);
        let pushed = if body == event.body && time == event.time && event.fits(header) {
            block.push(event);
            true
        } else {
            block.push_body(header, time, &body).is_ok() || pad(block, header, time, &body)
        };
        self.buffer = buffer;
        pushed
    }

    /// New numbers in fields that have no fixed size.
    fn long<'a>(&mut self, body: &mut EventBody<'a>, buffer: &'a mut Vec<u8>) {
        match body {
            EventBody::HeapProfBegin {
                profile, breakdown, ..
            } => {
                if *breakdown == Breakdown::INFO_TABLE {
                    self.named.remove(profile);
                } else {
                    self.named.insert(*profile);
                }
            }
            EventBody::HeapProfSampleCostCentre { stack, .. }
            | EventBody::ProfSampleCostCentre { stack, .. } => {
                for id in stack.iter() {
                    let id = id.wrapping_add(self.cost_centres);
                    buffer.extend_from_slice(&id.to_be_bytes());
                }
                *stack = Stack::new(buffer).unwrap_or(*stack);
            }
            // The name is the address of an info table.
            EventBody::HeapProfSampleString { profile, label, .. }
                if !self.named.contains(profile) =>
            {
                if let Some(info) = address(*label) {
                    // Writing to memory cannot fail.
                    let _ = write!(buffer, "0x{:x}", self.address(info));
                    *label = Text(buffer);
                }
            }
            EventBody::UserBinaryMsg { data } => {
                let counted = |number| self.counted(number);
                let known = stack_profiler::renumber(self, data, buffer).or_else(|| {
                    buffer.clear();
                    open_telemetry::renumber(counted, data, buffer)
                });
                if known.is_some() {
                    *data = buffer;
                }
            }
            _ => {}
        }
    }
}

/// The address that a name contains.
fn address(name: Text<'_>) -> Option<u64> {
    u64::from_str_radix(name.to_str()?.strip_prefix("0x")?, 16).ok()
}

/// Appends an event of an older system, whose payload is shorter than the common header declares:
/// fields that it does not have are 0.
fn pad(block: &mut BlockBuilder, header: &Header, time: u64, body: &EventBody<'_>) -> bool {
    let Some(declared) = header.event_type(body.id()).and_then(|kind| kind.size) else {
        return false;
    };
    let mut payload = Vec::new();
    if let EventBody::NonmovingHeapCensus { block_size, .. } = body
        && let Some(bytes) = block_size
            .bytes()
            .and_then(|bytes| u16::try_from(bytes).ok())
    {
        // The newer form of this event is not the older one with more fields at the end.
        let mut body = *body;
        if let EventBody::NonmovingHeapCensus { block_size, .. } = &mut body {
            *block_size = ghc_eventlog::BlockSize::Bytes(bytes);
        }
        body.encode_payload(&mut payload);
    } else {
        body.encode_payload(&mut payload);
    }
    if payload.len() > usize::from(declared) {
        return false;
    }
    payload.resize(usize::from(declared), 0);
    let body = EventBody::Unknown {
        id: body.id(),
        payload: &payload,
    };
    block.push_body(header, time, &body).is_ok()
}

impl Numbers for Renumber {
    fn cap(&self, cap: u16) -> u16 {
        self.number(cap)
    }

    fn thread(&self, thread: u32) -> u32 {
        let mut thread = thread;
        self.thread(&mut thread);
        thread
    }

    fn address(&self, address: u64) -> u64 {
        self.address(address)
    }

    fn counted(&self, number: u64) -> u64 {
        self.counted(number)
    }
}
