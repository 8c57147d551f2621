//! The end of the log, and its start after that.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{Activity, PollThread, RETRY};
use crate::clock::monotonic;
use crate::control;
use crate::faults::FAULTS;
use crate::net::BACKLOG;
use crate::net::listener::{Accepted, Listener};
use crate::session::{SendOutcome, Session};

/// How long a client that spoke may take to close its end, at the end.
const LINGER: Duration = Duration::from_millis(250);

impl PollThread {
    /// A log was started after the end of another: as after init.
    pub(super) fn reopen(&mut self) {
        let Some(address) = &self.address else {
            // For the file, whose log it is: the first one has begun with init.
            control::INBOX.log_begins_if_none_runs();
            return;
        };
        match Listener::open(address, self.options) {
            Ok(listener) => {
                let port = &self.instance.published.port;
                // Relaxed: a statistic.
                port.store(listener.port(), Ordering::Relaxed);
                self.listener = Some(listener);
                self.chunks.open();
                control::INBOX.log_begins();
                self.instance.progress(|progress| {
                    progress.failure = None;
                    progress.closed = false;
                });
            }
            Err(error) => self
                .instance
                .progress(|progress| progress.failure = Some(error)),
        }
    }

    /// End the stream when all of it is sent, or its time is over.
    pub(super) fn end_if_due(&mut self, served: Activity) -> Activity {
        let Some(deadline) = self.finish else {
            return served;
        };
        self.chunks.close();
        if monotonic() < deadline
            && let Some(activity) = self.still_delivering(served)
        {
            return activity;
        }
        // A reset for what nobody has read would take the end of the stream with it.
        if self.input.rests_until(monotonic()).is_some() {
            self.receive_rest();
        }
        if let Some(session) = &mut self.session {
            let patience = LINGER.min(deadline.saturating_sub(monotonic()));
            session.client.end_stream(patience);
        }
        self.disconnect();
        // Without a client, too, nothing that is left is for a later one.
        self.chunks.reset();
        control::INBOX.log_ends();
        self.discard();
        self.turn_away();
        self.listener = None;
        self.finish = None;
        self.instance.progress(|progress| {
            progress.finished += 1;
            progress.closed = true;
        });
        Activity::Busy
    }

    /// Those who waited for their turn get a log that has ended, not a reset.
    fn turn_away(&mut self) {
        let Some(listener) = &self.listener else {
            return;
        };
        for _ in 0..BACKLOG {
            let Accepted::Client(client) = listener.accept() else {
                return;
            };
            let Ok(mut session) = Session::new(client, self.instance) else {
                FAULTS.clients_refused.count();
                continue;
            };
            // Without memory it gets an end, and nothing before it.
            if self.definitions.has_header()
                && session.begin(&self.definitions, &self.chunks).is_ok()
            {
                session.tell_end(None, &self.definitions, &self.chunks);
                // As much as the socket takes at once; the ring has nothing live.
                while session.send(&mut self.chunks, &mut self.definitions) == SendOutcome::More {}
            }
            session.client.end_stream(Duration::ZERO);
            self.received += session.client.received();
        }
    }

    /// How to wait for the rest of the stream to be sent; `None` if it is, or if
    /// there is nobody to send it to.
    fn still_delivering(&mut self, served: Activity) -> Option<Activity> {
        let session = self
            .session
            .as_mut()
            .filter(|session| session.has_begun())?;
        let drained = served == Activity::Idle
            && self.retry.is_none()
            && self.chunks.is_idle()
            && self.feed.is_empty();
        if !drained {
            return Some(served);
        }
        if session.make_room().is_err() {
            self.retry = Some(monotonic() + RETRY);
            return Some(Activity::Idle);
        }
        let loss = self.chunks.take_loss();
        let told = session.tell_end(loss, &self.definitions, &self.chunks);
        told.then_some(Activity::Busy)
    }
}
