use super::*;
use crate::test_log::Log;
use regex::{Regex, RegexBuilder};
use std::collections::BTreeMap;

/// The state of the runtime system, as given by the test.
#[derive(Default)]
struct Told {
    threads: BTreeMap<u16, u32>,
    ran: BTreeMap<u32, u64>,
    paused: Option<u64>,
}

impl Running for Told {
    fn thread_on(&self, cap: u16) -> Option<u32> {
        self.threads.get(&cap).copied()
    }

    fn ran(&self, thread: u32, time: u64) -> Option<u64> {
        self.ran.get(&thread).map(|before| before + time)
    }

    fn label(&self, thread: u32) -> Option<&str> {
        (thread == 1).then_some("main")
    }

    fn paused(&self) -> Option<u64> {
        self.paused
    }
}

fn told() -> Told {
    Told {
        threads: [(0, 1), (1, 2)].into(),
        ran: [(1, 0), (2, 0)].into(),
        paused: Some(0),
    }
}

/// Messages as (capability, time, text) through the fold.
fn spans_of<R: Rule>(rule: R, limits: &Limits, messages: &[(u16, u64, &str)]) -> Folded<R> {
    let mut log = Log::new();
    for &(cap, time, text) in messages {
        let message = text.into();
        log.push(Some(cap), time, EventBody::UserMsg { message });
    }
    let mut spans = Spans::new(rule, limits);
    let mut ended = Vec::new();
    log.each(|event| ended.extend(spans.event(event, &told())));
    Folded { spans, ended }
}

struct Folded<R> {
    spans: Spans<R>,
    ended: Vec<Span>,
}

impl<R: Rule> Folded<R> {
    fn times(&self) -> Vec<(&str, u64, u64)> {
        let ended = self.ended.iter();
        ended.map(|it| (&*it.name, it.start, it.end)).collect()
    }
}

fn rule(pattern: &str) -> Regex {
    RegexBuilder::new(pattern)
        .dot_matches_new_line(true)
        .build()
        .unwrap()
}

fn parts<'t>(rule: &Regex, text: &'t str) -> Option<(&'t str, Option<u64>)> {
    let found = rule.captures(text)?;
    let id = found.name("id").and_then(|id| id.as_str().parse().ok());
    Some((found.name("name")?.as_str(), id))
}

#[test]
fn the_rule_by_hand_is_the_regular_expression() {
    let start = rule(r"^START (?:(?P<id>[0-9]+) )?(?P<name>.+)$");
    let stop = rule(r"^(?:STOP|END) (?:(?P<id>[0-9]+) )?(?P<name>.+)$");
    let pieces = [
        "START",
        "STOP",
        "END",
        "start",
        " ",
        "  ",
        "1",
        "23",
        "18446744073709551615",
        "18446744073709551616",
        "0",
        "007",
        "a",
        "ä",
        "\n",
        "\0",
        "\r",
        "x y",
        "٣",
        "",
        "\u{fffd}",
        "\u{2028}",
        "-4",
        "+4",
    ];
    let mut seed = 7u64;
    let mut next = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) as usize % below
    };
    let (mut begun, mut ended, mut numbered) = (0, 0, 0);
    for _ in 0..60_000 {
        let mut text = String::new();
        if next(4) > 0 {
            text.push_str(["START ", "STOP ", "END "][next(3)]);
        }
        for _ in 0..next(6) {
            text.push_str(pieces[next(pieces.len())]);
        }
        let wanted = (parts(&start, &text), parts(&stop, &text));
        assert_eq!(
            (StartStop.begins(&text), StartStop.ends(&text)),
            wanted,
            "{text:?}"
        );
        let concerns = StartStop.concerns(text.as_bytes());
        assert!(concerns || wanted == (None, None), "{text:?}");
        begun += usize::from(wanted.0.is_some());
        ended += usize::from(wanted.1.is_some());
        numbered += usize::from(wanted.0.is_some_and(|(_, id)| id.is_some()));
    }
    // All kinds occurred.
    assert!(
        begun > 1000 && ended > 1000 && numbered > 100,
        "{begun} {ended} {numbered}"
    );
}

#[test]
fn messages_that_are_no_text_count_too() {
    let mut log = Log::new();
    for text in [&b"START \xff\xfex"[..], b"STOP \xff\xfex"] {
        let message = Text(text);
        log.push(Some(0), 5, EventBody::UserMsg { message });
    }
    let mut spans = Spans::new(StartStop, &Limits::default());
    let mut names = Vec::new();
    log.each(|event| names.extend(spans.event(event, &told()).map(|span| span.name)));
    assert_eq!(names, ["\u{fffd}\u{fffd}x".into()]);
}

#[test]
fn spans_of_one_name_nest_in_their_thread() {
    let found = spans_of(
        StartStop,
        &Limits::default(),
        &[
            (0, 1, "START a"),
            (1, 2, "START a"),
            (0, 3, "START a"),
            (0, 4, "STOP a"),
            (0, 5, "END a"),
            (1, 6, "STOP a"),
            (1, 7, "STOP a"),
        ],
    );
    assert_eq!(found.times(), [("a", 3, 4), ("a", 1, 5), ("a", 2, 6)]);
    assert_eq!(found.spans.unopened(), 1);
    let first = &found.ended[0];
    assert_eq!(
        (first.thread, first.label.as_deref()),
        (Some(1), Some("main"))
    );
    assert_eq!((first.running, first.paused), (Some(1), Some(0)));
}

