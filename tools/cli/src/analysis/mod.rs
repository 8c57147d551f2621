//! What logs mean: the parts that several verbs share.

pub mod cover;
pub mod feed;
pub mod needs;
pub mod numbers;
pub mod rules;
pub mod table;
pub mod target;
