//! Signals that ask the program to stop.

use eventlog_source::program::heeded;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};

/// Set once the user wants us to stop.
#[derive(Clone, Debug)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// From now on the signals that mean "stop" only set the flag. The second
    /// one ends the program at once.
    pub fn install() -> io::Result<Self> {
        let flag = Arc::new(AtomicBool::new(false));
        for signal in heeded(&[SIGINT, SIGTERM, SIGHUP]) {
            signal_hook::flag::register_conditional_shutdown(
                signal,
                128 + signal,
                Arc::clone(&flag),
            )?;
            signal_hook::flag::register(signal, Arc::clone(&flag))?;
        }
        Ok(Self(flag))
    }

    /// The same, but runs `finally` before the second signal ends the program.
    pub fn install_and(finally: impl Fn() + Send + 'static) -> io::Result<Self> {
        let flag = Arc::new(AtomicBool::new(false));
        let stop = Self(Arc::clone(&flag));
        let mut signals = Signals::new(heeded(&[SIGINT, SIGTERM, SIGHUP]))?;
        std::thread::spawn(move || {
            for signal in signals.forever() {
                // It guards no other data.
                if flag.swap(true, Ordering::Relaxed) {
                    finally();
                    signal_hook::low_level::exit(128 + signal);
                }
            }
        });
        Ok(stop)
    }

    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Stops for another reason than a signal.
    pub fn set(&self) {
        // It guards no other data.
        self.0.store(true, Ordering::Relaxed);
    }
}

/// From now on, writing beyond the user's limit for files (`ulimit -f`) is a write error, as on a
/// full disk, and does not end the program.
pub fn survive_file_size_limit() {
    // A handler, not SIG_IGN: programs that we start would inherit that. If it cannot be installed,
    // the signal ends the program, abruptly but correctly.
    let _ = signal_hook::flag::register(SIGXFSZ, Arc::default());
}

/// The files to be removed when a signal ends the program. While this is locked, no signal does.
static LEFT: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

fn left() -> MutexGuard<'static, Vec<PathBuf>> {
    static BEGUN: Once = Once::new();
    BEGUN.call_once(|| {
        let Ok(mut signals) = Signals::new(heeded(&[SIGINT, SIGTERM, SIGHUP, SIGQUIT])) else {
            return;
        };
        std::thread::spawn(move || {
            if let Some(signal) = signals.forever().next() {
                let left = lock();
                for path in left.iter() {
                    let _ = std::fs::remove_file(path);
                }
                // Ends the program, before another thread can create another file.
                let _ = emulate_default_handler(signal);
            }
        });
    });
    lock()
}

fn lock() -> MutexGuard<'static, Vec<PathBuf>> {
    // A poisoned lock is harmless: no update under it is ever left incomplete.
    LEFT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Does something short that no signal may interrupt.
pub fn uninterrupted<T>(action: impl FnOnce() -> T) -> T {
    let _left = left();
    action()
}

/// A file that is removed on drop, and also when a signal ends the program.
#[derive(Debug)]
pub struct Removed(PathBuf);

impl Removed {
    /// Creates it.
    pub fn made(make: impl FnOnce() -> io::Result<PathBuf>) -> io::Result<Self> {
        let mut left = left();
        let path = make()?;
        left.push(path.clone());
        Ok(Self(path))
    }

    /// Gives it its real name, by which it stays.
    pub fn rename(self, rename: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<()> {
        let mut left = left();
        rename(&self.0)?;
        left.retain(|path| *path != self.0);
        drop(left);
        std::mem::forget(self);
        Ok(())
    }
}

impl Drop for Removed {
    fn drop(&mut self) {
        let mut left = left();
        // There is nothing to be done about a failure.
        let _ = std::fs::remove_file(&self.0);
        left.retain(|path| *path != self.0);
    }
}
