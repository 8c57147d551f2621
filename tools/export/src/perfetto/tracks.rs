//! The tracks of one log. Each is described before it is used.

use super::ids::{Kind, number};
use super::lanes::Lanes;
use super::packets::Packets;
use super::proto::{
    ChildOrdering, CounterDescriptor, ProcessDescriptor, SiblingMerge, TrackDescriptor, Unit,
};
use crate::place::Place;
use eventlog_state::Program;
use rustc_hash::{FxHashMap, FxHashSet};
use std::io::{self, Write};

/// What a counter counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum CounterKind {
    HeapSize,
    Live,
    Blocks,
    Allocated,
    Rate,
    Created,
    Dud,
    Overflowed,
    Converted,
    Gcd,
    Fizzled,
    Remaining,
}

impl CounterKind {
    fn name(self) -> &'static str {
        match self {
            Self::HeapSize => "heap size",
            Self::Live => "live data",
            Self::Blocks => "blocks",
            Self::Allocated => "allocated",
            Self::Rate => "allocation rate",
            Self::Created => "sparks created",
            Self::Dud => "sparks dud",
            Self::Overflowed => "sparks overflowed",
            Self::Converted => "sparks converted",
            Self::Gcd => "sparks collected",
            Self::Fizzled => "sparks fizzled",
            Self::Remaining => "sparks in pool",
        }
    }

    fn unit(self) -> CounterDescriptor {
        let unit = |unit: Unit| CounterDescriptor {
            unit: Some(unit.into()),
            unit_name: None,
        };
        match self {
            Self::HeapSize | Self::Live | Self::Blocks | Self::Allocated => unit(Unit::Bytes),
            Self::Rate => CounterDescriptor {
                unit: None,
                unit_name: Some("bytes/s".to_owned()),
            },
            _ => CounterDescriptor {
                unit: None,
                unit_name: Some("sparks".to_owned()),
            },
        }
    }

    fn group(self) -> (Group, &'static str) {
        match self {
            Self::HeapSize | Self::Live | Self::Blocks | Self::Allocated | Self::Rate => {
                (Group::Heap, "heap")
            }
            _ => (Group::Sparks, "sparks"),
        }
    }
}

/// Children of the program, in the order in which they are shown: sorted by name, because Perfetto
/// has no other order for what is directly below a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
enum Group {
    Caps,
    Collections,
    Phases,
    Heap,
    Markers,
    Messages,
    Spans,
    Sparks,
    Threads,
}

/// Slices of a program that may overlap.
type Kinds = FxHashMap<Place, Shared>;

/// The tracks that have been described.
#[derive(Debug, Default)]
pub struct Tracks {
    session: u16,
    groups: FxHashSet<(Place, Group)>,
    caps: FxHashSet<u16>,
    threads: FxHashMap<u32, Thread>,
    counters: FxHashSet<u64>,
    collections: Kinds,
    phases: Kinds,
    /// Spans of no thread.
    spans: Kinds,
    /// Where the last slice ends, on tracks whose slices do not overlap.
    ends: FxHashMap<u64, u64>,
}

#[derive(Debug, Default)]
struct Thread {
    label: Option<Box<str>>,
    program: Place,
    spans: Shared,
}

/// Tracks for slices that may overlap.
#[derive(Debug, Default)]
struct Shared {
    lanes: Lanes,
    described: u8,
}

impl Tracks {
    /// The tracks of the log's `session`-th part.
    pub fn new(session: u16) -> Self {
        Self {
            session,
            ..Self::default()
        }
    }

    fn root(&self, program: Place) -> u64 {
        number(self.session, Kind::Program, program.into())
    }

    /// Describes a program, once, at the end, because all its data may arrive late. A trace need
    /// not describe a track before those below it.
    pub fn program<W: Write>(
        &mut self,
        packets: &mut Packets<W>,
        (place, program): (Place, Option<&Program>),
    ) -> io::Result<()> {
        let pid = program.and_then(|program| program.pid);
        let name = program.and_then(Program::name).unwrap_or("program");
        let cmdline = program.map(|program| program.args.iter().map(|arg| (**arg).to_owned()));
        // Perfetto treats process 0 as the kernel.
        let pid = pid.and_then(|pid| i32::try_from(pid).ok().filter(|pid| *pid > 0));
        let process = pid.map(|pid| ProcessDescriptor {
            pid: Some(pid),
            cmdline: cmdline.into_iter().flatten().collect(),
            process_name: Some(name.to_owned()),
        });
        let descriptor = TrackDescriptor {
            uuid: Some(self.root(place)),
            name: Some(name.to_owned()),
            process,
            child_ordering: Some(ChildOrdering::Explicit.into()),
            ..TrackDescriptor::default()
        };
        packets.track(descriptor, true)
    }

