//! How every thread of this library is started.
//!
//! By `pthread_create` rather than by Rust's library, which cannot say that it found no memory, and which makes stacks of a
//! size that is wrong in some programs: glibc takes the thread-local variables of the program and of all its libraries out
//! of the stack, and there are programs with megabytes of them. So a stack has the program's default size, or 256 KiB
//! besides those variables, whichever is more; nothing large is ever put on it.

use std::cell::UnsafeCell;
use std::ffi::{CStr, c_int, c_void};
use std::mem::MaybeUninit;
use std::ptr::{NonNull, null};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::futex;
use crate::lock::blocked_while;
use crate::memory::boxed;
use crate::status::{Error, Result};
use crate::system;

/// What the code of this library, and a handler of the program, find at least.
const STACK: usize = 256 * 1024;

/// What a thread begins with.
pub(crate) type Start = extern "C" fn(*mut c_void) -> *mut c_void;

/// Which signals a thread takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signals {
    /// None of the program's: they are for its own threads.
    Blocked,
    /// Those of the thread that starts it. The RTS may start workers from this one, which inherit its mask.
    Inherited,
}

/// Start a thread, which nobody joins. An error if the system has no thread or no memory to give.
pub(crate) fn start(signals: Signals, run: Start, argument: *mut c_void) -> Result<()> {
    match signals {
        Signals::Blocked => blocked_while(|| create(run, argument)),
        Signals::Inherited => create(run, argument),
    }
}

fn create(run: Start, argument: *mut c_void) -> Result<()> {
    let mut attributes = Attributes::detached()?;
    let least = least_stack(&attributes);
    let usual = attributes.stack_size().max(least);
    // A process whose address space is limited may have no room for the usual size.
    let created = match attributes.create(usual, run, argument) {
        Err(libc::EAGAIN | libc::ENOMEM) if usual > least => {
            attributes.create(least, run, argument)
        }
        created => created,
    };
    created.map_err(Error::Sys)
}

/// Name the thread that calls this. A name has at most 15 bytes.
pub(crate) fn name_this(name: &'static CStr) {
    system::name_this_thread(name);
}

/// Those of a thread to be, destroyed when they go.
struct Attributes(libc::pthread_attr_t);

impl Attributes {
    fn detached() -> Result<Attributes> {
        let mut attributes = MaybeUninit::uninit();
        // SAFETY: room for the attributes, initialised if this succeeds.
        let mut attributes = match unsafe { libc::pthread_attr_init(attributes.as_mut_ptr()) } {
            // SAFETY: initialised.
            0 => Attributes(unsafe { attributes.assume_init() }),
            error => return Err(Error::Sys(error)),
        };
        let detached = libc::PTHREAD_CREATE_DETACHED;
        // SAFETY: initialised attributes.
        match unsafe { libc::pthread_attr_setdetachstate(&mut attributes.0, detached) } {
            0 => Ok(attributes),
            error => Err(Error::Sys(error)),
        }
    }

    /// The default: what `ulimit -s` said when the program started.
    fn stack_size(&self) -> usize {
        let mut size = 0;
        // SAFETY: initialised attributes, and room for the answer.
        match unsafe { libc::pthread_attr_getstacksize(&self.0, &mut size) } {
            0 => size,
            _ => 0,
        }
    }

    /// The error is its number.
    fn create(
        &mut self,
        stack: usize,
        run: Start,
        argument: *mut c_void,
    ) -> std::result::Result<(), c_int> {
        let mut thread = MaybeUninit::uninit();
        // SAFETY: initialised attributes; room for the thread's id; the function takes this argument.
        let error = unsafe {
            match libc::pthread_attr_setstacksize(&mut self.0, stack) {
                0 => libc::pthread_create(thread.as_mut_ptr(), &self.0, run, argument),
                error => error,
            }
        };
        match error {
            0 => Ok(()),
            error => Err(error),
        }
    }
}

impl Drop for Attributes {
    fn drop(&mut self) {
        // SAFETY: initialised, and destroyed once.
        unsafe { libc::pthread_attr_destroy(&mut self.0) };
    }
}

/// Whole pages for our own needs, and for whatever else the C library puts there.
fn least_stack(attributes: &Attributes) -> usize {
    // SAFETY: no pointers.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    let page = usize::try_from(page).ok().filter(|page| *page > 0);
    let page = page.unwrap_or(64 * 1024);
    // A page for the guard, which some C libraries take out of the stack as well.
    let taken = minimum(attributes).max(thread_local_variables());
    (STACK + taken).next_multiple_of(page) + page
}

/// What glibc says that it takes out of each stack; 0 if it does not say. The name is private to it: it is looked up while
/// the program runs, and nothing is linked against it.
#[cfg(target_os = "linux")]
fn minimum(attributes: &Attributes) -> usize {
    type Minimum = unsafe extern "C" fn(*const libc::pthread_attr_t) -> libc::size_t;
    // SAFETY: a string; null if there is no such symbol.
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"__pthread_get_minstack".as_ptr()) };
    if found.is_null() {
        return 0;
    }
    // SAFETY: it has had this signature since glibc 2.15, as whoever uses it relies on (Rust's own library does, too).
    let minimum = unsafe { std::mem::transmute::<*mut c_void, Minimum>(found) };
    // SAFETY: initialised attributes, which it only reads.
    unsafe { minimum(&attributes.0) }
}

