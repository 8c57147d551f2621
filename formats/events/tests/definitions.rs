//! Which events define something: the table is compared with a second list, for every type of
//! event.

mod common;

use common::*;
use ghc_eventlog::definition::{Class, Op};
use ghc_eventlog::{Definition, EventBody, definition, definition_of};

/// Type, the widths of the fields at the front of the payload that are the key, what the event
/// does, and to which class.
#[rustfmt::skip]
const DEFINING: &[(u16, &[u8], Op, Class)] = {
    use Class::*;
    const DELETE: Op = Op::Delete { with: None };
    &[
        (17,  &[],     Op::Define, Startup),
        (25,  &[4],    Op::Define, CapsetCreate),
        (26,  &[4],    DELETE,     CapsetCreate),
        (27,  &[4, 2], Op::Define, CapsetAssign),
        (28,  &[4, 2], DELETE,     CapsetAssign),
        (29,  &[4],    Op::Define, RtsIdentifier),
        (30,  &[4],    Op::Define, ProgramArgs),
        (31,  &[4],    Op::Define, ProgramEnv),
        (32,  &[4],    Op::Define, OsProcessPid),
        (33,  &[4],    Op::Define, OsProcessPpid),
        (43,  &[4],    Op::Define, WallClock),
        (45,  &[2],    Op::Define, CapCreate),
        (46,  &[2],    Op::Delete { with: Some(CapState) }, CapCreate),
        (47,  &[2],    Op::Define, CapState),
        (48,  &[2],    Op::Define, CapState),
        (52,  &[4],    Op::Define, HeapInfo),
        (55,  &[8],    Op::Define, Task),
        (56,  &[8],    Op::Define, TaskMigrate),
        (57,  &[8],    Op::Delete { with: Some(TaskMigrate) }, Task),
        (160, &[1],    Op::Define, HeapProfBegin),
        (161, &[4],    Op::Bulk,   CostCentre),
        (168, &[],     Op::Define, ProfBegin),
        (169, &[8],    Op::Bulk,   InfoTable),
        (210, &[8],    Op::Define, TickyCounter),
    ]
};

/// What the list says about an event.
fn expected(id: u16, payload: &[u8]) -> Option<Definition> {
    if id == 42 {
        // The number of a string follows it.
        let number = payload.len().checked_sub(4)?;
        return Some(Definition {
            class: Class::InternString,
            key: number_of(&payload[number..]),
            op: Op::Define,
        });
    }
    let &(_, widths, op, class) = DEFINING.iter().find(|(of, ..)| *of == id)?;
    let width = widths.iter().map(|&width| usize::from(width)).sum();
    let key = number_of(payload.get(..width)?);
    Some(Definition { class, key, op })
}

/// Fields that follow each other are one number.
fn number_of(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |n, &byte| n << 8 | u64::from(byte))
}

#[test]
fn every_type_defines_what_the_list_says() {
    let mut seed = 1u64;
    let mut noise = move || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 56) as u8
    };
    for id in 0..=u16::MAX {
        // Payloads of every length, up to more than any key or any fixed event needs.
        let longest = if id < 300 { 80 } else { 20 };
        for len in 0..=longest {
            let payload: Vec<u8> = (0..len).map(|_| noise()).collect();
            let expected = expected(id, &payload);
            assert_eq!(definition_of(id, &payload), expected, "{id}: {payload:?}");
            let body = EventBody::decode(id, &payload);
            assert_eq!(definition(&body), expected, "{id}: {payload:?}");
        }
    }
}

#[test]
fn typed_events_define_what_their_bytes_define() {
    let mut found = 0;
    for body in one_of_each() {
        let mut payload = Vec::new();
        body.encode_payload(&mut payload);
        let expected = expected(body.id(), &payload);
        assert_eq!(definition(&body), expected, "{body:?}");
        found += usize::from(expected.is_some());
    }
    assert_eq!(found, DEFINING.len() + 1);
}

/// What refers to something is repeated after it.
#[test]
fn classes_are_in_the_order_of_replay() {
    use Class::*;
    let order = [
        (CapsetCreate, CapsetAssign),
        (CapCreate, CapsetAssign),
        (CapCreate, CapState),
        (CapsetCreate, WallClock),
        (CapsetCreate, OsProcessPid),
        (CapsetCreate, RtsIdentifier),
        (CapsetCreate, ProgramArgs),
        (CapsetCreate, HeapInfo),
        (CapCreate, Task),
        (Task, TaskMigrate),
        (HeapProfBegin, CostCentre),
        (TickyCounter, InfoTable),
    ];
    for (earlier, later) in order {
        assert!(earlier < later, "{earlier:?}, {later:?}");
    }
}