    fn describe<W: Write>(
        &self,
        packets: &mut Packets<W>,
        (uuid, parent): (u64, u64),
        (name, rank): (&str, u32),
        more: TrackDescriptor,
    ) -> io::Result<()> {
        let descriptor = TrackDescriptor {
            uuid: Some(uuid),
            parent_uuid: Some(parent),
            name: Some(name.to_owned()),
            sibling_order_rank: Some(i32::try_from(rank).unwrap_or(i32::MAX)),
            ..more
        };
        packets.track(descriptor, true)
    }

    /// A child of the program.
    fn group<W: Write>(
        &mut self,
        packets: &mut Packets<W>,
        program: Place,
        (group, name): (Group, &str),
    ) -> io::Result<u64> {
        let id = group as u64 | u64::from(program) << 8;
        let uuid = number(self.session, Kind::Group, id);
        if self.groups.insert((program, group)) {
            let more = TrackDescriptor {
                child_ordering: Some(ChildOrdering::Explicit.into()),
                ..single()
            };
            let places = (uuid, self.root(program));
            self.describe(packets, places, (name, group as u32), more)?;
        }
        Ok(uuid)
    }

    /// The track of a capability. `program` is called only once, for the program it belongs to.
    pub fn cap<W: Write>(
        &mut self,
        packets: &mut Packets<W>,
        program: impl FnOnce() -> Place,
        cap: u16,
    ) -> io::Result<u64> {
        let uuid = number(self.session, Kind::Cap, cap.into());
        if !self.caps.contains(&cap) {
            self.caps.insert(cap);
            let parent = self.group(packets, program(), (Group::Caps, "capabilities"))?;
            let name = format!("capability {cap}");
            self.describe(packets, (uuid, parent), (&name, cap.into()), single())?;
        }
        Ok(uuid)
    }

    /// Whether a thread has a track.
    pub fn has_thread(&self, thread: u32) -> bool {
        self.threads.contains_key(&thread)
    }

    /// Whether a thread has no track and cannot get one, because there are too many.
    pub fn is_full(&self, thread: u32, most: usize) -> bool {
        self.threads.len() >= most && !self.has_thread(thread)
    }

    /// The track of a thread; a new name is written. `program` is called only once, for its
    /// program.
    pub fn thread<W: Write>(
        &mut self,
        packets: &mut Packets<W>,
        program: impl FnOnce() -> Place,
        (thread, label): (u32, Option<&str>),
    ) -> io::Result<u64> {
        let uuid = number(self.session, Kind::Thread, thread.into());
        let known = self.threads.get(&thread);
        let new = known.is_none();
        if known.is_some_and(|known| label.is_none() || known.label.as_deref() == label) {
            return Ok(uuid);
        }
        // A thread that is renamed stays in its program.
        let program = known.map_or_else(program, |known| known.program);
        let parent = self.group(packets, program, (Group::Threads, "threads"))?;
        let known = self.threads.entry(thread).or_default();
        (known.label, known.program) = (label.map(Box::from), program);
        let name = match label {
            Some(label) => format!("{label} ({thread})"),
            None => format!("thread {thread}"),
        };
        let descriptor = TrackDescriptor {
            uuid: Some(uuid),
            parent_uuid: Some(parent),
            name: Some(name),
            sibling_order_rank: Some(i32::try_from(thread).unwrap_or(i32::MAX)),
            ..single()
        };
        packets.track(descriptor, new)?;
        Ok(uuid)
    }

    /// The track of a counter. `heap`: the heap that it is for, if not the program's own.
    pub fn counter<W: Write>(
        &mut self,
        packets: &mut Packets<W>,
        program: Place,
        (kind, heap): (CounterKind, Option<u32>),
    ) -> io::Result<u64> {
        let (id, name) = match heap {
            None => (u64::from(program), kind.name().to_owned()),
            Some(heap) => (
                1 << 39 | u64::from(heap),
                format!("{} (heap {heap})", kind.name()),
            ),
        };
        let id = (kind as u64) << 32 | id;
        let uuid = number(self.session, Kind::Counter, id);
        if self.counters.insert(id) {
            let more = TrackDescriptor {
                counter: Some(kind.unit()),
                ..TrackDescriptor::default()
            };
            let parent = self.group(packets, program, kind.group())?;
            self.describe(packets, (uuid, parent), (&name, kind as u32), more)?;
        }
        Ok(uuid)
    }

