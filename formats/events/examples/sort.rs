//! Sorts a log by time, whatever its size.
//!
//! `sort IN OUT [MEBIBYTES]`

use ghc_eventlog::{SortOptions, sort};
use std::fs::File;
use std::io::BufWriter;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [input, output, rest @ ..] = &args[..] else {
        return Err("usage: sort IN OUT [MEBIBYTES]".into());
    };
    let mut options = SortOptions::default();
    if let Some(mebibytes) = rest.first() {
        options.memory = mebibytes.parse::<usize>()? << 20;
    }
    let output = BufWriter::with_capacity(1 << 18, File::create(output)?);
    let summary = sort(File::open(input)?, output, &options)?;
    println!("{summary:?}");
    Ok(())
}
