use super::*;
use crate::test_log::Log;
use ghc_eventlog::{CapsetType, ids};

fn fold_into(definitions: &mut Definitions, log: &Log) {
    log.each(|event| definitions.event(event, &Keep::all()));
}

fn fold(log: &Log) -> Definitions {
    let mut definitions = Definitions::default();
    fold_into(&mut definitions, log);
    definitions
}

/// The changes as a log.
fn changes(from: &Definitions, to: &Definitions, at: u64) -> Log {
    let mut log = Log::new();
    let header = log.header.clone();
    to.changes(from, &header, at, &mut |cap, raw| log.push_raw(cap, raw));
    log
}

fn from_nothing(to: &Definitions, at: u64) -> Log {
    changes(&Definitions::default(), to, at)
}

fn names(log: &Log) -> Vec<&'static str> {
    let mut names = Vec::new();
    log.each(|event| names.push(event.name()));
    names
}

/// The definitions of a program that ran with two capabilities.
fn program(log: &mut Log) {
    let (capset, capset_type) = (0, CapsetType::OS_PROCESS);
    log.push(
        None,
        5,
        EventBody::CapsetCreate {
            capset,
            capset_type,
        },
    );
    log.push(None, 6, EventBody::OsprocessPid { capset, pid: 77 });
    let identifier = "GHC-9.0.2 rts_thr".into();
    log.push(None, 6, EventBody::RtsIdentifier { capset, identifier });
    for created_cap in 0..2 {
        log.push(None, 7, EventBody::CapCreate { created_cap });
        let assigned_cap = created_cap;
        log.push(
            None,
            7,
            EventBody::CapsetAssignCap {
                capset,
                assigned_cap,
            },
        );
    }
    let (seconds, nanoseconds) = (1000, 999_999_990);
    log.push(
        None,
        10,
        EventBody::WallClockTime {
            capset,
            seconds,
            nanoseconds,
        },
    );
}

fn task(task: u64) -> EventBody<'static> {
    EventBody::TaskCreate {
        task,
        task_cap: 0,
        kernel_thread: 4000 + task,
    }
}

fn moves(task: u64, old_cap: u16, new_cap: u16) -> EventBody<'static> {
    EventBody::TaskMigrate {
        task,
        old_cap,
        new_cap,
    }
}

#[test]
fn a_log_can_begin_with_them() {
    let mut log = Log::new();
    program(&mut log);
    let whole = fold(&log);
    let again = from_nothing(&whole, 30);
    assert_eq!(
        names(&again),
        [
            "capset_create",
            "cap_create",
            "cap_create",
            "capset_assign_cap",
            "capset_assign_cap",
            "wall_clock_time",
            "osprocess_pid",
            "rts_identifier",
        ]
    );
    let mut clock = None;
    again.each(|event| {
        assert_eq!((event.time, event.cap), (30, None));
        clock = clock.or(WallClock::from_event(event));
    });
    // The seconds have changed, but it is still the same clock.
    assert_eq!(clock, Some(WallClock::new(10, 1000, 999_999_990)));
    assert!(fold(&again).same(&whole) && whole.same(&fold(&again)));
    assert!(!Definitions::default().same(&whole));
}

#[test]
fn what_says_the_same_again_changes_nothing() {
    let mut log = Log::new();
    program(&mut log);
    let mut definitions = fold(&log);
    let before = definitions.clone();
    let mut again = Log::new();
    program(&mut again);
    // The same clock, logged ten nanoseconds later.
    let capset = 0;
    let (seconds, nanoseconds) = (1001, 0);
    let clock = EventBody::WallClockTime {
        capset,
        seconds,
        nanoseconds,
    };
    again.push(None, 20, clock);
    fold_into(&mut definitions, &again);
    assert_eq!(names(&changes(&before, &definitions, 9)), [""; 0]);
    again.push(None, 21, clock);
    fold_into(&mut definitions, &again);
    assert_eq!(
        names(&changes(&before, &definitions, 9)),
        ["wall_clock_time"]
    );
}

