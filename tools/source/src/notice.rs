//! Notices for the user of a source while it is read.

use crate::silence::Silence;
use crate::source::Source;
use std::fmt;
use std::io;
use std::sync::Arc;

/// Something that is worth a message to a user who is waiting for the source.
#[derive(Debug)]
#[non_exhaustive]
pub enum Notice<'a> {
    /// It is not available yet, and is tried again. Reported once for each time that it is waited
    /// for.
    Waiting {
        /// The source that is waited for.
        source: &'a Source,
        /// Why the last attempt failed.
        cause: &'a io::Error,
    },
    /// It is connected, but nothing has arrived for a few seconds. Reported once for each
    /// connection.
    Silent {
        /// The source that is silent.
        source: &'a Source,
        /// What is known about the reason.
        silence: Silence,
    },
    /// The process that served the log of a program has ended, and the program goes on: so does the
    /// log, without the data in between.
    Rejoined {
        /// The source of the program.
        source: &'a Source,
    },
    /// A file that is followed was truncated or replaced, and is read from its beginning.
    Restarted {
        /// The file.
        source: &'a Source,
    },
}

/// Where to report notices, if anywhere.
#[derive(Clone, Default)]
pub(crate) struct Notices(Option<Arc<Tell>>);

type Tell = dyn Fn(&Notice<'_>) + Send + Sync;

impl Notices {
    pub(crate) fn to(tell: impl Fn(&Notice<'_>) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(tell)))
    }

    pub(crate) fn are_wanted(&self) -> bool {
        self.0.is_some()
    }

    pub(crate) fn tell(&self, notice: &Notice<'_>) {
        if let Some(tell) = &self.0 {
            tell(notice);
        }
    }
}

impl fmt::Debug for Notices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Notices").field(&self.are_wanted()).finish()
    }
}