    /// A track for a collection.
    pub fn collection<W: Write>(
        &mut self,
        packets: &mut Packets<W>,
        program: Place,
        times: (u64, u64),
    ) -> io::Result<Option<u64>> {
        let tree = (self.root(program), Kind::Collection, program_id(program));
        let shown = ("collections", Group::Collections as u32);
        self.collections.entry(program).or_default().place(
            packets,
            (self.session, tree),
            shown,
            times,
        )
    }

    /// A track for a phase of the concurrent collector.
    pub fn phase<W: Write>(
        &mut self,
        packets: &mut Packets<W>,
        program: Place,
        times: (u64, u64),
    ) -> io::Result<Option<u64>> {
        let tree = (self.root(program), Kind::Phase, program_id(program));
        let shown = ("concurrent collector", Group::Phases as u32);
        self.phases
            .entry(program)
            .or_default()
            .place(packets, (self.session, tree), shown, times)
    }

    /// A track for a span of a thread, which has a track.
    pub fn span<W: Write>(
        &mut self,
        packets: &mut Packets<W>,
        (program, thread): (Place, Option<u32>),
        times: (u64, u64),
    ) -> io::Result<Option<u64>> {
        match thread.and_then(|thread| self.threads.get_mut(&thread).zip(Some(thread))) {
            Some((known, thread)) => {
                let parent = number(self.session, Kind::Thread, thread.into());
                let tree = (parent, Kind::Span, u64::from(thread) << 8);
                let shown = ("spans", 0);
                known
                    .spans
                    .place(packets, (self.session, tree), shown, times)
            }
            None => {
                let tree = (self.root(program), Kind::LooseSpan, program_id(program));
                let shown = ("spans", Group::Spans as u32);
                self.spans.entry(program).or_default().place(
                    packets,
                    (self.session, tree),
                    shown,
                    times,
                )
            }
        }
    }

    /// The track of markers.
    pub fn markers<W: Write>(
        &mut self,
        packets: &mut Packets<W>,
        program: Place,
    ) -> io::Result<u64> {
        self.group(packets, program, (Group::Markers, "markers"))
    }

    /// The track of messages that no capability logged.
    pub fn messages<W: Write>(
        &mut self,
        packets: &mut Packets<W>,
        program: Place,
    ) -> io::Result<u64> {
        self.group(packets, program, (Group::Messages, "messages"))
    }

    /// Returns the part of a slice that does not overlap the ones before it, on a track whose slices
    /// must not overlap. They overlap only if events are late.
    pub fn beside(&mut self, track: u64, (from, to): (u64, u64)) -> (u64, u64) {
        let end = self.ends.entry(track).or_default();
        let from = from.max(*end);
        let to = to.max(from);
        *end = to;
        (from, to)
    }
}

impl Shared {
    fn place<W: Write>(
        &mut self,
        packets: &mut Packets<W>,
        (session, (parent, kind, id)): (u16, (u64, Kind, u64)),
        (name, rank): (&str, u32),
        (from, to): (u64, u64),
    ) -> io::Result<Option<u64>> {
        let Some(lane) = self.lanes.place(from, to) else {
            return Ok(None);
        };
        let uuid = number(session, kind, id | u64::from(lane));
        if lane == self.described {
            self.described += 1;
            let descriptor = TrackDescriptor {
                uuid: Some(uuid),
                parent_uuid: Some(parent),
                name: Some(name.to_owned()),
                sibling_order_rank: Some(i32::try_from(rank).unwrap_or(i32::MAX)),
                // Tracks with the same name are shown as one.
                sibling_merge_behavior: Some(SiblingMerge::ByTrackName.into()),
                ..TrackDescriptor::default()
            };
            packets.track(descriptor, true)?;
        }
        Ok(Some(uuid))
    }
}

/// The id of a program, which leaves room for the number of a lane.
fn program_id(program: Place) -> u64 {
    u64::from(program) << 8
}

/// A track that is never merged with others of the same name, so that it can be renamed.
fn single() -> TrackDescriptor {
    TrackDescriptor {
        sibling_merge_behavior: Some(SiblingMerge::None.into()),
        ..TrackDescriptor::default()
    }
}
