//! Reads recorded sessions.

use crate::clock::unix_ns;
use crate::error::{Doing, Error};
use crate::files::{Locked, MANIFEST, part_number, part_path};
use crate::index::Index;
use crate::learned::{Learned, Learner};
use crate::manifest::{Ended, Lost, Manifest};
use crate::notes::{self, Note};
use crate::room::{directories, files, remove_session};
use crate::scan;
use ghc_eventlog::{Item, ReadError, Reader};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The state of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is being recorded.
    Recording,
    /// It has ended.
    Ended(Ended),
    /// The process that recorded it was killed.
    Killed,
}

/// A part on disk.
#[derive(Clone, Debug)]
pub struct Part {
    /// Its number.
    pub number: u32,
    /// Its file.
    pub path: PathBuf,
    /// The bytes of the file.
    pub bytes: u64,
    /// Its index; `None` if there is nothing of the stream in it.
    pub index: Option<Index>,
}

/// A recorded session.
#[derive(Clone, Debug)]
pub struct Session {
    dir: PathBuf,
    name: String,
    state: State,
    manifest: Option<Manifest>,
    parts: Vec<Part>,
}

impl Session {
    /// All sessions in a directory, ordered by when they began.
    ///
    /// # Errors
    ///
    /// If the directory, or a part, cannot be read.
    pub fn all(store: &Path) -> Result<Vec<Self>, Error> {
        let names = names(store)?;
        let sessions = names.iter().map(|name| Self::open(&store.join(name)));
        // A session may be removed in between.
        let there = |session: &Result<Self, Error>| match session {
            Err(Error::Io { cause, .. }) => cause.kind() != std::io::ErrorKind::NotFound,
            _ => true,
        };
        let mut sessions: Vec<Self> = sessions.filter(there).collect::<Result<_, _>>()?;
        sessions.sort_by_key(|session| (session.began_unix_ns(), session.name.clone()));
        Ok(sessions)
    }

    /// The session with this name, or the only one whose name begins with it.
    ///
    /// # Errors
    ///
    /// If there is none, or several, or it cannot be read.
    pub fn find(store: &Path, name: &str) -> Result<Self, Error> {
        Self::open(&store.join(full_name(store, name)?))
    }

    /// The session in this directory.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub fn open(dir: &Path) -> Result<Self, Error> {
        // Checked before the manifest is read: a session counts as ended only if no process records
        // it.
        let is_locked = Locked::is_locked(dir);
        let manifest = Manifest::read(dir);
        let entries = fs::read_dir(dir).doing("read", dir)?;
        drop(entries);
        let mut numbers: Vec<u32> = files(dir)
            .filter_map(|(name, _)| part_number(&name))
            .collect();
        numbers.sort_unstable();
        let mut parts = Vec::new();
        for number in numbers {
            let path = part_path(dir, number);
            let index = match Index::load(dir, number) {
                // The part was removed to make room.
                Err(Error::Io { cause, .. }) if cause.kind() == std::io::ErrorKind::NotFound => {
                    continue;
                }
                index => index?,
            };
            // Only a header, and nothing after it yet: this can only be the first part.
            let is_bare =
                |index: &Index| index.entries.is_empty() && index.head.offset == index.head.body;
            let is_first = !parts.iter().any(|part: &Part| part.index.is_some());
            let index = index.filter(|index| is_first || !is_bare(index));
            let bytes = match &index {
                Some(index) => index.reaches() + index.tail,
                None => fs::metadata(&path).map_or(0, |about| about.len()),
            };
            parts.push(Part {
                number,
                path,
                bytes,
                index,
            });
        }
        let ended = manifest.as_ref().and_then(|manifest| manifest.ended);
        Ok(Self {
            name: dir
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
            dir: dir.to_owned(),
            state: match ended {
                _ if is_locked => State::Recording,
                Some(ended) => State::Ended(ended),
                None => State::Killed,
            },
            manifest,
            parts,
        })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Its state.
    pub fn state(&self) -> State {
        self.state
    }

    /// What its recorder has written about it; `None` if that is missing or damaged.
    pub fn manifest(&self) -> Option<&Manifest> {
        self.manifest.as_ref()
    }

    /// Its parts that exist.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The notes that users have added.
    pub fn notes(&self) -> Vec<Note> {
        notes::read(&self.dir)
    }

