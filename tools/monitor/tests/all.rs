//! The monitor through its public surface: real sockets, and a client that speaks HTTP by hand. All
//! tests are one program, which is built once.

mod access;
mod answers;
mod growing;
mod heap_files;
mod hostile;
mod sessions;
mod site;
mod streams;
mod turns;
