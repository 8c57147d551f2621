use super::*;
use crate::test_log::Log;
use ghc_eventlog::{EventType, Header};

fn begin(era: u64) -> EventBody<'static> {
    EventBody::HeapProfSampleBegin { era }
}

fn end(era: u64) -> EventBody<'static> {
    EventBody::HeapProfSampleEnd { era }
}

fn band(label: &str, residency: u64) -> EventBody<'_> {
    EventBody::HeapProfSampleString {
        profile: 0,
        residency,
        label: label.into(),
    }
}

fn stack(words: &[u8], residency: u64) -> EventBody<'_> {
    EventBody::HeapProfSampleCostCentre {
        profile: 0,
        residency,
        stack: Stack::new(words).unwrap(),
    }
}

fn profile(breakdown: Breakdown) -> EventBody<'static> {
    let none = Text(b"");
    EventBody::HeapProfBegin {
        profile: 0,
        period: 1000,
        breakdown,
        module_filter: none,
        closure_filter: none,
        type_filter: none,
        cost_centre_filter: none,
        stack_filter: none,
        retainer_filter: none,
        biography_filter: none,
    }
}

struct Folded {
    samples: Samples,
    symbols: Symbols,
    done: Vec<Sample>,
    odd: Vec<Odd>,
    /// Oddities at the end, and where.
    late: Vec<(At, Odd)>,
    /// The state after each event.
    copies: Vec<Samples>,
}

fn fold(log: &Log, keep: &Keep) -> Folded {
    let mut samples = Samples::new(&log.header);
    let mut symbols = Symbols::default();
    let (mut done, mut odd, mut late) = (Vec::new(), Vec::new(), Vec::new());
    let mut copies = Vec::new();
    log.each(|event| {
        symbols.event(event, keep, usize::MAX);
        samples.event(event, (keep, &symbols), &mut |it| odd.push(it), &mut |it| {
            done.push(it.clone())
        });
        copies.push(samples.clone());
    });
    samples.finish(&mut |at, it| late.push((at, it)), &mut |it| {
        done.push(it.clone())
    });
    Folded {
        samples,
        symbols,
        done,
        odd,
        late,
        copies,
    }
}

fn named(sample: &Sample, symbols: &Symbols) -> Vec<(String, u64)> {
    sample.named(symbols).into_iter().collect()
}

#[test]
fn bands_of_one_name_are_one() {
    let mut log = Log::new();
    log.push(None, 0, profile(Breakdown::CLOSURE_TYPE));
    log.push(Some(0), 10, begin(1));
    for (label, bytes) in [("THUNK", 5), ("FUN", 7), ("THUNK", 11)] {
        log.push(Some(0), 11, band(label, bytes));
    }
    log.push(Some(0), 12, end(1));
    let folded = fold(&log, &Keep::all());
    let [sample] = &folded.done[..] else { panic!() };
    assert_eq!((sample.time(), sample.era(), sample.total()), (10, 1, 23));
    assert_eq!(sample.breakdown(), Some(Breakdown::CLOSURE_TYPE));
    let order: Vec<u64> = sample.bands().map(|(_, bytes)| bytes).collect();
    assert_eq!(order, [5, 7, 11]);
    let wanted = [("FUN".to_owned(), 7), ("THUNK".to_owned(), 16)];
    assert_eq!(named(sample, &folded.symbols), wanted);
    assert_eq!((folded.odd, folded.late), (vec![], vec![]));
    assert_eq!(folded.samples.complete(), 1);
    let [kept] = folded.samples.profiles().collect::<Vec<_>>()[..] else {
        panic!()
    };
    assert_eq!(
        (kept.period, kept.breakdown),
        (1000, Breakdown::CLOSURE_TYPE)
    );
}

#[test]
fn stacks_are_named_from_the_outside_in() {
    let mut log = Log::new();
    for (cost_centre, label) in [(1, "main"), (2, "work")] {
        let (module, location) = ("Main".into(), "Main.hs:1".into());
        log.push(
            None,
            0,
            EventBody::HeapProfCostCentre {
                cost_centre,
                label: label.into(),
                module,
                location,
                is_caf: 0,
            },
        );
    }
    log.push(Some(0), 1, begin(1));
    log.push(Some(0), 1, stack(&[0, 0, 0, 2, 0, 0, 0, 1], 3));
    log.push(Some(0), 1, stack(&[0, 0, 0, 9, 0, 0, 0, 9], 4));
    log.push(Some(0), 1, stack(&[], 5));
    log.push(Some(0), 1, end(1));
    let folded = fold(&log, &Keep::all());
    let wanted = [
        ("MAIN".to_owned(), 5),
        ("Main.main/Main.work".to_owned(), 3),
        ("cost centre 9/cost centre 9".to_owned(), 4),
    ];
    assert_eq!(named(&folded.done[0], &folded.symbols), wanted);
    // Reported once, although it is used twice.
    assert_eq!(folded.odd, [Odd::UndefinedCostCentre { cost_centre: 9 }]);
}

