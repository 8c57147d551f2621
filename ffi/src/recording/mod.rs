//! The flight recorder: the newest chunks, in a file that outlives the program.
//!
//! ```text
//!   writeEventLog --push--> [ records, in a mapping of the file ]     the oldest are overwritten
//!        |
//!        +--header, definitions--> [ ring ] --> recorder's thread --pwrite--> slots and tables of the file
//! ```
//!
//! * `file`: making the file, and rotating the one before.
//! * `bus_error`: what happens when somebody truncates it.
//! * `definitions`: what a reader must know of earlier events.
//! * `thread`: the thread that writes those into the file.
//!
//! What the file looks like is in the crate `eventlog-ring-file`. It is independent of the socket: nothing here waits for
//! a client or for the poll thread, and a program may have a file and no socket at all.
//!
//! Chunks are recorded by the callback itself, so that what the RTS has handed over survives a SIGKILL that comes right
//! after. The mapping makes that a copy, as into the ring of a client. Definitions can follow a moment later: until their
//! chunk is overwritten they are in it, too. They go through system calls, on a thread that may wait for a disk.

mod bus_error;
mod definitions;
mod file;
mod thread;

use std::mem::MaybeUninit;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use eventlog_ring::{Doorbell, Recorder, RecorderCounters, Storage, mpsc};
use eventlog_ring_file::Counters;
use ghc_eventlog::layout::MARKER_LEN;

use crate::chunk::Chunk;
use crate::clock::monotonic;
use crate::definitions_feed::DefinitionsFeed;
use crate::facts::{Facts, Moment};
use crate::futex;
use crate::lock::{Changes, Held, Lock};
use crate::memory::{Shared, boxed, copied_path};
use crate::renewable::Renewable;
use crate::status::{Error, Result};
use crate::storage::RingMemory;
use crate::threads::Waiting;
use crate::tuning;
use definitions::Definitions;
use file::RingFile;
use thread::RecorderThread;

/// How long a start, an end or a dump waits for a disk that takes no definitions.
const SETTLE: Duration = Duration::from_secs(2);

/// The ring file that is asked for: its path and size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RingFileRequest {
    pub path: PathBuf,
    /// Bytes, a power of two.
    pub size: u64,
}

/// What a program set in code.
static REQUESTED: Renewable<Mutex<Option<RingFileRequest>>> = Renewable::new(Mutex::new(None));

/// In a child, with the locks of its parent, which records into the file that it has asked for.
///
/// # Safety
/// As for [`Renewable::renew`].
pub(crate) unsafe fn renew() {
    // SAFETY: the contract is the same.
    unsafe { REQUESTED.renew(Mutex::new(None)) };
    bus_error::renew();
}

pub(crate) fn request(request: Option<RingFileRequest>) {
    *REQUESTED.lock().unwrap_or_else(|e| e.into_inner()) = request;
}

/// What the environment says, else what the program set in code.
pub(crate) fn requested() -> Result<Option<RingFileRequest>> {
    let set = REQUESTED.lock().unwrap_or_else(|e| e.into_inner());
    let size = tuning::ring_file_size_from_env()?;
    let path = match (tuning::ring_file_from_env()?, &*set) {
        (Some(path), _) => path,
        (None, Some(request)) => copied_path(&request.path)?,
        (None, None) => return Ok(None),
    };
    let default = set
        .as_ref()
        .map_or(tuning::RING_FILE_SIZE, |request| request.size);
    Ok(Some(RingFileRequest {
        path,
        size: size.unwrap_or(default),
    }))
}

/// What the writers, the thread and the callers of the API share.
#[derive(Debug)]
pub(crate) struct Recording {
    recorder: Recorder<'static>,
    /// Bytes of definitions that are not in the file.
    left_out: AtomicU64,
    /// In the file: write-only copies, never read back. The mapping is touched only behind `bus_error::let_through`.
    told: &'static Counters,
    /// Headers and global chunks, for the thread.
    feed: mpsc::Producer<'static>,
    bell: Doorbell,
    /// Counted up to wake the thread.
    wakeups: AtomicU32,
    requests: Lock<Requests>,
    answered: Changes,
    size: u64,
}

#[derive(Debug, Default)]
struct Requests {
    facts: Option<(Shared<Facts>, Moment)>,
    /// Rounds that were asked for, and rounds that were done since.
    asked: u64,
    done: u64,
}

/// A recording that has a file, and whose thread waits to be told to start.
#[derive(Debug)]
pub(crate) struct Prepared {
    file: RingFile,
    feed: RingMemory,
    thread: Waiting<RecorderThread>,
    definitions: Definitions,
    counters: Box<RecorderCounters>,
    /// Where it is to be.
    place: Box<MaybeUninit<Recording>>,
}

/// Make the file. What it replaces is kept beside it.
pub(crate) fn prepare(request: &RingFileRequest) -> Result<Prepared> {
    // First what leaves nothing if something fails after it.
    let thread = thread::prepare()?;
    let feed = RingMemory::for_definitions()?;
    let definitions = Definitions::with_room()?;
    let counters = boxed(RecorderCounters::default())?;
    let place = boxed(MaybeUninit::uninit())?;
    let file = RingFile::create(request)?;
    Ok(Prepared {
        file,
        feed,
        thread,
        definitions,
        counters,
        place,
    })
}

