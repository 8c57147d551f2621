//! Sources on the command line: their arguments, and what the user is told about them.

mod args;
mod text;

pub use args::{FlushArgs, ProtocolArg, SourceArgs, parser};
pub use text::{connect, failed, hint, notice_text, reason, tell};
