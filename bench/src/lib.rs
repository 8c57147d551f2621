//! Code that the measuring programs of `src/bin/` share. Criterion's benchmarks are in `benches/`.

pub mod build;
pub mod client;
pub mod ghc;
pub mod process;
pub mod queues;
pub mod report;
pub mod scale;
pub mod stats;
pub mod writing;
