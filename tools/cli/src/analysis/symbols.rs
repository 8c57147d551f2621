//! Names for numbers: cost centres and info tables.

use super::identity::shortened;
use ghc_eventlog::{Event, EventBody};
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

/// At most so many definitions of a kind are kept.
const MOST: usize = 1 << 20;

/// A cost centre.
#[derive(Clone, Debug)]
pub struct CostCentre {
    pub label: String,
    pub module: String,
    pub location: String,
}

impl CostCentre {
    /// `Module.label`
    pub fn name(&self) -> String {
        format!("{}.{}", self.module, self.label)
    }
}

/// An info table.
#[derive(Clone, Debug)]
pub struct InfoTable {
    pub name: String,
    pub label: String,
    pub module: String,
    pub location: String,
}

impl InfoTable {
    /// A hash of where it stands in the source, if that is known.
    fn place(&self) -> Option<u64> {
        if self.location.is_empty() {
            return None;
        }
        let mut hash = DefaultHasher::new();
        (&self.module, &self.location).hash(&mut hash);
        Some(hash.finish())
    }
}

/// The definitions met so far.
#[derive(Debug, Default)]
pub struct Symbols {
    cost_centres: HashMap<u32, CostCentre>,
    info_tables: HashMap<u64, InfoTable>,
    /// By a hash of module and location, the first info table of that place.
    places: HashMap<u64, u64>,
    /// Whether info tables are of interest: there can be very many.
    wants_info_tables: bool,
}

impl Symbols {
    pub fn with_info_tables() -> Self {
        Self {
            wants_info_tables: true,
            ..Self::default()
        }
    }

    pub fn event(&mut self, event: &Event<'_>) {
        match event.body {
            EventBody::HeapProfCostCentre {
                cost_centre,
                label,
                module,
                location,
                ..
            } if self.cost_centres.len() < MOST => {
                let centre = CostCentre {
                    label: shortened(&label.to_string_lossy()),
                    module: shortened(&module.to_string_lossy()),
                    location: shortened(&location.to_string_lossy()),
                };
                self.cost_centres.insert(cost_centre, centre);
            }
            EventBody::Ipe {
                info,
                table_name,
                label,
                module,
                location,
                ..
            } if self.wants_info_tables && self.info_tables.len() < MOST => {
                let table = InfoTable {
                    name: shortened(&table_name.to_string_lossy()),
                    label: shortened(&label.to_string_lossy()),
                    module: shortened(&module.to_string_lossy()),
                    // File and span, both empty where they are not known.
                    location: match location.as_bytes() {
                        b":" => String::new(),
                        _ => shortened(&location.to_string_lossy()),
                    },
                };
                if let Some(place) = table.place() {
                    self.places.entry(place).or_insert(info);
                }
                self.info_tables.insert(info, table);
            }
            _ => {}
        }
    }

    pub fn cost_centre(&self, id: u32) -> Option<&CostCentre> {
        self.cost_centres.get(&id)
    }

    /// The name of a cost centre, or its number.
    pub fn name(&self, id: u32) -> String {
        match self.cost_centres.get(&id) {
            Some(centre) => centre.name(),
            None => format!("cost centre {id}"),
        }
    }

    /// A band of a heap profile by info table is a bare address; this is what
    /// it stands for: the same for all tables of one place in the source.
    pub fn info_table(&self, band: &str) -> Option<String> {
        let digits = band.strip_prefix("0x")?;
        let own = self
            .info_tables
            .get(&u64::from_str_radix(digits, 16).ok()?)?;
        let first = own.place().and_then(|place| self.places.get(&place));
        let table = first.map_or(Some(own), |first| self.info_tables.get(first))?;
        let name = if table.label.is_empty() {
            &table.name
        } else {
            &table.label
        };
        Some(match (table.module.is_empty(), table.location.is_empty()) {
            (true, _) => name.clone(),
            (false, true) => format!("{}.{name}", table.module),
            (false, false) => format!("{}.{name} ({})", table.module, table.location),
        })
    }
}