#[test]
fn another_thread_ends_the_latest() {
    let messages = [(0, 1, "START a"), (0, 2, "START a"), (1, 3, "STOP a")];
    let found = spans_of(StartStop, &Limits::default(), &messages);
    assert_eq!(found.times(), [("a", 2, 3)]);
    let open: Vec<_> = found.spans.open().map(|it| (it.start, it.cap)).collect();
    assert_eq!(open, [(1, Some(0))]);
}

#[test]
fn numbers_tell_them_apart() {
    let messages = [
        (0, 1, "START 1 a"),
        (0, 2, "START 2 a"),
        (0, 3, "STOP 1 a"),
        (0, 4, "STOP a"),
    ];
    let found = spans_of(StartStop, &Limits::default(), &messages);
    assert_eq!(found.times(), [("a", 1, 3)]);
    assert_eq!((found.spans.unopened(), found.spans.open_count()), (1, 1));
}

#[test]
fn the_limit_refuses_and_counts() {
    let limits = Limits {
        spans: 1,
        ..Limits::default()
    };
    let messages = [
        (0, 1, "START a"),
        (0, 2, "START b"),
        (0, 3, "STOP a"),
        (0, 4, "START b"),
    ];
    let found = spans_of(StartStop, &limits, &messages);
    assert_eq!(found.times(), [("a", 1, 3)]);
    assert_eq!((found.spans.refused(), found.spans.open_count()), (1, 1));
}

/// Every message `tick` ends the span before it and begins the next.
struct Ticks;

impl Rule for Ticks {
    fn begins<'t>(&'t self, message: &'t str) -> Option<(&'t str, Option<u64>)> {
        (message == "tick").then_some(("between", None))
    }

    fn ends<'t>(&'t self, message: &'t str) -> Option<(&'t str, Option<u64>)> {
        self.begins(message)
    }

    fn pairs(&self) -> Pairs {
        Pairs::Any
    }
}

#[test]
fn one_message_may_end_and_begin() {
    let messages = [
        (0, 1, "tick"),
        (0, 4, "tick"),
        (0, 9, "tock"),
        (1, 10, "tick"),
    ];
    let found = spans_of(Ticks, &Limits::default(), &messages);
    assert_eq!(found.times(), [("between", 1, 4), ("between", 4, 10)]);
    assert_eq!((found.spans.unopened(), found.spans.open_count()), (0, 1));
}

#[test]
fn among_any_messages_the_one_that_has_waited_longest_ends() {
    struct Any;
    impl Rule for Any {
        fn begins<'t>(&'t self, message: &'t str) -> Option<(&'t str, Option<u64>)> {
            (message == "in").then_some(("job", None))
        }
        fn ends<'t>(&'t self, message: &'t str) -> Option<(&'t str, Option<u64>)> {
            (message == "out").then_some(("job", None))
        }
        fn pairs(&self) -> Pairs {
            Pairs::Any
        }
    }
    let messages = [(0, 1, "in"), (0, 2, "in"), (1, 5, "out"), (1, 6, "out")];
    let found = spans_of(Any, &Limits::default(), &messages);
    assert_eq!(found.times(), [("job", 1, 5), ("job", 2, 6)]);
}

/// A copy does not change when the original goes on.
#[test]
fn copies_stay_as_they_are() {
    let mut log = Log::new();
    for text in ["START a", "START b", "STOP a"] {
        let message = text.into();
        log.push(Some(0), 1, EventBody::UserMsg { message });
    }
    let mut spans = Spans::new(StartStop, &Limits::default());
    let mut copies = Vec::new();
    log.each(|event| {
        spans.event(event, &told());
        copies.push(spans.clone());
    });
    let open: Vec<Vec<String>> = copies
        .iter()
        .map(|copy| copy.open().map(|span| span.name.to_string()).collect())
        .collect();
    assert_eq!(open, [vec!["a"], vec!["a", "b"], vec!["b"]]);
}

/// Names that come again keep their groups, but not any number of them.
#[test]
fn names_without_an_open_span_are_bounded() {
    let mut log = Log::new();
    for _ in 0..2 {
        for name in 0..2 * MOST_IDLE {
            for text in [format!("START {name} a"), format!("START n{name}")] {
                let message = text.as_str().into();
                log.push(Some(0), 1, EventBody::UserMsg { message });
            }
            for text in [format!("STOP n{name}"), format!("STOP {name} a")] {
                let message = text.as_str().into();
                log.push(Some(0), 2, EventBody::UserMsg { message });
            }
        }
    }
    let mut spans = Spans::new(StartStop, &Limits::default());
    let mut ended = 0;
    log.each(|event| ended += usize::from(spans.event(event, &told()).is_some()));
    assert_eq!((ended, spans.open_count()), (8 * MOST_IDLE, 0));
    assert_eq!((spans.open().count(), spans.unopened()), (0, 0));
    assert_eq!(spans.open.groups.len(), MOST_IDLE);
    assert_eq!(spans.open.idle, MOST_IDLE);
}
