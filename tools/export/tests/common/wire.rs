//! Reads a Perfetto trace by hand, without the message types that it was
//! written with.

use std::collections::{BTreeMap, BTreeSet};

/// A field of a message.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Field<'a> {
    Number(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..70).step_by(7) {
        let (&byte, rest) = bytes.split_first().expect("a byte");
        *bytes = rest;
        value |= u64::from(byte & 127) << shift;
        if byte < 128 {
            return value;
        }
    }
    panic!("a number of more than ten bytes");
}

/// The fields of a message, in order.
fn fields(mut bytes: &[u8]) -> Vec<(u64, Field<'_>)> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let field = match key & 7 {
            0 => Field::Number(varint(&mut bytes)),
            1 => {
                let (value, rest) = bytes.split_first_chunk().expect("eight bytes");
                bytes = rest;
                Field::Fixed64(u64::from_le_bytes(*value))
            }
            2 => {
                let length = usize::try_from(varint(&mut bytes)).expect("a length");
                let (value, rest) = bytes.split_at(length);
                bytes = rest;
                Field::Bytes(value)
            }
            other => panic!("wire type {other}"),
        };
        fields.push((key >> 3, field));
    }
    fields
}

fn message<'a>(of: &[(u64, Field<'a>)], tag: u64) -> Option<Vec<(u64, Field<'a>)>> {
    of.iter().find_map(|(key, field)| match field {
        Field::Bytes(bytes) if *key == tag => Some(fields(bytes)),
        _ => None,
    })
}

