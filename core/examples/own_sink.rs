//! An eventlog writer of your own: the callback puts chunks into a ring, and one thread writes them
//! to a file. Explained in `docs/own-sink.md`.
//!
//!     cargo run -p eventlog-ring --example own_sink -- FILE
//!
//! The four functions of [`EventLogWriter`] are those that GHC's runtime calls. Here `main` takes
//! the runtime's part: two threads hand over chunks. Every chunk either arrives whole or, if the
//! file was slower than both threads for so long that the ring was full, is counted as lost.

use eventlog_ring::mpsc::Producer;
use eventlog_ring::{Consumer, Doorbell, Granule, HeaderWord, Loss, Ring, Storage};
use std::ffi::c_void;
use std::fs::File;
use std::io::{self, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle, Thread};
use std::time::{Duration, Instant};

/// The struct that `rts/EventLogWriter.h` declares. A C file of the program passes it to `startEventLogging`.
#[repr(C)]
#[derive(Debug)]
pub struct EventLogWriter {
    init: Option<extern "C" fn()>,
    write: extern "C" fn(*const c_void, usize) -> bool,
    flush: Option<extern "C" fn()>,
    stop: Option<extern "C" fn()>,
}

/// The writer to pass to the runtime.
pub static WRITER: EventLogWriter = EventLogWriter {
    init: None,
    write,
    flush: None,
    stop: Some(stop),
};

/// What the callback uses. Set when the sink is started, before the runtime calls anything.
static SINK: OnceLock<Sink> = OnceLock::new();
/// Whether the thread that writes the file sleeps.
static BELL: Doorbell = Doorbell::new();
/// Set when the runtime has handed over everything.
static STOPPED: AtomicBool = AtomicBool::new(false);

#[derive(Debug)]
struct Sink {
    producer: Producer<'static>,
    writer: Thread,
    started: Instant,
}

/// The callback: copies the chunk and returns. It takes no lock, allocates nothing, and makes a
/// system call only to wake the thread.
extern "C" fn write(chunk: *const c_void, size: usize) -> bool {
    let Some(sink) = SINK.get() else { return true };
    // SAFETY: the runtime passes a buffer of this size, which it leaves alone until we return.
    let chunk = unsafe { std::slice::from_raw_parts(chunk.cast::<u8>(), size) };
    if sink.producer.push(chunk).is_err() {
        let now = sink.started.elapsed().as_nanos() as u64;
        sink.producer.record_loss(Loss {
            records: 1,
            bytes: size as u64,
            since: now,
            until: now,
        });
    }
    if BELL.ring() {
        sink.writer.unpark();
    }
    // With `false` the runtime prints a message and does not mark the beginning of its next block.
    true
}

/// Called after the runtime has handed over its last chunk.
extern "C" fn stop() {
    // Release pairs with the Acquire in `write_file`: a reader of the flag also sees all earlier chunks.
    STOPPED.store(true, Ordering::Release);
    if let Some(sink) = SINK.get() {
        sink.writer.unpark();
    }
}

/// Starts the thread that writes the file, with a ring of `granules` granules of 64 bytes.
fn start(granules: usize, mut file: File) -> JoinHandle<io::Result<Written>> {
    let headers = (0..granules)
        .map(|_| HeaderWord::ZERO)
        .collect::<Box<[_]>>();
    let bytes = (0..granules).map(|_| Granule::ZERO).collect::<Box<[_]>>();
    // Leaked: the runtime may call the writer for as long as the process lives.
    let storage = Storage::new(Box::leak(headers), Box::leak(bytes)).expect("a power of two");
    let (producer, consumer) = Box::leak(Box::new(Ring::new(storage))).mpsc();
    let writer = thread::spawn(move || write_file(consumer, &mut file));
    let sink = Sink {
        producer,
        writer: writer.thread().clone(),
        started: Instant::now(),
    };
    SINK.set(sink).expect("the sink is started once");
    writer
}

/// How many chunks were written to the file, and how many were not.
#[derive(Debug, Default)]
struct Written {
    chunks: usize,
    lost: u64,
}

fn write_file(mut consumer: Consumer<'_>, file: &mut File) -> io::Result<Written> {
    let mut written = Written::default();
    loop {
        let stopped = STOPPED.load(Ordering::Acquire);
        let mut seen = 0;
        for record in consumer.records() {
            seen += 1;
            // The lost chunks are missing from the log at exactly this place.
            written.lost += record.loss_before().map_or(0, |loss| loss.records);
            if record.is_live() {
                let (first, second) = record.slices();
                file.write_all(first)?;
                file.write_all(second)?;
                written.chunks += 1;
            }
        }
        // Their room is free for the producers again.
        consumer.release(seen);
        if seen > 0 {
            continue;
        }
        written.lost += consumer.take_loss().map_or(0, |loss| loss.records);
        if stopped {
            return Ok(written);
        }
        // One more look between arming and sleeping: otherwise a chunk could arrive unnoticed.
        BELL.arm();
        if consumer.is_empty() && !STOPPED.load(Ordering::Acquire) {
            thread::park();
        }
        BELL.disarm();
    }
}

fn main() -> io::Result<()> {
    const CHUNKS: usize = 2_000;
    let Some(path) = std::env::args_os().nth(1) else {
        return Err(io::Error::other("usage: own_sink FILE"));
    };
    let writer = start(1 << 10, File::create(&path)?);

    // The runtime: two capabilities, independent of each other.
    thread::scope(|scope| {
        for capability in 1..=2_u8 {
            scope.spawn(move || {
                let chunk = vec![capability; 5_000];
                for _ in 0..CHUNKS {
                    (WRITER.write)(chunk.as_ptr().cast(), chunk.len());
                    thread::sleep(Duration::from_micros(20));
                }
            });
        }
    });
    if let Some(stop) = WRITER.stop {
        stop();
    }

    let Written { chunks, lost } = writer.join().expect("it does not panic")?;
    println!("{chunks} chunks written, {lost} lost, of {}", 2 * CHUNKS);
    assert_eq!(chunks + lost as usize, 2 * CHUNKS);
    // No chunk is torn.
    let bytes = std::fs::read(&path)?;
    assert_eq!(bytes.len(), chunks * 5_000);
    assert!(
        bytes
            .chunks(5_000)
            .all(|chunk| chunk.iter().all(|byte| *byte == chunk[0]))
    );
    Ok(())
}
