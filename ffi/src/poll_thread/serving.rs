//! Serving a client, from accept to disconnect.

use std::sync::atomic::Ordering;
use std::time::Duration;

use eventlog_ring::RecordState;

use super::{Activity, PollThread, RETRY};
use crate::clock::{self, monotonic};
use crate::control;
use crate::faults::FAULTS;
use crate::flush_thread;
use crate::memory::OutOfMemory;
use crate::net::listener::Accepted;
use crate::session::{self, SendOutcome, Session};

/// Sends per round, so that definitions, requests and a client's input have
/// their turn while a fast client takes all there is.
const SENDS_PER_ROUND: usize = 16;

/// How long what was sent over TCP may be unacknowledged before that is looked into. Later
/// than any machine that is there, so that a stream which pauses costs one wake-up at most.
const ANSWER: Duration = Duration::from_secs(20);
/// The same, when it has been looked into.
const ANSWER_AGAIN: Duration = Duration::from_secs(1);
/// The machine at the other end is gone when it has acknowledged nothing for so long.
const SILENCE: Duration = Duration::from_secs(40);

impl PollThread {
    pub(super) fn accept(&mut self) {
        if self.finish.is_none()
            && let Some(listener) = &mut self.listener
        {
            listener.look_after_file();
        }
        if self.session.is_some() || self.retry.is_some() {
            return;
        }
        if self.visits.rests_until(monotonic()).is_some() {
            return;
        }
        let Some(listener) = &self.listener else {
            return;
        };
        match listener.accept() {
            Accepted::Nobody => {}
            Accepted::Later => self.retry = Some(monotonic() + RETRY),
            Accepted::Lost => self.lost = true,
            Accepted::Client(client) => {
                self.visited.get_or_insert_with(clock::of_this_thread);
                // The first client gets what was kept since the log started; a
                // later one what comes from now on.
                if !self.chunks.is_open() && self.finish.is_none() {
                    self.chunks.open();
                    control::INBOX.log_begins();
                }
                let Ok(session) = Session::new(client, self.instance) else {
                    self.refuse();
                    return;
                };
                self.session = Some(session);
                self.connections += 1;
                self.next_probe = Duration::ZERO;
                self.instance.connected.store(true, Ordering::Relaxed);
                self.instance.progress(|progress| {
                    progress.connected = true;
                    progress.begun += 1;
                });
                flush_thread::client_changed(true);
            }
        }
    }

    /// There is no memory for a client, who has been turned away; for the next one there
    /// may be.
    fn refuse(&mut self) {
        FAULTS.clients_refused.count();
        self.retry = Some(monotonic() + RETRY);
    }

    /// The client is gone: nothing of its stream may reach the next one.
    pub(super) fn disconnect(&mut self) {
        let Some(session) = self.session.take() else {
            return;
        };
        self.visited.get_or_insert_with(clock::of_this_thread);
        self.received += session.client.received();
        self.patience_ends = None;
        session.stop_receiving(&mut control::hear);
        self.silence_ends = None;
        if let Some(listener) = &mut self.listener {
            listener.look_by_the_way();
        }
        // Before the statistics tell it: who has read there that nobody is connected, and
        // waits, waits for the next one.
        self.instance
            .progress(|progress| progress.connected = false);
        self.instance.serving.store(false, Ordering::Relaxed);
        // One that left before it got anything has taken nothing from the next.
        if session.has_begun() {
            self.chunks.reset();
            control::INBOX.log_ends();
        }
        // Release those that wait for this client.
        self.instance.space.made();
        flush_thread::client_changed(false);
        let admitted = session.admitted();
        drop(session);
        // Its descriptor is closed. Release: pairs with the Acquire in the statistics.
        self.instance.connected.store(false, Ordering::Release);
        self.chunks.release(admitted);
        self.discard();
    }

    /// Release what no client will get, learning what it defines.
    pub(super) fn discard(&mut self) {
        loop {
            let Some(record) = self.chunks.records().next() else {
                return;
            };
            // One that tells of a loss is for the client, too, if one is awaited.
            if record.state() == RecordState::Live || record.loss_before().is_some() {
                return;
            }
            session::learn(&mut self.definitions, &record, None);
            self.chunks.release(1);
        }
    }

    fn may_begin(&self) -> bool {
        // Acquire: pairs with the Release in `lifecycle::ready`, so that `begin`
        // finds the facts and what the flush wrote.
        let ready = self.instance.globals_flow.load(Ordering::Acquire)
            || self.instance.begin_unready.load(Ordering::Relaxed);
        (ready || self.finish.is_some()) && self.definitions.has_header()
    }

