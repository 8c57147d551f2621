//! Event types by name, pattern, number or class.

use ghc_eventlog::names;

/// Classes of event types, for people who do not know all the names.
pub const CLASSES: &[(&str, &[(u16, u16)])] = &[
    ("thread", &[(0, 4), (8, 8), (15, 15), (44, 44)]),
    ("gc", &[(9, 12), (20, 22), (53, 54)]),
    ("user", &[(19, 19), (58, 58), (181, 181)]),
    ("heap", &[(49, 51), (90, 91)]),
    ("heap_profile", &[(160, 166)]),
    ("time_profile", &[(167, 168)]),
    ("spark", &[(5, 6), (13, 14), (34, 41)]),
    ("cap", &[(25, 28), (45, 48)]),
    ("task", &[(55, 57)]),
    ("info", &[(16, 17), (23, 24), (29, 33), (43, 43), (52, 52)]),
    ("info_table", &[(169, 169)]),
    ("nonmoving", &[(200, 208)]),
    ("ticky", &[(210, 212)]),
    ("eden", &[(60, 80)]),
    ("mercury", &[(100, 139)]),
    ("perf", &[(140, 159)]),
];

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

    /// Puts in, or takes out, whatever a name of the command line stands for.
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