#[test]
fn what_is_gone_is_deleted_first() {
    let mut log = Log::new();
    program(&mut log);
    log.push(None, 8, task(1));
    let before = fold(&log);
    let mut after = before.clone();
    let mut rest = Log::new();
    let (capset, capset_type) = (0, CapsetType::OS_PROCESS);
    rest.push(None, 20, EventBody::TaskDelete { task: 1 });
    rest.push(None, 20, EventBody::CapDelete { deleted_cap: 1 });
    rest.push(
        None,
        20,
        EventBody::CapsetRemoveCap {
            capset,
            removed_cap: 1,
        },
    );
    // The set is another one now, and the log does not contain its members.
    rest.push(None, 20, EventBody::CapsetDelete { capset });
    rest.push(
        None,
        20,
        EventBody::CapsetCreate {
            capset,
            capset_type,
        },
    );
    rest.push(None, 20, task(2));
    fold_into(&mut after, &rest);
    assert_eq!(
        names(&changes(&before, &after, 30)),
        [
            "capset_remove_cap",
            "capset_remove_cap",
            "task_delete",
            "cap_delete",
            "capset_delete",
            "capset_create",
            "capset_assign_cap",
            "task_create",
        ]
    );
}

#[test]
fn a_task_is_created_where_it_is_now() {
    let mut log = Log::new();
    // Moves of a task that is older than the log refer to nothing.
    log.push(None, 1, moves(9, 0, 1));
    log.push(None, 1, EventBody::TaskDelete { task: 9 });
    log.push(None, 1, task(1));
    log.push(None, 2, moves(1, 0, 1));
    let before = fold(&log);
    let wanted = Task {
        id: 1,
        cap: 1,
        kernel_thread: 4001,
        created: 1,
    };
    assert_eq!(before.tasks().collect::<Vec<_>>(), [wanted]);
    assert_eq!(names(&from_nothing(&before, 5)), ["task_create"]);
    let mut after = before.clone();
    let mut rest = Log::new();
    rest.push(None, 3, moves(1, 1, 2));
    rest.push(None, 3, moves(1, 2, 3));
    fold_into(&mut after, &rest);
    let mut told = Vec::new();
    changes(&before, &after, 7).each(|event| told.push(event.body == moves(1, 1, 3)));
    assert_eq!(told, [true]);
}

#[test]
fn limits_refuse_and_count() {
    let mut keep = Keep::all();
    (keep.limits.tasks, keep.limits.definitions) = (2, 3);
    let mut log = Log::new();
    program(&mut log);
    for number in 0..4 {
        log.push(None, 9, task(number));
    }
    log.push(None, 9, EventBody::TaskDelete { task: 0 });
    log.push(None, 9, task(5));
    let mut definitions = Definitions::default();
    log.each(|event| definitions.event(event, &keep));
    let tasks: Vec<u64> = definitions.tasks().map(|task| task.id).collect();
    assert_eq!(tasks, [1, 5]);
    // Two tasks, and five of the eight others.
    assert_eq!(definitions.refused(), 7);
    keep.definitions = false;
    let mut none = Definitions::default();
    log.each(|event| none.event(event, &keep));
    assert!(none.same(&Definitions::default()));
}

#[test]
fn ticky_counters_have_names() {
    let mut log = Log::new();
    let counter = EventBody::TickyCounterDef {
        counter: 4,
        arity: 2,
        arg_kinds: "LL".into(),
        name: "f{v r1}".into(),
        info: Some(8),
        json: Some("{}".into()),
    };
    log.push(None, 1, counter);
    let definitions = fold(&log);
    let found = definitions.ticky_counter(4).unwrap();
    assert_eq!(
        (&*found.name, found.arity, found.info),
        ("f{v r1}", 2, Some(8))
    );
    assert_eq!(definitions.ticky_counter(5), None);
}

