//! What the tests share: building programs with GHC, running them, being their
//! clients, and walking the streams they send.

// Every test binary uses its own part of this.
#![allow(dead_code, unused_imports, unused_macros)]

pub mod build;
pub mod client;
pub mod collector;
pub mod commands;
pub mod decoder;
pub mod definitions;
pub mod driver;
pub mod examples;
pub mod files;
pub mod ghc;
pub mod ghc_events;
pub mod header;
pub mod marked;
pub mod probe;
pub mod process;
pub mod recovery;
pub mod skip;
pub mod stats;
pub mod stream;
pub mod waiting;
pub mod worker;

pub use build::{Build, Main, Way};
pub use client::{Address, Client};
pub use collector::{Collector, Pace};
pub use commands::Commanded;
pub use definitions::Expected;
pub use driver::Driver;
pub use files::TempDir;
pub use marked::Marked;
pub use process::Running;
pub use stats::Stats;
pub use stream::{Loss, Stream};
pub use waiting::{FLUSH_LIMIT, LIMIT, eventually, exit_with_hooks, in_some_attempt, within};
pub use worker::{Start, Transport, Worker};

use std::sync::{Mutex, MutexGuard};

/// Held by tests that keep both cores busy or measure memory or time, so that
/// the tests of one binary do not disturb each other.
pub fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}
