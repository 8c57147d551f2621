//! What logs mean: the parts that several verbs share.

pub mod alive;
pub mod blocks;
pub mod caps;
pub mod classes;
pub mod cover;
pub mod distribution;
pub mod feed;
pub mod gc;
pub mod heap;
pub mod identity;
pub mod losses;
pub mod numbers;
pub mod snapshot;
pub mod spans;
pub mod sparks;
pub mod table;
pub mod target;
pub mod threads;
