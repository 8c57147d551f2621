//! Prints the events of standard input ordered by time, as they arrive: as
//! text, or with `--json` as one JSON object per line.
//!
//! `program-that-streams | follow [--json]`

use ghc_eventlog::{Item, Order, OrderOptions, Reader, WallClock};
use std::io::{self, BufWriter, Write};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let json = std::env::args().any(|arg| arg == "--json");
    let mut out = BufWriter::new(io::stdout().lock());
    let mut reader = Reader::new(io::stdin().lock());
    let mut order = Order::new(OrderOptions::default());
    let mut clock = None;
    let mut line = String::new();
    loop {
        let last = match reader.next_item()? {
            Some(item) => {
                if let Item::Event(event) = &item {
                    clock = clock.or(WallClock::from_event(event));
                }
                order.push(&item);
                false
            }
            None => {
                order.flush();
                true
            }
        };
        while let Some(ordered) = order.next_event() {
            let event = ordered.event;
            if json {
                line.clear();
                event.write_json(&mut line)?;
                writeln!(out, "{line}")?;
                continue;
            }
            match clock {
                Some(clock) => write!(out, "{} ", clock.at(event.time))?,
                None => write!(out, "{} ", event.time)?,
            }
            match event.cap {
                Some(cap) => writeln!(out, "cap {cap}: {event}")?,
                None => writeln!(out, "{event}")?,
            }
        }
        if last {
            break;
        }
    }
    out.flush()?;
    if order.late() > 0 {
        eprintln!("{} events arrived too late to be in order", order.late());
    }
    Ok(())
}
