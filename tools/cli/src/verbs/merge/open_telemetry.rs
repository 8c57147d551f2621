//! New numbers in the messages of the package opentelemetry.
//!
//! `O T 03` and the type in one byte; then numbers of eight bytes, little-endian. A program counts
//! its spans and its instruments from 1 on: in a log of several programs these numbers are replaced
//! by new ones. The identifiers by which programs refer to each other's spans and traces are the
//! same everywhere, and stay.

/// `O T`, and the version.
const MAGIC: [u8; 3] = *b"OT\x03";

/// Writes the message with new numbers; `None` if it is not of that protocol.
/// `counted` gives the new number for one that a program counts.
pub fn renumber(counted: impl Fn(u64) -> u64, message: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let (magic, rest) = message.split_first_chunk::<3>()?;
    if *magic != MAGIC {
        return None;
    }
    let before = match *rest.first()? {
        // For a span: it begins, ends, gets a name, an event, a parent, a trace, an identifier.
        // Or what an instrument measures.
        1..=7 | 9 => 4,
        // The declaration of an instrument: its kind comes first.
        8 => 5,
        _ => return None,
    };
    let (before, rest) = message.split_at_checked(before)?;
    let (number, rest) = rest.split_first_chunk::<8>()?;
    out.extend_from_slice(before);
    let number = counted(u64::from_le_bytes(*number));
    out.extend_from_slice(&number.to_le_bytes());
    out.extend_from_slice(rest);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn renumbered(message: &[u8]) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        renumber(|number| number + (1 << 48), message, &mut out)?;
        Some(out)
    }

    #[test]
    fn the_number_and_nothing_else() {
        for kind in 1..=9 {
            let at = if kind == 8 { 5 } else { 4 };
            let mut message = [&MAGIC[..], &[kind]].concat();
            message.resize(at, 6);
            message.extend([7, 0, 0, 0, 0, 0, 0, 0]);
            message.extend(b"GET /\0x".repeat(3));
            let mut wanted = message.clone();
            wanted[at + 6] = 1;
            assert_eq!(renumbered(&message), Some(wanted));
            // A message that breaks off in its number is left alone.
            for length in 0..at + 8 {
                assert_eq!(renumbered(&message[..length]), None);
            }
        }
    }

    #[test]
    fn others_are_left_alone() {
        for other in ["OT\x02\x01", "OT\x03\x00", "OT\x03\x0a", "ot\x03\x01"] {
            assert_eq!(renumbered(&[other.as_bytes(), &[0; 20]].concat()), None);
        }
    }
}
