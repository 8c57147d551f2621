//! What each capability does with its time.

use ghc_eventlog::{Event, EventBody};

/// One capability.
#[derive(Clone, Debug, Default)]
pub struct Cap {
    /// Since when a thread runs.
    pub running: Option<u64>,
    /// Nanoseconds in Haskell code.
    pub ran: u64,
    /// Nanoseconds in collections.
    pub collected: u64,
    /// How often a thread was started.
    pub switches: u64,
    seen: bool,
    collected_until: u64,
}

/// All capabilities, by number. Each needs its own events in order only.
#[derive(Clone, Debug, Default)]
pub struct Caps {
    caps: Vec<Cap>,
}

impl Caps {
    #[inline]
    pub fn event(&mut self, event: &Event<'_>) {
        let Some(number) = event.cap else { return };
        let cap = self.cap(number);
        match event.body {
            EventBody::RunThread { .. } => {
                cap.running = Some(event.time);
                cap.switches += 1;
            }
            EventBody::StopThread { .. } => {
                let from = cap.running.take().unwrap_or(event.time);
                cap.ran += event.time.saturating_sub(from);
            }
            _ => {}
        }
    }

    #[inline]
    fn cap(&mut self, number: u16) -> &mut Cap {
        let index = usize::from(number);
        if self.caps.len() <= index {
            self.caps.resize_with(index + 1, Cap::default);
        }
        let cap = &mut self.caps[index];
        cap.seen = true;
        cap
    }

    /// A capability's part in a collection.
    pub fn collected(&mut self, number: u16, from: u64, to: u64) {
        let cap = self.cap(number);
        // Parts are dated back; never count a moment twice.
        let from = from.max(cap.collected_until);
        cap.collected += to.saturating_sub(from);
        cap.collected_until = cap.collected_until.max(to);
    }

    /// Those that have said something, with their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (u16, &Cap)> {
        let numbered = self.caps.iter().enumerate();
        numbered
            .filter(|(_, cap)| cap.seen)
            .map(|(number, cap)| (number as u16, cap))
    }
}
