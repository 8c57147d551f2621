//! Files that are written: without a name while they are incomplete, packed if their name says so.

mod name;
mod new_file;
mod pack;
mod temporary;

pub use name::{destination, directory, is_standard_output, is_taken_as_it_is};
pub use new_file::NewFile;
pub use pack::{Packed, Packer};
pub use temporary::unnamed;
