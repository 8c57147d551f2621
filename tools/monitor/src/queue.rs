//! Work on its way from one thread to another, bounded in bytes.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// One thread adds work and another does it, in the same order. What waits and what is being done
/// costs a limited amount together: who adds more waits until some of it is done. An item that
/// costs more than the limit has the queue to itself.
///
/// Nobody polls: each side sleeps until the other one wakes it, and neither is woken for every
/// small item.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    state: Mutex<State<T>>,
    /// For who does the work.
    work: Condvar,
    /// For who adds it.
    room: Condvar,
    most: usize,
}

#[derive(Debug)]
struct State<T> {
    /// Each with its cost.
    items: VecDeque<(T, usize)>,
    /// The cost of all of them, and of the one that is being done.
    cost: usize,
    /// Who does the work is asleep.
    is_idle: bool,
    /// Who adds work is asleep.
    is_full: bool,
    /// Nothing will be added any more.
    is_closed: bool,
    /// Nothing will be done any more.
    is_dead: bool,
}

impl<T> Queue<T> {
    /// An empty queue with a limit.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            state: Mutex::new(State {
                items: VecDeque::new(),
                cost: 0,
                is_idle: false,
                is_full: false,
                is_closed: false,
                is_dead: false,
            }),
            work: Condvar::new(),
            room: Condvar::new(),
            most,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        // Every change under this lock is complete before anything could panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an item, and waits for room before. It is begun at once, or when there is more, or
    /// after [`wake`](Self::wake). If nothing is done any more, it is dropped.
    pub(crate) fn push(&self, item: T, cost: usize) {
        let full = |state: &State<T>| state.cost > 0 && state.cost + cost > self.most;
        let mut state = self.wait(full);
        if state.is_dead {
            drop(state);
            return drop(item);
        }
        state.items.push_back((item, cost));
        state.cost += cost;
        if state.cost >= self.most / 16 {
            self.begin(&mut state);
        }
    }

    /// Has all that was added begun.
    pub(crate) fn wake(&self) {
        self.begin(&mut self.lock());
    }

    /// Waits until all that was added is done. Returns whether it is: if not, nothing is done any
    /// more.
    pub(crate) fn is_done(&self) -> bool {
        !self.wait(|state| state.cost > 0).is_dead
    }

    /// Nothing will be added any more.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.is_closed = true;
        self.begin(&mut state);
    }

    /// Does the work until the queue is closed and empty.
    pub(crate) fn work(&self, mut each: impl FnMut(T)) {
        // If one of them panics, nobody must wait for the others.
        let _dies = Dies(self);
        let mut state = self.lock();
        loop {
            if let Some((item, cost)) = state.items.pop_front() {
                drop(state);
                each(item);
                state = self.lock();
                state.cost -= cost;
                // Not for every small item.
                if state.cost <= self.most / 2 && std::mem::take(&mut state.is_full) {
                    self.room.notify_one();
                }
            } else if state.is_closed {
                return;
            } else {
                state.is_idle = true;
                state = self
                    .work
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
                state.is_idle = false;
            }
        }
    }

    /// Waits while a condition holds and something is done.
    fn wait(&self, mut holds: impl FnMut(&State<T>) -> bool) -> MutexGuard<'_, State<T>> {
        let mut state = self.lock();
        while holds(&state) && !state.is_dead {
            self.begin(&mut state);
            state.is_full = true;
            state = self
                .room
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        state
    }

    fn begin(&self, state: &mut State<T>) {
        if std::mem::take(&mut state.is_idle) {
            self.work.notify_one();
        }
    }
}

/// Marks a queue when nothing is done any more.
struct Dies<'a, T>(&'a Queue<T>);

impl<T> Drop for Dies<'_, T> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.is_dead = true;
        let left = std::mem::take(&mut state.items);
        drop(state);
        self.0.room.notify_one();
        drop(left);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    #[test]
    fn who_does_the_work_slowly_holds_back_who_adds_it() {
        let queue = Queue::new(100);
        let added = AtomicUsize::new(0);
        let mut done = Vec::new();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for item in 0..500 {
                    // One of them has no room beside any other.
                    queue.push(item, if item == 77 { 1000 } else { 10 });
                    added.fetch_add(1, Ordering::SeqCst);
                }
                queue.close();
            });
            queue.work(|item| {
                // Whoever adds more would be far ahead by now.
                std::thread::sleep(Duration::from_micros(200));
                let ahead = added.load(Ordering::SeqCst) - done.len();
                let most = if item == 77 { 1 } else { 10 };
                assert!(ahead <= most, "{ahead} at {item}");
                done.push(item);
            });
        });
        assert_eq!(done, (0..500).collect::<Vec<_>>());
    }

    #[test]
    fn all_of_it_is_done_when_that_is_said() {
        let queue = Queue::new(1 << 20);
        let done = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                queue.work(|()| {
                    std::thread::sleep(Duration::from_micros(50));
                    done.fetch_add(1, Ordering::SeqCst);
                });
            });
            for round in 1..50 {
                // Too little to begin with at once.
                (0..10).for_each(|_| queue.push((), 1));
                assert!(queue.is_done());
                assert_eq!(done.load(Ordering::SeqCst), 10 * round);
            }
            // What is added is begun without anybody waiting for it.
            queue.push((), 1);
            queue.wake();
            while done.load(Ordering::SeqCst) < 491 {
                std::thread::sleep(Duration::from_millis(1));
            }
            queue.close();
        });
    }

    #[test]
    fn nobody_waits_for_work_that_has_failed() {
        let queue = Queue::new(100);
        std::thread::scope(|scope| {
            let works = scope.spawn(|| queue.work(|item: u32| assert!(item < 5, "as intended")));
            (0..500).for_each(|item| queue.push(item, 60));
            assert!(!queue.is_done());
            assert!(works.join().is_err());
        });
        queue.push(1, 1000);
        assert!(!queue.is_done());
    }
}
