//! The thread that folds the logs of a source, while another one reads them.

use crate::queue::Queue;
use crate::session::Session;
use eventlog_relay::Piece;
use std::io;
use std::sync::Arc;

/// The most bytes that were read and are not folded: three large blocks of the runtime system. With
/// one, each thread waits for the other at every block.
const AHEAD: usize = 6 << 20;

#[derive(Debug)]
enum Work {
    Piece(Arc<Session>, Piece),
    Flush(Arc<Session>),
    Finish(Arc<Session>),
}

/// The way to that thread. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Folding {
    queue: Arc<Queue<Work>>,
}

impl Folding {
    /// Starts the thread.
    pub(crate) fn start() -> io::Result<Self> {
        let queue = Arc::new(Queue::new(AHEAD));
        let work = Arc::clone(&queue);
        std::thread::Builder::new()
            .name("monitor-folds".to_owned())
            .spawn(move || {
                work.work(|work| match work {
                    Work::Piece(session, piece) => session.fold(&piece),
                    Work::Flush(session) => session.flush(),
                    Work::Finish(session) => session.finish(),
                });
            })?;
        Ok(Self { queue })
    }

    /// Folds a piece, after everything before it. Waits if too much was read ahead. Call
    /// [`begin`](Self::begin) after the last one.
    pub(crate) fn push(&self, session: &Arc<Session>, piece: Piece) {
        let bytes = piece.bytes.len();
        self.add(Work::Piece(Arc::clone(session), piece), bytes);
    }

    /// Lets it begin with what was pushed.
    pub(crate) fn begin(&self) {
        self.queue.wake();
    }

    /// Folds what waits to be put in order.
    pub(crate) fn flush(&self, session: &Arc<Session>) {
        self.add(Work::Flush(Arc::clone(session)), 0);
        self.queue.wake();
    }

    /// The log has ended: folds all of it, and waits for that. Returns whether it was.
    pub(crate) fn finish(&self, session: &Arc<Session>) -> bool {
        self.add(Work::Finish(Arc::clone(session)), 0);
        self.queue.is_done()
    }

    fn add(&self, work: Work, bytes: usize) {
        self.queue.push(work, bytes + size_of::<Work>());
    }
}

impl Drop for Folding {
    fn drop(&mut self) {
        self.queue.close();
    }
}
