//! Passes each event to the part of the state that handles it. Those about threads, nearly all of
//! most logs, are first.

use super::State;
use crate::context::{Context, Moment, Place};
use crate::fact::Fact;
use crate::turn::Turn;
use ghc_eventlog::{Encoded, Event, EventBody, ids};

/// Calls a function of the scheduler.
macro_rules! schedule {
    ($state:ident.$function:ident($told:expr), $event:ident, $turn:ident, $see:ident) => {{
        $state.tells.scheduler = true;
        // By reference: a copy is read in larger parts than it was just written in, for which a
        // processor waits.
        let with = &Context {
            event: $event,
            turn: $turn,
            keep: &$state.keep,
            losses: &$state.losses,
        };
        $state.scheduler.$function($told, with, $see)
    }};
}

impl State {
    /// Takes an event.
    #[inline]
    pub fn apply(&mut self, event: &Event<'_>, turn: Turn, see: &mut impl FnMut(Fact<'_>)) {
        let place = &Moment::of(event);
        self.happens(place);
        match event.body {
            EventBody::RunThread { thread } => schedule!(self.run(thread), place, turn, see),
            EventBody::StopThread {
                thread,
                status,
                info,
            } => schedule!(self.stop((thread, status, info)), place, turn, see),
            EventBody::ThreadWakeup { thread, other_cap } => {
                schedule!(self.wakeup((thread, other_cap)), place, turn, see)
            }
            EventBody::CreateThread { thread } => {
                schedule!(self.create(thread), place, turn, see)
            }
            EventBody::MigrateThread { thread, new_cap } => {
                schedule!(self.migrate((thread, new_cap)), place, turn, see)
            }
            _ => self.rare(event, turn, see),
        }
    }

    /// The same for an event that is not decoded: faster, if nothing else needs it decoded.
    #[inline(always)]
    pub fn apply_encoded(
        &mut self,
        event: &Encoded<'_>,
        turn: Turn,
        see: &mut impl FnMut(Fact<'_>),
    ) {
        self.happens(event);
        match event.id() {
            ids::RUN_THREAD => self.thread_runs(event, turn, see),
            ids::STOP_THREAD => self.thread_stops(event, turn, see),
            ids::THREAD_WAKEUP => self.thread_wakes(event, turn, see),
            ids::USER_MSG => self.program_speaks(event, see),
            _ => self.apply_decoded(event, turn, see),
        }
    }

    #[inline(always)]
    fn happens(&mut self, event: &impl Place) {
        self.time = self.time.max(event.time());
        self.first = self.first.min(event.time());
        self.scheduler.spoke(event);
    }

    // Most events need little. In functions of their own it stays in registers, and so do the
    // caller's variables.

    #[inline(never)]
    fn thread_runs(&mut self, event: &Encoded<'_>, turn: Turn, see: &mut impl FnMut(Fact<'_>)) {
        match event.body_as(ids::RUN_THREAD) {
            EventBody::RunThread { thread } => schedule!(self.run(thread), event, turn, see),
            _ => self.apply_decoded(event, turn, see),
        }
    }

    #[inline(never)]
    fn thread_stops(&mut self, event: &Encoded<'_>, turn: Turn, see: &mut impl FnMut(Fact<'_>)) {
        match event.body_as(ids::STOP_THREAD) {
            EventBody::StopThread {
                thread,
                status,
                info,
            } => schedule!(self.stop((thread, status, info)), event, turn, see),
            _ => self.apply_decoded(event, turn, see),
        }
    }

    #[inline(never)]
    fn thread_wakes(&mut self, event: &Encoded<'_>, turn: Turn, see: &mut impl FnMut(Fact<'_>)) {
        match event.body_as(ids::THREAD_WAKEUP) {
            EventBody::ThreadWakeup { thread, other_cap } => {
                schedule!(self.wakeup((thread, other_cap)), event, turn, see)
            }
            _ => self.apply_decoded(event, turn, see),
        }
    }

    #[inline(never)]
    fn program_speaks(&mut self, event: &Encoded<'_>, see: &mut impl FnMut(Fact<'_>)) {
        self.message(&event.decode_as(ids::USER_MSG), see);
    }

    #[inline(never)]
    fn apply_decoded(&mut self, event: &Encoded<'_>, turn: Turn, see: &mut impl FnMut(Fact<'_>)) {
        self.apply(&event.decode(), turn, see);
    }
}
