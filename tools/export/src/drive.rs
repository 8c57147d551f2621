//! Folds events into facts, and passes both to the exporter.

use crate::exporter::Exporter;
use eventlog_state::{
    CapInterval, Collection, Fact, HeapValue, Keep, Migration, Part, Phase, Rule, Sample, Spans,
    State, Thread, ThreadInterval, Turn, Wakeup,
};
use ghc_eventlog::{Block, Event, Header};
use std::sync::Arc;

/// Folds a log and passes what happens in it to an [`Exporter`].
#[derive(Debug)]
pub struct Export<E, R> {
    exporter: E,
    spans: Spans<R>,
    state: Option<State>,
    facts: Vec<Kept>,
}

/// A fact, kept until its event has been folded.
#[derive(Debug)]
enum Kept {
    Thread(ThreadInterval),
    Gone(u32, Thread),
    Cap(CapInterval),
    Wakeup(Wakeup),
    Migration(Migration),
    Part(Part),
    Collection(Collection),
    Phase(Phase),
    Heap(HeapValue),
    Sample(Sample),
}

impl Kept {
    /// `None` for facts that no format can represent.
    fn new(fact: Fact<'_>) -> Option<Self> {
        Some(match fact {
            Fact::Thread(interval) => Self::Thread(interval),
            Fact::Gone { id, thread } => Self::Gone(id, thread.clone()),
            Fact::Cap(interval) => Self::Cap(interval),
            Fact::Wakeup(wakeup) => Self::Wakeup(wakeup),
            Fact::Migration(migration) => Self::Migration(migration),
            Fact::Part(part) => Self::Part(part),
            Fact::Collection(collection) => Self::Collection(*collection),
            Fact::Phase(phase) => Self::Phase(phase),
            Fact::Heap(value) => Self::Heap(value),
            Fact::Sample(sample) => Self::Sample(sample.clone()),
            _ => return None,
        })
    }

    fn fact(&self) -> Fact<'_> {
        match self {
            Self::Thread(interval) => Fact::Thread(*interval),
            Self::Gone(id, thread) => Fact::Gone { id: *id, thread },
            Self::Cap(interval) => Fact::Cap(*interval),
            Self::Wakeup(wakeup) => Fact::Wakeup(*wakeup),
            Self::Migration(migration) => Fact::Migration(*migration),
            Self::Part(part) => Fact::Part(*part),
            Self::Collection(collection) => Fact::Collection(collection),
            Self::Phase(phase) => Fact::Phase(*phase),
            Self::Heap(value) => Fact::Heap(*value),
            Self::Sample(sample) => Fact::Sample(sample),
        }
    }
}

impl<E: Exporter, R: Rule> Export<E, R> {
    /// An export with this exporter; `rule` determines which messages begin and end spans.
    pub fn new(exporter: E, rule: R) -> Self {
        let spans = Spans::new(rule, &exporter.keep().limits);
        Self {
            exporter,
            spans,
            state: None,
            facts: Vec::new(),
        }
    }

    /// Takes a header: a log begins, or begins again.
    ///
    /// # Errors
    ///
    /// Those of the exporter.
    pub fn header(&mut self, header: &Arc<Header>) -> Result<(), E::Error> {
        self.end()?;
        self.spans.restart();
        // Spans are followed here, by any rule.
        let keep = Keep {
            spans: false,
            ..self.exporter.keep()
        };
        let state = self.state.insert(State::new(header, keep));
        self.exporter.begin(state)
    }

    /// Takes the beginning of a block, just before its first event.
    ///
    /// # Errors
    ///
    /// Those of the exporter.
    pub fn block(&mut self, block: &Block<'_>) -> Result<(), E::Error> {
        let Some(state) = &mut self.state else {
            return Ok(());
        };
        state.block(block, &mut |fact| self.facts.extend(Kept::new(fact)));
        self.tell()
    }

    /// Takes an event.
    ///
    /// # Errors
    ///
    /// Those of the exporter.
    #[inline]
    pub fn event(&mut self, event: &Event<'_>, turn: Turn) -> Result<(), E::Error> {
        let Some(state) = &mut self.state else {
            return Ok(());
        };
        self.exporter.event(state, event)?;
        if let Some(span) = self.spans.event(event, state) {
            self.exporter.fact(state, &Fact::Span(&span))?;
        }
        state.apply(event, turn, &mut |fact| self.facts.extend(Kept::new(fact)));
        self.tell()
    }

    #[inline]
    fn tell(&mut self) -> Result<(), E::Error> {
        let Some(state) = &self.state else {
            return Ok(());
        };
        for fact in self.facts.drain(..) {
            self.exporter.fact(state, &fact.fact())?;
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), E::Error> {
        let Some(mut state) = self.state.take() else {
            return Ok(());
        };
        // Ending the log empties the state, and there may be too many threads to keep the facts.
        let last = state.snapshot();
        let mut result = Ok(());
        state.finish(&mut |fact| {
            if result.is_ok() {
                result = self.exporter.fact(&last, &fact);
            }
        });
        result?;
        self.exporter.end(&last)
    }

    /// Ends the log.
    ///
    /// # Errors
    ///
    /// Those of the exporter.
    pub fn finish(mut self) -> Result<E::Report, E::Error> {
        self.end()?;
        self.exporter.finish()
    }
}
