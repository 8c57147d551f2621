//! The parser on heap profiles that are whole or cut off, and on other files.

use ghc_hp::{Error, ErrorKind, Item, Limits, Parser};

/// The contents of a file: samples as time and bands, and marks.
#[derive(Clone, Debug, Default, PartialEq)]
struct Parsed {
    samples: Vec<(u64, Vec<(String, u64)>)>,
    marks: Vec<u64>,
}

/// Pushes a file in pieces of these sizes, in turn.
fn parse(parser: &mut Parser, file: &[u8], sizes: &[usize]) -> (Parsed, Result<(), Error>) {
    let mut told = Parsed::default();
    let mut rest = file;
    for size in sizes.iter().copied().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, after) = rest.split_at(size.min(rest.len()));
        rest = after;
        let result = parser.push(piece, &mut |item| match item {
            Item::Sample(sample) => {
                let bands = sample.bands().map(|it| (it.label.to_owned(), it.value));
                told.samples.push((sample.time(), bands.collect()));
            }
            Item::Mark(time) => told.marks.push(time),
            _ => {}
        });
        if result.is_err() {
            return (told, result);
        }
    }
    (told, Ok(()))
}

fn whole(file: &[u8]) -> (Parsed, Parser) {
    let mut parser = Parser::default();
    let (told, result) = parse(&mut parser, file, &[file.len().max(1)]);
    result.expect("a heap profile");
    (told, parser)
}

#[track_caller]
fn fails(file: &[u8], line: u64, kind: ErrorKind) {
    let mut parser = Parser::default();
    let (_, result) = parse(&mut parser, file, &[file.len()]);
    assert_eq!(result, Err(Error { line, kind }));
    // The error is final, and the rest is not read.
    let again = parser.push(b"BEGIN_SAMPLE 1.0\nEND_SAMPLE 1.0\n", &mut |_| {
        panic!("told")
    });
    assert_eq!(again, Err(Error { line, kind }));
}

/// A file with everything that can be in one.
const FILE: &[u8] = b"JOB \"demo a \"\"b\"\"\nc +RTS -hc -L100 -hmMain\"
DATE \"Mon Nov 30 09:10 2026\"
SAMPLE_UNIT \"seconds\"
VALUE_UNIT \"bytes\"
BEGIN_SAMPLE 0.000000
END_SAMPLE 0.000000
MARK 0.100000
BEGIN_SAMPLE 0.250000
(12)inner/outer\t160
MARK 0.260000
[]\t18446744073709551615
a label\twith a tab\t1
\t2
\xff\xfe\t3
JOB\t4
END_SAMPLE 0.250000
BEGIN_SAMPLE 0.500000
MAIN\t5
MAIN\t6
END_SAMPLE 0.500000
";

fn expected() -> Parsed {
    let band = |label: &str, value| (label.to_owned(), value);
    Parsed {
        samples: vec![
            (0, vec![]),
            (
                250_000_000,
                vec![
                    band("(12)inner/outer", 160),
                    band("[]", u64::MAX),
                    band("a label\twith a tab", 1),
                    band("", 2),
                    band("\u{fffd}\u{fffd}", 3),
                    band("JOB", 4),
                ],
            ),
            (500_000_000, vec![band("MAIN", 5), band("MAIN", 6)]),
        ],
        marks: vec![100_000_000, 260_000_000],
    }
}

#[test]
fn everything_is_read_in_pieces_of_any_size() {
    for sizes in [&[1][..], &[2], &[3, 1, 7], &[64], &[usize::MAX]] {
        let mut parser = Parser::default();
        let (told, result) = parse(&mut parser, FILE, sizes);
        assert_eq!(result, Ok(()));
        assert_eq!(told, expected(), "{sizes:?}");
        assert!(parser.is_between() && parser.open().is_none());
        let header = parser.header();
        assert_eq!(header.job, "demo a \"b\"\nc +RTS -hc -L100 -hmMain");
        assert_eq!(header.date, "Mon Nov 30 09:10 2026");
        assert_eq!(header.sample_unit, "seconds");
        assert_eq!(header.value_unit, "bytes");
        assert_eq!(header.breakdown(), Some('c'));
    }
}

