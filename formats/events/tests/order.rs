//! Events of all capabilities ordered by time.

mod common;

use common::*;
use ghc_eventlog::{EventBody, Item, Order, OrderOptions, Reader, Watermark};

const EXACT: OrderOptions = OrderOptions {
    max_bytes: 1 << 30,
    slack: 0,
    stale_after: None,
};

/// Pushes a log and returns which times came out after each item.
fn feed(order: &mut Order, bytes: &[u8]) -> Vec<(u64, bool)> {
    let mut out = Vec::new();
    let mut reader = Reader::new(bytes);
    while let Some(item) = reader.next_item().unwrap() {
        order.push(&item);
        drain(order, &mut out);
    }
    out
}

fn drain(order: &mut Order, out: &mut Vec<(u64, bool)>) {
    while let Some(ordered) = order.next_event() {
        out.push((ordered.event.time, ordered.late));
    }
}

fn in_time(times: &[u64]) -> Vec<(u64, bool)> {
    times.iter().map(|&time| (time, false)).collect()
}

#[test]
fn nothing_is_handed_on_before_every_known_capability_has_come_so_far() {
    let mut order = Order::new(EXACT);
    let out = feed(
        &mut order,
        &log(&[block(Some(0), 1, 10, &[run(5, 1), run(8, 1)])]),
    );
    assert!(out.is_empty(), "the global buffer has said nothing yet");
    assert_eq!(order.held(), 2);
    let mut order = Order::new(EXACT);
    let out = feed(
        &mut order,
        &log(&[
            block(Some(0), 1, 10, &[run(5, 1), run(8, 1)]),
            block(None, 1, 7, &[run(2, 1)]),
            block(None, 7, 12, &[]),
        ]),
    );
    assert_eq!(out, in_time(&[2, 5, 8]));
    assert_eq!(order.watermark().low(), 10);
    assert_eq!(order.held(), 0);
}

#[test]
fn a_capability_that_is_announced_but_silent_holds_everything_back() {
    let mut order = Order::new(EXACT);
    let announced = event(1, EventBody::CapCreate { created_cap: 1 });
    let out = feed(
        &mut order,
        &log(&[
            block(Some(0), 0, 10, &[run(5, 1)]),
            block(None, 0, 10, &[announced]),
        ]),
    );
    assert!(out.is_empty());
    assert_eq!(order.watermark().low(), 0);
    // An empty block counts as well.
    let mut order = Order::new(EXACT);
    let announced = event(1, EventBody::CapCreate { created_cap: 1 });
    let out = feed(
        &mut order,
        &log(&[
            block(Some(0), 0, 10, &[run(5, 1)]),
            block(None, 0, 10, &[announced]),
            block(Some(1), 0, 10, &[]),
        ]),
    );
    assert_eq!(out, in_time(&[1, 5]));
}

#[test]
fn a_block_counts_only_once_it_is_here_whole() {
    let mut order = Order::new(EXACT);
    let bytes = log(&[
        block(None, 0, 10, &[]),
        block(Some(0), 0, 10, &[run(1, 1), run(2, 1), run(3, 1)]),
    ]);
    let cut = &bytes[..bytes.len() - 1];
    assert!(feed(&mut order, cut).is_empty());
    let mut order = Order::new(EXACT);
    assert_eq!(feed(&mut order, &bytes), in_time(&[1, 2, 3]));
}

#[test]
fn events_dated_back_are_caught_by_the_slack() {
    // The second block of capability 0 has an event from before the first
    // one's end.
    let bytes = log(&[
        block(None, 0, 100, &[]),
        block(Some(0), 0, 50, &[run(10, 1), run(45, 1)]),
        block(
            Some(0),
            50,
            100,
            &[run(60, 1), event(40, EventBody::GcEnd), run(70, 1)],
        ),
    ]);
    let mut exact = Order::new(EXACT);
    assert_eq!(
        feed(&mut exact, &bytes),
        [
            (10, false),
            (45, false),
            (40, true),
            (60, false),
            (70, false)
        ]
    );
    assert_eq!(exact.late(), 1);
    let mut slack = Order::new(OrderOptions { slack: 20, ..EXACT });
    let mut out = feed(&mut slack, &bytes);
    assert_eq!(out, in_time(&[10, 40, 45, 60, 70]));
    slack.flush();
    drain(&mut slack, &mut out);
    assert_eq!(slack.late(), 0);
}

