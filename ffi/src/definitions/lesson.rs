//! Which events define something, and of what.

use crate::event_table::Event;
use crate::format::*;

/// What kind of thing a keyed definition is about. The order is the order of
/// replay: what exists comes before what refers to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Class {
    CapsetCreate,
    CapCreate,
    CapsetAssign,
    CapState,
    WallClock,
    OsProcess,
    RtsIdentifier,
    ProgramArgs,
    ProgramEnv,
    HeapInfo,
    ProfBegin,
    HeapProfBegin,
    Task,
    TaskMigrate,
    TickyCounter,
}

pub(crate) type Key = (Class, u64);

/// What an event says of definitions.
pub(crate) enum Lesson {
    Define(Key),
    /// Of the first key; the others go with it.
    Delete(Key, Option<Key>),
    Bulk,
    Nothing,
}

/// The first 2, 4 or 8 bytes at `at`, as a number.
fn number<const N: usize>(payload: &[u8], at: usize) -> Option<u64> {
    let bytes: [u8; N] = payload.get(at..at + N)?.try_into().ok()?;
    Some(bytes.iter().fold(0, |n, &byte| n << 8 | u64::from(byte)))
}

pub(crate) fn lesson(event: &Event<'_>) -> Lesson {
    keyed_lesson(event).unwrap_or(match event.kind {
        EVENT_IPE | EVENT_HEAP_PROF_COST_CENTRE => Lesson::Bulk,
        _ => Lesson::Nothing,
    })
}

/// `None` for other events, and for those too short for their key.
fn keyed_lesson(event: &Event<'_>) -> Option<Lesson> {
    let payload = event.payload;
    let capset = || number::<4>(payload, 0);
    let cap = || number::<2>(payload, 0);
    let id = || number::<8>(payload, 0);
    let membership = || Some(capset()? << 16 | number::<2>(payload, 4)?);
    let define = |class, key| Some(Lesson::Define((class, key)));
    let delete = |class, key, with: Option<Class>| {
        Some(Lesson::Delete((class, key), with.map(|with| (with, key))))
    };
    match event.kind {
        EVENT_CAPSET_CREATE => define(Class::CapsetCreate, capset()?),
        EVENT_CAPSET_DELETE => delete(Class::CapsetCreate, capset()?, None),
        EVENT_CAPSET_ASSIGN_CAP => define(Class::CapsetAssign, membership()?),
        EVENT_CAPSET_REMOVE_CAP => delete(Class::CapsetAssign, membership()?, None),
        EVENT_CAP_CREATE => define(Class::CapCreate, cap()?),
        EVENT_CAP_DELETE => delete(Class::CapCreate, cap()?, Some(Class::CapState)),
        EVENT_CAP_DISABLE | EVENT_CAP_ENABLE => define(Class::CapState, cap()?),
        EVENT_WALL_CLOCK_TIME => define(Class::WallClock, capset()?),
        EVENT_OSPROCESS_PID => define(Class::OsProcess, capset()? << 1),
        EVENT_OSPROCESS_PPID => define(Class::OsProcess, capset()? << 1 | 1),
        EVENT_RTS_IDENTIFIER => define(Class::RtsIdentifier, capset()?),
        EVENT_PROGRAM_ARGS => define(Class::ProgramArgs, capset()?),
        EVENT_PROGRAM_ENV => define(Class::ProgramEnv, capset()?),
        EVENT_HEAP_INFO_GHC => define(Class::HeapInfo, capset()?),
        EVENT_PROF_BEGIN => define(Class::ProfBegin, 0),
        EVENT_HEAP_PROF_BEGIN => define(Class::HeapProfBegin, number::<1>(payload, 0)?),
        EVENT_TASK_CREATE => define(Class::Task, id()?),
        EVENT_TASK_MIGRATE => define(Class::TaskMigrate, id()?),
        EVENT_TASK_DELETE => delete(Class::Task, id()?, Some(Class::TaskMigrate)),
        EVENT_TICKY_COUNTER_DEF => define(Class::TickyCounter, id()?),
        _ => None,
    }
}
