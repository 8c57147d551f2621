//! The heap profile: all samples, up to a limit.

use eventlog_state::{Band, Sample, Symbols};
use ghc_eventlog::{Breakdown, Text};
use rustc_hash::FxHashMap;

/// The most band values in all samples: 12 bytes each.
const MOST_VALUES: usize = 4 << 20;
/// The most separate bands, and the most bytes of their names.
const MOST_BANDS: usize = 1 << 16;
const MOST_NAMES: usize = 64 << 20;

/// A band as the log has it; its definition may arrive later.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Key {
    /// A name, or an address in a profile by info table.
    Name(Box<[u8]>),
    /// Cost centres, innermost first.
    Stack(Box<[u32]>),
    /// All bands beyond the limit.
    Other,
}

impl Key {
    fn of(band: &Band<'_>) -> Self {
        match band {
            Band::Name(Text(name)) => Self::Name((*name).into()),
            Band::Stack(frames) => Self::Stack(frames.iter().collect()),
            Band::Other => Self::Other,
        }
    }

    /// Its length in memory.
    fn bytes(&self) -> usize {
        match self {
            Self::Name(name) => name.len(),
            Self::Stack(frames) => size_of_val::<[u32]>(frames),
            Self::Other => 0,
        }
    }

    /// Its name and details. Without symbols, as in a `.hp` file, names are as they are.
    pub(crate) fn name(&self, symbols: Option<&Symbols>) -> (String, Option<String>) {
        match self {
            Self::Name(name) => {
                let text = Text(name).to_string_lossy().into_owned();
                match symbols.and_then(|symbols| symbols.band(&text)) {
                    Some(known) => (known, Some(text)),
                    None => (text, None),
                }
            }
            Self::Stack(frames) => {
                if frames.is_empty() {
                    return ("MAIN".to_owned(), None);
                }
                let name = |&id: &u32| match symbols {
                    Some(symbols) => symbols.name(id),
                    None => format!("cost centre {id}"),
                };
                let names: Vec<String> = frames.iter().map(name).collect();
                let outside_in: Vec<&str> = names.iter().rev().map(String::as_str).collect();
                (names[0].clone(), Some(outside_in.join("/")))
            }
            Self::Other => ("(other)".to_owned(), None),
        }
    }
}

/// One sample: bands by number, and their bytes of heap.
#[derive(Clone, Debug)]
pub(crate) struct Taken {
    pub(crate) time: u64,
    pub(crate) bands: Box<[(u32, u64)]>,
}

/// All samples.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heap {
    keys: Vec<Key>,
    key_bytes: usize,
    numbers: FxHashMap<Key, u32>,
    samples: Vec<Taken>,
    values: usize,
    /// One of this many samples is kept.
    step: u64,
    count: u64,
    breakdown: Option<Breakdown>,
}

impl Heap {
    pub(super) fn sample(&mut self, sample: &Sample) {
        self.breakdown = sample.breakdown().or(self.breakdown);
        let bands = sample.bands();
        self.add(
            sample.time(),
            bands.map(|(band, bytes)| (Key::of(&band), bytes)),
        );
    }

    /// Adds a sample.
    pub(crate) fn add(&mut self, time: u64, all: impl Iterator<Item = (Key, u64)>) {
        self.step = self.step.max(1);
        let number = self.count;
        self.count += 1;
        if !number.is_multiple_of(self.step) {
            return;
        }
        let mut bands: FxHashMap<u32, u64> = FxHashMap::default();
        for (key, bytes) in all {
            let number = self.number(key);
            let sum = bands.entry(number).or_default();
            *sum = sum.saturating_add(bytes);
        }
        let mut bands: Box<[(u32, u64)]> = bands.into_iter().collect();
        bands.sort_unstable();
        self.values += bands.len() + 1;
        // Biographical samples are written at the end, for all the time before.
        let at = self.samples.partition_point(|it| it.time <= time);
        self.samples.insert(at, Taken { time, bands });
        while self.values > MOST_VALUES && self.samples.len() > 2 {
            self.thin();
        }
    }

    fn number(&mut self, key: Key) -> u32 {
        if let Some(&number) = self.numbers.get(&key) {
            return number;
        }
        let room = self.keys.len() < MOST_BANDS && self.key_bytes + key.bytes() <= MOST_NAMES;
        let key = if room { key } else { Key::Other };
        let next = self.keys.len() as u32;
        let number = *self.numbers.entry(key.clone()).or_insert(next);
        if number == next {
            self.key_bytes += key.bytes();
            self.keys.push(key);
        }
        number
    }

    /// Keeps every second sample.
    fn thin(&mut self) {
        self.step = self.step.saturating_mul(2);
        let mut at = 0;
        self.samples.retain(|_| {
            at += 1;
            at % 2 == 1
        });
        self.values = self.samples.iter().map(|it| it.bands.len() + 1).sum();
    }

    /// Sets the breakdown.
    pub(crate) fn broken_down(&mut self, by: Option<Breakdown>) {
        self.breakdown = by;
    }

    /// The name of any band that has one.
    pub(crate) fn any_name(&self) -> Option<&[u8]> {
        self.keys.iter().find_map(|key| match key {
            Key::Name(name) => Some(&**name),
            _ => None,
        })
    }

    /// The breakdown, if it is known.
    pub(crate) fn breakdown(&self) -> Option<Breakdown> {
        self.breakdown
    }

    /// The kept samples, in the order of time.
    pub(crate) fn samples(&self) -> &[Taken] {
        &self.samples
    }

    /// One of this many samples is kept.
    pub(crate) fn step(&self) -> u64 {
        self.step.max(1)
    }

    /// The band of a number.
    pub(crate) fn key(&self, number: u32) -> &Key {
        self.keys.get(number as usize).unwrap_or(&Key::Other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_beyond_the_limit_are_one_band() {
        let mut heap = Heap::default();
        let long = |n: u8| Key::Name(vec![n; MOST_NAMES / 4].into());
        for n in 0..10 {
            heap.add(u64::from(n), [(long(n), 5), (long(0), 7)].into_iter());
        }
        let last = &heap.samples()[9];
        let names = last
            .bands
            .iter()
            .map(|(band, bytes)| (heap.key(*band), *bytes));
        assert_eq!(names.collect::<Vec<_>>(), [(&long(0), 7), (&Key::Other, 5)]);
        assert_eq!(heap.keys.len(), 5);
    }
}
