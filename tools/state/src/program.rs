//! The program that wrote the log. All of this may arrive late, or never.

use crate::limits::Limits;
use crate::oddity::Odd;
use crate::text::shortened;
use ghc_eventlog::{CapsetType, Event, EventBody, Text, Texts, WallClock};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The largest number of bytes of a text.
const LONGEST: usize = 1024;
/// The largest number of arguments, and of variables of the environment.
const MOST_TEXTS: usize = 256;
/// The largest number of programs in one log.
const MOST: usize = 1 << 8;

/// The settings of a heap. Sizes are in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct HeapParameters {
    /// How many generations.
    pub generations: u16,
    /// Its largest size, 0 for none.
    pub max_heap: u64,
    /// Size of an allocation area.
    pub alloc_area: u64,
    /// Size of a megablock, the unit in which memory is given back to the
    /// system.
    pub mblock_size: u64,
    /// Size of a block.
    pub block_size: u64,
}

/// A program whose runtime system writes into the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Program {
    /// Its capability set.
    pub capset: u32,
    /// The version of its runtime system, and its way.
    pub rts: Option<Arc<str>>,
    /// Its arguments, its name first.
    pub args: Vec<Arc<str>>,
    /// Its environment, as `NAME=value`.
    pub env: Vec<Arc<str>>,
    /// Its process id.
    pub pid: Option<u32>,
    /// The process id of its parent.
    pub ppid: Option<u32>,
    /// Converts times of the log to the time of day.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::serial::clock"))]
    pub wall_clock: Option<WallClock>,
    /// The settings of its heap.
    pub heap: Option<HeapParameters>,
    /// When its capability set was deleted, in nanoseconds: in the last moments
    /// of the program.
    pub ended: Option<u64>,
    /// Whether the clock is that of one of its own sets.
    #[cfg_attr(feature = "serde", serde(skip))]
    own_clock: bool,
}

impl Program {
    /// Its name, without the path.
    pub fn name(&self) -> Option<&str> {
        let path = self.args.first()?;
        path.rsplit(['/', '\\']).next()
    }
}

/// A capability set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Capset {
    /// What it groups, as the runtime system's code; `None` if its creation is
    /// not in the log.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::serial::capset"))]
    pub kind: Option<CapsetType>,
    /// The capabilities in it.
    pub members: BTreeSet<u16>,
}

#[derive(Clone, Debug, Default)]
struct Known {
    /// In the order in which they appeared.
    programs: Vec<Program>,
    /// By capability set; for a reused number the latest one.
    index: BTreeMap<u32, usize>,
    sets: BTreeMap<u32, Capset>,
    /// Members of all sets.
    members: usize,
    clocks: BTreeMap<u32, WallClock>,
    /// The last set of a process, and of a clock, that a capability was in.
    process_of: BTreeMap<u16, u32>,
    clock_of: BTreeMap<u16, u32>,
    refused: u64,
}

/// The programs of a log, and its capability sets. A copy shares what is large.
#[derive(Clone, Debug, Default)]
pub struct Programs(Arc<Known>);

impl Programs {
    /// All programs, in the order in which they appeared.
    pub fn iter(&self) -> impl Iterator<Item = &Program> {
        self.0.programs.iter()
    }

    /// The program that appeared first: in most logs the only one.
    pub fn first(&self) -> Option<&Program> {
        self.0.programs.first()
    }

    /// The program of a capability set.
    pub fn of_capset(&self, capset: u32) -> Option<&Program> {
        let at = *self.0.index.get(&capset)?;
        self.0.programs.get(at)
    }

    /// The program that a capability belongs to. If there is only one program,
    /// it is that one.
    pub fn of_cap(&self, cap: u16) -> Option<&Program> {
        let told = self.0.process_of.get(&cap);
        let told = told.and_then(|capset| self.of_capset(*capset));
        told.or(match self.0.programs.as_slice() {
            [only] => Some(only),
            _ => None,
        })
    }

    /// The capability sets that exist, by number.
    pub fn capsets(&self) -> impl Iterator<Item = (u32, &Capset)> {
        self.0.sets.iter().map(|(&number, set)| (number, set))
    }

