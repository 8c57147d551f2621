//! Packets of a trace, one after the other.

use super::proto::{
    BOOTTIME, Clock, ClockSnapshot, DebugAnnotation, EventType, INCREMENTAL_STATE_CLEARED,
    Interned, InternedData, NEEDS_INCREMENTAL_STATE, REALTIME, TracePacket, TrackDescriptor,
    TrackEvent,
};
use prost::Message;
use rustc_hash::FxHashMap;
use std::io::{self, Write};

/// All packets are from one writer.
const SEQUENCE: u32 = 1;
/// `Trace.packet`, the only field of a trace, with its length before it.
const PACKET: u8 = 1 << 3 | 2;
/// Strings of a kind that are written once and then named by a number; others
/// are written each time.
const MOST_STRINGS: usize = 1 << 16;
/// Bytes of such a string, at most.
const LONGEST: usize = 128;

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Written {
    /// Tracks, counters included.
    pub tracks: u64,
    /// Slices with a beginning and an end.
    pub slices: u64,
    /// Moments.
    pub instants: u64,
    /// Values of counters.
    pub counters: u64,
    /// Arrows from one track to another.
    pub flows: u64,
    /// Slices for which there was no track: of threads or spans beyond the limit.
    pub left_out: u64,
}

/// A detail of a slice.
#[derive(Clone, Copy, Debug)]
pub struct Arg(pub &'static str, pub u64);

/// What is shown on a track.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    pub track: u64,
    pub name: &'a str,
    pub category: &'static str,
    pub args: &'a [Arg],
}

/// Strings and their numbers.
#[derive(Debug, Default)]
struct Strings(FxHashMap<Box<str>, u64>);

impl Strings {
    /// Its number; `Err` with what has to be told of it first, `None` if it has none.
    fn number(&mut self, string: &str, new: &mut Vec<Interned>) -> Option<u64> {
        if let Some(&known) = self.0.get(string) {
            return Some(known);
        }
        if self.0.len() >= MOST_STRINGS || string.len() > LONGEST {
            return None;
        }
        let number = self.0.len() as u64 + 1;
        self.0.insert(string.into(), number);
        new.push(Interned {
            iid: Some(number),
            name: Some(string.to_owned()),
        });
        Some(number)
    }
}

/// Writes packets.
#[derive(Debug)]
pub struct Packets<W> {
    out: W,
    buffer: Vec<u8>,
    begun: bool,
    names: Strings,
    categories: Strings,
    keys: Strings,
    pub written: Written,
}

impl<W: Write> Packets<W> {
    pub fn new(out: W) -> Self {
        Self {
            out,
            buffer: Vec::new(),
            begun: false,
            names: Strings::default(),
            categories: Strings::default(),
            keys: Strings::default(),
            written: Written::default(),
        }
    }

    /// Everything before it may be forgotten: the first packet says so.
    pub fn begin(&mut self) -> io::Result<()> {
        if std::mem::replace(&mut self.begun, true) {
            return Ok(());
        }
        self.write(TracePacket {
            sequence_flags: Some(INCREMENTAL_STATE_CLEARED),
            ..TracePacket::default()
        })
    }

    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn write(&mut self, packet: TracePacket) -> io::Result<()> {
        let packet = TracePacket {
            trusted_packet_sequence_id: Some(SEQUENCE),
            ..packet
        };
        self.buffer.clear();
        self.buffer.push(PACKET);
        // There is room for it: the buffer grows.
        packet
            .encode_length_delimited(&mut self.buffer)
            .map_err(io::Error::other)?;
        self.out.write_all(&self.buffer)
    }

    /// Describes a track; the first time, or anew.
    pub fn track(&mut self, descriptor: TrackDescriptor, new: bool) -> io::Result<()> {
        self.written.tracks += u64::from(new);
        self.write(TracePacket {
            track_descriptor: Some(descriptor),
            ..TracePacket::default()
        })
    }

    /// What the time of day is, in nanoseconds since 1970, at a time of the log.
    pub fn clocks(&mut self, time: u64, day: u64) -> io::Result<()> {
        let clock = |id, time| Clock {
            clock_id: Some(id),
            timestamp: Some(time),
        };
        self.write(TracePacket {
            timestamp: Some(time),
            clock_snapshot: Some(ClockSnapshot {
                clocks: vec![clock(BOOTTIME, time), clock(REALTIME, day)],
            }),
            ..TracePacket::default()
        })
    }

    /// A slice; with the arrow that ends at its beginning.
    pub fn slice(
        &mut self,
        shown: &Shown<'_>,
        (from, to): (u64, u64),
        flow: Option<u64>,
    ) -> io::Result<()> {
        self.written.slices += 1;
        let (mut event, new) = self.event(shown, EventType::SliceBegin);
        event.terminating_flow_ids.extend(flow);
        self.write(packet(from, event, new))?;
        let end = TrackEvent {
            r#type: Some(EventType::SliceEnd.into()),
            track_uuid: Some(shown.track),
            ..TrackEvent::default()
        };
        self.write(packet(to, end, None))
    }

    /// A moment; with the arrow that begins there.
    pub fn instant(&mut self, shown: &Shown<'_>, time: u64, flow: Option<u64>) -> io::Result<()> {
        self.written.instants += 1;
        self.written.flows += u64::from(flow.is_some());
        let (mut event, new) = self.event(shown, EventType::Instant);
        event.flow_ids.extend(flow);
        self.write(packet(time, event, new))
    }

    /// A counter has this value from now on.
    pub fn counter(&mut self, track: u64, time: u64, value: u64) -> io::Result<()> {
        self.written.counters += 1;
        let event = TrackEvent {
            r#type: Some(EventType::Counter.into()),
            track_uuid: Some(track),
            counter_value: Some(i64::try_from(value).unwrap_or(i64::MAX)),
            ..TrackEvent::default()
        };
        self.write(packet(time, event, None))
    }

    fn event(&mut self, shown: &Shown<'_>, kind: EventType) -> (TrackEvent, Option<InternedData>) {
        let mut new = InternedData::default();
        let name_iid = self.names.number(shown.name, &mut new.event_names);
        let category = self
            .categories
            .number(shown.category, &mut new.event_categories);
        let mut annotation = |arg: &Arg| DebugAnnotation {
            name_iid: self.keys.number(arg.0, &mut new.debug_annotation_names),
            uint_value: Some(arg.1),
        };
        let event = TrackEvent {
            debug_annotations: shown.args.iter().map(&mut annotation).collect(),
            category_iids: category.into_iter().collect(),
            r#type: Some(kind.into()),
            name_iid,
            name: name_iid.is_none().then(|| shown.name.to_owned()),
            track_uuid: Some(shown.track),
            ..TrackEvent::default()
        };
        let told = new != InternedData::default();
        (event, told.then_some(new))
    }
}

fn packet(time: u64, event: TrackEvent, interned_data: Option<InternedData>) -> TracePacket {
    let names = event.name_iid.is_some() || !event.category_iids.is_empty();
    TracePacket {
        timestamp: Some(time),
        sequence_flags: names.then_some(NEEDS_INCREMENTAL_STATE),
        track_event: Some(event),
        interned_data,
        ..TracePacket::default()
    }
}
