//! The heap profile: the largest bands, and the others together.

use crate::collected::{Attribute, Attributes};
use eventlog_state::{Band, Sample, Symbols};
use ghc_eventlog::Breakdown;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a band is: its name, and where it stands in the source.
type Key = (Arc<str>, Option<Arc<str>>);

/// The bands of the latest sample.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bands {
    breakdown: Option<&'static str>,
    /// Bytes; those that have vanished have none.
    bands: BTreeMap<Key, u64>,
    /// The vanished ones were told.
    told: bool,
}

/// Vanished bands that wait to be told are at most so many times as many as others.
const VANISHED: usize = 2;

/// What all other bands are called.
pub(crate) const OTHER: &str = "other";

impl Bands {
    /// Takes a sample, of which the `most` largest bands are told.
    pub(crate) fn sample(&mut self, sample: &Sample, symbols: &Symbols, most: usize) {
        let by_table = sample.breakdown() == Some(Breakdown::INFO_TABLE);
        let mut named: BTreeMap<Key, u64> = BTreeMap::new();
        let mut rest = 0u64;
        for (band, bytes) in sample.merged() {
            let key = match band {
                Band::Other => {
                    rest = rest.saturating_add(bytes);
                    continue;
                }
                Band::Name(name) => {
                    let name = name.to_string_lossy();
                    match by_table.then(|| symbols.table_of_band(&name)).flatten() {
                        Some(table) => (
                            table.name_in_module().into(),
                            (!table.location.is_empty()).then(|| (*table.location).into()),
                        ),
                        None => ((*name).into(), None),
                    }
                }
                Band::Stack(frames) => {
                    let inner = frames.iter().next();
                    let centre = inner.and_then(|id| symbols.cost_centre(id));
                    let place = centre.filter(|centre| !centre.location.is_empty());
                    let place = place.map(|centre| (*centre.location).into());
                    (frames.name(symbols).into(), place)
                }
            };
            let sum = named.entry(key).or_default();
            *sum = sum.saturating_add(bytes);
        }
        let mut largest: Vec<(Key, u64)> = named.into_iter().collect();
        // Those of one size by name, so that the choice is always the same.
        largest.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        let few = largest.len() <= most;
        for (_, bytes) in largest.drain(most.min(largest.len())..) {
            rest = rest.saturating_add(bytes);
        }
        if rest > 0 || !few {
            largest.push(((OTHER.into(), None), rest));
        }
        let breakdown = sample
            .breakdown()
            .map_or("unknown", |by| by.name().unwrap_or("unknown"));
        let same = self.breakdown == Some(breakdown);
        let told = std::mem::take(&mut self.told);
        let mut bands: BTreeMap<Key, u64> = largest.into_iter().collect();
        let room = bands.len() + VANISHED * most;
        for (key, bytes) in std::mem::take(&mut self.bands) {
            let waits = bytes > 0 || !told;
            if same && waits && bands.len() < room {
                bands.entry(key).or_insert(0);
            }
        }
        (self.breakdown, self.bands) = (Some(breakdown), bands);
    }

    /// The values were handed on to somebody who waits for each of them.
    pub(crate) fn told(&mut self) {
        self.told = true;
    }

    /// The bands with their attributes.
    pub(crate) fn points(&self) -> impl Iterator<Item = (Attributes, u64)> + '_ {
        let breakdown = self.breakdown.unwrap_or_default();
        self.bands.iter().map(move |((band, source), &bytes)| {
            let mut attributes = vec![
                ("ghc.heap.profile.band", Attribute::Text(Arc::clone(band))),
                ("ghc.heap.profile.breakdown", breakdown.into()),
            ];
            if let Some(source) = source {
                let source = Attribute::Text(Arc::clone(source));
                attributes.push(("ghc.heap.profile.source", source));
            }
            (attributes, bytes)
        })
    }
}
