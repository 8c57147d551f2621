//! Heap profiles (samples, and the bands in them), and the time profile.

use crate::limits::{Keep, Limits};
use crate::oddity::{At, Odd};
use crate::symbols::Symbols;
use ghc_eventlog::{Breakdown, Event, EventBody, Header, Stack, Text, ids};
use rustc_hash::FxHashSet;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Limit for the names and stacks of one sample: bytes per allowed band.
const BYTES_PER_BAND: usize = 256;

/// What a band of a heap profile is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Band<'a> {
    /// A name; in a profile by info table an address.
    Name(Text<'a>),
    /// Cost centres.
    Stack(Frames<'a>),
    /// Everything that exceeded the limits.
    Other,
}

/// A stack of cost centres, innermost first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Frames<'a>(&'a [u8]);

impl<'a> Frames<'a> {
    /// The stack as the format represents it.
    pub fn stack(self) -> Stack<'a> {
        // The bytes were taken from a valid stack.
        Stack::new(self.0).unwrap_or_default()
    }

    /// The numbers of the cost centres, innermost first.
    pub fn iter(self) -> impl ExactSizeIterator<Item = u32> + 'a {
        self.stack().iter()
    }

    /// The names from the outside in, with slashes between.
    pub fn name(self, symbols: &Symbols) -> String {
        // The runtime system leaves out the outermost one, which is all of this
        // stack.
        if self.0.is_empty() {
            return "MAIN".to_owned();
        }
        let mut ids: Vec<u32> = self.iter().collect();
        ids.reverse();
        let names: Vec<String> = ids.iter().map(|&id| symbols.name(id)).collect();
        names.join("/")
    }
}

impl Band<'_> {
    /// A name on one line; stacks from the outside in.
    pub fn name(&self, symbols: &Symbols) -> String {
        match self {
            Self::Name(name) => {
                let name = name.to_string_lossy();
                let table = symbols.band(&name);
                table.unwrap_or_else(|| name.into_owned())
            }
            Self::Stack(frames) => frames.name(symbols),
            Self::Other => "(other)".to_owned(),
        }
    }
}

/// Where the name or stack of a band is stored, and its bytes of heap.
#[derive(Clone, Copy, Debug)]
struct Entry {
    residency: u64,
    at: u32,
    /// Its length; the highest bit is set for a stack.
    length: u32,
}

const STACK: u32 = 1 << 31;

/// A heap sample: complete, or as far as it has arrived.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    time: u64,
    begun: At,
    era: u64,
    profile: u8,
    breakdown: Option<Breakdown>,
    biographical: bool,
    entries: Vec<Entry>,
    bytes: Vec<u8>,
    /// Bytes of heap of bands beyond the limit, and how many they were.
    other: (u64, u64),
}

impl Sample {
    /// When it was taken, in nanoseconds.
    pub fn time(&self) -> u64 {
        self.time
    }

    /// Where it begins in the log. That is when it was written: biographical
    /// samples are written when the program exits.
    pub fn begun(&self) -> At {
        self.begun
    }

    /// Its number.
    pub fn era(&self) -> u64 {
        self.era
    }

    /// The profile that its bands belong to.
    pub fn profile(&self) -> u8 {
        self.profile
    }

    /// What it is broken down by, if that is logged.
    pub fn breakdown(&self) -> Option<Breakdown> {
        self.breakdown
    }

    /// Whether it was written after the time at which it was taken.
    pub fn is_biographical(&self) -> bool {
        self.biographical
    }

    /// How many bands exceeded the limit and are summed up in one.
    pub fn refused(&self) -> u64 {
        self.other.1
    }

    /// The bands in the order of the log, with their bytes of heap. A band can
    /// occur several times.
    pub fn bands(&self) -> impl Iterator<Item = (Band<'_>, u64)> {
        let known = self.entries.iter().map(|entry| {
            let at = entry.at as usize;
            let bytes = &self.bytes[at..][..(entry.length & !STACK) as usize];
            let band = match entry.length & STACK {
                0 => Band::Name(Text(bytes)),
                _ => Band::Stack(Frames(bytes)),
            };
            (band, entry.residency)
        });
        let (other, refused) = self.other;
        known.chain((refused > 0).then_some((Band::Other, other)))
    }

