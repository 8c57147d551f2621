//! A directory of recordings.

use crate::error::{Doing, Error};
use crate::files::make_dir;
use crate::notice::Notice;
use crate::rotation::Rotation;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How much is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// When a part is closed and the next one begun. If this is not set but `max_bytes` is, at an
    /// eighth of that.
    pub rotation: Rotation,
    /// How many parts of a session are kept; the oldest are removed first.
    pub keep: Option<usize>,
    /// Bytes of all sessions together. The oldest parts of sessions that have ended are removed
    /// first, then those of sessions that are being recorded here; never the part that is being
    /// written.
    pub max_bytes: Option<u64>,
}

/// What is recorded.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// The name of the source; with a number appended, that of the session.
    pub name: String,
    /// The address of the source, to be read by people.
    pub from: String,
}

type Tell = dyn Fn(&Notice<'_>) + Send + Sync;

/// A directory in which sessions are recorded. All clones share the same state.
#[derive(Clone)]
pub struct Store {
    dir: PathBuf,
    limits: Limits,
    tell: Option<Arc<Tell>>,
    /// The sessions that are being recorded here, and the part of each that is being written.
    live: Arc<Mutex<BTreeMap<PathBuf, u32>>>,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("dir", &self.dir)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl Store {
    /// Opens a directory to record into, which is made if needed.
    ///
    /// # Errors
    ///
    /// If it cannot be made, or is not a directory.
    pub fn open(dir: &Path, limits: Limits) -> Result<Self, Error> {
        make_dir(dir).doing("make", dir)?;
        let mut limits = limits;
        if let (Some(max), None) = (limits.max_bytes, limits.rotation.size) {
            limits.rotation.size = Some((max / 8).max(1));
        }
        Ok(Self {
            dir: dir.to_owned(),
            limits,
            tell: None,
            live: Arc::default(),
        })
    }

    /// Sets a function that gets notices about recordings.
    #[must_use]
    pub fn notices(self, tell: impl Fn(&Notice<'_>) + Send + Sync + 'static) -> Self {
        let tell: Option<Arc<Tell>> = Some(Arc::new(tell));
        Self { tell, ..self }
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// How much is kept.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(crate) fn tell(&self, notice: &Notice<'_>) {
        if let Some(tell) = &self.tell {
            tell(notice);
        }
    }

    pub(crate) fn live(&self) -> MutexGuard<'_, BTreeMap<PathBuf, u32>> {
        // The data under this lock are always consistent.
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
