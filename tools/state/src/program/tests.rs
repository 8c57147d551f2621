use super::*;
use crate::test_log::Log;

fn fold(log: &Log) -> (Programs, Vec<Odd>) {
    let mut programs = Programs::default();
    let mut odd = Vec::new();
    log.each(|event| {
        programs.event(event, &Limits::default(), &mut |it| odd.push(it));
    });
    (programs, odd)
}

fn set(capset: u32, capset_type: CapsetType) -> EventBody<'static> {
    EventBody::CapsetCreate {
        capset,
        capset_type,
    }
}

fn assign(capset: u32, assigned_cap: u16) -> EventBody<'static> {
    EventBody::CapsetAssignCap {
        capset,
        assigned_cap,
    }
}

fn clock(capset: u32, seconds: u64) -> EventBody<'static> {
    EventBody::WallClockTime {
        capset,
        seconds,
        nanoseconds: 0,
    }
}

fn args(capset: u32, args: &[u8]) -> EventBody<'_> {
    let args = Texts(args);
    EventBody::ProgramArgs { capset, args }
}

fn start(programs: &Programs, capset: u32) -> Option<i128> {
    let clock = programs.of_capset(capset)?.wall_clock?;
    Some(clock.at(0).unix_nanos() / 1_000_000_000)
}

#[test]
fn one_program_as_ghc_tells_it() {
    let mut log = Log::new();
    log.push(None, 1, set(0, CapsetType::OS_PROCESS));
    log.push(None, 1, set(1, CapsetType::CLOCK_DOMAIN));
    log.push(None, 1, assign(0, 0));
    log.push(None, 1, assign(1, 0));
    log.push(None, 0, clock(1, 50));
    log.push(None, 1, EventBody::OsprocessPid { capset: 0, pid: 7 });
    log.push(None, 1, EventBody::OsprocessPpid { capset: 0, ppid: 6 });
    let identifier = "GHC-9.6.6 rts_thr".into();
    log.push(
        None,
        1,
        EventBody::RtsIdentifier {
            capset: 0,
            identifier,
        },
    );
    log.push(None, 1, args(0, b"/usr/bin/prog\0-x\0"));
    let env = Texts(b"A=1\0B=2\0");
    log.push(None, 1, EventBody::ProgramEnv { capset: 0, env });
    let (programs, odd) = fold(&log);
    let program = programs.first().unwrap();
    assert_eq!((program.pid, program.ppid), (Some(7), Some(6)));
    assert_eq!(
        (program.rts.as_deref(), program.name()),
        (Some("GHC-9.6.6 rts_thr"), Some("prog"))
    );
    assert_eq!(
        program.env.iter().map(|it| &**it).collect::<Vec<_>>(),
        ["A=1", "B=2"]
    );
    assert_eq!(start(&programs, 0), Some(50));
    assert_eq!(programs.of_cap(0), Some(program));
    assert_eq!((programs.iter().count(), odd), (1, vec![]));
}

/// Each program of a merged log has its own clock, in whatever order its events
/// are.
#[test]
fn two_programs_and_their_clocks() {
    let events = [
        set(0, CapsetType::OS_PROCESS),
        set(1, CapsetType::CLOCK_DOMAIN),
        set(2, CapsetType::OS_PROCESS),
        set(3, CapsetType::CLOCK_DOMAIN),
        assign(0, 0),
        assign(1, 0),
        assign(2, 1),
        assign(3, 1),
        clock(1, 50),
        clock(3, 90),
        args(0, b"alpha\0"),
        args(2, b"beta\0"),
    ];
    let mut seed = 5usize;
    for _ in 0..500 {
        let mut order: Vec<_> = events.to_vec();
        for at in (1..order.len()).rev() {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            order.swap(at, (seed >> 33) % (at + 1));
        }
        let mut log = Log::new();
        for &body in &order {
            log.push(None, 0, body);
        }
        let (programs, odd) = fold(&log);
        let wanted = (Some(50), Some(90));
        assert_eq!(
            (start(&programs, 0), start(&programs, 2)),
            wanted,
            "{order:?}"
        );
        let name = |cap| programs.of_cap(cap).and_then(Program::name);
        assert_eq!(
            (name(0), name(1), name(2)),
            (Some("alpha"), Some("beta"), None)
        );
        assert_eq!((programs.iter().count(), odd), (2, vec![]));
    }
}

