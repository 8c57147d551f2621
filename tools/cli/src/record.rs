//! Recording streams: splitting them where files can be split, naming the
//! files, and repeating what a new file must know.

mod files;
mod packed;
mod queue;
mod spool;
mod tee;

pub use files::{Files, Rotation, earlier};
pub use queue::{Queue, Taken};
pub use spool::Spool;
pub use tee::{Piece, Tee};
