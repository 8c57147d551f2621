//! New numbers and times for the events of a log that joins others.

use super::survey::Survey;
use ghc_eventlog::{BlockBuilder, Event, EventBody, Header, Stack};

/// What is added to the numbers of one log.
#[derive(Clone, Debug, Default)]
pub struct Renumber {
    caps: u16,
    threads: u32,
    capsets: u32,
    cost_centres: u32,
    tasks: u64,
    time: u64,
    /// A stack with new numbers, while it is being encoded.
    stack: Vec<u8>,
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
        // Addresses of OS threads have 47 bits.
        this.tasks = at << 48;
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

    fn number(&self, cap: u16) -> u16 {
        cap.wrapping_add(self.caps)
    }

    /// The same event with new numbers. Stacks are left to
    /// [`push`](Self::push), which has a place to put them.
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
                // An owner of 0 is not known.
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
                *task = task.wrapping_add(self.tasks);
                *cap = self.number(*cap);
            }
            E::TaskMigrate {
                task,
                old_cap,
                new_cap,
            } => {
                *task = task.wrapping_add(self.tasks);
                *old_cap = self.number(*old_cap);
                *new_cap = self.number(*new_cap);
            }
            E::TaskDelete { task } => *task = task.wrapping_add(self.tasks),
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

    fn thread(&self, thread: &mut u32) {
        *thread = thread.wrapping_add(self.threads);
    }

    fn capset(&self, capset: &mut u32) {
        *capset = capset.wrapping_add(self.capsets);
    }

    /// Appends the event to a block; `false` if the header has no place for
    /// it.
    pub fn push(
        &mut self,
        block: &mut BlockBuilder,
        header: &Header,
        time: u64,
        body: &EventBody<'_>,
        event: &Event<'_>,
    ) -> bool {
        let unchanged = *body == event.body && time == event.time && self.cost_centres == 0;
        if unchanged && event.fits(header) {
            block.push(event);
            return true;
        }
        self.stack.clear();
        let stack = match *body {
            EventBody::HeapProfSampleCostCentre { stack, .. }
            | EventBody::ProfSampleCostCentre { stack, .. } => Some(stack),
            _ => None,
        };
        for id in stack.iter().flat_map(|stack| stack.iter()) {
            let id = id.wrapping_add(self.cost_centres);
            self.stack.extend_from_slice(&id.to_be_bytes());
        }
        let mut body = *body;
        if let EventBody::HeapProfSampleCostCentre { stack, .. }
        | EventBody::ProfSampleCostCentre { stack, .. } = &mut body
            && let Some(new) = Stack::new(&self.stack)
        {
            *stack = new;
        }
        if block.push_body(header, time, &body).is_ok() {
            return true;
        }
        pad(block, header, time, &body)
    }
}

/// Appends an event of an older system, whose payload is shorter than the
/// common header declares: what it does not have is 0.
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
        // Here the newer form is not the older one with more behind it.
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
