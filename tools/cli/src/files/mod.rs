//! Files that are written: without a name while they are incomplete, packed if their name says so.

mod name;
mod pack;
mod temporary;
mod whole;

pub use name::{destination, directory, is_standard_output, is_taken_as_it_is};
pub use pack::{Packed, Packer};
pub use temporary::unnamed;
pub use whole::Whole;
