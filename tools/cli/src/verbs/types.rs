//! `eventlog types`.

use crate::filter::{CLASSES, class_of};
use crate::output;
use ghc_eventlog::names;
use std::io::Write;
use std::process::ExitCode;

/// List the event types and the classes of types that filters accept
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  eventlog types
  eventlog types --json | jq -r 'select(.class == \"gc\").name'")]
pub struct Args {
    /// Print one JSON object per line
    #[arg(long)]
    json: bool,
}

/// Lists.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let mut out = output::out();
    let mut known: Vec<_> = names::known().collect();
    known.sort_unstable();
    if args.json {
        for (id, name) in known {
            let line = serde_json::json!({ "id": id, "name": name, "class": class_of(id) });
            writeln!(out, "{line}")?;
        }
    } else {
        writeln!(out, "{:>5}  {:<30} class", "id", "name")?;
        for (id, name) in known {
            writeln!(out, "{id:>5}  {name:<30} {}", class_of(id).unwrap_or("-"))?;
        }
        let classes: Vec<_> = CLASSES.iter().map(|(name, _)| *name).collect();
        writeln!(out, "\nclasses: {}", classes.join(" "))?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}
