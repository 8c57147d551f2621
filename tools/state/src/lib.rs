//! One model of GHC's runtime system, folded from the events of an eventlog.
#![forbid(unsafe_code)]

mod cap;
mod fact;
mod limits;
mod oddity;
mod pages;
mod sparks;
mod states;
mod thread;
