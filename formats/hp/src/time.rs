//! Parses seconds.

/// Nanoseconds of a time in seconds, with or without a fraction. Digits below nanoseconds are cut
/// off.
pub(crate) fn nanoseconds(text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?;
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !are_digits(whole) || !are_digits(fraction) {
        return None;
    }
    let mut nanoseconds: u64 = 0;
    for place in 0..9 {
        let digit = fraction.as_bytes().get(place).map_or(0, |byte| byte - b'0');
        nanoseconds = nanoseconds * 10 + u64::from(digit);
    }
    let seconds: u64 = whole.parse().ok()?;
    let time = seconds
        .checked_mul(1_000_000_000)?
        .checked_add(nanoseconds)?;
    // "-0.000000": the clock went back by less than the digits can show.
    (sign > 0 || time == 0).then_some(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        let cases: &[(&str, Option<u64>)] = &[
            ("0.000000", Some(0)),
            ("-0.000000", Some(0)),
            ("0", Some(0)),
            ("12.345678", Some(12_345_678_000)),
            ("1.", Some(1_000_000_000)),
            ("0.0000000019", Some(1)),
            ("18446744073.709551615", Some(u64::MAX)),
            ("18446744073.709551616", None),
            ("99999999999999999999", None),
            ("-1.0", None),
            ("", None),
            (".5", None),
            ("1.5 ", None),
            ("1,5", None),
            ("1e3", None),
            ("+1", None),
            ("nan", None),
            ("inf", None),
            ("\u{665}", None),
        ];
        for (text, time) in cases {
            assert_eq!(nanoseconds(text.as_bytes()), *time, "{text:?}");
        }
        assert_eq!(nanoseconds(b"1\xff"), None);
    }
}
