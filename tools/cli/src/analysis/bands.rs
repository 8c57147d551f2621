//! Heap profiles: samples, and the bands in them.

use super::symbols::Symbols;
use ghc_eventlog::{Breakdown, Event, EventBody, Header, ids};
use std::collections::BTreeMap;

/// At most so many bands of a sample are kept; the rest goes into one.
const MOST: usize = 1 << 18;

/// What a band stands for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Band {
    Name(String),
    /// Cost centres, innermost first.
    Stack(Box<[u32]>),
    /// Whatever was too much.
    Other,
}

impl Band {
    /// A name on one line; stacks from the outside in.
    pub fn name(&self, symbols: &Symbols) -> String {
        match self {
            Self::Name(name) => symbols.info_table(name).unwrap_or_else(|| name.clone()),
            // The runtime system leaves out the outermost one, which is all of
            // this stack.
            Self::Stack(stack) if stack.is_empty() => "MAIN".to_owned(),
            Self::Stack(stack) => {
                let names: Vec<String> = stack.iter().rev().map(|&id| symbols.name(id)).collect();
                names.join("/")
            }
            Self::Other => "(other)".to_owned(),
        }
    }
}

/// A complete sample.
#[derive(Clone, Debug)]
pub struct Sample {
    pub time: u64,
    pub bands: BTreeMap<Band, u64>,
}

impl Sample {
    /// The bands by name. Those of one name are one band: info tables that the
    /// compiler made of one place in the source.
    pub fn named(&self, symbols: &Symbols) -> BTreeMap<String, u64> {
        let mut named: BTreeMap<String, u64> = BTreeMap::new();
        for (band, &bytes) in &self.bands {
            let sum = named.entry(band.name(symbols)).or_default();
            *sum = sum.saturating_add(bytes);
        }
        named
    }

    pub fn total(&self) -> u64 {
        self.bands
            .values()
            .fold(0, |sum, &bytes| sum.saturating_add(bytes))
    }
}

/// Puts samples together.
#[derive(Debug, Default)]
pub struct Samples {
    open: Option<Sample>,
    /// Logs before 8.6 do not mark the end of a sample: the next one does.
    unmarked: bool,
    pub breakdown: Option<Breakdown>,
    /// Samples that were begun and not ended.
    pub incomplete: u64,
}

impl Samples {
    pub fn new(header: &Header) -> Self {
        Self {
            unmarked: header.event_type(ids::HEAP_PROF_SAMPLE_END).is_none(),
            ..Self::default()
        }
    }

    /// The sample that the event completes.
    pub fn event(&mut self, event: &Event<'_>) -> Option<Sample> {
        match event.body {
            EventBody::HeapProfBegin { breakdown, .. } => self.breakdown = Some(breakdown),
            EventBody::HeapProfSampleBegin { .. } => return self.begin(event.time),
            EventBody::HeapBioProfSampleBegin { sample_time, .. } => {
                return self.begin(sample_time);
            }
            EventBody::HeapProfSampleString {
                residency, label, ..
            } => {
                self.add(Band::Name(label.to_string_lossy().into_owned()), residency);
            }
            EventBody::HeapProfSampleCostCentre {
                residency, stack, ..
            } => {
                self.add(Band::Stack(stack.iter().collect()), residency);
            }
            EventBody::HeapProfSampleEnd { .. } => return self.open.take(),
            _ => {}
        }
        None
    }

    /// The last sample, where only the end of the log ends it.
    pub fn finish(&mut self) -> Option<Sample> {
        let last = self.open.take();
        self.incomplete += u64::from(last.is_some() && !self.unmarked);
        last.filter(|_| self.unmarked)
    }

    fn begin(&mut self, time: u64) -> Option<Sample> {
        let before = self.finish();
        self.open = Some(Sample {
            time,
            bands: BTreeMap::new(),
        });
        before
    }

    fn add(&mut self, band: Band, bytes: u64) {
        let Some(sample) = &mut self.open else { return };
        let full = sample.bands.len() >= MOST && !sample.bands.contains_key(&band);
        let band = if full { Band::Other } else { band };
        let sum = sample.bands.entry(band).or_default();
        *sum = sum.saturating_add(bytes);
    }
}
