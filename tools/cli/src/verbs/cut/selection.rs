//! What of a log is kept: capabilities and types, so that the rest is a log.

use crate::errors;
use crate::filter::TypeSet;
use anyhow::Result;
use ghc_eventlog::definition::{Class, Definition, Op};
use ghc_eventlog::{Header, definition_of, ids};
use std::collections::BTreeSet;

/// Types that only make sense together, and those that are of no use without them.
const TOGETHER: &[(&[u16], &[u16])] = &[
    (&[ids::RUN_THREAD, ids::STOP_THREAD], &[]),
    (&[ids::GC_START, ids::GC_END], &[]),
    (&[ids::CONC_MARK_BEGIN, ids::CONC_MARK_END], &[]),
    (&[ids::CONC_SYNC_BEGIN, ids::CONC_SYNC_END], &[]),
    (&[ids::CONC_SWEEP_BEGIN, ids::CONC_SWEEP_END], &[]),
    (
        &[
            ids::HEAP_PROF_SAMPLE_BEGIN,
            ids::HEAP_BIO_PROF_SAMPLE_BEGIN,
            ids::HEAP_PROF_SAMPLE_END,
        ],
        &[
            ids::HEAP_PROF_SAMPLE_STRING,
            ids::HEAP_PROF_SAMPLE_COST_CENTRE,
        ],
    ),
];

/// The types that are wanted, by their names.
fn types(wanted: &[String], excluded: &[String]) -> Result<TypeSet> {
    let mut types = if wanted.is_empty() {
        TypeSet::all()
    } else {
        TypeSet::none()
    };
    for name in wanted {
        types.set(name, true).map_err(errors::usage)?;
    }
    let set = |types: &mut TypeSet, of: &[u16], wanted| {
        of.iter()
            .try_for_each(|id| types.set(&id.to_string(), wanted))
            .map_err(errors::usage)
    };
    // If one of these types is wanted, the others of its group are kept, too.
    for (together, more) in TOGETHER {
        if together.iter().chain(*more).any(|&id| types.contains(id)) {
            set(&mut types, together, true)?;
        }
    }
    for name in excluded {
        types.set(name, false).map_err(errors::usage)?;
    }
    for (together, more) in TOGETHER {
        if together.iter().any(|&id| !types.contains(id)) {
            set(&mut types, together, false)?;
            set(&mut types, more, false)?;
        }
    }
    if types.is_empty() {
        return Err(errors::usage(
            "--exclude takes out all that --type lets through: nothing can match",
        ));
    }
    Ok(types)
}

/// What of the range is wanted.
pub struct Selection {
    caps: BTreeSet<u16>,
    types: TypeSet,
    /// The tasks that exist in the result. Some tools read nothing that comes
    /// after the end of one that does not.
    tasks: BTreeSet<u64>,
}

impl Selection {
    /// Only these capabilities, if there are any, and only these types.
    pub fn new(caps: &[u16], wanted: &[String], excluded: &[String]) -> Result<Self> {
        Ok(Self {
            caps: caps.iter().copied().collect(),
            types: types(wanted, excluded)?,
            tasks: BTreeSet::new(),
        })
    }

    /// Whether an event is wanted. To be asked in the order of the result.
    pub fn keeps(&mut self, cap: Option<u16>, id: u16, definition: Option<Definition>) -> bool {
        if !self.caps.is_empty() && cap.is_some_and(|cap| !self.caps.contains(&cap)) {
            return false;
        }
        let Some(Definition { class, key, op }) = definition else {
            return self.types.contains(id);
        };
        match (class, op) {
            (Class::Task, Op::Delete { .. }) => self.tasks.remove(&key),
            (Class::Task, _) => {
                self.tasks.insert(key);
                true
            }
            (Class::TaskMigrate, _) => self.types.contains(id) && self.tasks.contains(&key),
            _ => true,
        }
    }

    /// Whether an event of the beginning is kept. A heap sample that is open
    /// there belongs to what is cut off.
    pub fn keeps_raw(&mut self, header: &Header, cap: Option<u16>, raw: &[u8]) -> bool {
        let Some(id) = raw.first_chunk().copied().map(u16::from_be_bytes) else {
            return false;
        };
        let payload_at = match header.event_type(id).and_then(|kind| kind.size) {
            Some(_) => 10,
            None => 12,
        };
        let payload = raw.get(payload_at..).unwrap_or_default();
        let of_sample = matches!(
            id,
            ids::HEAP_PROF_SAMPLE_BEGIN
                | ids::HEAP_BIO_PROF_SAMPLE_BEGIN
                | ids::HEAP_PROF_SAMPLE_STRING
                | ids::HEAP_PROF_SAMPLE_COST_CENTRE
        );
        !of_sample && self.keeps(cap, id, definition_of(id, payload))
    }
}
