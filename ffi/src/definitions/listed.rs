//! For tests: what every event defines, as a list of its own beside the table that is used.

use ghc_eventlog::definition::{Class, Op};
use ghc_eventlog::{Definition, definition_of};

use crate::format::made::{fixed_event, header, variable_event};

/// Type, the widths of the fields at the front of the payload that are the key, what the
/// event does, and to what.
#[rustfmt::skip]
const LIST: &[(u16, &[usize], Op, Class)] = {
    use Class::*;
    const DEFINE: Op = Op::Define;
    const DELETE: Op = Op::Delete { with: None };
    &[
        (17,  &[],     DEFINE,   Startup),
        (25,  &[4],    DEFINE,   CapsetCreate),
        (26,  &[4],    DELETE,   CapsetCreate),
        (27,  &[4, 2], DEFINE,   CapsetAssign),
        (28,  &[4, 2], DELETE,   CapsetAssign),
        (29,  &[4],    DEFINE,   RtsIdentifier),
        (30,  &[4],    DEFINE,   ProgramArgs),
        (31,  &[4],    DEFINE,   ProgramEnv),
        (32,  &[4],    DEFINE,   OsProcessPid),
        (33,  &[4],    DEFINE,   OsProcessPpid),
        (43,  &[4],    DEFINE,   WallClock),
        (45,  &[2],    DEFINE,   CapCreate),
        (46,  &[2],    Op::Delete { with: Some(CapState) }, CapCreate),
        (47,  &[2],    DEFINE,   CapState),
        (48,  &[2],    DEFINE,   CapState),
        (52,  &[4],    DEFINE,   HeapInfo),
        (55,  &[8],    DEFINE,   Task),
        (56,  &[8],    DEFINE,   TaskMigrate),
        (57,  &[8],    Op::Delete { with: Some(TaskMigrate) }, Task),
        (160, &[1],    DEFINE,   HeapProfBegin),
        (161, &[4],    Op::Bulk, CostCentre),
        (168, &[],     DEFINE,   ProfBegin),
        (169, &[8],    Op::Bulk, InfoTable),
        (210, &[8],    DEFINE,   TickyCounter),
    ]
};
const BLOCK_MARKER: u16 = 18;
const INTERN_STRING: u16 = 42;
/// What no type can be: the mark at the end of a log.
const NO_TYPE: u16 = 0xFFFF;

fn listed(id: u16, payload: &[u8]) -> Option<Definition> {
    let number = |bytes: &[u8]| bytes.iter().fold(0, |n, &byte| n << 8 | u64::from(byte));
    if id == INTERN_STRING {
        // The number of a string follows it.
        let key = number(payload.last_chunk::<4>()?);
        let (class, op) = (Class::InternString, Op::Define);
        return Some(Definition { class, key, op });
    }
    let &(_, widths, op, class) = LIST.iter().find(|(of, ..)| *of == id)?;
    let key = number(payload.get(..widths.iter().sum())?);
    Some(Definition { class, key, op })
}

/// One event and the header that declares its type.
pub(crate) struct Case {
    pub id: u16,
    pub header: Vec<u8>,
    pub event: Vec<u8>,
    /// What the list says of it.
    pub listed: Option<Definition>,
}

/// Events of every type, of many lengths, in both forms. The table must say of each what the
/// list says.
pub(crate) fn for_each(mut check: impl FnMut(&Case)) {
    let mut seed = 1u64;
    // No NUL, which would end a string of an info table.
    let mut noise = move || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 56) as u8 | 1
    };
    for id in (0..NO_TYPE).filter(|&id| id != BLOCK_MARKER) {
        let lengths: &[usize] = match id {
            0..300 => &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 40],
            _ => &[0, 20],
        };
        for &len in lengths {
            let payload: Vec<u8> = (0..len).map(|_| noise()).collect();
            let listed = listed(id, &payload);
            assert_eq!(definition_of(id, &payload), listed, "{id}: {payload:?}");
            for (size, event) in [
                (len as u16, fixed_event(id, 5, &[&payload])),
                (0xFFFF, variable_event(id, 5, &[&payload])),
            ] {
                let header = header(&[(BLOCK_MARKER, 14), (id, size)]);
                check(&Case {
                    id,
                    header,
                    event,
                    listed,
                });
            }
        }
    }
    assert_eq!(definition_of(BLOCK_MARKER, &[1; 40]), None);
    assert_eq!(definition_of(NO_TYPE, &[1; 40]), None);
}
