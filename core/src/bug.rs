//! Places where the ring can be broken on purpose, to see that a model notices.
//!
//! `bug!("name")` is the literal `false` in every build but one with `--cfg ring_bug`: only there does the environment
//! variable `RING_BUG` name a place to break. The controls of `loom-tests/run.sh` and `scripts/sanitize` are such builds.

#[cfg(not(ring_bug))]
macro_rules! bug {
    ($name:literal) => {
        false
    };
}

#[cfg(ring_bug)]
macro_rules! bug {
    ($name:literal) => {
        $crate::bug::chosen($name)
    };
}

/// An ordering, which the bug of this name weakens to Relaxed.
macro_rules! unless_bug {
    ($name:literal, $ordering:expr) => {
        if $crate::bug::bug!($name) {
            $crate::shim::Ordering::Relaxed
        } else {
            $ordering
        }
    };
}

pub(crate) use {bug, unless_bug};

#[cfg(ring_bug)]
pub(crate) fn chosen(name: &str) -> bool {
    extern crate std;
    static CHOSEN: std::sync::OnceLock<Option<std::string::String>> = std::sync::OnceLock::new();
    let chosen = CHOSEN.get_or_init(|| std::env::var("RING_BUG").ok());
    chosen.as_deref() == Some(name)
}
