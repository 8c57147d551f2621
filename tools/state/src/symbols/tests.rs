use super::*;
use crate::test_log::Log;

fn centre(cost_centre: u32, label: &'static str) -> EventBody<'static> {
    EventBody::HeapProfCostCentre {
        cost_centre,
        label: label.into(),
        module: "M".into(),
        location: "M.hs:1".into(),
        is_caf: 1,
    }
}

fn table(info: u64, name: [&'static str; 4]) -> EventBody<'static> {
    let [table_name, label, module, location] = name.map(Text::from);
    EventBody::Ipe {
        info,
        table_name,
        closure_desc: "1".into(),
        type_desc: "Int".into(),
        label,
        module,
        location,
    }
}

fn fold(log: &Log, keep: &Keep) -> Symbols {
    let mut symbols = Symbols::default();
    log.each(|event| symbols.event(event, keep, keep.limits.definition_bytes));
    symbols
}

#[test]
fn names_of_bands() {
    let mut log = Log::new();
    log.push(None, 0, table(0x10, ["f_info", "f", "M", "M.hs:3:1-4"]));
    log.push(None, 0, table(0x11, ["g_info", "g", "M", "M.hs:3:1-4"]));
    log.push(None, 0, table(0x12, ["h_info", "h", "M", ":"]));
    log.push(None, 0, table(0x13, ["i_info", "", "", ""]));
    log.push(None, 0, centre(1, "c"));
    let symbols = fold(&log, &Keep::all());
    let name = |band| symbols.band(band);
    assert_eq!(name("0x10").as_deref(), Some("M.f (M.hs:3:1-4)"));
    // A table of the same place in the source.
    assert_eq!(name("0x11").as_deref(), Some("M.f (M.hs:3:1-4)"));
    assert_eq!(name("0x12").as_deref(), Some("M.h"));
    assert_eq!(name("0x13").as_deref(), Some("i_info"));
    assert_eq!(
        (name("0x14"), name("10"), name("THUNK")),
        (None, None, None)
    );
    assert_eq!(
        (symbols.name(1), symbols.name(2)),
        ("M.c".into(), "cost centre 2".into())
    );
    assert!(symbols.cost_centre(1).unwrap().is_caf);
    assert_eq!(symbols.info_table(0x11).unwrap().ty, "Int");
}

#[test]
fn said_again_is_kept_once_and_said_otherwise_counts() {
    let mut log = Log::new();
    for label in ["a", "a", "b", "b", "a"] {
        log.push(None, 0, centre(1, label));
    }
    let symbols = fold(&log, &Keep::all());
    assert_eq!(symbols.name(1), "M.a");
    let kept: Vec<_> = symbols
        .from(Place::default())
        .map(|kept| cost_centre(kept.body()).unwrap().label.into_owned())
        .collect();
    assert_eq!(kept, ["a", "b", "a"]);
    assert_eq!(symbols.cost_centres(), 1);
}

#[test]
fn limits_refuse_and_count() {
    let mut keep = Keep::all();
    (keep.limits.cost_centres, keep.limits.info_tables) = (1, 1);
    let mut log = Log::new();
    for number in 1..4 {
        log.push(None, 0, centre(number, "c"));
        log.push(None, 0, table(number.into(), ["f", "f", "M", ":"]));
    }
    let symbols = fold(&log, &keep);
    assert_eq!((symbols.cost_centres(), symbols.info_tables()), (1, 1));
    assert_eq!(symbols.refused_cost_centres(), 2);
    assert_eq!(symbols.refused_info_tables(), 2);
    keep = Keep::all();
    keep.limits.definition_bytes = 0;
    let mut symbols = Symbols::default();
    log.each(|event| symbols.event(event, &keep, 0));
    assert_eq!((symbols.bytes(), symbols.refused_cost_centres()), (0, 3));
}

#[test]
fn info_tables_are_named_only_if_wanted() {
    let mut keep = Keep::all();
    keep.info_tables = false;
    let mut log = Log::new();
    log.push(None, 0, table(1, ["f", "f", "M", ":"]));
    assert_eq!(
        (
            fold(&log, &keep).info_tables(),
            fold(&log, &keep).band("0x1")
        ),
        (1, None)
    );
    keep.definitions = false;
    assert_eq!(fold(&log, &keep).info_tables(), 0);
}

/// Enough for several segments and several times as many shards, with copies
/// taken on the way.
#[test]
fn many_in_segments() {
    let mut log = Log::new();
    let count = 20_000;
    for info in 0..count {
        log.push(
            Some((info % 3) as u16),
            info,
            table(info * 8, ["f", "f", "M", "M.hs:1"]),
        );
    }
    let keep = Keep::all();
    let mut symbols = Symbols::default();
    let mut copies = vec![symbols.clone()];
    log.each(|event| {
        symbols.event(event, &keep, usize::MAX);
        if event.time % 3_000 == 0 {
            copies.push(symbols.clone());
        }
    });
    assert!(symbols.bytes() > 1 << 19);
    copies.push(symbols.clone());
    let infos = |from: Place| -> Vec<u64> {
        symbols
            .from(from)
            .map(|kept| match kept.body() {
                EventBody::Ipe { info, .. } => info / 8,
                other => panic!("{other:?}"),
            })
            .collect()
    };
    for copy in &copies {
        let known = copy.info_tables() as u64;
        assert_eq!(infos(copy.end()), (known..count).collect::<Vec<_>>());
        assert_eq!(copy.from(Place::default()).count() as u64, known);
        assert_eq!(copy.info_table(known * 8), None);
    }
    for kept in symbols.from(Place::default()) {
        let EventBody::Ipe { info, .. } = kept.body() else {
            panic!()
        };
        assert_eq!(kept.cap, Some((info / 8 % 3) as u16));
        assert!(symbols.info_table(info).is_some());
    }
}
