//! A relay through its public surface, with real sockets. One program: it is built once.

mod clients;
mod common;
mod join;
mod recorder;
mod resync;
mod sessions;
mod threadscope;
