//! The monitor through its public surface: real sockets, and a client that speaks HTTP by hand. All
//! tests are one program, which is built once.

mod access;
mod answers;
mod growing;
mod heap_files;
mod heap_logs;
mod hostile;
mod sessions;
mod site;
mod spans;
mod streams;
mod threads;
mod turns;
