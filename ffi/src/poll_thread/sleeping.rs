//! Going to sleep in `poll`, and what is found on waking up.

use std::time::Duration;

use super::{PollThread, RETRY, Rest};
use crate::clock::monotonic;
use crate::status::{Error, Result};

/// How often a client that said it will send nothing more is asked, by an empty
/// block, whether it is still there.
const PROBE: Duration = Duration::from_secs(1);

impl PollThread {
    /// When to wake up without a reason.
    fn timeout(&mut self) -> Option<Duration> {
        let probe = self
            .session
            .as_ref()
            .filter(|session| session.has_begun() && session.client.needs_probing())
            .map(|_| self.next_probe);
        [self.finish, self.retry, probe].into_iter().flatten().min()
    }

    /// Sleep until something happens, and note what did.
    pub(super) fn sleep(&mut self, rest: Rest) -> Result<()> {
        if self.chunks.is_idle() && self.feed.is_empty() {
            self.definitions.is_up_to_date();
        }
        if rest == Rest::Busy {
            // Nobody need wake us.
            return self.poll(false, Some(Duration::ZERO));
        }
        // Chunks matter while they can be sent, or are in the way.
        let wants_chunks = rest == Rest::Idle
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
        let polled = self.poll(rest == Rest::Full, until);
        self.instance.definitions_bell.disarm();
        self.instance.chunks_bell.disarm();
        polled
    }

    fn poll(&mut self, writable: bool, timeout: Option<Duration>) -> Result<()> {
        let entry = |fd, events| libc::pollfd {
            fd,
            events,
            revents: 0,
        };
        // Negative descriptors are passed over. The listener waits while a client
        // is served, or while accepting would fail.
        let listener = match (&self.listener, &self.session, self.retry) {
            (Some(listener), None, None) => listener.fd(),
            _ => -1,
        };
        let (client, mut wanted) = match &self.session {
            // After its end, input would be ready for ever.
            Some(session) if session.client.at_eof => (session.client.fd(), 0),
            Some(session) => (session.client.fd(), libc::POLLIN | libc::POLLRDHUP),
            None => (-1, 0),
        };
        if writable {
            wanted |= libc::POLLOUT;
        }
        let mut entries = [
            entry(self.instance.wake.fd(), libc::POLLIN),
            entry(listener, libc::POLLIN),
            entry(client, wanted),
        ];
        let millis = match timeout {
            None => -1,
            // Rounded up: a rest of a millisecond must not spin.
            Some(time) => i32::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX),
        };
        // SAFETY: three entries, as said.
        let ready = unsafe { libc::poll(entries.as_mut_ptr(), 3, millis) };
        if ready < 0 {
            match std::io::Error::last_os_error().raw_os_error() {
                Some(libc::EINTR) => return Ok(()),
                Some(libc::EAGAIN | libc::ENOMEM) => {
                    std::thread::sleep(RETRY);
                    return Ok(());
                }
                error => return Err(Error::Sys(error.unwrap_or(libc::EINVAL))),
            }
        }
        if entries[0].revents != 0 {
            self.instance.wake.clear();
        }
        if entries[2].revents != 0 {
            self.client_event(entries[2].revents);
        }
        self.probe_if_due();
        Ok(())
    }

    fn client_event(&mut self, events: libc::c_short) {
        let Some(session) = &mut self.session else {
            return;
        };
        let readable = events & (libc::POLLIN | libc::POLLRDHUP) != 0;
        let alive = !readable || session.receive();
        if !alive || events & (libc::POLLERR | libc::POLLHUP | libc::POLLNVAL) != 0 {
            session.receive_rest();
            self.disconnect();
        }
    }

    fn probe_if_due(&mut self) {
        let now = monotonic();
        if now < self.next_probe {
            return;
        }
        if let Some(session) = &mut self.session
            && session.client.needs_probing()
        {
            session.probe(self.definitions.latest());
            self.next_probe = now + PROBE;
        }
    }
}
