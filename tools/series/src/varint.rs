//! Numbers of seven bits a byte (LEB128).

/// Appends a number.
#[inline]
pub(crate) fn push(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// The same, faster for numbers of up to four bytes whose length cannot be foreseen.
#[inline(always)]
pub(crate) fn push_small(out: &mut Vec<u8>, number: u64) {
    if number >= 1 << 28 || out.capacity() - out.len() < 4 {
        return push_large(out, number);
    }
    let number = number as u32;
    let spread = number & 0x7f
        | (number & 0x7f << 7) << 1
        | (number & 0x7f << 14) << 2
        | (number & 0x7f << 21) << 3;
    let more = (number | 1).ilog2() / 7;
    let marks = 0x8080_8080 & ((1 << (8 * more)) - 1);
    // All four bytes, and then without those that are too many, so that nothing depends on the
    // length.
    out.extend_from_slice(&(spread | marks).to_le_bytes());
    out.truncate(out.len() - (3 - more as usize));
}

#[inline(never)]
fn push_large(out: &mut Vec<u8>, number: u64) {
    push(out, number);
}

/// Reads a number from the front; 0 if there is none.
#[inline]
pub(crate) fn take(input: &mut &[u8]) -> u64 {
    let mut number = 0;
    let mut shift = 0;
    while let Some((&byte, rest)) = input.split_first() {
        *input = rest;
        number |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
        if byte < 0x80 {
            break;
        }
        shift += 7;
    }
    number
}

/// Maps small differences of either sign to small numbers (zigzag).
#[inline]
pub(crate) fn zigzag(difference: u64) -> u64 {
    (difference << 1) ^ ((difference as i64 >> 63) as u64)
}

/// The inverse.
#[inline]
pub(crate) fn unzigzag(number: u64) -> u64 {
    (number >> 1) ^ (number & 1).wrapping_neg()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back() {
        let mut out = Vec::new();
        let numbers = [0, 1, 127, 128, 300, 1 << 32, u64::MAX - 1, u64::MAX];
        for number in numbers {
            push(&mut out, number);
            push(&mut out, zigzag(number));
        }
        let mut input = &out[..];
        for number in numbers {
            assert_eq!(take(&mut input), number);
            assert_eq!(unzigzag(take(&mut input)), number);
        }
        assert!(input.is_empty());
        assert_eq!(take(&mut input), 0);
    }

    #[test]
    fn both_ways_to_write_a_number_agree() {
        let mut one = Vec::new();
        let powers = (0..64).map(|bit| 1u64 << bit);
        for number in powers.flat_map(|power| [power - 1, power, power + 1]) {
            one.clear();
            push(&mut one, number);
            for room in 0..12 {
                let mut other = Vec::with_capacity(room);
                push_small(&mut other, number);
                assert_eq!(one, other, "{number}");
            }
        }
    }
}
