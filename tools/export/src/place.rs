//! Which program of a log something belongs to: a log that was merged from several has more than
//! one.

use eventlog_state::{Program, State, ThreadInterval, ThreadState};
use std::ptr;

/// The index of a program among those of the log. Something without any known program, such as
/// events outside all capabilities, belongs to the first program that has not ended.
pub type Place = u8;

fn place(state: &State, program: Option<&Program>) -> Place {
    let Some(program) = program else { return 0 };
    let mut programs = state.programs().iter();
    let place = programs.position(|other| ptr::eq(other, program));
    place.and_then(|at| at.try_into().ok()).unwrap_or(0)
}

/// Whether there is only one program, as in nearly every log.
fn is_alone(state: &State) -> bool {
    state.programs().iter().nth(1).is_none()
}

/// The program of a capability.
pub fn of_cap(state: &State, cap: Option<u16>) -> Place {
    if is_alone(state) {
        return 0;
    }
    let mut programs = state.programs().iter();
    let told = cap.and_then(|cap| state.programs().of_cap(cap));
    place(
        state,
        told.or_else(|| programs.find(|of| of.ended.is_none())),
    )
}

/// The program of a thread. `told_by`: the capability that logged something about it, used if
/// nothing else is known.
pub fn of_thread(state: &State, thread: u32, told_by: Option<u16>) -> Place {
    let cap = state.thread(thread).and_then(|thread| thread.cap());
    of_cap(state, cap.or(told_by))
}

/// The capability that logged an interval of a thread, as far as that is known.
pub fn told_by(interval: &ThreadInterval, now: Option<u16>) -> Option<u16> {
    match interval.state {
        ThreadState::Running { cap } => Some(cap),
        _ => now,
    }
}

/// The program of a heap, which has the number of the program's capability set; and whether
/// that is the program's own heap.
pub fn of_heap(state: &State, heap: u32, told_by: Option<u16>) -> (Place, bool) {
    match state.programs().of_capset(heap) {
        Some(program) => (place(state, Some(program)), true),
        None => (of_cap(state, told_by), heap == 0),
    }
}

/// The programs of a log: at least one, even if nothing is known about it.
pub fn all(state: &State) -> impl Iterator<Item = (Place, Option<&Program>)> {
    let nobody = state.programs().first().is_none();
    let programs = state.programs().iter().map(Some);
    (0..=Place::MAX).zip(programs.chain(nobody.then_some(None)))
}