fn number(of: &[(u64, Field<'_>)], tag: u64) -> Option<u64> {
    of.iter().find_map(|(key, field)| match field {
        Field::Number(number) if *key == tag => Some(*number),
        _ => None,
    })
}

fn text(of: &[(u64, Field<'_>)], tag: u64) -> Option<String> {
    of.iter().find_map(|(key, field)| match field {
        Field::Bytes(bytes) if *key == tag => {
            Some(String::from_utf8(bytes.to_vec()).expect("UTF-8"))
        }
        _ => None,
    })
}

fn fixed(of: &[(u64, Field<'_>)], tag: u64) -> Vec<u64> {
    let numbers = of.iter().filter_map(|(key, field)| match field {
        Field::Fixed64(number) if *key == tag => Some(*number),
        _ => None,
    });
    numbers.collect()
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Track {
    pub name: String,
    pub parent: Option<u64>,
    pub pid: Option<u64>,
    pub counter: bool,
    /// How often it was described.
    pub described: u32,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Slice {
    pub track: u64,
    pub name: String,
    pub category: String,
    pub from: u64,
    pub to: u64,
    pub args: BTreeMap<String, u64>,
}

/// Time and track of each beginning of an arrow, and of each end.
type Ends = (Vec<(u64, u64)>, Vec<(u64, u64)>);

/// The contents of a trace.
#[derive(Debug, Default)]
pub struct Trace {
    pub tracks: BTreeMap<u64, Track>,
    /// In the order of their beginnings.
    pub slices: Vec<Slice>,
    pub instants: Vec<Slice>,
    /// Track, time, value.
    pub counters: Vec<(u64, u64, u64)>,
    /// Time and track at both ends, by number.
    pub flows: BTreeMap<u64, Ends>,
    /// Clock and time, of each snapshot.
    pub clocks: Vec<Vec<(u64, u64)>>,
}

#[derive(Clone, Debug)]
struct Entry {
    time: u64,
    kind: u64,
    shown: Slice,
}

/// Reads a trace, and fails where it is ambiguous.
pub fn read(bytes: &[u8]) -> Trace {
    let mut trace = Trace::default();
    let mut interned: [BTreeMap<u64, String>; 3] = Default::default();
    let mut entries = Vec::new();
    let mut first = true;
    for (key, packet) in fields(bytes) {
        assert_eq!(key, 1, "a trace is packets");
        let Field::Bytes(packet) = packet else {
            panic!("a packet is a message")
        };
        let packet = fields(packet);
        assert_eq!(number(&packet, 10), Some(1), "from whom: {packet:?}");
        let flags = number(&packet, 13).unwrap_or(0);
        assert_eq!(flags & 1 == 1, first, "cleared once, at the beginning");
        first = false;
        if let Some(new) = message(&packet, 12) {
            for (kind, field) in new {
                let Field::Bytes(field) = field else { panic!() };
                let field = fields(field);
                let iid = number(&field, 1).expect("a number");
                let name = text(&field, 2).expect("a name");
                let known = interned[kind as usize - 1].insert(iid, name);
                assert_eq!(known, None, "told twice");
            }
        }
        if let Some(of) = message(&packet, 60) {
            track(&mut trace, &of);
        }
        if let Some(of) = message(&packet, 6) {
            let clocks = of.iter().map(|(_, clock)| {
                let Field::Bytes(clock) = clock else { panic!() };
                let clock = fields(clock);
                (number(&clock, 1).unwrap(), number(&clock, 2).unwrap())
            });
            trace.clocks.push(clocks.collect());
        }
        if let Some(of) = message(&packet, 11) {
            let time = number(&packet, 8).expect("a time");
            let entry = event(&mut trace, &of, time, &interned, flags);
            entries.extend(entry);
        }
    }
    // Readers sort by time; packets with the same time stay in order.
    entries.sort_by_key(|entry: &Entry| entry.time);
    let mut open: BTreeMap<u64, Vec<Slice>> = BTreeMap::new();
    for entry in entries {
        let stack = open.entry(entry.shown.track).or_default();
        match entry.kind {
            1 => stack.push(entry.shown),
            2 => {
                let mut slice = stack.pop().expect("an end without a beginning");
                slice.to = entry.time;
                trace.slices.push(slice);
            }
            3 => trace.instants.push(entry.shown),
            other => panic!("an event of type {other}"),
        }
    }
    assert!(open.values().all(Vec::is_empty), "a slice does not end");
    trace.slices.sort_by_key(|slice| (slice.from, slice.to));
    trace
}

fn track(trace: &mut Trace, of: &[(u64, Field<'_>)]) {
    let uuid = number(of, 1).expect("a number");
    assert_ne!(uuid, 0);
    let process = message(of, 3);
    let new = Track {
        name: text(of, 2).expect("a name"),
        parent: number(of, 5),
        pid: process.and_then(|process| number(&process, 1)),
        counter: message(of, 8).is_some(),
        described: 1,
    };
    let track = trace.tracks.entry(uuid).or_default();
    if track.described > 0 {
        // Only the name may differ.
        let named = Track {
            name: track.name.clone(),
            ..new.clone()
        };
        assert_eq!(
            Track {
                described: 1,
                ..track.clone()
            },
            named
        );
    }
    *track = Track {
        described: track.described + 1,
        ..new
    };
}

fn event(
    trace: &mut Trace,
    of: &[(u64, Field<'_>)],
    time: u64,
    interned: &[BTreeMap<u64, String>; 3],
    flags: u64,
) -> Option<Entry> {
    let [categories, names, keys] = interned;
    let uuid = number(of, 11).expect("a track");
    let kind = number(of, 9).expect("a type");
    if kind == 4 {
        let value = number(of, 30).expect("a value");
        trace.counters.push((uuid, time, value));
        return None;
    }
    for (tag, begins) in [(47, true), (48, false)] {
        for flow in fixed(of, tag) {
            let ends = trace.flows.entry(flow).or_default();
            let end = if begins { &mut ends.0 } else { &mut ends.1 };
            end.push((time, uuid));
        }
    }
    let name = number(of, 10).map(|iid| names[&iid].clone());
    let category = number(of, 3).map(|iid| categories[&iid].clone());
    assert!(
        category.is_none() || flags & 2 == 2,
        "uses what is interned"
    );
    let mut args = BTreeMap::new();
    for (key, field) in of {
        if let (4, Field::Bytes(arg)) = (key, field) {
            let arg = fields(arg);
            let key = keys[&number(&arg, 1).expect("a key")].clone();
            args.insert(key, number(&arg, 3).expect("a value"));
        }
    }
    Some(Entry {
        time,
        kind,
        shown: Slice {
            track: uuid,
            name: name.or_else(|| text(of, 23)).unwrap_or_default(),
            category: category.unwrap_or_default(),
            from: time,
            to: time,
            args,
        },
    })
}

impl Trace {
    /// The path of a track: its names from the program on.
    pub fn path(&self, uuid: u64) -> String {
        let track = &self.tracks[&uuid];
        match track.parent {
            Some(parent) => format!("{}/{}", self.path(parent), track.name),
            None => track.name.clone(),
        }
    }

    /// Slices of the track with this path: name, from, to.
    pub fn on(&self, path: &str) -> Vec<(&str, u64, u64)> {
        let slices = self
            .slices
            .iter()
            .filter(|slice| self.path(slice.track) == path);
        slices
            .map(|slice| (&*slice.name, slice.from, slice.to))
            .collect()
    }

    /// Instant events on the track with this path: name and time.
    pub fn moments(&self, path: &str) -> Vec<(&str, u64)> {
        let instants = self
            .instants
            .iter()
            .filter(|at| self.path(at.track) == path);
        instants.map(|at| (&*at.name, at.from)).collect()
    }

    /// Values of the counter with this path: time and value.
    pub fn values(&self, path: &str) -> Vec<(u64, u64)> {
        let values = self
            .counters
            .iter()
            .filter(|(uuid, _, _)| self.path(*uuid) == path);
        let mut values: Vec<_> = values.map(|(_, time, value)| (*time, *value)).collect();
        values.sort();
        values
    }

    /// Where arrows begin and end: path and time of both ends.
    pub fn arrows(&self) -> BTreeSet<(String, u64, String, u64)> {
        let arrows = self.flows.values().map(|(from, to)| {
            let ((from_time, from), (to_time, to)) = (from[0], to[0]);
            (self.path(from), from_time, self.path(to), to_time)
        });
        arrows.collect()
    }

    /// Fails unless the trace is valid.
    pub fn check(&self, written: &eventlog_export::Written) {
        let counts = [
            (self.tracks.len(), written.tracks, "tracks"),
            (self.slices.len(), written.slices, "slices"),
            (self.instants.len(), written.instants, "instants"),
            (self.counters.len(), written.counters, "values of counters"),
            (self.flows.len(), written.flows, "flows"),
        ];
        for (read, written, what) in counts {
            assert_eq!(read as u64, written, "{what}");
        }
        // The path of each track leads to a root.
        for (uuid, track) in &self.tracks {
            self.path(*uuid);
            assert_ne!(track.pid, Some(0));
        }
        let roots = self.tracks.values().filter(|track| track.parent.is_none());
        assert!(roots.count() >= 1);
        for slice in self.slices.iter().chain(&self.instants) {
            assert!(!self.tracks[&slice.track].counter);
            assert!(slice.from <= slice.to);
        }
        for (uuid, _, _) in &self.counters {
            assert!(self.tracks[uuid].counter);
        }
        for (from, to) in self.flows.values() {
            let ([(begin, _)], [(end, _)]) = (&from[..], &to[..]) else {
                panic!("an arrow has two ends: {from:?} {to:?}");
            };
            assert!(begin <= end, "an arrow goes forward");
        }
        // An arrow ends where a slice begins, and begins at an instant event.
        let begins: BTreeSet<_> = self.slices.iter().map(|of| (of.from, of.track)).collect();
        let moments: BTreeSet<_> = self.instants.iter().map(|of| (of.from, of.track)).collect();
        for (from, to) in self.flows.values() {
            assert!(moments.contains(&from[0]), "{from:?}");
            assert!(begins.contains(&to[0]), "{to:?}");
        }
    }
}