#[cfg(not(target_os = "linux"))]
fn minimum(_: &Attributes) -> usize {
    0
}

/// The thread-local variables of all that is loaded, as the files declare them: for where the C library does not say.
#[cfg(target_os = "linux")]
fn thread_local_variables() -> usize {
    unsafe extern "C" fn add(
        object: *mut libc::dl_phdr_info,
        _: libc::size_t,
        sum: *mut c_void,
    ) -> c_int {
        // SAFETY: the object that is being visited, and the sum below.
        let (object, sum) = unsafe { (&*object, &mut *sum.cast::<usize>()) };
        if object.dlpi_phdr.is_null() {
            return 0;
        }
        // SAFETY: it has so many headers there.
        let headers =
            unsafe { std::slice::from_raw_parts(object.dlpi_phdr, object.dlpi_phnum.into()) };
        for header in headers
            .iter()
            .filter(|header| header.p_type == libc::PT_TLS)
        {
            // Its alignment may leave a gap before it.
            *sum += header.p_memsz as usize + header.p_align as usize;
        }
        0
    }
    let mut sum = 0usize;
    // SAFETY: a function that takes this argument, which outlives the call.
    unsafe { libc::dl_iterate_phdr(Some(add), (&raw mut sum).cast()) };
    sum
}

#[cfg(not(target_os = "linux"))]
fn thread_local_variables() -> usize {
    0
}

/// A thread that waits to be told what it is to work with; it ends if that is nothing. A system that has no thread to give
/// thus says so before there is anything that could not be taken back.
#[derive(Debug)]
pub(crate) struct Waiting<T: Send + 'static>(NonNull<Handover<T>>);

// SAFETY: the only one that gives; what is given may be sent.
unsafe impl<T: Send + 'static> Send for Waiting<T> {}

/// Owned by the thread, from the moment it leaves [`Handover::OPEN`].
struct Handover<T> {
    /// Written once by the giver, who then does not touch it any more.
    state: AtomicU32,
    given: UnsafeCell<MaybeUninit<T>>,
    name: &'static CStr,
    work: fn(T),
}

impl<T> Handover<T> {
    const OPEN: u32 = 0;
    const GIVEN: u32 = 1;
    const NOTHING: u32 = 2;
}

impl<T: Send + 'static> Waiting<T> {
    /// One of this name, with all signals blocked, which does `work` with what it is given.
    pub(crate) fn start(name: &'static CStr, work: fn(T)) -> Result<Waiting<T>> {
        let handover = Box::into_raw(boxed(Handover {
            state: AtomicU32::new(Handover::<T>::OPEN),
            given: UnsafeCell::new(MaybeUninit::uninit()),
            name,
            work,
        })?);
        if let Err(error) = start(Signals::Blocked, take::<T>, handover.cast()) {
            // SAFETY: no thread has it.
            drop(unsafe { Box::from_raw(handover) });
            return Err(error);
        }
        // SAFETY: a box is not null.
        Ok(Waiting(unsafe { NonNull::new_unchecked(handover) }))
    }

    pub(crate) fn give(self, value: T) {
        // SAFETY: the thread reads it only once the state says that it is given, and frees nothing before.
        unsafe { (*self.0.as_ref().given.get()).write(value) };
        self.close(Handover::<T>::GIVEN);
        std::mem::forget(self);
    }

    fn close(&self, state: u32) {
        let word: *const AtomicU32 = {
            // SAFETY: the thread frees it after the store below, not before.
            let handover = unsafe { self.0.as_ref() };
            // Release: pairs with the Acquire in `take`; what was given is whole.
            handover.state.store(state, Ordering::Release);
            &raw const handover.state
        };
        // The thread may have freed the word by now: only its address is used, to look up who sleeps there.
        futex::wake_all_at(word);
    }
}

impl<T: Send + 'static> Drop for Waiting<T> {
    fn drop(&mut self) {
        self.close(Handover::<T>::NOTHING);
    }
}

extern "C" fn take<T: Send + 'static>(handover: *mut c_void) -> *mut c_void {
    let handover = handover.cast::<Handover<T>>();
    let (work, given) = {
        // SAFETY: alive until this thread frees it.
        let handover = unsafe { &*handover };
        name_this(handover.name);
        loop {
            // Acquire: pairs with the Release in `close`.
            match handover.state.load(Ordering::Acquire) {
                Handover::<T>::OPEN => {
                    futex::wait(&handover.state, Handover::<T>::OPEN, None);
                }
                Handover::<T>::GIVEN => {
                    // SAFETY: it was given, and is taken once.
                    let given = unsafe { (*handover.given.get()).assume_init_read() };
                    break (handover.work, Some(given));
                }
                _ => break (handover.work, None),
            }
        }
    };
    // SAFETY: from a box, and the giver does not touch it any more.
    drop(unsafe { Box::from_raw(handover) });
    if let Some(given) = given {
        work(given);
    }
    null::<c_void>().cast_mut()
}
