//! Names for numbers: cost centres and info tables.
//!
//! Their events are kept as they were, once, and decoded on demand. If a number
//! is defined again differently, as in logs that were joined, both definitions
//! are kept and the later one is valid.

use crate::limits::Keep;
use crate::segments::{Kept, Place, Segments};
use crate::table::Table;
use crate::text::shortened;
use ghc_eventlog::{Event, EventBody, Text};
use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash, Hasher};

/// The largest number of bytes of a text.
const LONGEST: usize = 1024;

/// A cost centre.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct CostCentre<'a> {
    /// Its label.
    pub label: Cow<'a, str>,
    /// Its module.
    pub module: Cow<'a, str>,
    /// Its place in the source.
    pub location: Cow<'a, str>,
    /// Whether it is a top-level constant.
    pub is_caf: bool,
}

impl CostCentre<'_> {
    /// `Module.label`
    pub fn name(&self) -> String {
        format!("{}.{}", self.module, self.label)
    }
}

/// Information about an info table.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct InfoTable<'a> {
    /// Its name.
    pub name: Cow<'a, str>,
    /// The type.
    pub ty: Cow<'a, str>,
    /// The binding.
    pub label: Cow<'a, str>,
    /// The module.
    pub module: Cow<'a, str>,
    /// File and span; empty if they are not known.
    pub location: Cow<'a, str>,
}

impl InfoTable<'_> {
    /// Its place in the source, if that is known.
    fn place(&self) -> Option<(&str, &str)> {
        (!self.location.is_empty()).then_some((&self.module, &self.location))
    }

    /// The name of the binding, or else of the table, with its module if that
    /// is known.
    pub fn name_in_module(&self) -> String {
        let name = match self.label.is_empty() {
            true => &self.name,
            false => &self.label,
        };
        match self.module.is_empty() {
            true => name.clone().into_owned(),
            false => format!("{}.{name}", self.module),
        }
    }

    /// The name to show to users.
    fn title(&self) -> String {
        let name = self.name_in_module();
        match self.module.is_empty() || self.location.is_empty() {
            true => name,
            false => format!("{name} ({})", self.location),
        }
    }
}

/// The hash of a place in the source, for the program that has this info table:
/// addresses have 47 bits, and in merged logs the upper 16 distinguish
/// programs.
fn hash(info: u64, place: (&str, &str)) -> u64 {
    let mut hasher = DefaultHasher::new();
    (info >> 48, place).hash(&mut hasher);
    hasher.finish()
}

