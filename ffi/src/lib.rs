//! Stream the live eventlog of a GHC program over a socket.
//!
//! ```text
//!   RTS threads                        poll thread                    client
//!   -----------                        -----------                    ------
//!   writeEventLog --push--> [ ring of chunks ] ------ sendmsg ------> socket
//!        |                                                              ^
//!        +--header, definitions--> [ ring ] --> definitions --replay----+
//!        |
//!        +-- eventfd (or a pipe), only if the poll thread sleeps
//! ```
//!
//! * `writer`: the four callbacks of the RTS. They copy a chunk into a ring and
//!   return.
//! * `poll_thread`: one thread around `poll(2)` that owns every socket, with
//!   the `session` of the one client, and the `definitions` that every client
//!   begins with. It never calls the RTS.
//! * `flush_thread`, `control`: the threads of ours that do, through the
//!   `gate`; the latter runs clients' commands and the program's handlers.
//! * `recording`: the flight recorder, which the writer hands each chunk, too, if the
//!   program wants it; with a file and a thread of its own.
//! * `threads`: where each of these begins.
//! * `lifecycle`: init, ready, wait. `log`: its starts and ends. `exit`: the end of the
//!   program.
//! * `alone`: the end of a process in which only our threads are left.
//! * `capi`: `include/eventlog_socket.h`.
//!
//! Data flows one way. The poll thread gives back only room, and answers to those
//! who wait for a client or for the end. What a client says goes to `control`.
//!
//! # Two rings
//!
//! The ring of chunks is what a client reads. While it is full the newest chunk is
//! dropped (or waits, see `writer`); while nobody listens it is closed. Both lose
//! chunks, and must not lose definitions: without a capability set or a cost centre
//! a reader cannot make sense of what follows. So a global chunk (the only kind that
//! carries definitions) which the ring of chunks refuses goes into a second ring,
//! which the poll thread empties whatever the client does. The same way go the
//! header, and all that the RTS defines until it is ready: tens of megabytes if the
//! program was built with info tables.
//!
//! # Connections
//!
//! The log is started once and never again for a client: a restart loses
//! definitions on every version of GHC, and a change of the number of capabilities
//! while it is stopped crashes the program. A client gets the header, the
//! definitions so far, then chunks. The first one gets every chunk since the log
//! started, as far as the ring holds it; for a later one the ring is opened in a new
//! epoch when it connects. When it leaves, the ring is closed and what is in it
//! becomes stale, also what an RTS thread is copying at that moment.

mod alone;
mod cancellation;
pub mod capi;
mod chunk;
mod clock;
mod control;
mod definitions;
mod definitions_feed;
mod environment;
mod exit;
mod expansion;
mod facts;
mod faults;
mod flush_thread;
mod flushes;
mod folder;
mod fork;
mod format;
mod futex;
mod gate;
mod identity;
mod instance;
mod last_problem;
mod lifecycle;
mod limits;
mod lock;
mod log;
mod memory;
mod net;
mod poll_thread;
mod recording;
mod renewable;
mod renewal;
mod rts;
mod session;
mod space;
mod status;
mod storage;
mod system;
mod threads;
mod tuning;
mod wake;
mod words;
mod writer;
