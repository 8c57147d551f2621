//! The tracks of one log, each described before it is used.

use super::ids::{Kind, number};
use super::lanes::Lanes;
use super::packets::Packets;
use super::proto::{
    ChildOrdering, CounterDescriptor, ProcessDescriptor, SiblingMerge, TrackDescriptor, Unit,
};
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
            _ => unit(Unit::Count),
        }
    }
}

/// Children of the program, in the order in which they are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
enum Group {
    Caps,
    Collections,
    Phases,
    Markers,
    Messages,
    Spans,
    Counters,
    Threads,
}

/// The tracks that are described.
#[derive(Debug, Default)]
pub struct Tracks {
    session: u16,
    groups: FxHashSet<Group>,
    caps: FxHashSet<u16>,
    threads: FxHashMap<u32, Thread>,
    counters: FxHashSet<(CounterKind, u32)>,
    collections: Shared,
    phases: Shared,
    /// Spans of no thread.
    spans: Shared,
    /// Up to where slices lie on tracks of which each is after the other.
    ends: FxHashMap<u64, u64>,
}

#[derive(Debug, Default)]
struct Thread {
    label: Option<Box<str>>,
    spans: Shared,
}

/// Tracks for slices that may overlap.
#[derive(Debug, Default)]
struct Shared {
    lanes: Lanes,
    described: u8,
}

impl Tracks {
    /// Those of the log's `session`-th part.
    pub fn new(session: u16) -> Self {
        Self {
            session,
            ..Self::default()
        }
    }

    fn root(&self) -> u64 {
        number(self.session, Kind::Program, 0)
    }

    /// Describes the program, of which all may come late: once, in the end. A trace need not
    /// describe a track before those below it.
    pub fn program<W: Write>(
        &mut self,
        packets: &mut Packets<W>,
        program: Option<&Program>,
    ) -> io::Result<()> {
        let pid = program.and_then(|program| program.pid);
        let name = program.and_then(Program::name).unwrap_or("program");
        let cmdline = program.map(|program| program.args.iter().map(|arg| (**arg).to_owned()));
        // Perfetto takes process 0 for the kernel.
        let pid = pid.and_then(|pid| i32::try_from(pid).ok().filter(|pid| *pid > 0));
        let process = pid.map(|pid| ProcessDescriptor {
            pid: Some(pid),
            cmdline: cmdline.into_iter().flatten().collect(),
            process_name: Some(name.to_owned()),
        });
        let descriptor = TrackDescriptor {
            uuid: Some(self.root()),
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
        group: Group,
        name: &str,
    ) -> io::Result<u64> {
        let uuid = number(self.session, Kind::Group, group as u64);
        if self.groups.insert(group) {
            let more = TrackDescriptor {
                child_ordering: Some(ChildOrdering::Explicit.into()),
                ..single()
            };
            self.describe(packets, (uuid, self.root()), (name, group as u32), more)?;
        }
        Ok(uuid)
    }

    /// The track of a capability.
    pub fn cap<W: Write>(&mut self, packets: &mut Packets<W>, cap: u16) -> io::Result<u64> {
        let uuid = number(self.session, Kind::Cap, cap.into());
        if self.caps.insert(cap) {
            let parent = self.group(packets, Group::Caps, "capabilities")?;
            let name = format!("capability {cap}");
            self.describe(packets, (uuid, parent), (&name, cap.into()), single())?;
        }
        Ok(uuid)
    }

    /// Whether a thread has a track.
    pub fn has_thread(&self, thread: u32) -> bool {
        self.threads.contains_key(&thread)
    }

    /// Whether a thread has no track and can have none, as there are so many.
    pub fn is_full(&self, thread: u32, most: usize) -> bool {
        self.threads.len() >= most && !self.has_thread(thread)
    }

    /// The track of a thread; a name that is new is told.
    pub fn thread<W: Write>(
        &mut self,
        packets: &mut Packets<W>,
        thread: u32,
        label: Option<&str>,
    ) -> io::Result<u64> {
        let uuid = number(self.session, Kind::Thread, thread.into());
        let known = self.threads.get(&thread);
        let new = known.is_none();
        if known.is_some_and(|known| label.is_none() || known.label.as_deref() == label) {
            return Ok(uuid);
        }
        let parent = self.group(packets, Group::Threads, "threads")?;
        let known = self.threads.entry(thread).or_default();
        known.label = label.map(Box::from);
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

    /// The track of a counter. `of`: of which heap.
    pub fn counter<W: Write>(
        &mut self,
        packets: &mut Packets<W>,
        kind: CounterKind,
        of: u32,
    ) -> io::Result<u64> {
        let id = (kind as u64) << 32 | u64::from(of);
        let uuid = number(self.session, Kind::Counter, id);
        if self.counters.insert((kind, of)) {
            let several = of != 0;
            let name = match several {
                true => format!("{} (heap {of})", kind.name()),
                false => kind.name().to_owned(),
            };
            let more = TrackDescriptor {
                counter: Some(kind.unit()),
                ..TrackDescriptor::default()
            };
            let rank = Group::Counters as u32;
            self.describe(packets, (uuid, self.root()), (&name, rank), more)?;
        }
        Ok(uuid)
    }

    /// A track for a collection.
    pub fn collection<W: Write>(
        &mut self,
        packets: &mut Packets<W>,
        times: (u64, u64),
    ) -> io::Result<Option<u64>> {
        let tree = (self.root(), Kind::Collection, 0);
        let shown = ("collections", Group::Collections as u32);
        self.collections
            .place(packets, (self.session, tree), shown, times)
    }

    /// A track for a phase of the concurrent collector.
    pub fn phase<W: Write>(
        &mut self,
        packets: &mut Packets<W>,
        times: (u64, u64),
    ) -> io::Result<Option<u64>> {
        let tree = (self.root(), Kind::Phase, 0);
        let shown = ("concurrent collector", Group::Phases as u32);
        self.phases
            .place(packets, (self.session, tree), shown, times)
    }

    /// A track for a span of a thread, which has a track.
    pub fn span<W: Write>(
        &mut self,
        packets: &mut Packets<W>,
        thread: Option<u32>,
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
                let tree = (self.root(), Kind::LooseSpan, 0);
                let shown = ("spans", Group::Spans as u32);
                self.spans
                    .place(packets, (self.session, tree), shown, times)
            }
        }
    }

    /// The track of markers.
    pub fn markers<W: Write>(&mut self, packets: &mut Packets<W>) -> io::Result<u64> {
        self.group(packets, Group::Markers, "markers")
    }

    /// The track of messages that no capability tells.
    pub fn messages<W: Write>(&mut self, packets: &mut Packets<W>) -> io::Result<u64> {
        self.group(packets, Group::Messages, "messages")
    }

    /// What a slice leaves over beside those before it, where each is to be after the other.
    /// They are, but for events that come late.
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
                // Tracks of one name are shown as one.
                sibling_merge_behavior: Some(SiblingMerge::ByTrackName.into()),
                ..TrackDescriptor::default()
            };
            packets.track(descriptor, true)?;
        }
        Ok(Some(uuid))
    }
}

/// A track that is shown by itself, whatever others are called; so it can be named anew.
fn single() -> TrackDescriptor {
    TrackDescriptor {
        sibling_merge_behavior: Some(SiblingMerge::None.into()),
        ..TrackDescriptor::default()
    }
}