/// Cut at each byte: what is complete is returned, and nothing else.
#[test]
fn a_file_may_end_anywhere() {
    let all = expected();
    let marks = [b"END_SAMPLE".as_slice(), b"MARK", b"BEGIN_SAMPLE"];
    for end in 0..=FILE.len() {
        let (told, parser) = whole(&FILE[..end]);
        let lines: Vec<&[u8]> = FILE[..end].split_inclusive(|byte| *byte == b'\n').collect();
        let complete = |word: &[u8]| {
            let lines = lines.iter().filter(|line| line.ends_with(b"\n"));
            lines
                .filter(|line| line.starts_with(word) && line[word.len()] == b' ')
                .count()
        };
        let [ended, marked, begun] = marks.map(complete);
        assert_eq!(told.samples, all.samples[..ended], "{end} bytes");
        assert_eq!(told.marks, all.marks[..marked], "{end} bytes");
        let open = parser.open().map(|open| open.time());
        let expected = (begun > ended).then(|| all.samples[ended].0);
        assert_eq!(open, expected, "{end} bytes");
        // The text of the job goes on in the second line.
        let between = FILE[..end].is_empty() || FILE[..end].ends_with(b"\n");
        let in_job = lines.len() == 1;
        assert_eq!(
            parser.is_between(),
            between && begun == ended && (!in_job || end == 0)
        );
    }
}

#[test]
fn what_has_come_of_a_sample_is_there() {
    let cut = FILE
        .windows(3)
        .position(|it| it == b"\xff\xfe\t")
        .expect("it is there");
    let (_, parser) = whole(&FILE[..cut + 2]);
    let open = parser.open().expect("a sample");
    assert_eq!((open.len(), open.is_empty()), (4, false));
    assert_eq!(open.total(), u64::MAX);
    let numbers: Vec<_> = open.bands().map(|band| band.numbered()).collect();
    assert_eq!(numbers, [Some((12, "inner/outer")), None, None, None]);
    assert!(!parser.is_between());
}

#[test]
fn breakdowns_are_known_from_the_flags() {
    let cases = [
        ("demo +RTS -hT", Some('T')),
        ("demo +RTS -p -hy -i0.1", Some('y')),
        ("demo +RTS -h", Some('c')),
        ("demo -hx +RTS -hd +RTS", None),
        ("demo +RTS -hyFoo,Bar -hb", Some('b')),
        ("demo +RTS -hm -hr", Some('r')),
        ("demo +RTS -i0.1", None),
        ("demo +RTS", None),
        ("demo -hc", None),
        ("demo", None),
    ];
    for (job, breakdown) in cases {
        let (_, parser) = whole(format!("JOB \"{job}\"\n").as_bytes());
        assert_eq!(parser.header().breakdown(), breakdown, "{job}");
    }
}

#[test]
fn lines_that_end_as_on_windows() {
    let text = String::from_utf8_lossy(FILE).replace("\"\n", "\"\r\n");
    let text = text.replace("0000\n", "0000\r\n").replace("6\n", "6\r\n");
    let mut all = expected();
    all.samples[1].1.retain(|band| !band.0.contains('\u{fffd}'));
    let (mut told, parser) = whole(text.as_bytes());
    told.samples[1]
        .1
        .retain(|band| !band.0.contains('\u{fffd}'));
    assert_eq!(told, all);
    assert_eq!(parser.header().value_unit, "bytes");
}

#[test]
fn what_is_none_is_refused() {
    use ErrorKind::*;
    let head = "JOB \"demo\"\nDATE \"now\"\n";
    let cases = [
        ("<html>\n".to_owned(), 1, Unknown),
        ("\n".to_owned(), 1, Unknown),
        ("BEGIN_SAMPLE\t1.0\n".to_owned(), 1, Unknown),
        ("eventlog\0\0\n".to_owned(), 1, Unknown),
        (format!("{head}MAIN\t5\n"), 3, Unknown),
        (format!("{head}SAMPLE_UNIT seconds\n"), 3, BadString),
        (format!("{head}SAMPLE_UNIT \"a\" \"b\"\n"), 3, BadString),
        (format!("{head}SAMPLE_UNIT \"a\"\"\nb\" x\n"), 4, BadString),
        (format!("{head}BEGIN_SAMPLE\n"), 3, BadTime),
        (format!("{head}BEGIN_SAMPLE soon\n"), 3, BadTime),
        (format!("{head}BEGIN_SAMPLE -1.0\n"), 3, BadTime),
        (format!("{head}MARK 1.0 2.0\n"), 3, BadTime),
        (format!("{head}END_SAMPLE 1.0\n"), 3, EndsOther),
        (
            format!("{head}BEGIN_SAMPLE 1.0\nEND_SAMPLE 2.0\n"),
            4,
            EndsOther,
        ),
        (
            format!("{head}BEGIN_SAMPLE 1.0\nEND_SAMPLE x\n"),
            4,
            BadTime,
        ),
        (
            format!("{head}BEGIN_SAMPLE 1.0\nBEGIN_SAMPLE 2.0\n"),
            4,
            BeginsWithin,
        ),
        (format!("{head}BEGIN_SAMPLE 1.0\nMAIN\n"), 4, BadValue),
        (format!("{head}BEGIN_SAMPLE 1.0\nMAIN\t\n"), 4, BadValue),
        (format!("{head}BEGIN_SAMPLE 1.0\nMAIN\t-5\n"), 4, BadValue),
        (format!("{head}BEGIN_SAMPLE 1.0\nMAIN\t+5\n"), 4, BadValue),
        (format!("{head}BEGIN_SAMPLE 1.0\nMAIN\t5.0\n"), 4, BadValue),
        (
            format!("{head}BEGIN_SAMPLE 1.0\nMAIN\t18446744073709551616\n"),
            4,
            BadValue,
        ),
        (format!("{head}BEGIN_SAMPLE 1.0\n\n"), 4, BadValue),
    ];
    for (file, line, kind) in cases {
        fails(file.as_bytes(), line, kind);
    }
    let first = Error {
        line: 1,
        kind: Unknown,
    };
    assert_eq!(first.to_string(), "this is not a heap profile (.hp)");
    let later = Error {
        line: 7,
        kind: BadValue,
    };
    assert_eq!(later.to_string(), "line 7 has no number of bytes");
}

