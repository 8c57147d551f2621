//! Hostile logs: every request is answered for any log.

use crate::site::{Log, Site, block, message, real, until};
use ghc_eventlog::{BlockBuilder, EventBody, Header, StopStatus};
use serde_json::Value;
use std::io::Write;

/// Pseudo-random numbers.
struct Random(u64);

impl Random {
    fn below(&mut self, below: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }
}

/// Sends every request; none may fail with a server error.
#[track_caller]
fn ask_all(site: &Site, id: &str) {
    let end = site
        .get("sessions")
        .as_array()
        .unwrap()
        .iter()
        .find(|it| it["id"] == id)
        .unwrap()["end"]
        .as_u64()
        .unwrap();
    let series = site.get(&format!("s/{id}/series"));
    let names: Vec<&str> = series
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["name"].as_str().unwrap())
        .take(40)
        .collect();
    for path in [
        "overview".to_owned(),
        "rows".to_owned(),
        "stream".to_owned(),
        "threads".to_owned(),
        "threads?sort=run_time&desc=1&limit=10".to_owned(),
        "thread/1".to_owned(),
        "events?limit=50".to_owned(),
        format!("events?from={}&find=a", end / 2),
        "arrows".to_owned(),
        "spans".to_owned(),
        "spans/summary".to_owned(),
        "collections".to_owned(),
        "heap".to_owned(),
        "heap/diff?a=0&b=1e19".to_owned(),
        format!("at?row=c0&time={end}"),
        format!("at?row=t1&time={}", end / 2),
        "at?row=threads&time=0".to_owned(),
        "at?row=c65535&time=18446744073709551615".to_owned(),
        format!("series?names={}&points=100", names.join(",")),
        format!("series?names={}&from={}", names.join(","), u64::MAX),
    ] {
        let reply = site.ask(&format!("GET /api/s/{id}/{path}"), "", b"");
        assert!(
            [200, 404].contains(&reply.status),
            "{path}: {} {}",
            reply.status,
            String::from_utf8_lossy(&reply.body)
        );
        reply.json();
    }
    for z in [0, 20, 54, 63] {
        let tile = end.checked_shr(u32::from(z) + 9).unwrap_or(0);
        let rows = ["c0", "c1", "t1", "threads"];
        assert_eq!(site.tiles(id, z, tile, tile + 2, &rows).len(), 8);
        site.tiles(id, z, u64::MAX - 1, u64::MAX, &rows);
    }
}

#[test]
fn markup_stays_text() {
    let evil = "<img src=x onerror=alert(1)></script>\u{0}\u{202e}\"'&{{7*7}}";
    let label = EventBody::ThreadLabel {
        thread: 1,
        label: evil.into(),
    };
    let log = Log::new()
        .block(
            Some(0),
            &[
                (1, EventBody::CreateThread { thread: 1 }),
                (2, label),
                (3, message(evil)),
            ],
        )
        .end();
    let (site, id) = Site::of(&log);
    let reply = site.ask(&format!("GET /api/s/{id}/threads"), "", b"");
    assert!(reply.head.contains("content-type: application/json"));
    assert!(reply.head.contains("nosniff"));
    assert_eq!(reply.json()["rows"][0]["label"], evil);
    let told = site.get(&format!("s/{id}/events?kind=message"));
    assert_eq!(told["rows"][0]["text"], evil);
    ask_all(&site, &id);
}

#[test]
fn times_at_the_ends_of_all_times() {
    let run = EventBody::RunThread { thread: 1 };
    let stop = EventBody::StopThread {
        thread: 1,
        status: StopStatus::YIELDING,
        info: Some(0),
    };
    let (first, last) = (0, u64::MAX);
    let log = Log::new()
        .block(
            Some(0),
            &[
                (first, EventBody::CreateThread { thread: 1 }),
                (first, run),
                (1 << 63, stop),
                (1 << 63, message("START a")),
                (last - 1, EventBody::GcStart),
                (last, EventBody::GcEnd),
                (last, message("STOP a")),
            ],
        )
        .block(
            Some(1),
            &[(
                last,
                EventBody::HeapLive {
                    capset: 0,
                    bytes: u64::MAX,
                },
            )],
        )
        .end();
    let (site, id) = Site::of(&log);
    assert_eq!(site.sessions("a")[0]["end"], u64::MAX);
    let told = site.get(&format!("s/{id}/events?from={}", u64::MAX));
    assert_eq!(told["rows"].as_array().unwrap().len(), 0);
    let told = site.get(&format!("s/{id}/events?from={}", last - 1));
    assert_eq!(told["rows"][0]["name"], "gc_start");
    ask_all(&site, &id);
}

