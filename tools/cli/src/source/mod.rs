//! Sources on the command line: their arguments, and what the user is told about them.

mod args;
mod find;
mod share;
mod text;

pub use args::{FlushArgs, ProtocolArg, SourceArgs, parser};
pub use find::{found, perhaps, source};
pub use share::{attach, attach_and, keep_little, leave, visit};
pub use text::{connect, failed, hint, notice_text, reason, tell};