#[test]
fn equal_times_keep_the_order_of_arrival() {
    let bytes = log(&[
        block(Some(1), 0, 9, &[run(5, 1), run(5, 2)]),
        block(Some(0), 0, 9, &[run(5, 3), run(4, 4), run(5, 5)]),
        block(None, 0, 9, &[run(5, 6)]),
    ]);
    let mut order = Order::new(EXACT);
    let mut threads = Vec::new();
    let mut reader = Reader::new(&bytes[..]);
    while let Some(item) = reader.next_item().unwrap() {
        order.push(&item);
    }
    order.flush();
    while let Some(ordered) = order.next_event() {
        if let EventBody::RunThread { thread } = ordered.event.body {
            threads.push((thread, ordered.event.cap));
        }
    }
    assert_eq!(
        threads,
        [
            (4, Some(0)),
            (1, Some(1)),
            (2, Some(1)),
            (3, Some(0)),
            (5, Some(0)),
            (6, None)
        ]
    );
}

#[test]
fn an_idle_capability_can_be_left_behind() {
    let options = OrderOptions {
        stale_after: Some(100),
        ..EXACT
    };
    let mut order = Order::new(options);
    let out = feed(
        &mut order,
        &log(&[
            block(Some(1), 0, 10, &[run(3, 1)]),
            block(None, 0, 400, &[]),
            block(Some(0), 0, 410, &[run(300, 1)]),
            // It delivers again, with old events.
            block(Some(1), 10, 500, &[run(20, 1), run(420, 1)]),
        ]),
    );
    assert_eq!(out, [(3, false), (300, false), (20, true)]);
    order.flush();
    let mut rest = Vec::new();
    drain(&mut order, &mut rest);
    assert_eq!(rest, in_time(&[420]));
}

#[test]
fn memory_is_bounded_and_what_is_late_is_marked() {
    // Capability 1 is announced but never delivers: without a limit everything
    // would be held.
    let announced = event(0, EventBody::CapCreate { created_cap: 1 });
    let mut parts = vec![block(None, 0, 5, &[announced])];
    for n in 0..200u64 {
        let events: Vec<_> = (0..100).map(|k| run(1000 * n + k + 1, 1)).collect();
        parts.push(block(Some(0), 1000 * n, 1000 * n + 999, &events));
    }
    parts.push(block(Some(1), 0, 10, &[run(7, 2)]));
    let bytes = log(&parts);
    let max_bytes = 64 * 1024;
    let mut order = Order::new(OrderOptions { max_bytes, ..EXACT });
    let mut reader = Reader::new(&bytes[..]);
    let (mut count, mut late) = (0, 0);
    while let Some(item) = reader.next_item().unwrap() {
        order.push(&item);
        while let Some(ordered) = order.next_event() {
            count += 1;
            late += usize::from(ordered.late);
        }
        assert!(order.held_bytes() <= max_bytes + 1024);
    }
    order.flush();
    while let Some(ordered) = order.next_event() {
        count += 1;
        late += usize::from(ordered.late);
    }
    assert_eq!((count, late, order.late()), (20_002, 1, 1));
}

#[test]
fn sessions_follow_one_another() {
    let first = log(&[block(Some(0), 0, 100, &[run(90, 1)]), vec![0xff, 0xff]]);
    let second = log(&[
        block(Some(0), 0, 20, &[run(10, 2)]),
        block(None, 0, 20, &[]),
    ]);
    let mut order = Order::new(EXACT);
    let out = feed(&mut order, &[first, second].concat());
    assert_eq!(
        out,
        in_time(&[90, 10]),
        "a new session's times are not late"
    );
}