#[test]
fn a_program_without_sets() {
    let mut log = Log::new();
    let identifier = "GHC-7.0".into();
    log.push(
        None,
        1,
        EventBody::RtsIdentifier {
            capset: 4,
            identifier,
        },
    );
    log.push(None, 0, clock(9, 30));
    let (programs, _) = fold(&log);
    // It is the only clock, and the only program.
    assert_eq!(
        (start(&programs, 4), programs.of_cap(3)),
        (Some(30), programs.first())
    );
    log.push(None, 0, clock(8, 31));
    assert_eq!(start(&fold(&log).0, 4), None);
}

#[test]
fn the_end_of_a_program_keeps_what_is_known() {
    let mut log = Log::new();
    log.push(None, 1, set(0, CapsetType::OS_PROCESS));
    log.push(None, 1, assign(0, 3));
    log.push(None, 1, args(0, b"first\0"));
    let removed_cap = 3;
    log.push(
        None,
        8,
        EventBody::CapsetRemoveCap {
            capset: 0,
            removed_cap,
        },
    );
    log.push(None, 9, EventBody::CapsetDelete { capset: 0 });
    let (programs, odd) = fold(&log);
    let ended = programs.of_cap(3).map(|program| program.ended);
    assert_eq!(
        (ended, programs.capsets().count(), odd),
        (Some(Some(9)), 0, vec![])
    );
    // A set with the same number is another program's.
    log.push(None, 10, set(0, CapsetType::OS_PROCESS));
    log.push(None, 11, args(0, b"second\0"));
    let (programs, odd) = fold(&log);
    let names: Vec<_> = programs.iter().map(|it| it.name().unwrap()).collect();
    assert_eq!((names, odd), (vec!["first", "second"], vec![]));
}

#[test]
fn sets_that_are_created_twice() {
    let mut log = Log::new();
    // Assigned before it is created, because the blocks are of different
    // capabilities.
    log.push(None, 1, assign(5, 0));
    log.push(None, 2, set(5, CapsetType::CUSTOM));
    log.push(None, 3, set(5, CapsetType::CUSTOM));
    let (programs, odd) = fold(&log);
    assert_eq!(odd, [Odd::CapsetCreatedTwice { capset: 5 }]);
    let sets: Vec<_> = programs
        .capsets()
        .map(|(at, set)| (at, set.members.len()))
        .collect();
    assert_eq!(sets, [(5, 1)]);
    assert_eq!(programs.iter().count(), 0);
}

#[test]
fn texts_are_cut_and_counted() {
    let long = "x".repeat(5000);
    let many = format!("{long}\0").repeat(10) + &"y\0".repeat(400);
    let mut log = Log::new();
    log.push(None, 1, args(0, many.as_bytes()));
    let (programs, _) = fold(&log);
    let args = &programs.first().unwrap().args;
    assert_eq!(
        (args.len(), args[0].chars().count()),
        (MOST_TEXTS, LONGEST + 1)
    );
}

#[test]
fn limits_refuse_and_count() {
    let limits = Limits {
        definitions: 2,
        ..Limits::default()
    };
    let mut programs = Programs::default();
    let mut log = Log::new();
    for capset in 0..5 {
        log.push(None, 1, set(capset, CapsetType::CUSTOM));
        log.push(None, 1, assign(capset, 0));
    }
    log.each(|event| {
        programs.event(event, &limits, &mut |_| ());
    });
    assert_eq!((programs.capsets().count(), programs.refused()), (2, 6));
}
