//! The monitor through its public surface: real sockets, and a client that speaks HTTP by hand. One
//! program: it is built once.

mod access;
mod answers;
mod growing;
mod hostile;
mod sessions;
mod site;
mod streams;
