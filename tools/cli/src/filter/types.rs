//! Event types by name, pattern, number or class.

use ghc_eventlog::{ids, names};
use std::ops::RangeInclusive;

/// Classes of event types, for people who do not know all the names.
pub const CLASSES: &[(&str, &[(u16, u16)])] = &[
    (
        "thread",
        &[
            (ids::CREATE_THREAD, ids::MIGRATE_THREAD),
            only(ids::THREAD_WAKEUP),
            only(ids::CREATE_SPARK_THREAD),
            only(ids::THREAD_LABEL),
        ],
    ),
    (
        "gc",
        &[
            (ids::GC_START, ids::REQUEST_PAR_GC),
            (ids::GC_IDLE, ids::GC_DONE),
            (ids::GC_STATS_GHC, ids::GC_GLOBAL_SYNC),
        ],
    ),
    (
        "user",
        &[
            only(ids::USER_MSG),
            only(ids::USER_MARKER),
            only(ids::USER_BINARY_MSG),
        ],
    ),
    (
        "heap",
        &[
            (ids::HEAP_ALLOCATED, ids::HEAP_LIVE),
            (ids::MEM_RETURN, ids::BLOCKS_SIZE),
        ],
    ),
    (
        "heap_profile",
        &[(ids::HEAP_PROF_BEGIN, ids::HEAP_BIO_PROF_SAMPLE_BEGIN)],
    ),
    (
        "time_profile",
        &[(ids::PROF_SAMPLE_COST_CENTRE, ids::PROF_BEGIN)],
    ),
    (
        "spark",
        &[
            (ids::RUN_SPARK, ids::STEAL_SPARK),
            (ids::CREATE_SPARK, ids::SPARK_TO_THREAD),
            (ids::SPARK_COUNTERS, ids::SPARK_GC),
        ],
    ),
    (
        "cap",
        &[
            (ids::CAPSET_CREATE, ids::CAPSET_REMOVE_CAP),
            (ids::CAP_CREATE, ids::CAP_ENABLE),
        ],
    ),
    ("task", &[(ids::TASK_CREATE, ids::TASK_DELETE)]),
    (
        "info",
        &[
            (ids::LOG_MSG, ids::STARTUP),
            (ids::VERSION, ids::PROGRAM_INVOCATION),
            (ids::RTS_IDENTIFIER, ids::OSPROCESS_PPID),
            only(ids::WALL_CLOCK_TIME),
            only(ids::HEAP_INFO_GHC),
        ],
    ),
    ("info_table", &[only(ids::IPE)]),
    (
        "nonmoving",
        &[(ids::CONC_MARK_BEGIN, ids::NONMOVING_PRUNED_SEGMENTS)],
    ),
    (
        "ticky",
        &[(ids::TICKY_COUNTER_DEF, ids::TICKY_COUNTER_BEGIN_SAMPLE)],
    ),
    ("eden", &[all(ids::EDEN)]),
    ("mercury", &[all(ids::MERCURY)]),
    ("perf", &[all(ids::PERF)]),
];

const fn only(id: u16) -> (u16, u16) {
    (id, id)
}

const fn all(reserved: RangeInclusive<u16>) -> (u16, u16) {
    (*reserved.start(), *reserved.end())
}

/// The class of a type.
pub fn class_of(id: u16) -> Option<&'static str> {
    let holds = |ranges: &[(u16, u16)]| ranges.iter().any(|&(from, to)| (from..=to).contains(&id));
    CLASSES
        .iter()
        .find(|(_, ranges)| holds(ranges))
        .map(|(name, _)| *name)
}

/// A set of event types.
#[derive(Clone)]
pub struct TypeSet(Vec<bool>);

impl std::fmt::Debug for TypeSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ids = self
            .0
            .iter()
            .enumerate()
            .filter(|(_, wanted)| **wanted)
            .map(|(id, _)| id);
        f.debug_set().entries(ids).finish()
    }
}

impl TypeSet {
    pub fn all() -> Self {
        Self(vec![true; 1 << 16])
    }

    pub fn none() -> Self {
        Self(vec![false; 1 << 16])
    }

    pub fn is_empty(&self) -> bool {
        !self.0.contains(&true)
    }

    pub fn contains(&self, id: u16) -> bool {
        self.0[usize::from(id)]
    }

    /// Adds or removes the types that a name on the command line stands for.
    pub fn set(&mut self, name: &str, wanted: bool) -> Result<(), String> {
        let mut put = |id: u16| self.0[usize::from(id)] = wanted;
        if let Ok(id) = name.parse() {
            put(id);
            return Ok(());
        }
        let name = name.to_ascii_lowercase().replace('-', "_");
        let class = CLASSES.iter().find(|(class, _)| *class == name);
        if let Some((_, ranges)) = class {
            ranges
                .iter()
                .for_each(|&(from, to)| (from..=to).for_each(&mut put));
            return Ok(());
        }
        let mut found = false;
        for (id, known) in names::known() {
            if matches(&name, known) {
                found = true;
                put(id);
            }
        }
        if found {
            return Ok(());
        }
        let near = names::known()
            .map(|(_, known)| known)
            .chain(CLASSES.iter().map(|(class, _)| *class));
        let near = near.map(|known| (distance(&name, known), known)).min();
        let advice = match near {
            Some((distance, known)) if distance <= 3 => format!("did you mean {known}?"),
            _ => "`eventlog types` lists the types and classes".to_owned(),
        };
        Err(format!(
            "no event type or class is called {name:?}; {advice}"
        ))
    }
}

/// Whether a name fits a pattern, in which `*` stands for anything.
fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((start, rest)) => name.strip_prefix(start).is_some_and(|name| {
            name.char_indices()
                .any(|(at, _)| matches(rest, &name[at..]))
                || matches(rest, "")
        }),
    }
}

/// The number of edits between two names.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let cost = (corner + usize::from(x != *y))
                .min(row[j] + 1)
                .min(row[j + 1] + 1);
            corner = row[j + 1];
            row[j + 1] = cost;
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(names: &[&str]) -> Vec<u16> {
        let mut set = TypeSet::none();
        for name in names {
            set.set(name, true).expect(name);
        }
        (0..300).filter(|&id| set.contains(id)).collect()
    }

    #[test]
    fn types_have_names_numbers_classes_and_patterns() {
        assert_eq!(ids(&["gc_start"]), [9]);
        assert_eq!(ids(&["GC-END", "300", "7"]), [7, 10]);
        assert_eq!(ids(&["user"]), [19, 58, 181]);
        assert_eq!(ids(&["gc_*"]), [9, 10, 20, 21, 22, 53, 54]);
        assert_eq!(ids(&["*_thread"]), [0, 1, 2, 4, 14, 15]);
        assert_eq!(ids(&["user_*_msg"]), [181]);
        assert_eq!(ids(&["*"]).len(), names::known().count());
    }

    #[test]
    fn a_typing_error_gets_advice() {
        let error = TypeSet::none().set("gc_strat", true).unwrap_err();
        assert!(error.contains("did you mean gc_start?"), "{error}");
        let error = TypeSet::none().set("something_else", true).unwrap_err();
        assert!(error.contains("eventlog types"), "{error}");
    }

    #[test]
    fn every_known_type_has_a_class_or_is_odd() {
        let odd: Vec<_> = names::known()
            .filter(|(id, _)| class_of(*id).is_none())
            .map(|(_, n)| n)
            .collect();
        assert_eq!(
            odd,
            [
                "shutdown",
                "intern_string",
                "hack_bug_t9003",
                "block_marker"
            ]
        );
    }
}
