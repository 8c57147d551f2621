//! Which events define something, and what they define.
//!
//! The runtime system writes once what its capabilities are, how the program
//! was started, which cost centres there are. A reader that joins later, or
//! reads a log that begins later, needs these events again. This is the one
//! table of them; [`definition`] looks up a decoded event, [`definition_of`]
//! the bytes of one. Neither allocates.

use crate::body::EventBody;
use crate::ids;

/// The kind of thing that a definition is about. The order is that in which
/// definitions have to be repeated: what exists is before what refers to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Class {
    /// How many capabilities there are, in logs of old systems.
    Startup,
    /// The number of a string.
    InternString,
    /// The existence of a capability set.
    CapsetCreate,
    /// The existence of a capability.
    CapCreate,
    /// The membership of a capability in a set.
    CapsetAssign,
    /// Whether a capability is used.
    CapState,
    /// The wall clock.
    WallClock,
    /// The process id.
    OsProcessPid,
    /// The id of the parent process.
    OsProcessPpid,
    /// Which runtime system it is.
    RtsIdentifier,
    /// The arguments of the program.
    ProgramArgs,
    /// Its environment.
    ProgramEnv,
    /// How the heap is set up.
    HeapInfo,
    /// The settings of the time profile.
    ProfBegin,
    /// The settings of a heap profile.
    HeapProfBegin,
    /// The existence of an OS thread of the runtime system.
    Task,
    /// The capability to which an OS thread has moved.
    TaskMigrate,
    /// A ticky counter.
    TickyCounter,
    /// A cost centre.
    CostCentre,
    /// Information about an info table.
    InfoTable,
}

/// What an event does to a definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// It defines something of this class for the key; only the latest such
    /// event counts.
    Define,
    /// It deletes what was defined.
    Delete {
        /// What is defined for the same key in this class is deleted, too.
        with: Option<Class>,
    },
    /// It is an entry of a table that only grows, and can be large: each entry
    /// is written once, and their order has to be kept, because some readers
    /// number them by it.
    Bulk,
}

/// What an event defines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Definition {
    /// The kind of thing.
    pub class: Class,
    /// Which one: the number of a capability, the address of a task, ...
    pub key: u64,
    /// Whether it is defined or deleted.
    pub op: Op,
}

macro_rules! op {
    (define) => {
        Op::Define
    };
    (bulk) => {
        Op::Bulk
    };
    (delete) => {
        Op::Delete { with: None }
    };
    (delete $With:ident) => {
        Op::Delete {
            with: Some(Class::$With),
        }
    };
}

/// One row: the event, the fields that make up the key and their place in the
/// payload, what the event does, and to which class. Both functions are
/// generated from it.
macro_rules! definition_table {
    ($(
        $Variant:ident $ID:ident
        $({ $field:ident : $read:ident $(, $second:ident : $read_second:ident)? })?
        => $op:ident $Class:ident $(with $With:ident)? ;
    )*) => {
        /// What the event defines; `None` if nothing later depends on it.
        ///
        /// An event that is too short for its type counts if its key is there,
        /// as for [`definition_of`].
        pub fn definition(body: &EventBody<'_>) -> Option<Definition> {
            match *body {
                $( EventBody::$Variant { $($field, $($second,)?)? .. } => Some(Definition {
                    class: Class::$Class,
                    key: key!($($field $(, $second)?)?),
                    op: op!($op $($With)?),
                }), )*
                EventBody::Unknown { id, payload } => definition_of(id, payload),
                _ => None,
            }
        }

        /// The same for an event that is not decoded: its type, and its payload
        /// without any length before it. `None` also if the payload is too
        /// short for the key.
        pub fn definition_of(id: u16, payload: &[u8]) -> Option<Definition> {
            let (class, key, op) = match id {
                $( ids::$ID => {
                    #[allow(unused_mut, unused_variables)]
                    let mut rest = payload;
                    $(
                        let $field = $read(&mut rest)?;
                        $( let $second = $read_second(&mut rest)?; )?
                    )?
                    (Class::$Class, key!($($field $(, $second)?)?), op!($op $($With)?))
                } )*
                _ => return None,
            };
            Some(Definition { class, key, op })
        }
    };
}