    /// Adds a note.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn note(&self, text: &str) -> Result<(), Error> {
        let at_unix_ns = unix_ns(SystemTime::now());
        let text = text.to_owned();
        notes::add(&self.dir, &Note { at_unix_ns, text })
    }

    /// When the recording began: in nanoseconds since 1970.
    pub fn began_unix_ns(&self) -> u64 {
        let written = || {
            fs::metadata(self.parts.first()?.path.as_path())
                .ok()?
                .modified()
                .ok()
        };
        match &self.manifest {
            Some(manifest) => manifest.began_unix_ns,
            None => written().map_or(0, unix_ns),
        }
    }

    /// Bytes of its parts.
    pub fn bytes(&self) -> u64 {
        self.parts.iter().map(|part| part.bytes).sum()
    }

    /// Events of the stream in its parts.
    pub fn events(&self) -> u64 {
        self.indexes().map(Index::events).sum()
    }

    /// The time that it covers, in nanoseconds of the log's time.
    pub fn times(&self) -> Option<(u64, u64)> {
        let first = self.indexes().next()?;
        let begin = match first.head.at {
            0 => first.times().map(|(begin, _)| begin)?,
            at => at,
        };
        let end = self
            .indexes()
            .filter_map(|index| Some(index.times()?.1))
            .max()?;
        Some((begin.min(end), end))
    }

    fn indexes(&self) -> impl Iterator<Item = &Index> {
        self.parts.iter().filter_map(|part| part.index.as_ref())
    }

    /// Bytes of the stream that were not recorded, according to its parts, and those before the
    /// first part that exists, counted from the header.
    pub fn missing(&self) -> (u64, u64) {
        let mut missing = 0;
        let mut before: Option<&Index> = None;
        for index in self.indexes() {
            if let Some(before) = before {
                missing += before.up_to(index).1;
            }
            before = Some(index);
        }
        let first = self.indexes().next();
        let earlier = first.filter(|it| it.head.offset != it.head.body);
        (missing, earlier.map_or(0, |it| it.head.offset))
    }

    /// What was found in its log about its program: from the manifest, or from the parts
    /// themselves.
    ///
    /// # Errors
    ///
    /// If they cannot be read.
    pub fn learned(&self) -> Result<Learned, Error> {
        match &self.manifest {
            Some(manifest) => Ok(manifest.learned.clone()),
            None => self.learn(),
        }
    }

    /// What was not recorded, as counted by its recorder.
    pub fn lost(&self) -> Lost {
        self.manifest
            .as_ref()
            .map_or_else(Lost::default, |manifest| manifest.lost)
    }

    fn learn(&self) -> Result<Learned, Error> {
        let Some(first) = self.parts.iter().find(|part| part.index.is_some()) else {
            return Ok(Learned::default());
        };
        let Some(header) = scan::header(&first.path).doing("read", &first.path)? else {
            return Ok(Learned::default());
        };
        let mut learner = Learner::new(&header);
        for (at, part) in self.parts.iter().enumerate() {
            // The prologue of a part counts only if the data are not known already.
            let body = part
                .index
                .as_ref()
                .filter(|_| at > 0)
                .map_or(0, |index| index.head.body);
            let mut reader = Reader::new(File::open(&part.path).doing("read", &part.path)?);
            loop {
                match reader.next_item() {
                    Ok(Some(Item::Event(event))) if event.offset >= body => {
                        learner.event(&event);
                    }
                    Ok(Some(_)) => {}
                    Ok(None) | Err(ReadError::Format(_)) => break,
                    Err(ReadError::Io(cause)) => return Err(cause).doing("read", &part.path),
                }
            }
        }
        learner.sum_up();
        Ok(learner.learned().clone())
    }

    /// Removes the session. Returns how many bytes that were.
    ///
    /// # Errors
    ///
    /// If it is being recorded, or something cannot be removed.
    pub fn remove(self) -> Result<u64, Error> {
        let locked = Locked::lock(&self.dir).doing("lock", &self.dir)?;
        let Some(_locked) = locked else {
            return Err(Error::IsRecorded { name: self.name });
        };
        remove_session(&self.dir).doing("remove", &self.dir)
    }
}

/// The names of the sessions in a directory.
fn names(store: &Path) -> Result<Vec<String>, Error> {
    fs::read_dir(store).doing("read", store)?;
    let is_session = |dir: &PathBuf| {
        let mut names = files(dir).map(|(name, _)| name);
        names.any(|name| name == MANIFEST || part_number(&name).is_some())
    };
    let dirs = directories(store).filter(is_session);
    let mut names: Vec<String> = dirs
        .filter_map(|dir| Some(dir.file_name()?.to_str()?.to_owned()))
        .collect();
    names.sort();
    Ok(names)
}

/// The full name of the session whose name begins like this.
fn full_name(store: &Path, name: &str) -> Result<String, Error> {
    let mut there = names(store)?;
    if there.iter().any(|it| it == name) {
        return Ok(name.to_owned());
    }
    let mut matching: Vec<String> = there
        .iter()
        .filter(|it| !name.is_empty() && it.starts_with(name))
        .cloned()
        .collect();
    let name = name.to_owned();
    match matching.len() {
        0 => {
            there.reverse();
            let dir = store.to_owned();
            Err(Error::NoSession { name, dir, there })
        }
        1 => Ok(matching.swap_remove(0)),
        _ => Err(Error::SeveralSessions { name, matching }),
    }
}
