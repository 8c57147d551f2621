//! What a runtime system can do, by its version and the way it was built.

use super::report::Check;

/// A version of GHC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub [u32; 3]);

impl Version {
    /// `9.6`, `9.6.6`, or with more behind it.
    pub fn parse(text: &str) -> Option<Self> {
        let mut numbers = [0; 3];
        let mut parts = text.split('.');
        for (at, number) in numbers.iter_mut().enumerate() {
            match parts.next() {
                Some(part) => *number = part.parse().ok()?,
                None if at >= 2 => {}
                None => return None,
            }
        }
        Some(Self(numbers))
    }
}

/// How a runtime system was built, from its own name: `rts_thr_l`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    pub name: String,
    pub threaded: bool,
    pub profiling: bool,
    debug: bool,
    logging: bool,
}

impl Way {
    /// From `rts_thr_l`, or from what follows `rts` in the name of its library.
    pub fn parse(name: &str) -> Self {
        let name = name.strip_prefix("rts").unwrap_or(name);
        let parts: Vec<&str> = name.split('_').filter(|part| !part.is_empty()).collect();
        let has = |part: &str| parts.contains(&part);
        Self {
            threaded: has("thr"),
            profiling: has("p"),
            debug: has("debug"),
            logging: has("l"),
            name: match parts.is_empty() {
                true => "rts_v".to_owned(),
                false => format!("rts_{}", parts.join("_")),
            },
        }
    }

    /// Whether it can write eventlogs.
    pub fn logs(&self, version: Option<Version>) -> Option<bool> {
        if self.logging || self.profiling || self.debug {
            return Some(true);
        }
        // Since 9.4 all of them can.
        version.map(|version| version >= Version([9, 4, 0]))
    }
}

/// What goes wrong if the runtime system flushes by itself, if anything does.
pub fn flush_interval_fault(way: &Way, version: Option<Version>) -> Option<&'static str> {
    let version = version?;
    if version < Version([9, 2, 0]) {
        return Some("this GHC does not have --eventlog-flush-interval: it was added in 9.2");
    }
    if !way.threaded {
        return Some("without -threaded, --eventlog-flush-interval corrupts the log (GHC #26222)");
    }
    (version < Version([9, 12, 4])).then_some(
        "up to GHC 9.12.3, --eventlog-flush-interval can hang the program at its exit (GHC #26573)",
    )
}

/// Whether the runtime system can write a log at all.
pub fn eventlog(way: &Way, version: Option<Version>) -> Check {
    let name = &way.name;
    match way.logs(version) {
        Some(true) => Check::ok("eventlog", "the runtime system can write eventlogs"),
        Some(false) => Check::missing(
            "eventlog",
            format!("{name} of this GHC writes no eventlogs"),
        )
        .tell("link with -eventlog (GHC 9.4 and later need no flag)")
        .add("-eventlog"),
        None => Check::unknown("eventlog", format!("{name} writes eventlogs since GHC 9.4"))
            .tell("up to GHC 9.2, link with -eventlog"),
    }
}

/// Whether it can be flushed from outside.
pub fn threaded(way: &Way, streams: bool) -> Check {
    if way.threaded {
        return Check::ok("threaded", "linked with -threaded");
    }
    let found = "not linked with -threaded: only the program itself can flush its events";
    match streams {
        true => Check::missing("threaded", found),
        false => Check::advice("threaded", found),
    }
    .add("-threaded")
}

/// Which heap profiles it can write.
pub fn heap_profile(way: &Way, version: Option<Version>) -> Check {
    if way.profiling {
        let found = "built with -prof: +RTS -hc, -hd, -hm, -hr, -hy, -hb and -p work";
        return Check::ok("heap_profile", found);
    }
    let tables = match version {
        Some(version) if version < Version([9, 2, 0]) => "",
        _ => ", and by place in the source with +RTS -hi if built with -finfo-table-map",
    };
    Check::ok(
        "heap_profile",
        format!("by closure type with +RTS -hT{tables}; -hc and others need -prof"),
    )
}