impl Prepared {
    /// Memory that cannot be taken back.
    pub(crate) fn start(self) -> Result<&'static Recording> {
        let Prepared {
            file,
            feed,
            thread,
            definitions,
            counters,
            place,
        } = self;
        let (feed, _) = feed.leak()?;
        let (layout, descriptor, memory) = file.keep();
        bus_error::guard(memory.start, memory.len);
        // SAFETY: the mapping is never unmapped, and as large as the layout says. The file is new: its records and words are
        // zeroes, and nobody but this recorder is to write them. Somebody who does can spoil what is recorded, and nothing
        // else: the words are read as numbers, and the recorder relies on nothing else about them.
        let storage =
            unsafe { Storage::from_region(memory.at(layout.records_at), layout.capacity as usize) }
                .map_err(|_| Error::Sys(libc::EINVAL))?;
        // SAFETY: within the mapping, which is never unmapped, at a multiple of 8; any bytes are six numbers.
        let told: &'static Counters = unsafe { memory.at(layout.counters_at).cast().as_ref() };
        let counters: &'static RecorderCounters = Box::leak(counters);
        let (producer, consumer) = feed.mpsc();
        let recording: &'static Recording = Box::leak(Box::write(
            place,
            Recording {
                recorder: Recorder::new(storage, counters),
                left_out: AtomicU64::new(0),
                told,
                feed: producer,
                bell: Doorbell::new(),
                wakeups: AtomicU32::new(0),
                requests: Lock::default(),
                answered: Changes::new(),
                size: layout.capacity,
            },
        ));
        let feed = DefinitionsFeed::new(consumer);
        thread.give(RecorderThread::new(
            recording,
            layout,
            descriptor,
            memory,
            feed,
            definitions,
        ));
        Ok(recording)
    }
}

/// What a chunk is recorded as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RecordPath {
    /// It only defines: the RTS has not been ready yet.
    Definitions,
    /// It is recorded.
    Records,
}

impl Recording {
    /// Record a chunk, under the same rules as the writer, which calls it.
    pub(crate) fn accept(&self, chunk: &Chunk, bytes: &[u8], record_path: RecordPath) {
        if bytes.len() <= MARKER_LEN && !matches!(chunk, Chunk::Header { .. }) {
            // A block without events, as a flush makes of an idle buffer; or the end, which is told by a counter.
            return;
        }
        if self.is_lost() {
            self.refuse(bytes);
            return;
        }
        if record_path == RecordPath::Records {
            bus_error::let_through();
            // A refusal is counted there.
            let _ = self.recorder.push(bytes);
            self.tell();
        }
        let defines = record_path == RecordPath::Definitions || matches!(chunk, Chunk::Global(_));
        if defines {
            self.define(bytes);
        }
    }

    /// It is missing in what is recorded.
    pub(crate) fn refuse(&self, bytes: &[u8]) {
        self.recorder.count_refusal(bytes.len());
    }

    fn define(&self, bytes: &[u8]) {
        if self.feed.push(bytes).is_ok() {
            self.wake_thread();
        } else {
            self.leave_out(bytes.len());
        }
    }

    /// Definitions that have found no room.
    fn leave_out(&self, bytes: usize) {
        // Relaxed: a statistic.
        self.left_out.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Bring the counters in the file up to date. The caller has let bus errors through.
    fn tell(&self) {
        let counters = self.recorder.counters();
        self.told.tell(counters.overwritten(), counters.refused());
        let left_out = self.left_out.load(Ordering::Relaxed);
        self.told.left_out.store(left_out, Ordering::Relaxed);
    }

    fn tell_unless_lost(&self) {
        if !self.is_lost() {
            self.tell();
        }
    }

    /// The file was truncated, or its disk failed: nothing is recorded any more.
    pub(crate) fn is_lost(&self) -> bool {
        bus_error::has_struck()
    }

    /// Fill the gaps of the definitions that have come so far.
    pub(crate) fn add_facts(&self, facts: Shared<Facts>, moment: Moment) {
        self.requests().facts = Some((facts, moment));
        self.wake_thread();
    }

    /// The log has begun, or ended with all that the RTS had to say.
    pub(crate) fn note_end(&self, ended: bool) {
        if self.is_lost() {
            return;
        }
        bus_error::let_through();
        self.tell();
        // Relaxed: looked at when the program is gone.
        self.told.ended.store(ended.into(), Ordering::Relaxed);
    }

    /// Wait until what was defined so far is in the file. False if that takes too long.
    pub(crate) fn settle(&self) -> bool {
        let mut requests = self.requests();
        requests.asked += 1;
        let round = requests.asked;
        self.wake_thread();
        let deadline = monotonic() + SETTLE;
        while requests.done < round {
            let left = deadline.saturating_sub(monotonic());
            if left.is_zero() {
                return false;
            }
            requests = self.answered.wait(&self.requests, requests, Some(left));
        }
        true
    }

    fn wake_thread(&self) {
        if self.bell.ring() {
            // Release: pairs with the Acquire of the thread before it sleeps. What it is to find was written before.
            self.wakeups.fetch_add(1, Ordering::Release);
            futex::wake_all(&self.wakeups);
        }
    }

    fn requests(&self) -> Held<'_, Requests> {
        self.requests.lock()
    }

    /// The result so far.
    pub(crate) fn state(&self) -> State {
        let recorder = self.recorder.counters();
        State {
            size: self.size,
            overwritten: recorder.overwritten(),
            refused: recorder.refused(),
            // Relaxed: a statistic.
            left_out: self.left_out.load(Ordering::Relaxed),
            lost: self.is_lost(),
        }
    }
}

/// For the statistics.
#[derive(Clone, Copy, Debug)]
pub(crate) struct State {
    pub size: u64,
    pub overwritten: eventlog_ring::Tally,
    pub refused: eventlog_ring::Tally,
    pub left_out: u64,
    /// The file was truncated, or its disk failed: nothing is recorded any more.
    pub lost: bool,
}