/// The second part of a key is always the number of a capability.
macro_rules! key {
    () => {
        0
    };
    ($field:ident) => {
        u64::from($field)
    };
    ($field:ident, $cap:ident) => {
        u64::from($field) << 16 | u64::from($cap)
    };
}

definition_table! {
    Startup STARTUP => define Startup;
    InternString INTERN_STRING { string_id: last_u32 } => define InternString;
    CapsetCreate CAPSET_CREATE { capset: u32 } => define CapsetCreate;
    // The set, but not what was said about the process or the clock: sets are
    // deleted in the last moments of a program, their numbers are not used
    // again, and the times of later events are still times of that clock.
    CapsetDelete CAPSET_DELETE { capset: u32 } => delete CapsetCreate;
    CapsetAssignCap CAPSET_ASSIGN_CAP { capset: u32, assigned_cap: u16 } => define CapsetAssign;
    CapsetRemoveCap CAPSET_REMOVE_CAP { capset: u32, removed_cap: u16 } => delete CapsetAssign;
    CapCreate CAP_CREATE { created_cap: u16 } => define CapCreate;
    CapDelete CAP_DELETE { deleted_cap: u16 } => delete CapCreate with CapState;
    // Enabling does not delete what disabling has defined: the two can arrive
    // in either order, and then the later one counts.
    CapDisable CAP_DISABLE { disabled_cap: u16 } => define CapState;
    CapEnable CAP_ENABLE { enabled_cap: u16 } => define CapState;
    WallClockTime WALL_CLOCK_TIME { capset: u32 } => define WallClock;
    OsprocessPid OSPROCESS_PID { capset: u32 } => define OsProcessPid;
    OsprocessPpid OSPROCESS_PPID { capset: u32 } => define OsProcessPpid;
    RtsIdentifier RTS_IDENTIFIER { capset: u32 } => define RtsIdentifier;
    ProgramArgs PROGRAM_ARGS { capset: u32 } => define ProgramArgs;
    ProgramEnv PROGRAM_ENV { capset: u32 } => define ProgramEnv;
    HeapInfoGhc HEAP_INFO_GHC { capset: u32 } => define HeapInfo;
    ProfBegin PROF_BEGIN => define ProfBegin;
    HeapProfBegin HEAP_PROF_BEGIN { profile: u8 } => define HeapProfBegin;
    TaskCreate TASK_CREATE { task: u64 } => define Task;
    // Without it a task would seem to be where it was created. That of a task
    // that does not exist is ignored: tasks are identified by address, and the
    // next one at that address has not moved.
    TaskMigrate TASK_MIGRATE { task: u64 } => define TaskMigrate;
    TaskDelete TASK_DELETE { task: u64 } => delete Task with TaskMigrate;
    TickyCounterDef TICKY_COUNTER_DEF { counter: u64 } => define TickyCounter;
    HeapProfCostCentre HEAP_PROF_COST_CENTRE { cost_centre: u32 } => bulk CostCentre;
    Ipe IPE { info: u64 } => bulk InfoTable;
}

macro_rules! readers {
    ($($int:ident)*) => {$(
        /// Takes the number off the front of a payload.
        fn $int(payload: &mut &[u8]) -> Option<$int> {
            let (bytes, rest) = payload.split_first_chunk()?;
            *payload = rest;
            Some($int::from_be_bytes(*bytes))
        }
    )*};
}
readers!(u8 u16 u32 u64);

/// The number at the end of a payload.
fn last_u32(payload: &mut &[u8]) -> Option<u32> {
    payload.last_chunk().copied().map(u32::from_be_bytes)
}