    /// The bands, each only once.
    pub fn merged(&self) -> BTreeMap<Band<'_>, u64> {
        let mut merged: BTreeMap<Band<'_>, u64> = BTreeMap::new();
        for (band, bytes) in self.bands() {
            let sum = merged.entry(band).or_default();
            *sum = sum.saturating_add(bytes);
        }
        merged
    }

    /// The bands by name. Those of one name are one band: several info tables
    /// that the compiler made from one place in the source.
    pub fn named(&self, symbols: &Symbols) -> BTreeMap<String, u64> {
        let mut named: BTreeMap<String, u64> = BTreeMap::new();
        for (band, bytes) in self.merged() {
            let sum = named.entry(band.name(symbols)).or_default();
            *sum = sum.saturating_add(bytes);
        }
        named
    }

    /// Bytes of heap of all bands.
    pub fn total(&self) -> u64 {
        self.bands()
            .fold(0, |sum, (_, bytes)| sum.saturating_add(bytes))
    }

    /// Empties the sample for a new one; the memory is reused.
    fn begin(&mut self, begun: At, (time, era): (u64, u64), breakdown: Option<Breakdown>) {
        self.entries.clear();
        self.bytes.clear();
        (self.begun, self.time, self.era) = (begun, time, era);
        (self.profile, self.other, self.breakdown) = (0, (0, 0), breakdown);
    }

    fn add(&mut self, residency: u64, (stack, length): (u32, usize), limits: &Limits) -> bool {
        let most = limits.bands.saturating_mul(BYTES_PER_BAND);
        let fits = self.bytes.len() + length <= most.min(u32::MAX as usize);
        if self.entries.len() >= limits.bands || !fits {
            self.other.0 = self.other.0.saturating_add(residency);
            self.other.1 += 1;
            return false;
        }
        self.entries.push(Entry {
            residency,
            at: self.bytes.len() as u32,
            length: length as u32 | stack,
        });
        true
    }
}

/// The settings of a heap profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct HeapProfile {
    /// Its number.
    pub profile: u8,
    /// When it was begun, in nanoseconds.
    pub begun: u64,
    /// Nanoseconds between two samples.
    pub period: u64,
    /// What it is broken down by.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::serial::breakdown"))]
    pub breakdown: Breakdown,
}

/// Collects heap samples, and other data of profiles. A copy shares what is
/// large.
#[derive(Clone, Debug)]
pub struct Samples {
    open: bool,
    sample: Arc<Sample>,
    /// Logs before 8.6 do not mark the end of a sample: it ends where the next
    /// one begins.
    unmarked: bool,
    profiles: BTreeMap<u8, HeapProfile>,
    latest: Option<Breakdown>,
    tick_interval: Option<u64>,
    complete: u64,
    incomplete: u64,
    stacks: u64,
    refused: u64,
    /// Cost centres that are used but not defined, and were reported already.
    undefined: Arc<FxHashSet<u32>>,
}

impl Samples {
    /// No sample has begun, in a log with this header.
    pub fn new(header: &Header) -> Self {
        Self {
            open: false,
            sample: Arc::default(),
            unmarked: header.event_type(ids::HEAP_PROF_SAMPLE_END).is_none(),
            profiles: BTreeMap::new(),
            latest: None,
            tick_interval: None,
            complete: 0,
            incomplete: 0,
            stacks: 0,
            refused: 0,
            undefined: Arc::default(),
        }
    }

    /// The sample that has begun and not ended.
    pub fn open(&self) -> Option<&Sample> {
        self.open.then_some(&*self.sample)
    }

    /// The heap profiles, by number.
    pub fn profiles(&self) -> impl Iterator<Item = &HeapProfile> {
        self.profiles.values()
    }

    /// What the heap profile that was begun last is broken down by.
    pub fn breakdown(&self) -> Option<Breakdown> {
        self.latest
    }

    /// Nanoseconds between two samples of the time profile, if there is one.
    pub fn tick_interval(&self) -> Option<u64> {
        self.tick_interval
    }

    /// How many samples are complete.
    pub fn complete(&self) -> u64 {
        self.complete
    }

    /// How many samples were begun and not ended.
    pub fn incomplete(&self) -> u64 {
        self.incomplete
    }

    /// How many samples of the time profile there were.
    pub fn stacks(&self) -> u64 {
        self.stacks
    }

