//! Recording streams: splitting them where files can be split, naming the files, and repeating what
//! each new file must contain.

mod files;
mod packed;
mod queue;
mod spool;
mod tee;

pub use files::{Files, Rotation, earlier};
pub use queue::{Queue, Taken};
pub use spool::Spool;
pub use tee::{Piece, Tee};
