//! Writes the packets of a trace.

use super::proto::{
    BOOTTIME, Clock, ClockSnapshot, EventType, INCREMENTAL_STATE_CLEARED, Interned, InternedData,
    NEEDS_INCREMENTAL_STATE, REALTIME, TracePacket, TrackDescriptor, field,
};
use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint};
use rustc_hash::FxHashMap;
use std::io::{self, Write};

/// The id of the writer: all packets are from one.
const SEQUENCE: u32 = 1;
/// `Trace.packet`, the only field of a trace, with its length before it.
const PACKET: u8 = 1 << 3 | 2;
/// The number of strings of a kind that are written once and then referred to by a number; others
/// are written each time.
const MOST_STRINGS: usize = 1 << 16;
/// The largest number of bytes of such a string.
const LONGEST: usize = 128;

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Written {
    /// Tracks, counters included.
    pub tracks: u64,
    /// Slices with a beginning and an end.
    pub slices: u64,
    /// Instant events.
    pub instants: u64,
    /// Values of counters.
    pub counters: u64,
    /// Arrows from one track to another.
    pub flows: u64,
    /// Slices that were left out because threads or spans exceeded the limit of tracks.
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
    /// The number of a string; a new one is added to `new`, to be written first. `None` if it has
    /// no number.
    fn number(&mut self, string: &str, new: &mut Vec<Interned>) -> Option<u64> {
        if let Some(&known) = self.0.get(string) {
            return Some(known);
        }
        if self.0.len() >= MOST_STRINGS || string.len() > LONGEST {
            return None;
        }
        let number = self.0.len() as u64 + 1;
        self.0.insert(string.into(), number);
        new.push(interned(number, string));
        Some(number)
    }
}