    /// How many programs, sets and members of sets were refused because there
    /// were too many.
    pub fn refused(&self) -> u64 {
        self.0.refused
    }

    /// Takes an event; returns whether it describes a program or a capability
    /// set.
    #[inline]
    pub(crate) fn event(
        &mut self,
        event: &Event<'_>,
        limits: &Limits,
        odd: &mut impl FnMut(Odd),
    ) -> bool {
        match event.body {
            EventBody::CapsetCreate { .. }
            | EventBody::CapsetDelete { .. }
            | EventBody::CapsetAssignCap { .. }
            | EventBody::CapsetRemoveCap { .. }
            | EventBody::RtsIdentifier { .. }
            | EventBody::ProgramArgs { .. }
            | EventBody::ProgramEnv { .. }
            | EventBody::OsprocessPid { .. }
            | EventBody::OsprocessPpid { .. }
            | EventBody::WallClockTime { .. }
            | EventBody::HeapInfoGhc { .. } => {
                Arc::make_mut(&mut self.0).event(event, limits, odd);
                true
            }
            _ => false,
        }
    }
}

impl Known {
    #[cold]
    fn event(&mut self, event: &Event<'_>, limits: &Limits, odd: &mut impl FnMut(Odd)) {
        let most = limits.definitions;
        match event.body {
            EventBody::CapsetCreate {
                capset,
                capset_type,
            } => self.create((capset, capset_type), most, odd),
            EventBody::CapsetDelete { capset } => {
                if let Some(set) = self.sets.remove(&capset) {
                    self.members -= set.members.len();
                }
                if let Some(program) = self.known(capset) {
                    program.ended = Some(event.time);
                }
            }
            EventBody::CapsetAssignCap {
                capset,
                assigned_cap,
            } => self.assign(capset, assigned_cap, most),
            EventBody::CapsetRemoveCap {
                capset,
                removed_cap,
            } => {
                // It is still known which program it belonged to.
                let set = self.sets.get_mut(&capset);
                if set.is_some_and(|set| set.members.remove(&removed_cap)) {
                    self.members -= 1;
                }
            }
            EventBody::WallClockTime { capset, .. } => {
                if let Some(clock) = WallClock::from_event(event) {
                    self.clock(capset, clock, most);
                }
            }
            _ => self.describe(event),
        }
    }

    fn describe(&mut self, event: &Event<'_>) {
        match event.body {
            EventBody::RtsIdentifier { capset, identifier } => {
                self.edit(capset, |program| program.rts = Some(text(identifier)));
            }
            EventBody::ProgramArgs { capset, args } => {
                self.edit(capset, |program| program.args = texts(args));
            }
            EventBody::ProgramEnv { capset, env } => {
                self.edit(capset, |program| program.env = texts(env));
            }
            EventBody::OsprocessPid { capset, pid } => {
                self.edit(capset, |program| program.pid = Some(pid));
            }
            EventBody::OsprocessPpid { capset, ppid } => {
                self.edit(capset, |program| program.ppid = Some(ppid));
            }
            EventBody::HeapInfoGhc {
                capset,
                generations,
                max_heap,
                alloc_area,
                mblock_size,
                block_size,
            } => self.edit(capset, |program| {
                program.heap = Some(HeapParameters {
                    generations,
                    max_heap,
                    alloc_area,
                    mblock_size,
                    block_size,
                });
            }),
            _ => {}
        }
    }

    fn create(
        &mut self,
        (capset, kind): (u32, CapsetType),
        most: usize,
        odd: &mut impl FnMut(Odd),
    ) {
        let full = self.sets.len() >= most;
        match self.sets.get_mut(&capset) {
            Some(Capset { kind: Some(_), .. }) => odd(Odd::CapsetCreatedTwice { capset }),
            Some(set) => set.kind = Some(kind),
            None if full => self.refused += 1,
            None => {
                let set = Capset {
                    kind: Some(kind),
                    ..Capset::default()
                };
                self.sets.insert(capset, set);
            }
        }
        match kind {
            CapsetType::OS_PROCESS => {
                let ended = self.known(capset).is_some_and(|it| it.ended.is_some());
                if ended {
                    // Another program that reuses the number.
                    self.index.remove(&capset);
                }
                self.edit(capset, |_| ());
            }
            CapsetType::CLOCK_DOMAIN => self.joins(capset),
            _ => {}
        }
    }