#[test]
fn nothing_gets_larger_than_it_may() {
    let limits = Limits {
        line: 100,
        bands: 3,
        text: 60,
    };
    let after = |text: &str| {
        let file = format!("JOB \"demo\"\nBEGIN_SAMPLE 1.0\n{text}");
        let mut results = [1, usize::MAX].map(|size| {
            let mut parser = Parser::new(limits);
            parse(&mut parser, file.as_bytes(), &[size]).1
        });
        assert_eq!(results[0], results[1]);
        std::mem::replace(&mut results[0], Ok(()))
    };
    let error = |line, kind| Err(Error { line, kind });
    assert_eq!(after("a\t1\nb\t1\nc\t1\n"), Ok(()));
    assert_eq!(
        after("a\t1\nb\t1\nc\t1\nd\t1\n"),
        error(6, ErrorKind::TooMuch)
    );
    assert_eq!(after(&format!("{}\t1\n", "x".repeat(20))), Ok(()));
    assert_eq!(
        after(&format!("{}\t1\n", "x".repeat(21))),
        error(3, ErrorKind::TooMuch)
    );
    assert_eq!(after(&"x".repeat(100)), Ok(()));
    assert_eq!(after(&"x".repeat(101)), error(3, ErrorKind::TooLong));
    // Text that never ends is reported as a line that is too long, as fast as other lines.
    let mut parser = Parser::default();
    let endless = [b"JOB \"".as_slice(), &vec![b'\n'; 4 << 20]].concat();
    let (_, result) = parse(&mut parser, &endless, &[1000]);
    let kind = ErrorKind::TooLong;
    assert!(
        matches!(result, Err(error) if error.kind == kind),
        "{result:?}"
    );
}

/// A deterministic generator of random numbers.
struct Random(u64);

impl Random {
    fn below(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = self.0.wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % below
    }
}

fn number(name: &str, usual: u64) -> u64 {
    let set = std::env::var(name).ok();
    set.map_or(usual, |text| text.parse().expect("a number"))
}

/// Damaged files in pieces of any size give the same results as in one piece, and at worst an
/// error. `EVENTLOG_FUZZ` sets how many.
#[test]
fn damaged_files_do_no_harm() {
    let (count, start) = (
        number("EVENTLOG_FUZZ", 3000),
        number("EVENTLOG_FUZZ_SEED", 1),
    );
    let (mut refused, mut read) = (0, 0);
    for seed in start..start + count {
        let mut random = Random(seed);
        let mut file = FILE.to_vec();
        for _ in 0..1 + random.below(3) {
            let at = random.below(file.len());
            match random.below(5) {
                0 => file[at] = random.below(256) as u8,
                1 => _ = file.remove(at),
                2 => file.insert(at, b"\n\t \"0-."[random.below(7)]),
                3 => file.truncate(at + 1),
                _ => {
                    let (from, to) = (random.below(at + 1), random.below(file.len()));
                    let part = file[from..at].to_vec();
                    file.splice(to..to, part);
                }
            }
        }
        let mut once = Parser::default();
        let (told, result) = parse(&mut once, &file, &[usize::MAX]);
        let sizes = [1 + random.below(9), 1 + random.below(40)];
        let mut pieces = Parser::default();
        assert_eq!(
            parse(&mut pieces, &file, &sizes),
            (told.clone(), result),
            "seed {seed}"
        );
        assert_eq!(once.header(), pieces.header());
        assert_eq!(once.open(), pieces.open());
        refused += usize::from(result.is_err());
        read += told.samples.len();
    }
    assert!(refused > 0 && read > 0, "{refused} {read}");
}
