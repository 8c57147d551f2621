//! Compares the parser with the slow one, on random inputs and on all short ones. Deterministic: the same inputs every
//! time.
//!
//! `EVENTLOG_FUZZ` sets how many random ones; `EVENTLOG_FUZZ_SEED` sets another seed.

mod common;

use common::{CENSUS, Fed, MAGIC, Reading, check, fed, reference};

/// A small generator of numbers (xorshift64*).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn byte(&mut self) -> u8 {
        self.next() as u8
    }

    /// Mostly bytes that have a meaning somewhere in a frame.
    fn likely(&mut self) -> u8 {
        const LIKELY: &[u8] = b"\xf0\x9e\x97\x8cGCTL\x00\x01\x02\xff";
        match self.below(8) {
            0 => self.byte(),
            _ => LIKELY[self.below(LIKELY.len())],
        }
    }

    fn bytes(&mut self, most: usize, mut byte: impl FnMut(&mut Self) -> u8) -> Vec<u8> {
        let length = self.below(most + 1);
        (0..length).map(|_| byte(self)).collect()
    }

    fn frame(&mut self) -> Vec<u8> {
        if self.below(4) == 0 {
            return [&b"GCTL"[..], &[self.likely()]].concat();
        }
        let version = if self.below(4) == 0 { self.likely() } else { 0 };
        let longest = if self.below(8) == 0 { 255 } else { 20 };
        let mut name = match self.below(2) {
            0 => self.bytes(longest, Self::byte),
            _ => self.bytes(longest, Self::likely),
        };
        // Sometimes a frame within the frame.
        if self.below(8) == 0 {
            name.splice(0..0, CENSUS.iter().copied());
            name.truncate(255);
        }
        [MAGIC, &[version, name.len() as u8], &name, &[self.likely()]].concat()
    }

    /// Frames, beginnings of frames, damaged frames, garbage.
    fn input(&mut self) -> Vec<u8> {
        let mut input = Vec::new();
        for _ in 0..self.below(9) {
            let mut part = match self.below(8) {
                0 => self.bytes(30, Self::byte),
                1 => self.bytes(12, Self::likely),
                _ => self.frame(),
            };
            match self.below(6) {
                0 => part.truncate(self.below(part.len() + 1)),
                1 if !part.is_empty() => {
                    let at = self.below(part.len());
                    part[at] = self.likely();
                }
                _ => {}
            }
            input.extend(part);
        }
        input
    }

    /// The input in parts, some of them empty.
    fn parts<'a>(&mut self, mut input: &'a [u8]) -> Vec<&'a [u8]> {
        let most = 1 + self.below(60);
        let mut parts = Vec::new();
        while !input.is_empty() {
            let (part, rest) = input.split_at(self.below(most + 1).min(input.len()));
            parts.push(part);
            input = rest;
        }
        parts
    }
}

#[test]
fn inputs_by_chance_in_splits_by_chance() {
    let number = |name: &str, default: u64| {
        let text = std::env::var(name).ok();
        text.and_then(|text| text.parse().ok()).unwrap_or(default)
    };
    let count = number("EVENTLOG_FUZZ", 20_000);
    // A generator of this kind stays at 0.
    let mut random = Random(number("EVENTLOG_FUZZ_SEED", 1).max(1));
    let mut sum = Reading::default();
    for round in 0..count {
        let input = random.input();
        let expected = reference(&input);
        for _ in 0..4 {
            let parts = random.parts(&input);
            let mut bytes = 0;
            let mut split = Fed::default();
            for part in &parts {
                split.feed(part);
                bytes += part.len();
                // Checking the sums in between takes another run of the reference parser.
                if random.below(8) == 0 {
                    assert_eq!(split.reading(), reference(&input[..bytes]), "round {round}");
                }
            }
            let sizes: Vec<_> = parts.iter().map(|part| part.len()).collect();
            assert_eq!(
                split.reading(),
                expected,
                "round {round}: {} in parts of {sizes:?}",
                input.escape_ascii()
            );
        }
        if round % 64 == 0 {
            check(&input);
        }
        sum.items.extend(expected.items.into_iter().take(1));
        sum.garbage += expected.garbage;
        sum.pending += expected.pending;
    }
    // The inputs are useful: every outcome occurred.
    if count >= 1000 {
        assert!(
            sum.items.len() as u64 > count / 2 && sum.garbage > count && sum.pending as u64 > count
        );
    }
}

/// Calls `each` with every string of `length` bytes of an alphabet.
fn every(alphabet: &[u8], length: usize, each: &mut impl FnMut(&[u8])) {
    let mut digits = vec![0; length];
    loop {
        let string: Vec<u8> = digits.iter().map(|digit| alphabet[*digit]).collect();
        each(&string);
        let Some(at) = digits.iter().position(|digit| digit + 1 < alphabet.len()) else {
            return;
        };
        digits[..at].fill(0);
        digits[at] += 1;
    }
}

#[test]
fn all_short_strings_in_every_state() {
    let states: [&[u8]; 10] = [
        b"",
        b"\xf0\x9e\x97",
        MAGIC,
        b"\xf0\x9e\x97\x8c\x00",
        b"\xf0\x9e\x97\x8c\x02",
        b"\xf0\x9e\x97\x8c\x00\x01",
        b"\xf0\x9e\x97\x8c\x02\x02",
        b"\xf0\x9e\x97\x8c\x00\x01x",
        b"GCT",
        b"GCTL",
    ];
    for state in states {
        for length in 0..=4 {
            every(b"\xf0\x9e\x97\x8cGCTL\x00\x01", length, &mut |string| {
                let input = [state, string].concat();
                let expected = reference(&input);
                assert_eq!(fed([&input[..]]), expected, "{}", input.escape_ascii());
                assert_eq!(fed(input.chunks(1)), expected, "{}", input.escape_ascii());
            });
        }
    }
}

#[test]
fn all_strings_of_the_bytes_of_a_magic() {
    every(b"\xf0\x9e\x97\x8c\x00", 7, &mut |string| {
        assert_eq!(
            fed(string.chunks(1)),
            reference(string),
            "{}",
            string.escape_ascii()
        );
    });
    every(b"GCTL\x01", 7, &mut |string| {
        assert_eq!(
            fed(string.chunks(1)),
            reference(string),
            "{}",
            string.escape_ascii()
        );
    });
}
