//! A source of pieces like those that a relay passes to a recording; and directories to record
//! into.
#![allow(dead_code)]

use eventlog_sessions::{Cut, EndReason, Joined, Origin, Piece, Recording, Session, Store};
use eventlog_state::{Follower, Keep, MergeOptions, State};
use ghc_eventlog::{Decoder, Header, Item};
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::SystemTime;

/// A directory that is removed at the end of the test.
pub struct Dir(PathBuf);

impl Dir {
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("eventlog-sessions-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).expect("a directory");
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn store(&self) -> PathBuf {
        self.0.join("store")
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Where a piece is; capability, begin and end; whether it is a block.
type Bounds = (Range<usize>, Option<u16>, u64, u64, bool);

/// A log in pieces, and what follows it.
pub struct Feed {
    pub log: Vec<u8>,
    pub header: Arc<Header>,
    pieces: Vec<Bounds>,
    next: usize,
    follower: Follower,
    /// Whether a cut is available.
    pub cuts: bool,
}

impl Feed {
    pub fn new(log: Vec<u8>) -> Self {
        let (mut decoder, mut rest) = (Decoder::new(), &log[..]);
        let mut pieces: Vec<Bounds> = Vec::new();
        loop {
            let item = decoder.decode(&mut rest).expect("a log");
            let end = decoder.offset() as usize;
            match item {
                Item::Block(block) => {
                    let from = block.offset as usize;
                    pieces.push((from..end, block.cap, block.time, block.end, true));
                }
                Item::End => pieces.push((end - 2..end, None, 0, 0, false)),
                Item::NeedMore => break,
                Item::Header => {}
                _ => pieces.last_mut().expect("a block").0.end = end,
            }
        }
        let header = Arc::clone(decoder.header().expect("a header"));
        let mut follower = Follower::new(MergeOptions::default(), Keep::for_beginnings());
        let length = header.as_bytes().len();
        follower
            .push_bytes(&log[..length], &mut |_| {})
            .expect("a header");
        Self {
            log,
            header,
            pieces,
            next: 0,
            follower,
            cuts: true,
        }
    }

    pub fn begin(&mut self, store: &Store, name: &str) -> Recording {
        let origin = Origin {
            name: name.to_owned(),
            from: format!("unix:/run/{name}.sock"),
        };
        let cut = (self.next > 0).then(|| self.cut().expect("a cut"));
        Recording::begin(
            store,
            &origin,
            &self.header,
            SystemTime::now(),
            cut.as_ref(),
        )
    }

    fn cut(&mut self) -> Option<Cut> {
        if !self.cuts {
            return None;
        }
        let offset = match self.next {
            0 => self.header.as_bytes().len(),
            next => self.pieces[next - 1].0.end,
        };
        Some(Cut {
            is_clean: self.follower.may_cut(),
            beginning: self.follower.beginning()?,
            offset: offset as u64,
        })
    }

    /// How many pieces are left.
    pub fn left(&self) -> usize {
        self.pieces.len() - self.next
    }

    /// Where in the log the next piece begins.
    pub fn at(&self) -> usize {
        self.pieces
            .get(self.next)
            .map_or(self.log.len(), |piece| piece.0.start)
    }

    /// Passes on this many pieces.
    pub fn feed(&mut self, recording: &mut Recording, count: usize) {
        for _ in 0..count.min(self.left()) {
            let (range, cap, begin, end, is_block) = self.pieces[self.next].clone();
            self.next += 1;
            let bytes = self.log[range.clone()].to_vec();
            self.follower
                .push_bytes(&bytes, &mut |_| {})
                .expect("a log");
            let piece = Piece {
                bytes: &bytes,
                offset: range.start as u64,
                cap,
                begin,
                end,
                is_block,
                is_sound: is_block,
                is_whole: true,
            };
            recording.piece(&piece, || self.cut());
        }
    }

    pub fn skip(&mut self, count: usize) {
        for _ in 0..count.min(self.left()) {
            let range = self.pieces[self.next].0.clone();
            self.next += 1;
            self.follower
                .push_bytes(&self.log[range], &mut |_| {})
                .expect("a log");
        }
    }

    pub fn idle(&mut self, recording: &mut Recording) {
        recording.idle(|| self.cut());
    }
}

/// Records a whole log, and opens the recording.
pub fn recorded(store: &Store, log: &[u8]) -> Session {
    let mut feed = Feed::new(log.to_vec());
    let mut recording = feed.begin(store, "app");
    feed.feed(&mut recording, usize::MAX);
    let dir = recording.directory().expect("a directory").to_owned();
    recording.end(EndReason::Complete);
    Session::open(&dir).expect("a session")
}

/// The parts as one log.
pub fn joined(session: &Session) -> Vec<u8> {
    let mut joined = Joined::of(session, eventlog_sessions::Range::default()).expect("parts");
    let mut bytes = Vec::new();
    joined.read_to_end(&mut bytes).expect("parts");
    assert_eq!(joined.length(), bytes.len() as u64);
    bytes
}

/// The state at the end of a log.
pub fn state(log: &[u8]) -> State {
    let mut follower = Follower::new(MergeOptions::default(), Keep::for_beginnings());
    follower.push_bytes(log, &mut |_| {}).expect("a log");
    follower.finish(&mut |_| {}).expect("a log");
    follower.state().expect("a header").clone()
}