    /// Send what there is, as far as the client takes it.
    pub(super) fn serve(&mut self) -> Activity {
        if self.session.is_none() {
            self.discard();
            return Activity::Idle;
        }
        if self.may_begin() && self.begin().is_err() {
            // The client notices at once, and may connect again.
            self.disconnect();
            self.refuse();
            return Activity::Idle;
        }
        if self.has_vanished() {
            self.disconnect();
            return Activity::Busy;
        }
        let Some(session) = &mut self.session else {
            return Activity::Busy;
        };
        let mut sent = false;
        let mut activity = Activity::Busy;
        for _ in 0..SENDS_PER_ROUND {
            match session.send(&mut self.chunks, &mut self.definitions) {
                SendOutcome::More => sent = true,
                SendOutcome::Idle => activity = Activity::Idle,
                SendOutcome::Full => activity = Activity::Full,
                SendOutcome::Later => {
                    self.retry = Some(monotonic() + RETRY);
                    activity = Activity::Idle;
                }
                SendOutcome::Gone => {
                    self.receive_rest();
                    self.disconnect();
                    return Activity::Busy;
                }
            }
            if activity != Activity::Busy {
                break;
            }
        }
        if sent {
            self.instance.space.made();
            self.patience_ends = None;
            if self.silence_ends.is_none() && session.client.can_vanish() {
                self.silence_ends = Some(monotonic() + ANSWER);
            }
        }
        let another_waits = std::mem::take(&mut self.another_waits);
        if activity == Activity::Full && self.patience_ends.is_none() {
            let patience = self.instance.tuning.stall_timeout;
            self.patience_ends = patience.map(|patience| monotonic() + patience);
        } else if activity == Activity::Full && another_waits && self.may_displace() {
            // A send that has just been tried took nothing.
            FAULTS.clients_displaced.count();
            self.receive_rest();
            self.disconnect();
            return Activity::Busy;
        }
        let idle = activity == Activity::Idle && self.chunks.is_idle();
        if idle && self.tell_what_is_left() {
            return Activity::Busy;
        }
        // In between, so that nothing waits for it.
        if self.chunks_memory.populate_more(&mut self.populated) {
            return Activity::Busy;
        }
        activity
    }

    /// The machine of a TCP client has not acknowledged for too long what it was sent.
    fn has_vanished(&mut self) -> bool {
        let now = monotonic();
        if self.silence_ends.is_none_or(|end| now < end) {
            return false;
        }
        self.silence_ends = None;
        let Some(session) = &mut self.session else {
            return false;
        };
        match session.client.silence() {
            // It has everything, or may take no more: the next send looks again.
            None => false,
            Some(silence) if silence >= SILENCE => {
                session.client.break_off();
                true
            }
            Some(silence) => {
                self.silence_ends = Some(now + (SILENCE - silence).max(ANSWER_AGAIN));
                false
            }
        }
    }

    /// Something was lost after all that is sent, and no chunk is on its way that
    /// would carry the note of it.
    pub(super) fn has_untold_loss(&self) -> bool {
        self.chunks.has_loss()
            && self
                .session
                .as_ref()
                .is_some_and(|session| session.has_begun() && !session.has_ended())
            && self.chunks.is_idle()
    }

    /// Report losses that no chunk carries, after all that is sent. False if there are none.
    fn tell_what_is_left(&mut self) -> bool {
        let untold = self.has_untold_loss();
        let Some(session) = &mut self.session else {
            return false;
        };
        let told = match session.make_room() {
            Ok(()) => {
                let loss = untold.then(|| self.chunks.take_loss()).flatten();
                match loss {
                    Some(loss) => {
                        session.tell_loss(&loss, &self.definitions, &self.chunks);
                        Ok(true)
                    }
                    None => session.tell_delta(&self.definitions, &self.chunks),
                }
            }
            Err(error) => Err(error),
        };
        told.unwrap_or_else(|OutOfMemory| {
            self.retry = Some(monotonic() + RETRY);
            false
        })
    }

    /// Begin the stream, if it has not begun.
    fn begin(&mut self) -> Result<(), OutOfMemory> {
        if self.session.as_ref().is_some_and(Session::has_begun) {
            return Ok(());
        }
        // Facts and definitions come before the switch that let us in.
        self.fill_gaps();
        self.learn(usize::MAX);
        if let Some(session) = &mut self.session {
            session.begin(&self.definitions, &self.chunks)?;
        }
        self.instance.serving.store(true, Ordering::Relaxed);
        // Release: for writers of the older API, which need not say ready.
        self.instance.globals_flow.store(true, Ordering::Release);
        Ok(())
    }
}