/// The same for the few strings of this crate: comparing them is faster than hashing them.
#[derive(Debug, Default)]
struct Words(Vec<&'static str>);

impl Words {
    fn number(&mut self, word: &'static str, new: &mut Vec<Interned>) -> u64 {
        let known = self.0.iter().position(|known| *known == word);
        let at = known.unwrap_or_else(|| {
            self.0.push(word);
            new.push(interned(self.0.len() as u64, word));
            self.0.len() - 1
        });
        at as u64 + 1
    }
}

fn interned(number: u64, string: &str) -> Interned {
    Interned {
        iid: Some(number),
        name: Some(string.to_owned()),
    }
}

/// Writes packets.
#[derive(Debug)]
pub struct Packets<W> {
    out: W,
    /// Buffers for a packet, its event, and a part of that.
    buffer: Vec<u8>,
    event: Vec<u8>,
    part: Vec<u8>,
    begun: bool,
    names: Strings,
    categories: Words,
    keys: Words,
    /// Strings that are used for the first time.
    new: InternedData,
    pub written: Written,
}

impl<W: Write> Packets<W> {
    pub fn new(out: W) -> Self {
        Self {
            out,
            buffer: Vec::new(),
            event: Vec::new(),
            part: Vec::new(),
            begun: false,
            names: Strings::default(),
            categories: Words::default(),
            keys: Words::default(),
            new: InternedData::default(),
            written: Written::default(),
        }
    }

    /// Writes the first packet, which says that everything before it can be forgotten.
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
        // This cannot fail: the buffer grows.
        packet
            .encode_length_delimited(&mut self.buffer)
            .map_err(io::Error::other)?;
        self.out.write_all(&self.buffer)
    }

    /// Describes a track, for the first time or again.
    pub fn track(&mut self, descriptor: TrackDescriptor, new: bool) -> io::Result<()> {
        self.written.tracks += u64::from(new);
        self.write(TracePacket {
            track_descriptor: Some(descriptor),
            ..TracePacket::default()
        })
    }

    /// Writes the time of day, in nanoseconds since 1970, at a time of the log.
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

    /// Writes a slice, and the arrow that ends at its beginning.
    pub fn slice(
        &mut self,
        shown: &Shown<'_>,
        (from, to): (u64, u64),
        flow: Option<u64>,
    ) -> io::Result<()> {
        self.written.slices += 1;
        self.shown(shown, EventType::SliceBegin);
        if let Some(flow) = flow {
            self.event.fixed(field::TERMINATING_FLOW_IDS, flow);
        }
        self.write_event(from, true)?;
        self.event.clear();
        self.event.number(field::TYPE, EventType::SliceEnd as u64);
        self.event.number(field::TRACK_UUID, shown.track);
        self.write_event(to, false)
    }

    /// Writes an instant event, and the arrow that begins there.
    pub fn instant(&mut self, shown: &Shown<'_>, time: u64, flow: Option<u64>) -> io::Result<()> {
        self.written.instants += 1;
        self.written.flows += u64::from(flow.is_some());
        self.shown(shown, EventType::Instant);
        if let Some(flow) = flow {
            self.event.fixed(field::FLOW_IDS, flow);
        }
        self.write_event(time, true)
    }

    /// Writes the value that a counter has from this time on.
    pub fn counter(&mut self, track: u64, time: u64, value: u64) -> io::Result<()> {
        self.written.counters += 1;
        self.event.clear();
        self.event.number(field::TYPE, EventType::Counter as u64);
        self.event.number(field::TRACK_UUID, track);
        let value = value.min(i64::MAX as u64);
        self.event.number(field::COUNTER_VALUE, value);
        self.write_event(time, false)
    }

    /// Writes what is shown, as the beginning of a `TrackEvent`.
    fn shown(&mut self, shown: &Shown<'_>, kind: EventType) {
        let new = &mut self.new;
        let name = self.names.number(shown.name, &mut new.event_names);
        let category = self
            .categories
            .number(shown.category, &mut new.event_categories);
        let event = &mut self.event;
        event.clear();
        event.number(field::CATEGORY_IIDS, category);
        for arg in shown.args {
            let key = self.keys.number(arg.0, &mut new.debug_annotation_names);
            self.part.clear();
            self.part.number(field::ANNOTATION_NAME_IID, key);
            self.part.number(field::ANNOTATION_UINT_VALUE, arg.1);
            event.bytes(field::DEBUG_ANNOTATIONS, &self.part);
        }
        event.number(field::TYPE, kind as u64);
        if let Some(name) = name {
            event.number(field::NAME_IID, name);
        }
        event.number(field::TRACK_UUID, shown.track);
        if name.is_none() {
            event.bytes(field::NAME, shown.name.as_bytes());
        }
    }

    /// Writes the event in a packet. `interns`: it uses interned strings, perhaps new ones.
    fn write_event(&mut self, time: u64, interns: bool) -> io::Result<()> {
        let body = &mut self.part;
        body.clear();
        body.number(field::TIMESTAMP, time);
        body.number(field::TRUSTED_PACKET_SEQUENCE_ID, SEQUENCE.into());
        body.bytes(field::TRACK_EVENT, &self.event);
        if self.new != InternedData::default() {
            let new = std::mem::take(&mut self.new);
            body.bytes(field::INTERNED_DATA, &new.encode_to_vec());
        }
        if interns {
            body.number(field::SEQUENCE_FLAGS, NEEDS_INCREMENTAL_STATE.into());
        }
        self.buffer.clear();
        self.buffer.push(PACKET);
        encode_varint(body.len() as u64, &mut self.buffer);
        self.buffer.extend_from_slice(body);
        self.out.write_all(&self.buffer)
    }
}

/// Writes the fields of a message. Nearly all of a trace are events, so these are written directly:
/// making a message first and then measuring and encoding it takes several times as long.
trait Fields {
    fn number(&mut self, field: u32, value: u64);
    fn fixed(&mut self, field: u32, value: u64);
    fn bytes(&mut self, field: u32, value: &[u8]);
}

impl Fields for Vec<u8> {
    #[inline]
    fn number(&mut self, field: u32, value: u64) {
        encode_key(field, WireType::Varint, self);
        encode_varint(value, self);
    }

    #[inline]
    fn fixed(&mut self, field: u32, value: u64) {
        encode_key(field, WireType::SixtyFourBit, self);
        self.extend_from_slice(&value.to_le_bytes());
    }

