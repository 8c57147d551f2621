//! Whether the file of the Unix socket is still there.
//!
//! Cleaners of temporary directories remove it, and so does who makes its directory anew:
//! nobody could come any more, and nothing would say so. The system tells of it through an
//! inotify descriptor in the set that the poll thread sleeps on, so that an idle program
//! sleeps on; a timer would keep waking it for nothing. There is a timer only where inotify
//! is not available (a user may have 128 such descriptors, usually), and then while
//! nobody is connected; and while the file is missing and could not be made again.
//!
//! What is watched is the file itself, and that its directory is not moved or removed: not
//! the directory's content, which in a directory for everybody changes all the time. A
//! directory further up that is moved, and a mount that covers it, are noticed the next
//! time that there is a reason to look: when a client has left.

use std::os::fd::{AsRawFd, RawFd};
use std::time::Duration;

use super::unix::SocketFile;
use crate::clock::monotonic;
use crate::fork;
use crate::identity::OwnDescriptor;
use crate::system;

/// How often the file is looked for where nothing tells; and how long the pauses between
/// two attempts to make it again become.
const SLOWLY: Duration = Duration::from_secs(30);
/// The shortest time between two looks: somebody who keeps changing the file must not keep us busy.
const PAUSE: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(crate) struct FileWatch {
    /// None after it has reported something, and where there is no inotify.
    watch: Option<Watch>,
    /// Look then.
    due: Option<Duration>,
    /// There is a reason to, also while somebody is connected.
    urgent: bool,
    /// The last look.
    looked: Duration,
    /// It is gone: how long until the next look.
    missing: Option<Duration>,
}

/// What a look for the file has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    There,
    /// `news`: it was there at the last look.
    Gone {
        news: bool,
    },
}

impl FileWatch {
    pub(crate) fn new(file: &SocketFile) -> FileWatch {
        let mut watch = FileWatch {
            watch: None,
            due: None,
            urgent: false,
            looked: monotonic(),
            missing: None,
        };
        watch.begin(file);
        watch
    }

    /// After a look, or the making of the file.
    fn begin(&mut self, file: &SocketFile) {
        self.watch = Watch::of(file);
        self.due = self.watch.is_none().then(|| self.looked + SLOWLY);
        self.urgent = false;
    }

    /// To be polled for input, -1 for nothing.
    pub(crate) fn fd(&self) -> RawFd {
        self.watch.as_ref().map_or(-1, Watch::fd)
    }

    /// When to wake up for a look. `alone`: nobody is connected.
    pub(crate) fn wakes_at(&self, alone: bool) -> Option<Duration> {
        self.due.filter(|_| alone || self.urgent)
    }

    /// The descriptor could be read, or is not open any more: it is not needed any longer.
    pub(crate) fn told(&mut self) {
        self.watch = None;
        self.due = Some(self.looked + PAUSE);
        self.urgent = true;
    }

    /// The poll thread is awake anyhow: time for a look, if the last one is not just over.
    pub(crate) fn look_by_the_way(&mut self) {
        let now = monotonic();
        if now >= self.looked + PAUSE {
            self.due = Some(now);
        }
    }

    /// It is time to look.
    pub(crate) fn is_due(&self) -> bool {
        self.due.is_some_and(|due| due <= monotonic())
    }

    /// Look for the file.
    pub(crate) fn look(&mut self, file: &SocketFile) -> Look {
        self.looked = monotonic();
        // Before the look: what happens in between is told.
        if self.watch.is_none() {
            self.begin(file);
        } else {
            self.due = None;
        }
        if file.is_there() {
            self.missing = None;
            return Look::There;
        }
        let news = self.missing.is_none();
        let pause = self.missing.unwrap_or(PAUSE);
        self.watch = None;
        self.due = Some(self.looked + pause);
        self.urgent = true;
        self.missing = Some((2 * pause).min(SLOWLY));
        Look::Gone { news }
    }
}

/// An inotify descriptor, which can be read when something has happened. It is not read,
/// but closed: the program may have another file under its number.
#[derive(Debug)]
struct Watch(OwnDescriptor);

impl Watch {
    fn of(file: &SocketFile) -> Option<Watch> {
        let descriptor = system::watch_file(file.path(), file.folder_path())?;
        fork::own(fork::Slot::SocketWatch, Some(descriptor.as_raw_fd()));
        Some(Watch(OwnDescriptor::new(descriptor)))
    }

    fn fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        fork::disown(fork::Slot::SocketWatch, self.fd());
        let mut waiting: libc::c_int = 0;
        // All files without a name look the same: an eventfd of the program's, say. But
        // these can be asked how much there is to read.
        // SAFETY: a number for the answer; a descriptor that is none is an error.
        if unsafe { libc::ioctl(self.fd(), libc::FIONREAD, &raw mut waiting) } < 0 {
            self.0.forget();
        }
    }
}