/// A random definition, or end of one, of only a few things, so that some refer
/// to the same.
fn any(next: &mut impl FnMut(u64) -> u64, log: &mut Log, time: u64) {
    let number = next(4);
    let (capset, cap) = (number as u32, next(3) as u16);
    let text = ["a", "b"][next(2) as usize];
    let capset_type = CapsetType(1 + next(3) as u16);
    let mut data = vec![b'O', b'T', 3, [1, 2, 3, 8][next(4) as usize]];
    data.extend_from_slice(&[0; 9]);
    // An instrument has its kind before its number.
    let at = 4 + usize::from(data[3] == 8);
    data[at] = number as u8;
    let binary = [
        0xff,
        0xcc,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        number as u8,
        0,
        1,
        text.as_bytes()[0],
    ];
    let (seconds, nanoseconds) = (next(2), 7);
    let body = match next(20) {
        0 => EventBody::CapsetCreate {
            capset,
            capset_type,
        },
        1 => EventBody::CapsetDelete { capset },
        2 | 3 => EventBody::CapsetAssignCap {
            capset,
            assigned_cap: cap,
        },
        4 => EventBody::CapsetRemoveCap {
            capset,
            removed_cap: cap,
        },
        5 => EventBody::CapCreate { created_cap: cap },
        6 => EventBody::CapDelete { deleted_cap: cap },
        7 => EventBody::CapDisable { disabled_cap: cap },
        8 => EventBody::CapEnable { enabled_cap: cap },
        9 => EventBody::WallClockTime {
            capset,
            seconds,
            nanoseconds,
        },
        10 => EventBody::RtsIdentifier {
            capset,
            identifier: text.into(),
        },
        11 => task(number),
        12 => EventBody::TaskDelete { task: number },
        13 | 14 => moves(number, next(3) as u16, cap),
        15 => EventBody::HeapProfCostCentre {
            cost_centre: number as u32,
            label: text.into(),
            module: "M".into(),
            location: "".into(),
            is_caf: 0,
        },
        16 => EventBody::Ipe {
            info: number,
            table_name: text.into(),
            closure_desc: "1".into(),
            type_desc: "".into(),
            label: "".into(),
            module: "".into(),
            location: ":".into(),
        },
        17 => EventBody::UserBinaryMsg { data: &binary },
        18 => EventBody::UserBinaryMsg { data: &data },
        _ => EventBody::InternString {
            string: text.into(),
            string_id: number as u32,
        },
    };
    log.push([None, Some(cap)][next(2) as usize], time, body);
}

/// A reader that gets the changes has the same information as one that has read
/// everything, wherever it begins and however often it falls behind.
#[test]
fn changes_lead_from_any_state_to_any_later_one() {
    let mut seed = 3u64;
    let mut next = |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) % below
    };
    let (mut told_events, mut moved, mut deleted) = (0, 0, 0);
    for round in 0..300 {
        let mut log = Log::new();
        let length = 20 + next(80);
        for time in 0..length {
            any(&mut next, &mut log, time);
        }
        let mut whole = Definitions::default();
        // Everything that was known at some moment, and the reader that got the
        // changes.
        let mut known = Definitions::default();
        let mut reader = Definitions::default();
        let mut stream = Log::new();
        log.each(|event| {
            whole.event(event, &Keep::all());
            if next(10) == 0 {
                let told = changes(&known, &whole, event.time);
                told.each(|event| stream.push_raw(event.cap, event.raw));
                fold_into(&mut reader, &told);
                assert!(reader.same(&whole), "round {round}, at {}", event.time);
                known = whole.clone();
            } else if next(10) == 0 {
                // A reader that begins here and reads on.
                let mut late = fold(&from_nothing(&whole, event.time));
                assert!(late.same(&whole), "round {round}, at {}", event.time);
                let again = from_nothing(&late, event.time);
                assert_eq!(again.bytes, from_nothing(&whole, event.time).bytes);
                let mut whole = whole.clone();
                log.each(|rest| {
                    if rest.time > event.time {
                        late.event(rest, &Keep::all());
                        whole.event(rest, &Keep::all());
                    }
                });
                assert!(late.same(&whole), "round {round}, from {}", event.time);
            }
        });
        // Only tasks that were created before can end or move.
        let mut tasks = BTreeSet::new();
        stream.each(|event| {
            told_events += 1;
            match event.body {
                EventBody::TaskCreate { task, .. } => assert!(tasks.insert(task)),
                EventBody::TaskDelete { task } => assert!(tasks.remove(&task)),
                EventBody::TaskMigrate { task, .. } => assert!(tasks.contains(&task)),
                _ => {}
            }
            moved += u32::from(event.id() == ids::TASK_MIGRATE);
            deleted += u32::from(event.id() == ids::TASK_DELETE);
        });
    }
    assert!(
        told_events > 5_000 && moved > 20 && deleted > 20,
        "{told_events} {moved} {deleted}"
    );
}
