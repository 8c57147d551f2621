//! What is written to a reader that is not in the ring: piece by piece, however long it is.

use bytes::Bytes;
use std::io;
use tokio::sync::mpsc;

/// Writes bytes, as many as it likes, to what it is given.
pub(crate) type Tell = Box<dyn FnOnce(&mut dyn FnMut(&[u8])) + Send>;

/// Bytes that are handed over at a time, and how often ahead of the reader.
const CHUNK: usize = 16 << 10;
const AHEAD: usize = 2;
/// There is nothing deep in it.
const STACK: usize = 256 << 10;

/// Writes on a thread of its own, which waits for the reader. It ends when the reader is gone.
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
                    // Nobody reads what is still to come; it cannot be stopped.
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