    fn assign(&mut self, capset: u32, cap: u16, most: usize) {
        let full = self.members >= most.max(1 << 16);
        let known = self.sets.get(&capset);
        let is_member = known.is_some_and(|set| set.members.contains(&cap));
        if (full && !is_member) || (known.is_none() && self.sets.len() >= most) {
            self.refused += 1;
            return;
        }
        let set = self.sets.entry(capset).or_default();
        self.members += usize::from(set.members.insert(cap));
        self.join(capset, cap);
    }

    /// Records that a capability is in a set of a process or of a clock.
    fn join(&mut self, capset: u32, cap: u16) {
        if self.index.contains_key(&capset) {
            self.process_of.insert(cap, capset);
        }
        let kind = self.sets.get(&capset).and_then(|set| set.kind);
        if kind == Some(CapsetType::CLOCK_DOMAIN) || self.clocks.contains_key(&capset) {
            self.clock_of.insert(cap, capset);
        }
        let clock = self.clock_of.get(&cap);
        let clock = clock.and_then(|domain| self.clocks.get(domain)).copied();
        let process = self.process_of.get(&cap).copied();
        if let Some((clock, process)) = clock.zip(process)
            && let Some(program) = self.known(process)
        {
            (program.wall_clock, program.own_clock) = (Some(clock), true);
        }
    }

    /// The type of a set has become known, and so has the program of its
    /// members.
    fn joins(&mut self, capset: u32) {
        let members = self.sets.get(&capset).map(|set| set.members.clone());
        for cap in members.unwrap_or_default() {
            self.join(capset, cap);
        }
    }

    fn clock(&mut self, capset: u32, clock: WallClock, most: usize) {
        if self.clocks.len() >= most && !self.clocks.contains_key(&capset) {
            self.refused += 1;
            return;
        }
        let new = self.clocks.insert(capset, clock).is_none();
        if let Some(program) = self.known(capset) {
            // The event is for the process itself.
            (program.wall_clock, program.own_clock) = (Some(clock), true);
        }
        self.joins(capset);
        if new && self.clocks.len() <= 2 || self.clocks.len() == 1 {
            self.programs.iter_mut().for_each(|program| {
                program.wall_clock = only(&self.clocks, program);
            });
        }
    }

    fn known(&mut self, capset: u32) -> Option<&mut Program> {
        let at = *self.index.get(&capset)?;
        self.programs.get_mut(at)
    }

    /// Takes an event that describes a program.
    fn edit(&mut self, capset: u32, edit: impl FnOnce(&mut Program)) {
        let new = !self.index.contains_key(&capset);
        if new {
            if self.programs.len() >= MOST {
                self.refused += 1;
                return;
            }
            let mut program = Program {
                capset,
                ..Program::default()
            };
            program.wall_clock = only(&self.clocks, &program);
            self.index.insert(capset, self.programs.len());
            self.programs.push(program);
        }
        if let Some(program) = self.known(capset) {
            edit(program);
        }
        if new {
            self.joins(capset);
        }
    }
}

/// The clock of a program that has no clock of its own: the only one in the
/// log.
fn only(clocks: &BTreeMap<u32, WallClock>, program: &Program) -> Option<WallClock> {
    match (program.own_clock, clocks.len()) {
        (true, _) => program.wall_clock,
        (false, 1) => clocks.values().next().copied(),
        (false, _) => None,
    }
}

fn text(text: Text<'_>) -> Arc<str> {
    shortened(&text.to_string_lossy(), LONGEST).into()
}

fn texts(texts: Texts<'_>) -> Vec<Arc<str>> {
    texts.iter().take(MOST_TEXTS).map(text).collect()
}

#[cfg(test)]
#[path = "program/tests.rs"]
mod tests;
