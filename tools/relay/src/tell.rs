//! Writes bytes to a reader that are not in the ring, piece by piece and in bounded memory.

use bytes::Bytes;
use std::io;
use tokio::sync::mpsc;

/// A function that writes any number of bytes to the given writer.
pub(crate) type Tell = Box<dyn FnOnce(&mut dyn FnMut(&[u8])) + Send>;

/// The size of a piece, and how many pieces may be ahead of the reader.
const CHUNK: usize = 16 << 10;
const AHEAD: usize = 2;
/// The stack of the thread; it makes no deep calls.
const STACK: usize = 256 << 10;

/// Writes on a separate thread, which waits for the reader and ends when the reader is gone.
pub(crate) fn start(tell: Tell) -> io::Result<mpsc::Receiver<Bytes>> {
    let (sender, receiver) = mpsc::channel(AHEAD);
    let write = move || {
        let mut chunk = Vec::with_capacity(CHUNK);
        let mut gone = false;
        let mut send = |chunk: &mut Vec<u8>| {
            let bytes = std::mem::replace(chunk, Vec::with_capacity(CHUNK));
            gone |= sender.blocking_send(bytes.into()).is_err();
            gone
        };
        tell(&mut |mut bytes| {
            while !bytes.is_empty() {
                let (now, later) = bytes.split_at(bytes.len().min(CHUNK - chunk.len()));
                chunk.extend_from_slice(now);
                bytes = later;
                if chunk.len() == CHUNK && send(&mut chunk) {
                    // The reader is gone; the function cannot be stopped, so its output
                    // is discarded.
                    bytes = &[];
                }
            }
        });
        if !chunk.is_empty() {
            send(&mut chunk);
        }
    };
    let thread = std::thread::Builder::new().name("relay-tells".into());
    thread.stack_size(STACK).spawn(write)?;
    Ok(receiver)
}
