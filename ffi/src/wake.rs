//! How a writer wakes the poll thread out of `poll`.
//!
//! An eventfd on Linux, a pipe elsewhere. Writing to either is async-signal-safe
//! and, non-blocking as they are, never waits: if it cannot be written, a wake-up
//! is pending already. So the program may have closed it, and opened something of its own
//! with the number, which is looked at first: a write to its pipe could wait for room, or be
//! answered by SIGPIPE.

use std::io;
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::faults::FAULTS;
use crate::fork;
use crate::identity::{self, Identity};
use crate::system::Bell;

#[derive(Debug)]
pub(crate) struct Wake {
    bell: Bell,
    /// Of which file both ends are. An eventfd shares it with what else has no file of its own
    /// (of that, only another eventfd can be written), and with no file, pipe, socket or terminal.
    file: Option<Identity>,
    lost: AtomicBool,
}

impl Wake {
    pub(crate) fn new() -> io::Result<Wake> {
        let bell = Bell::new()?;
        fork::own(fork::Slot::WakeRead, Some(bell.read_end()));
        fork::own(fork::Slot::WakeWrite, bell.write_end());
        Ok(Wake {
            file: identity::identity(bell.read_end()),
            bell,
            lost: AtomicBool::new(false),
        })
    }

    /// To be polled for input.
    pub(crate) fn fd(&self) -> RawFd {
        self.bell.read_end()
    }

    /// Make `poll` return.
    pub(crate) fn wake(&self) {
        // Relaxed: a thread that reads the old value writes to the descriptor that was.
        if self.lost.load(Ordering::Relaxed) {
            return;
        }
        if self.is_another(self.bell.write_end().unwrap_or(self.bell.read_end())) {
            FAULTS.wakeups_failed.count();
            return;
        }
        match self.bell.ring() {
            Ok(()) => {}
            // Full: so it is readable already.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                FAULTS.wakeups_pending.count();
            }
            Err(_) => FAULTS.wakeups_failed.count(),
        }
    }

    /// The program has closed the descriptor, which may be another one now.
    pub(crate) fn lose(&self) {
        self.lost.store(true, Ordering::Relaxed);
        fork::own(fork::Slot::WakeRead, None);
        fork::own(fork::Slot::WakeWrite, None);
    }

    /// Take the wake-ups that have come. False if what could be read was none, or if
    /// nothing ever can be: the descriptor is not ours any more.
    pub(crate) fn clear(&self) -> bool {
        let ours = !self.is_another(self.bell.read_end())
            && match self.bell.clear() {
                Ok(ours) => ours,
                // There may be none. What else fails, such as a read of what is open for
                // writing alone, fails forever, and may be ready forever.
                Err(error) => matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::EINTR)),
            };
        if !ours {
            FAULTS.wakeups_failed.count();
        }
        ours
    }

    fn is_another(&self, end: RawFd) -> bool {
        identity::is_another(end, self.file)
    }
}

impl Drop for Wake {
    fn drop(&mut self) {
        fork::own(fork::Slot::WakeRead, None);
        fork::own(fork::Slot::WakeWrite, None);
    }
}