#[test]
fn a_hundred_thousand_threads() {
    let header = Header::standard();
    let mut log = header.as_bytes().to_vec();
    let count = 100_000u32;
    for from in (0..count).step_by(10_000) {
        let mut block = BlockBuilder::new(Some(0));
        // A thread 0 at time 0 would be only zero bytes: a hole.
        for thread in from + 1..=from + 10_000 {
            let time = u64::from(thread) * 10;
            let stop = |status| EventBody::StopThread {
                thread,
                status,
                info: Some(0),
            };
            let mut push =
                |time, body: &EventBody<'_>| block.push_body(&header, time, body).unwrap();
            push(time, &EventBody::CreateThread { thread });
            push(time + 1, &EventBody::RunThread { thread });
            // Every second one finishes at once, the others wait forever.
            let status = if thread % 2 == 0 {
                StopStatus::FINISHED
            } else {
                StopStatus(7)
            };
            push(time + 5, &stop(status));
        }
        log.extend_from_slice(block.finish());
    }
    let (site, id) = Site::of(&log);
    until("all are counted", || {
        (site.sessions("a")[0]["threads_ever"] == count).then_some(())
    });
    let told = site.get(&format!("s/{id}/threads?sort=id&desc=1&limit=3"));
    assert_eq!(told["total"], count);
    let ids: Vec<&Value> = told["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| &row["id"])
        .collect();
    assert_eq!(ids, [100_000, 99_999, 99_998]);
    let blocked = site.get(&format!("s/{id}/threads?sort=blocked&desc=1&limit=1"));
    assert_eq!(blocked["rows"][0]["id"], 1);
    let late = site.get(&format!("s/{id}/threads?from={}&limit=1", 999_000));
    // The blocked ones, and those that began later.
    assert_eq!(late["total"], 50_000 + 51);
    assert_eq!(site.sessions("a")[0]["threads_live"], 50_000);
    ask_all(&site, &id);
}

#[test]
fn logs_with_bytes_changed_and_left_out() {
    for (name, seed) in [("9.0.2-hello", 1), ("9.10.3-hello-ipe", 2)] {
        let whole = real(name);
        let mut random = Random(seed);
        for round in 0..12 {
            let mut log = whole.clone();
            for _ in 0..1 + round {
                // The header stays intact, because everything else depends on it.
                let at = 1500 + random.below(log.len() as u64 - 1500) as usize;
                match random.below(3) {
                    0 => log[at] = random.below(256) as u8,
                    1 => log.truncate(at.max(2500)),
                    _ => drop(log.drain(at..(at + 7).min(log.len()))),
                }
            }
            let site = Site::new();
            let mut program = site.program("app");
            program.write_all(&log).unwrap();
            drop(program);
            let session = until("it is read", || {
                site.sessions("app").pop().filter(|it| it["ended"] == true)
            });
            if session["bytes"] != 0 {
                ask_all(&site, session["id"].as_str().unwrap());
            }
        }
    }
}

#[test]
fn numbers_without_sense() {
    let header = Header::standard();
    let max = u64::MAX;
    let events = [
        (
            5,
            EventBody::CapCreate {
                created_cap: 65_534,
            },
        ),
        (
            6,
            EventBody::HeapAllocated {
                capset: 9,
                bytes: max,
            },
        ),
        (
            7,
            EventBody::HeapAllocated {
                capset: 9,
                bytes: 0,
            },
        ),
        (
            8,
            EventBody::HeapSize {
                capset: max as u32,
                bytes: max,
            },
        ),
        (9, EventBody::RunThread { thread: u32::MAX }),
        (
            10,
            EventBody::StopThread {
                thread: u32::MAX,
                status: StopStatus(65_535),
                info: Some(u32::MAX),
            },
        ),
        (
            11,
            EventBody::MigrateThread {
                thread: 1,
                new_cap: 65_535,
            },
        ),
        (
            12,
            EventBody::ThreadWakeup {
                thread: 77,
                other_cap: 65_535,
            },
        ),
        (
            13,
            EventBody::SparkCounters {
                created: max,
                dud: max,
                overflowed: max,
                converted: max,
                gcd: max,
                fizzled: max,
                remaining: max,
            },
        ),
        (14, EventBody::GcEnd),
        (
            15,
            EventBody::GcStatsGhc {
                capset: 0,
                generation: 65_535,
                copied: max,
                slop: max,
                fragmentation: max,
                par_threads: u32::MAX,
                par_max_copied: max,
                par_tot_copied: max,
                par_balanced_copied: Some(max),
            },
        ),
        (16, EventBody::HeapProfSampleBegin { era: max }),
        (
            17,
            EventBody::HeapProfSampleString {
                profile: 9,
                residency: max,
                label: "a".into(),
            },
        ),
        (
            18,
            EventBody::HeapProfSampleString {
                profile: 9,
                residency: max,
                label: "a".into(),
            },
        ),
        (19, EventBody::HeapProfSampleEnd { era: 0 }),
        (20, message("STOP nothing")),
        (3, message("START back in time")),
        (2, message("STOP back in time")),
    ];
    for cap in [0, 1, 16_000] {
        let log = Log {
            bytes: [header.as_bytes(), &block(&header, Some(cap), &events)].concat(),
            header: header.clone(),
        };
        let (site, id) = Site::of(&log.end());
        ask_all(&site, &id);
    }
}
