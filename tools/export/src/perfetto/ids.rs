//! Numbers of tracks and flows: they are computed from what they identify, so that a log gives the
//! same ones each time.

/// What a number identifies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    Program = 1,
    Group,
    Cap,
    Thread,
    /// Spans of a thread that do not fit into one track.
    Span,
    /// Spans of no thread.
    LooseSpan,
    Collection,
    Phase,
    Counter,
    Flow,
}

/// The number of a thing of this kind, in the log's `session`-th part. `id` has 40 bits. All
/// numbers are different, and none is 0.
pub fn number(session: u16, kind: Kind, id: u64) -> u64 {
    let mut number = (u64::from(session) << 48) | ((kind as u64) << 40) | (id & 0xff_ffff_ffff);
    // Spread over all bits, so that tracks of other traces shown together have other numbers. Each
    // step is reversible: different values stay different, and only 0 becomes 0.
    number ^= number >> 30;
    number = number.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    number ^= number >> 27;
    number = number.wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn numbers_are_unique() {
        let mut seen = HashSet::from([0]);
        for session in [0, 1, 2, u16::MAX] {
            for kind in [Kind::Program, Kind::Cap, Kind::Thread, Kind::Flow] {
                for id in (0..1000).chain([u64::from(u32::MAX), 0xff_ffff_ffff]) {
                    assert!(seen.insert(number(session, kind, id)));
                }
            }
        }
    }
}