    #[inline]
    fn bytes(&mut self, field: u32, value: &[u8]) {
        encode_key(field, WireType::LengthDelimited, self);
        encode_varint(value.len() as u64, self);
        self.extend_from_slice(value);
    }
}

#[cfg(test)]
mod tests {
    use super::super::proto::{DebugAnnotation, TrackEvent};
    use super::*;

    /// Decodes what was written, packet by packet, and checks that the library encodes each the
    /// same way.
    fn decoded(mut bytes: &[u8]) -> Vec<TracePacket> {
        let mut packets = Vec::new();
        while let Some(rest) = bytes.strip_prefix(&[PACKET]) {
            bytes = rest;
            let packet = TracePacket::decode_length_delimited(bytes).expect("a packet");
            let again = packet.encode_length_delimited_to_vec();
            assert!(bytes.starts_with(&again), "{packet:?}");
            bytes = &bytes[again.len()..];
            packets.push(packet);
        }
        assert!(bytes.is_empty());
        packets
    }

    #[test]
    fn events_are_what_the_library_makes_of_them() {
        let long = "x".repeat(LONGEST + 1);
        let mut packets = Packets::new(Vec::new());
        let (one, two) = (Arg("cap", 300), Arg("owner", u64::MAX));
        let shown = |name, category, args| Shown {
            track: u64::MAX - 1,
            name,
            category,
            args,
        };
        let many = [one, two, one];
        for _ in 0..2 {
            let plain = shown("a", "state", &[]);
            packets.slice(&plain, (0, 1 << 40), None).expect("written");
            let full = shown("b", "gc", &many);
            packets.slice(&full, (5, 6), Some(7)).expect("written");
            let long = shown(&long, "message", &many[..1]);
            packets.instant(&long, 8, Some(u64::MAX)).expect("written");
            packets.counter(3, u64::MAX, u64::MAX).expect("written");
        }
        let packets = decoded(&packets.out);
        assert_eq!(packets.len(), 12);
        let event = |at: usize| packets[at].track_event.clone().expect("an event");
        let annotation = |key, value| DebugAnnotation {
            name_iid: Some(key),
            uint_value: Some(value),
        };
        let expected = TrackEvent {
            category_iids: vec![2],
            debug_annotations: vec![
                annotation(1, 300),
                annotation(2, u64::MAX),
                annotation(1, 300),
            ],
            r#type: Some(EventType::SliceBegin.into()),
            name_iid: Some(2),
            track_uuid: Some(u64::MAX - 1),
            terminating_flow_ids: vec![7],
            ..TrackEvent::default()
        };
        assert_eq!((event(2), event(8)), (expected.clone(), expected));
        let counter = TrackEvent {
            r#type: Some(EventType::Counter.into()),
            track_uuid: Some(3),
            counter_value: Some(i64::MAX),
            ..TrackEvent::default()
        };
        assert_eq!(event(5), counter);
        let instant = event(4);
        assert_eq!(instant.name, Some(long));
        assert_eq!((instant.name_iid, instant.flow_ids), (None, vec![u64::MAX]));
        let end = event(3);
        assert_eq!(end.r#type, Some(EventType::SliceEnd.into()));
        assert_eq!(
            (packets[3].timestamp, end.track_uuid),
            (Some(6), Some(u64::MAX - 1))
        );
        // Each string is written once, before it is used.
        let told: Vec<_> = packets.iter().map(|it| it.interned_data.clone()).collect();
        let new = told[2].clone().expect("new strings");
        assert_eq!(new.event_categories, [interned(2, "gc")]);
        assert_eq!(new.event_names, [interned(2, "b")]);
        let keys = [interned(1, "cap"), interned(2, "owner")];
        assert_eq!(new.debug_annotation_names, keys);
        let count = told.iter().flatten().count();
        assert_eq!(count, 3, "{told:?}");
        let flags = packets.iter().map(|it| it.sequence_flags.is_some());
        let expected = [true, false, true, false, true, false];
        assert!(flags.eq(expected.iter().copied().cycle().take(12)));
    }
}