    /// How many bands exceeded the limit of their sample.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// Takes an event of a profile; oddities are passed to `odd`, a sample that
    /// it completes to `done`.
    #[inline]
    pub(crate) fn event(
        &mut self,
        event: &Event<'_>,
        (keep, symbols): (&Keep, &Symbols),
        odd: &mut impl FnMut(Odd),
        done: &mut impl FnMut(&Sample),
    ) {
        match event.body {
            EventBody::HeapProfBegin {
                profile,
                period,
                breakdown,
                ..
            } => {
                self.latest = Some(breakdown);
                let begun = event.time;
                self.profiles.insert(
                    profile,
                    HeapProfile {
                        profile,
                        begun,
                        period,
                        breakdown,
                    },
                );
            }
            EventBody::ProfBegin { tick_interval } => self.tick_interval = Some(tick_interval),
            EventBody::HeapProfSampleBegin { era } => {
                self.begin(event, (event.time, era), odd, done);
            }
            EventBody::HeapBioProfSampleBegin { era, sample_time } => {
                self.begin(event, (sample_time, era), odd, done);
                Arc::make_mut(&mut self.sample).biographical = true;
            }
            EventBody::HeapProfSampleString {
                profile,
                residency,
                label,
            } => {
                if let Some(sample) = self.band(profile, odd) {
                    let label = label.as_bytes();
                    match sample.add(residency, (0, label.len()), &keep.limits) {
                        true => sample.bytes.extend_from_slice(label),
                        false => self.refused += 1,
                    }
                }
            }
            EventBody::HeapProfSampleCostCentre {
                profile,
                residency,
                stack,
            } => {
                if let Some(sample) = self.band(profile, odd) {
                    match sample.add(residency, (STACK, stack.len() * 4), &keep.limits) {
                        true => {
                            let words = stack.iter().flat_map(u32::to_be_bytes);
                            sample.bytes.extend(words);
                        }
                        false => self.refused += 1,
                    }
                }
                self.check(stack, (keep, symbols), odd);
            }
            EventBody::HeapProfSampleEnd { .. } => match self.open {
                true => self.end(done),
                false => odd(Odd::SampleNeverBegan),
            },
            EventBody::ProfSampleCostCentre { stack, .. } => {
                self.stacks += 1;
                self.check(stack, (keep, symbols), odd);
            }
            _ => {}
        }
    }

    /// Ends the log.
    pub(crate) fn finish(&mut self, odd: &mut impl FnMut(At, Odd), done: &mut impl FnMut(&Sample)) {
        if !self.open {
            return;
        }
        if self.unmarked {
            self.end(done);
        } else {
            self.incomplete += 1;
            self.open = false;
            odd(self.sample.begun, Odd::LastSampleNotEnded);
        }
    }

    fn begin(
        &mut self,
        event: &Event<'_>,
        when: (u64, u64),
        odd: &mut impl FnMut(Odd),
        done: &mut impl FnMut(&Sample),
    ) {
        if self.open && self.unmarked {
            self.end(done);
        } else if self.open {
            self.incomplete += 1;
            let since = self.sample.begun.offset;
            odd(Odd::SampleNotEnded { since });
        }
        if Arc::get_mut(&mut self.sample).is_none() {
            // A copy of this state keeps the previous sample.
            self.sample = Arc::default();
        }
        let sample = Arc::make_mut(&mut self.sample);
        sample.begin(At::event(event), when, self.latest);
        sample.biographical = false;
        self.open = true;
    }

    fn end(&mut self, done: &mut impl FnMut(&Sample)) {
        self.open = false;
        self.complete += 1;
        done(&self.sample);
    }

    /// The sample that a band is for.
    #[inline]
    fn band(&mut self, profile: u8, odd: &mut impl FnMut(Odd)) -> Option<&mut Sample> {
        if !self.open {
            odd(Odd::BandOutsideSample);
            return None;
        }
        let sample = Arc::make_mut(&mut self.sample);
        if sample.entries.is_empty() {
            sample.profile = profile;
            if let Some(known) = self.profiles.get(&profile) {
                sample.breakdown = Some(known.breakdown);
            }
        }
        Some(sample)
    }

    fn check(
        &mut self,
        stack: Stack<'_>,
        (keep, symbols): (&Keep, &Symbols),
        odd: &mut impl FnMut(Odd),
    ) {
        // If some were refused, it is not known whether they are defined.
        if !keep.oddities || symbols.refused_cost_centres() > 0 {
            return;
        }
        for id in stack.iter() {
            if symbols.has_cost_centre(id)
                || self.undefined.contains(&id)
                || self.undefined.len() >= keep.limits.cost_centres
            {
                continue;
            }
            Arc::make_mut(&mut self.undefined).insert(id);
            odd(Odd::UndefinedCostCentre { cost_centre: id });
        }
    }
}

#[cfg(test)]
#[path = "profile/tests.rs"]
mod tests;
