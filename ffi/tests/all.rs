//! All end-to-end tests, in one program: each file is about what its name says.
//!
//!     cargo test -p eventlog-socket --test all [FILE::]

mod c_api;
mod chance;
mod checker;
mod classes;
mod control;
mod control_access;
mod control_edges;
mod control_exits;
mod control_order;
mod crowds;
mod docs;
mod dynamic;
mod edges;
mod errors;
mod exit;
mod faults;
mod first_events;
mod flush;
mod handlers;
mod heap_commands;
mod hooks;
mod hooks_exit;
mod host;
mod idle;
mod ipe;
mod namespaces;
mod overload;
mod portability;
mod reconnect;
mod restarts;
mod ring_file;
mod ring_file_faults;
mod scenarios_classes;
mod scenarios_heap;
mod scenarios_markers;
mod scenarios_older;
mod storm_exits;
mod storms;
mod stream;
mod support;
mod sync;
mod system_calls;
mod system_faults;
mod writers;
