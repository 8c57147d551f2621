//! Heap profiles of logs: bands, their difference, and what info tables say about them.

use crate::site::{Log, Site};
use ghc_eventlog::{Breakdown, EventBody, Item, Reader, Text};
use std::collections::BTreeMap;

/// A second.
const S: u64 = 1_000_000_000;

fn heap_profile(breakdown: Breakdown) -> EventBody<'static> {
    let empty = Text(b"");
    EventBody::HeapProfBegin {
        profile: 0,
        period: 1,
        breakdown,
        module_filter: empty,
        closure_filter: empty,
        type_filter: empty,
        cost_centre_filter: empty,
        stack_filter: empty,
        retainer_filter: empty,
        biography_filter: empty,
    }
}

/// A sample by info table of a log that was written by GHC 9.10, and what its map says about them.
#[test]
fn bands_of_info_tables_have_their_place_in_the_source() {
    let log = include_bytes!("../web/tests/heap-i.eventlog");
    let (site, id) = Site::of(log);
    let told = site.get(&format!("s/{id}/heap?top=1000"));
    assert_eq!(told["breakdown"], "info_table");
    assert_eq!(told.get("missing"), None);
    let mut reader = Reader::new(&log[..]);
    let (mut map, mut used) = (BTreeMap::new(), 0);
    while let Some(item) = reader.next_item().unwrap() {
        let Item::Event(event) = item else {
            continue;
        };
        if let EventBody::Ipe {
            info,
            table_name,
            type_desc,
            label,
            module,
            location,
            ..
        } = event.body
        {
            let texts = [table_name, type_desc, label, module, location];
            let mut texts = texts.map(|it| it.to_string());
            // Neither the file nor the span is known.
            if texts[4] == ":" {
                texts[4].clear();
            }
            map.insert(format!("{info:#x}"), texts);
        }
    }
    for band in told["bands"].as_array().unwrap() {
        let Some(table) = band.get("table") else {
            // Tables of the libraries, which were built without a map.
            let name = band["name"].as_str().unwrap();
            assert!(name.starts_with("0x") && !map.contains_key(name), "{name}");
            continue;
        };
        let keys = ["name", "type", "label", "module", "location"];
        let texts = keys.map(|key| table[key].as_str().unwrap().to_owned());
        let own = &map[table["address"].as_str().unwrap()];
        // Of several tables of one place the first one is named.
        assert_eq!(texts[3..], own[3..]);
        assert!(map.values().any(|it| *it == texts), "{texts:?}");
        assert!(texts[4].starts_with("Heap.hs:") || texts[4].is_empty());
        used += 1;
    }
    assert!(used > 3, "{used} bands have names: {told:#}");
}

#[test]
fn without_a_map_of_info_tables_the_flag_is_named() {
    let sample = [
        (1, heap_profile(Breakdown::INFO_TABLE)),
        (S, EventBody::HeapProfSampleBegin { era: 1 }),
        (
            S,
            EventBody::HeapProfSampleString {
                profile: 0,
                residency: 80,
                label: "0x474db0".into(),
            },
        ),
        (S, EventBody::HeapProfSampleEnd { era: 1 }),
    ];
    let (site, id) = Site::of(&Log::new().block(None, &sample).end());
    let told = site.get(&format!("s/{id}/heap"));
    let flag = told["missing"]["flag"].as_str().unwrap();
    assert!(flag.contains("-finfo-table-map"), "{told:#}");
    assert_eq!(told["bands"][0]["name"], "0x474db0");
    // Nor is there a tree of stacks.
    let error = site.refused(&format!("s/{id}/heap/tree"), 404);
    assert!(error.contains("-hc"), "{error}");
}

#[test]
fn the_heap_profile_by_band_and_its_difference() {
    let begin = heap_profile(Breakdown::CLOSURE_TYPE);
    let band = |label: &'static str, residency| EventBody::HeapProfSampleString {
        profile: 0,
        residency,
        label: label.into(),
    };
    let mut events = vec![(1, begin)];
    for n in 1..=100u64 {
        let time = n * S;
        events.push((time, EventBody::HeapProfSampleBegin { era: n }));
        events.push((time, band("leak", 100 * n)));
        events.push((time, band("steady", 5000)));
        events.push((time, band("small", 1)));
        events.push((time, EventBody::HeapProfSampleEnd { era: n }));
    }
    let (site, id) = Site::of(&Log::new().block(None, &events).end());
    let told = site.get(&format!("s/{id}/heap?top=2"));
    assert_eq!(told["breakdown"], "closure_type");
    assert_eq!(
        (&told["total"], &told["other_bands"]),
        (&100.into(), &1.into())
    );
    let bands = told["bands"].as_array().unwrap();
    let leak = bands.iter().find(|band| band["name"] == "leak").unwrap();
    assert!((leak["trend"].as_f64().unwrap() - 100.0).abs() < 1e-6);
    assert_eq!(leak["values"][9], 1000);
    assert_eq!(leak["max"], 10_000);
    let steady = bands.iter().find(|band| band["name"] == "steady").unwrap();
    assert!(steady["trend"].as_f64().unwrap().abs() < 1e-6);
    assert!(told["other"].as_array().unwrap().iter().all(|it| *it == 1));
    // Some of many samples, unchanged.
    let some = site.get(&format!("s/{id}/heap?points=10&from={}", 50 * S));
    let samples = some["samples"].as_array().unwrap();
    assert_eq!((samples.len(), &some["total"]), (10, &51.into()));
    for (at, time) in samples.iter().enumerate() {
        let leak = &some["bands"]
            .as_array()
            .unwrap()
            .iter()
            .find(|it| it["name"] == "leak");
        let value = leak.unwrap()["values"][at].as_u64().unwrap();
        assert_eq!(value, time.as_u64().unwrap() / S * 100);
    }
    let apart = site.get(&format!(
        "s/{id}/heap/diff?a={}&b={}",
        20 * S + 7,
        70 * S - 7
    ));
    assert_eq!(
        (&apart["a"], &apart["b"]),
        (&(20 * S).into(), &(70 * S).into())
    );
    let first = &apart["bands"][0];
    assert_eq!(
        (&first["name"], &first["change"]),
        (&"leak".into(), &5000.into())
    );
    assert_eq!((&first["a"], &first["b"]), (&2000.into(), &7000.into()));
    assert_eq!(
        apart["total_b"].as_u64().unwrap() - apart["total_a"].as_u64().unwrap(),
        5000
    );
}