#[test]
fn a_session_without_end_mark_is_complete_when_the_next_begins() {
    let first = log(&[block(Some(0), 0, 100, &[run(90, 1)])]);
    let mut order = Order::new(EXACT);
    let out = feed(&mut order, &[first, log(&[])].concat());
    assert_eq!(out, in_time(&[90]));
}

#[test]
fn the_end_mark_lets_everything_go() {
    let mut order = Order::new(EXACT);
    let out = feed(
        &mut order,
        &log(&[
            block(Some(1), 0, 100, &[run(90, 1)]),
            block(Some(0), 0, 50, &[run(20, 1), vec![0xff, 0xff]]),
        ]),
    );
    assert_eq!(out, in_time(&[20, 90]));
}

#[test]
fn every_event_comes_out_once_whatever_the_options() {
    for (name, bytes) in kept_logs().into_iter().chain(generated_logs()) {
        let mut expected = Vec::new();
        let mut reader = Reader::new(&bytes[..]);
        let mut sessions = 0;
        while let Ok(Some(item)) = reader.next_item() {
            match item {
                Item::Event(event) => expected.push((sessions, raw(&event))),
                Item::Header => sessions += 1,
                _ => {}
            }
        }
        expected.sort_by_key(|(session, event)| (*session, event.0));
        let expected: Vec<_> = expected.into_iter().map(|(_, event)| event).collect();
        for options in [
            EXACT,
            OrderOptions::default(),
            OrderOptions {
                max_bytes: 4096,
                ..EXACT
            },
        ] {
            let mut order = Order::new(options);
            let mut out = Vec::new();
            let mut reader = Reader::new(&bytes[..]);
            let mut over = false;
            while !over {
                match reader.next_item() {
                    Ok(Some(item)) => order.push(&item),
                    _ => {
                        order.flush();
                        over = true;
                    }
                }
                while let Some(ordered) = order.next_event() {
                    out.push(raw(&ordered.event));
                }
            }
            if order.late() == 0 && sessions == 1 {
                assert!(out == expected, "{name}");
            } else {
                let sorted = |mut events: Vec<_>| {
                    events.sort();
                    events
                };
                assert!(sorted(out) == sorted(expected.clone()), "{name}");
            }
        }
    }
}

#[test]
fn the_watermark_is_the_lowest_delivered_end() {
    let mut watermark = Watermark::new(None);
    watermark.delivered(None, 50);
    assert_eq!(watermark.low(), 50);
    watermark.delivered(Some(0), 20);
    assert_eq!(watermark.low(), 20);
    watermark.announce(Some(7));
    assert_eq!((watermark.low(), watermark.of(Some(7))), (0, Some(0)));
    watermark.delivered(Some(7), 60);
    watermark.delivered(Some(7), 10);
    assert_eq!(watermark.of(Some(7)), Some(60), "it never goes back");
    watermark.forget(0);
    assert_eq!((watermark.low(), watermark.of(Some(0))), (50, None));
}

/// The global buffer is written first, so the deletion of a capability arrives
/// before its last events.
#[test]
fn a_deleted_capability_counts_until_its_last_block_is_there() {
    let mut watermark = Watermark::new(None);
    watermark.forget(0xffff);
    watermark.delivered(Some(0), 10);
    watermark.delivered(Some(1), 50);
    watermark.delete(0, 30);
    watermark.delete(1, 50);
    assert_eq!(watermark.low(), 10);
    assert_eq!(watermark.of(Some(1)), None);
    watermark.delivered(Some(2), 70);
    watermark.delivered(Some(0), 29);
    assert_eq!(watermark.low(), 29);
    watermark.delivered(Some(0), 30);
    assert_eq!(watermark.low(), 70);
    let known: Vec<_> = watermark.caps().collect();
    assert_eq!(known, [(Some(2), 70)]);
}
