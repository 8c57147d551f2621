//! Counts the events of a log by type, without keeping anything.
//!
//! `count FILE [--quiet] [--pull]`

use ghc_eventlog::{EventBody, Item, Reader, StopStatus, names};
use std::collections::BTreeMap;
use std::fs::File;
use std::ops::ControlFlow;

#[derive(Default)]
struct Count {
    events: u64,
    blocks: u64,
    last: u64,
    finished: u64,
    highest_thread: u32,
    low: Vec<u64>,
    high: BTreeMap<u16, u64>,
}

impl Count {
    #[inline(always)]
    fn item(&mut self, item: Item<'_>) {
        match item {
            Item::Event(event) => {
                self.events += 1;
                self.last = self.last.max(event.time);
                match event.body {
                    EventBody::RunThread { thread } => {
                        self.highest_thread = self.highest_thread.max(thread);
                    }
                    EventBody::StopThread {
                        status: StopStatus::FINISHED,
                        ..
                    } => {
                        self.finished += 1;
                    }
                    _ => {}
                }
                match self.low.get_mut(usize::from(event.id())) {
                    Some(count) => *count += 1,
                    None => *self.high.entry(event.id()).or_default() += 1,
                }
            }
            Item::Block(_) => self.blocks += 1,
            _ => {}
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let path = args.next().ok_or("usage: count FILE [--quiet] [--pull]")?;
    let options: Vec<String> = args.collect();
    let quiet = options.iter().any(|option| option == "--quiet");
    let pull = options.iter().any(|option| option == "--pull");

    let mut reader = Reader::new(File::open(path)?);
    let mut count = Count {
        low: vec![0; 256],
        ..Count::default()
    };
    let result = if pull {
        loop {
            match reader.next_item() {
                Ok(Some(item)) => count.item(item),
                Ok(None) => break Ok(()),
                Err(fault) => break Err(fault),
            }
        }
    } else {
        let each = |item: Item<'_>| {
            count.item(item);
            ControlFlow::<()>::Continue(())
        };
        reader.for_each(each).map(|_| ())
    };

    if !quiet {
        let low = count
            .low
            .iter()
            .enumerate()
            .map(|(id, count)| (id as u16, *count));
        for (id, count) in low.filter(|(_, count)| *count > 0).chain(count.high) {
            println!("{count:12} {id:5} {}", names::name_of(id).unwrap_or("?"));
        }
    }
    println!(
        "{} events in {} blocks, last at {} ns",
        count.events, count.blocks, count.last
    );
    println!(
        "{} threads finished, highest {}",
        count.finished, count.highest_thread
    );
    println!("{:?}", reader.ending());
    Ok(result?)
}
