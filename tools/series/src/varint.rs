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
}
