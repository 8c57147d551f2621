//! Going to sleep in `poll`, and what is found on waking up.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::input_budget::Reading;
use super::{Activity, PollThread, RETRY};
use crate::alone;
use crate::clock::{self, monotonic};
use crate::control::{self, INBOX};
use crate::faults::FAULTS;
use crate::net::listener::Listener;
use crate::status::{Error, Result};
use crate::system;

/// How often a client that said it will send nothing more is asked, by an empty
/// block, whether it is still there.
const PROBE: Duration = Duration::from_secs(1);

impl PollThread {
    /// When to wake up even if nothing happens.
    fn timeout(&mut self) -> Option<Duration> {
        let probe = self
            .session
            .as_ref()
            .filter(|session| session.has_begun() && session.client.needs_probing())
            .map(|_| self.next_probe);
        let reading = self
            .session
            .as_ref()
            .filter(|session| !session.client.at_eof)
            .and_then(|_| self.input.rests_until(monotonic()));
        let matters = self.listener.is_some() && self.finish.is_none();
        let stalled = self
            .patience_ends
            .filter(|end| matters && monotonic() < *end);
        let file = self
            .listener
            .as_ref()
            .filter(|_| self.finish.is_none())
            .and_then(|listener| listener.looks_for_file_at(self.session.is_none()));
        let silent = self.silence_ends;
        let visit = self
            .visits
            .rests_until(monotonic())
            .filter(|_| matters && (self.session.is_none() || self.may_displace()));
        let look = alone::interval().map(|interval| self.looked + interval);
        [
            self.finish,
            self.retry,
            self.facts_due,
            probe,
            reading,
            stalled,
            silent,
            visit,
            file,
            look,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Sleep until something happens, and note what did.
    pub(super) fn sleep(&mut self, activity: Activity) -> Result<()> {
        if activity == Activity::Busy {
            // Nobody need wake us.
            return self.poll(false, Some(Duration::ZERO));
        }
        // Chunks matter while they can be sent, or are in the way.
        let wants_chunks = activity == Activity::Idle
            && self.retry.is_none()
            && match &self.session {
                Some(session) => session.has_begun(),
                None => !self.chunks.is_open(),
            };
        self.instance.definitions_bell.arm();
        if wants_chunks {
            self.instance.chunks_bell.arm();
        }
        // After arming: whoever commits from now on wakes us.
        let pending = !self.feed.is_empty()
            || (wants_chunks && (!self.chunks.is_empty() || self.has_untold_loss()));
        let until = if pending {
            Some(Duration::ZERO)
        } else {
            self.timeout().map(|at| at.saturating_sub(monotonic()))
        };
        let polled = self.poll(activity == Activity::Full, until);
        self.instance.definitions_bell.disarm();
        self.instance.chunks_bell.disarm();
        polled
    }

    fn poll(&mut self, writable: bool, timeout: Option<Duration>) -> Result<()> {
        if self.lost {
            return Err(Error::Sys(libc::EBADF));
        }
        let entry = |fd, events| libc::pollfd {
            fd,
            events,
            revents: 0,
        };
        // Negative descriptors are passed over. The listener waits while a client
        // is served that takes what it gets, while accepting would fail, or after a crowd.
        let rests = self.visits.rests_until(monotonic()).is_some();
        let free = !rests && (self.session.is_none() || self.may_displace());
        let listener = match (&self.listener, self.retry) {
            (Some(listener), None) if free => listener.fd(),
            _ => -1,
        };
        let file_watch = self.listener.as_ref().map_or(-1, Listener::file_watch_fd);
        let (client, mut wanted) = match &self.session {
            // After its end, input would be ready forever; so it is while nobody reads.
            Some(session)
                if session.client.at_eof || self.input.rests_until(monotonic()).is_some() =>
            {
                (session.client.fd(), 0)
            }
            Some(session) => (session.client.fd(), libc::POLLIN | system::HALF_CLOSED),
            None => (-1, 0),
        };
        if writable {
            wanted |= libc::POLLOUT;
        }
        let mut entries = [
            entry(self.instance.wake.fd(), libc::POLLIN),
            entry(listener, libc::POLLIN),
            entry(client, wanted),
            entry(file_watch, libc::POLLIN),
        ];
        let millis = match timeout {
            None => -1,
            // Rounded up: with less than a millisecond left it must not spin.
            Some(time) => i32::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX),
        };
        if millis != 0 {
            // Relaxed: a statistic.
            let published = &self.instance.published;
            published.sleeps.fetch_add(1, Ordering::Relaxed);
        }
        // SAFETY: four entries, as said.
        let ready = unsafe { libc::poll(entries.as_mut_ptr(), 4, millis) };
        if ready < 0 {
            if std::io::Error::last_os_error().raw_os_error() == Some(libc::EINTR) {
                FAULTS.interrupted.count();
                return Ok(());
            }
            // Short of memory, as a rule. Whatever it is, the stream goes on without
            // being told of anything, looking for itself now and then.
            FAULTS.polls_failed.count();
            std::thread::sleep(RETRY);
            self.lost |= !self.instance.wake.clear();
            if wanted & libc::POLLIN != 0 {
                self.client_event(libc::POLLIN);
            }
            self.probe_if_due();
            return Ok(());
        }
        if entries[..3].iter().any(|e| e.revents & libc::POLLNVAL != 0) {
            return Err(Error::Sys(libc::EBADF));
        }
        if entries[0].revents != 0 {
            self.lost |= !self.instance.wake.clear();
        }
        if entries[3].revents != 0
            && let Some(listener) = &mut self.listener
        {
            listener.file_watch_told();
        }
        self.another_waits = entries[1].revents != 0 && self.session.is_some();
        if entries[2].revents != 0 {
            self.client_event(entries[2].revents);
        }
        self.probe_if_due();
        Ok(())
    }

    /// The client has taken nothing for so long that whoever comes gets its place.
    pub(super) fn may_displace(&self) -> bool {
        self.session.is_some()
            && self.finish.is_none()
            && self.patience_ends.is_some_and(|end| monotonic() >= end)
    }

    fn client_event(&mut self, events: libc::c_short) {
        let readable = events & (libc::POLLIN | system::HALF_CLOSED) != 0;
        let alive = !readable || self.receive();
        let Some(session) = &mut self.session else {
            return;
        };
        if !alive || events & system::GONE != 0 {
            if events & libc::POLLERR != 0 {
                session.client.break_off();
            }
            self.receive_rest();
            self.disconnect();
        } else if readable && session.client.at_eof {
            // Not needed any more after this.
            FAULTS.clients_half_closed.count();
        }
    }

    /// Read, as far as the budget goes. False if the connection is broken.
    fn receive(&mut self) -> bool {
        let Some(session) = &mut self.session else {
            return true;
        };
        self.input.spend(monotonic(), INBOX.take_spent());
        let may = session.client.may_command;
        let waiting = (may && INBOX.is_crowded()).then(|| INBOX.done());
        let room = match self.input.reading(monotonic(), waiting) {
            Reading::Rests => return true,
            Reading::WhileRoom => true,
            Reading::Anyhow => false,
        };
        let before = clock::of_this_thread();
        let goes_on = || !room || !may || !INBOX.is_crowded();
        let alive = session.receive(&mut control::hear, goes_on);
        let spent = clock::of_this_thread().saturating_sub(before);
        self.input.spend(monotonic(), spent);
        alive
    }

    /// The client is gone, or loses its place: take what it said before.
    pub(super) fn receive_rest(&mut self) {
        let before = clock::of_this_thread();
        if let Some(session) = &mut self.session {
            session.receive_rest(&mut control::hear);
        }
        let spent = clock::of_this_thread().saturating_sub(before);
        self.input.spend(monotonic(), spent);
    }

    fn probe_if_due(&mut self) {
        let now = monotonic();
        if now < self.next_probe {
            return;
        }
        if let Some(session) = &mut self.session
            && session.client.needs_probing()
        {
            session.probe();
            self.next_probe = now + PROBE;
        }
    }
}