#[test]
fn a_sample_in_progress_is_what_has_come() {
    let mut log = Log::new();
    log.push(Some(0), 1, begin(1));
    log.push(Some(0), 1, band("a", 1));
    log.push(Some(0), 1, band("b", 2));
    log.push(Some(0), 1, end(1));
    log.push(Some(0), 2, begin(2));
    let folded = fold(&log, &Keep::all());
    // Copies do not change, although the memory is reused.
    let seen: Vec<Option<(u64, u64)>> = folded
        .copies
        .iter()
        .map(|copy| copy.open().map(|open| (open.era(), open.total())))
        .collect();
    let wanted = [Some((1, 0)), Some((1, 1)), Some((1, 3)), None, Some((2, 0))];
    assert_eq!(seen, wanted);
    let [(at, odd)] = folded.late[..] else {
        panic!()
    };
    assert_eq!((at.time, odd), (Some(2), Odd::LastSampleNotEnded));
    assert_eq!(
        (folded.samples.complete(), folded.samples.incomplete()),
        (1, 1)
    );
    assert!(folded.samples.open().is_none());
}

#[test]
fn what_no_runtime_system_writes() {
    let mut log = Log::new();
    log.push(Some(0), 1, band("a", 1));
    log.push(Some(0), 2, end(1));
    log.push(Some(0), 3, begin(2));
    log.push(Some(0), 4, begin(3));
    log.push(Some(0), 5, end(3));
    let folded = fold(&log, &Keep::all());
    let [
        Odd::BandOutsideSample,
        Odd::SampleNeverBegan,
        Odd::SampleNotEnded { since },
    ] = folded.odd[..]
    else {
        panic!("{:?}", folded.odd)
    };
    let second = folded.copies[2].open().map(|open| open.begun().offset);
    assert_eq!(Some(since), second);
    assert_eq!((folded.done.len(), folded.samples.incomplete()), (1, 1));
}

/// Before 8.6 a sample ends at the next one, or at the end of the log.
#[test]
fn logs_without_ends_of_samples() {
    let types: Vec<EventType> = Header::standard()
        .types()
        .iter()
        .filter(|kind| kind.id != ids::HEAP_PROF_SAMPLE_END)
        .cloned()
        .collect();
    let mut log = Log::with(Header::from_types(types).unwrap());
    for era in 1..=3 {
        log.push(Some(0), era, begin(era));
        log.push(Some(0), era, band("a", era));
    }
    let folded = fold(&log, &Keep::all());
    let totals: Vec<u64> = folded.done.iter().map(Sample::total).collect();
    assert_eq!(totals, [1, 2, 3]);
    assert_eq!((folded.odd, folded.late), (vec![], vec![]));
}

#[test]
fn biographical_samples_are_of_an_earlier_time() {
    let mut log = Log::new();
    let sample_time = 5;
    log.push(
        Some(0),
        90,
        EventBody::HeapBioProfSampleBegin {
            era: 1,
            sample_time,
        },
    );
    log.push(Some(0), 90, band("LAG", 1));
    log.push(Some(0), 91, end(1));
    log.push(Some(0), 92, begin(2));
    log.push(Some(0), 92, end(2));
    let done = fold(&log, &Keep::all()).done;
    let seen: Vec<_> = done
        .iter()
        .map(|it| (it.time(), it.is_biographical()))
        .collect();
    assert_eq!(seen, [(5, true), (92, false)]);
}

#[test]
fn bands_beyond_the_limit_are_summed_up() {
    let mut keep = Keep::all();
    keep.limits.bands = 2;
    let mut log = Log::new();
    log.push(Some(0), 1, begin(1));
    for (label, bytes) in [("a", 1), ("b", 2), ("c", 4), ("d", 8)] {
        log.push(Some(0), 1, band(label, bytes));
    }
    log.push(Some(0), 1, end(1));
    log.push(Some(0), 2, begin(2));
    log.push(Some(0), 2, end(2));
    let folded = fold(&log, &keep);
    let first = &folded.done[0];
    assert_eq!((first.total(), first.refused()), (15, 2));
    let wanted = [("(other)", 12), ("a", 1), ("b", 2)].map(|(name, it)| (name.to_owned(), it));
    assert_eq!(named(first, &folded.symbols), wanted);
    assert_eq!((folded.done[1].total(), folded.samples.refused()), (0, 2));
}

#[test]
fn the_profile_of_time() {
    let mut log = Log::new();
    let stack = Stack::new(&[0, 0, 0, 7]).unwrap();
    log.push(None, 0, EventBody::ProfBegin { tick_interval: 10 });
    for tick in 1..3 {
        let sampled_cap = 0;
        let body = EventBody::ProfSampleCostCentre {
            sampled_cap,
            tick,
            stack,
        };
        log.push(Some(0), tick, body);
    }
    let folded = fold(&log, &Keep::all());
    assert_eq!(
        (folded.samples.tick_interval(), folded.samples.stacks()),
        (Some(10), 2)
    );
    assert_eq!(folded.odd, [Odd::UndefinedCostCentre { cost_centre: 7 }]);
    let mut keep = Keep::all();
    keep.oddities = false;
    assert_eq!(fold(&log, &keep).odd, []);
}