fn text(text: Text<'_>) -> Cow<'_, str> {
    match text.to_string_lossy() {
        long if long.len() > LONGEST => shortened(&long, LONGEST).into(),
        short => short,
    }
}

fn cost_centre(body: EventBody<'_>) -> Option<CostCentre<'_>> {
    let EventBody::HeapProfCostCentre {
        label,
        module,
        location,
        is_caf,
        ..
    } = body
    else {
        return None;
    };
    Some(CostCentre {
        label: text(label),
        module: text(module),
        location: text(location),
        is_caf: is_caf != 0,
    })
}

fn info_table(body: EventBody<'_>) -> Option<InfoTable<'_>> {
    let EventBody::Ipe {
        table_name,
        type_desc,
        label,
        module,
        location,
        ..
    } = body
    else {
        return None;
    };
    Some(InfoTable {
        name: text(table_name),
        ty: text(type_desc),
        label: text(label),
        module: text(module),
        // File and span, both empty if they are not known.
        location: match location.as_bytes() {
            b":" => Cow::Borrowed(""),
            _ => text(location),
        },
    })
}

/// The definitions so far. A copy shares what has not changed since.
#[derive(Clone, Debug, Default)]
pub struct Symbols {
    events: Segments,
    cost_centres: Table<Place>,
    info_tables: Table<Place>,
    /// The first info table of each place, by a hash of module and location.
    places: Table<u64>,
    /// Whether bands are named after info tables.
    named: bool,
    refused_cost_centres: u64,
    refused_info_tables: u64,
}

impl Symbols {
    /// A cost centre.
    pub fn cost_centre(&self, id: u32) -> Option<CostCentre<'_>> {
        let place = self.cost_centres.get(id.into())?;
        cost_centre(self.events.get(*place)?.body())
    }

    /// Whether a cost centre is defined.
    pub fn has_cost_centre(&self, id: u32) -> bool {
        self.cost_centres.contains(id.into())
    }

    /// How many cost centres are defined.
    pub fn cost_centres(&self) -> usize {
        self.cost_centres.len()
    }

    /// How many info tables are known.
    pub fn info_tables(&self) -> usize {
        self.info_tables.len()
    }

    /// The name of a cost centre, or its number.
    pub fn name(&self, id: u32) -> String {
        match self.cost_centre(id) {
            Some(centre) => centre.name(),
            None => format!("cost centre {id}"),
        }
    }

    /// Information about an info table.
    pub fn info_table(&self, info: u64) -> Option<InfoTable<'_>> {
        let place = self.info_tables.get(info)?;
        info_table(self.events.get(*place)?.body())
    }

    /// A band of a heap profile by info table is only an address; this is the
    /// name for it: the same for all tables of one place in the source.
    pub fn band(&self, band: &str) -> Option<String> {
        self.table_of_band(band).map(|table| table.title())
    }

    /// The info table that a band of a heap profile by info table refers to: of
    /// all tables of one place in the source the first one.
    pub fn table_of_band(&self, band: &str) -> Option<InfoTable<'_>> {
        if !self.named {
            return None;
        }
        let digits = band.strip_prefix("0x")?;
        let info = u64::from_str_radix(digits, 16).ok()?;
        let own = self.info_table(info)?;
        let first = own
            .place()
            .and_then(|place| self.info_table(*self.places.get(hash(info, place))?))
            // The hash of another place can be the same.
            .filter(|first| first.place() == own.place());
        Some(first.unwrap_or(own))
    }

    /// How many cost centres were refused because there were too many.
    pub fn refused_cost_centres(&self) -> u64 {
        self.refused_cost_centres
    }

    /// How many info tables were refused because there were too many.
    pub fn refused_info_tables(&self) -> u64 {
        self.refused_info_tables
    }

    /// Bytes of all definitions.
    pub(crate) fn bytes(&self) -> usize {
        self.events.bytes()
    }

    /// The place after the last definition.
    pub(crate) fn end(&self) -> Place {
        self.events.end()
    }

    /// The events after this place.
    pub(crate) fn from(&self, place: Place) -> impl Iterator<Item = Kept<'_>> {
        self.events.from(place)
    }

    /// Takes a definition; `room` bytes are left for it.
    pub(crate) fn event(&mut self, event: &Event<'_>, keep: &Keep, room: usize) {
        match event.body {
            EventBody::HeapProfCostCentre { cost_centre, .. } => {
                let known = self.cost_centres.get(cost_centre.into());
                if self.repeats(known, event) {
                    return;
                }
                let full = known.is_none() && self.cost_centres.len() >= keep.limits.cost_centres;
                if full || event.raw.len() > room {
                    self.refused_cost_centres += 1;
                    return;
                }
                let place = self.events.push(event);
                self.cost_centres.insert(cost_centre.into(), place);
            }
            EventBody::Ipe { info, .. } if keep.info_tables || keep.definitions => {
                let known = self.info_tables.get(info);
                if self.repeats(known, event) {
                    return;
                }
                let full = known.is_none() && self.info_tables.len() >= keep.limits.info_tables;
                if full || event.raw.len() > room {
                    self.refused_info_tables += 1;
                    return;
                }
                let place = self.events.push(event);
                self.info_tables.insert(info, place);
                self.named |= keep.info_tables;
                let table = info_table(event.body).filter(|_| keep.info_tables);
                if let Some(place) = table.as_ref().and_then(InfoTable::place) {
                    let hash = hash(info, place);
                    if !self.places.contains(hash) {
                        self.places.insert(hash, info);
                    }
                }
            }
            _ => {}
        }
    }

    /// Whether the event repeats what is known.
    pub(crate) fn knows(&self, event: &Event<'_>) -> bool {
        let known = match event.body {
            EventBody::HeapProfCostCentre { cost_centre, .. } => {
                self.cost_centres.get(cost_centre.into())
            }
            EventBody::Ipe { info, .. } => self.info_tables.get(info),
            _ => None,
        };
        self.repeats(known, event)
    }

    fn repeats(&self, known: Option<&Place>, event: &Event<'_>) -> bool {
        known
            .and_then(|place| self.events.get(*place))
            .is_some_and(|kept| kept.payload() == event.payload())
    }
}

#[cfg(test)]
#[path = "symbols/tests.rs"]
mod tests;
