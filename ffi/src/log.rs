//! Starts and ends of the log, as the RTS tells the writer of them.

use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::clock::monotonic;
use crate::instance::Instance;

/// How much longer than its deadline a drain may take to report.
const REPORT: Duration = Duration::from_millis(500);

/// The RTS has begun a log with our writer.
pub(crate) fn starts(instance: &Instance) {
    // Relaxed, twice: the header is handed over by the thread that starts the log.
    instance.awaits_start.store(false, Ordering::Relaxed);
    instance.header_due.store(true, Ordering::Relaxed);
    // Relaxed: this thread, or the stopped world, restarts.
    if instance.restarting.load(Ordering::Relaxed) {
        return;
    }
    // Release: pairs with the Acquire in `lifecycle::ready`.
    instance.attached.store(true, Ordering::Release);
    if let Some(recording) = instance.recording {
        recording.note_end(false);
    }
    instance.progress(|progress| progress.closed = !instance.has_socket);
    instance.request(|requests| requests.reopen = true);
}

/// The RTS has ended the log: at exit, or because somebody called
/// `endEventLogging`. The client gets what is there; nothing comes after it.
pub(crate) fn ends(instance: &Instance) {
    // Relaxed, twice: as above. The end of a log from before is none of this instance's.
    let other = instance.awaits_start.load(Ordering::Relaxed);
    if !other && !instance.restarting.load(Ordering::Relaxed) {
        end_log(instance, true);
    }
}

/// `in_order`: the RTS has handed over all that it had.
pub(crate) fn end_log(instance: &Instance, in_order: bool) {
    instance.attached.store(false, Ordering::Release);
    // Relaxed: spent by this thread, or by others that have stopped.
    let budget = if instance.exiting.load(Ordering::Relaxed) {
        Duration::from_nanos(instance.exit_budget.load(Ordering::Relaxed))
    } else {
        instance.tuning.exit_timeout
    };
    end(instance, budget);
    if let Some(recording) = instance.recording {
        // All that was logged is recorded; what it defines follows.
        let settled = recording.settle();
        recording.note_end(in_order && settled);
    }
}

/// Have the poll thread deliver the rest, and wait until it has.
pub(crate) fn end(instance: &Instance, patience: Duration) {
    let deadline = monotonic() + patience;
    let mut before = None;
    // The number of ends so far, before another is asked for.
    let _ = instance.await_progress(Some(Duration::ZERO), |progress| {
        before = Some(progress.finished);
        Some(())
    });
    instance.request(|requests| {
        requests.finish = Some(deadline);
        // The start of the log that ends here.
        requests.reopen = false;
    });
    instance.space.made();
    let before = before.unwrap_or(0);
    let _ = instance.await_progress(Some(deadline + REPORT), |progress| {
        (progress.finished > before).then_some(())
    });
}

/// The log that runs is ours.
pub(crate) fn is_attached() -> bool {
    // Relaxed: asked with the world stopped, in which nobody starts or ends a log.
    Instance::get().is_some_and(|instance| instance.attached.load(Ordering::Relaxed))
}

/// The RTS ends and starts its log to empty its buffers.
pub(crate) fn rts_restarting(begin: bool) {
    if let Some(instance) = Instance::get() {
        // Relaxed: the writer is called by this thread until it is reset.
        instance.restarting.store(begin, Ordering::Relaxed);
    }
}
