//! The heap profile: the largest bands, and the others together.

use crate::collected::{Attribute, Attributes};
use eventlog_state::{Band, Sample, Symbols};
use ghc_eventlog::Breakdown;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A band: its name, and its place in the source.
type Key = (Arc<str>, Option<Arc<str>>);

/// The bands of the latest sample.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bands {
    breakdown: Option<&'static str>,
    /// Bytes; `None` for bands that have disappeared.
    bands: BTreeMap<Key, u64>,
    /// The disappeared ones were exported.
    told: bool,
}

/// The limit on disappeared bands that wait to be exported, as a multiple of the others.
const VANISHED: usize = 2;

/// The name of all other bands together.
pub(crate) const OTHER: &str = "other";

impl Bands {
    /// Takes a sample, and keeps its `most` largest bands.
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
        // Bands of the same size are ordered by name, so that the choice is always the
        // same.
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

    /// The values were passed on to a reader that needs each of them.
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
