//! What old runtime systems wrote differently from today's.
//!
//! GHC 6.12 declares thread numbers of eight bytes and an empty `startup`, but
//! writes four bytes and two. GHC 7.8.1 and 7.8.2 number the reasons for which
//! threads are blocked in another way: the new one, reading an `MVar`, became
//! the second and moved those after it up by one; 7.8.3 reverted that.

use crate::body::EventBody;
use crate::codes::StopStatus;
use crate::ids;

/// Types whose payload begins with a thread number.
const WITH_THREAD: [u16; 9] = [
    ids::CREATE_THREAD,
    ids::RUN_THREAD,
    ids::STOP_THREAD,
    ids::THREAD_RUNNABLE,
    ids::MIGRATE_THREAD,
    ids::RUN_SPARK,
    ids::STEAL_SPARK,
    ids::THREAD_WAKEUP,
    ids::CREATE_SPARK_THREAD,
];

/// Whether these are the types of GHC 6.12. The size of the first shows it: no
/// other system has thread numbers of eight bytes.
pub(crate) fn declares_wrong_sizes(types: impl Iterator<Item = (u16, Option<u16>)>) -> bool {
    let create = types.filter(|&(id, _)| id == ids::CREATE_THREAD).last();
    create.is_some_and(|(_, size)| size == Some(8))
}

/// The size of what GHC 6.12 writes, from what it declares.
pub(crate) fn corrected(id: u16, size: Option<u16>) -> Option<u16> {
    match size {
        Some(size) if WITH_THREAD.contains(&id) => Some(size.saturating_sub(4)),
        Some(0) if id == ids::STARTUP => Some(2),
        size => size,
    }
}

/// Whether a log with these types has the stop codes of GHC 7.8.1 and 7.8.2.
pub(crate) fn shifts_stop_codes(types: impl Iterator<Item = (u16, Option<u16>)>) -> bool {
    let (mut new_in_7_8_1, mut new_in_7_8_3) = (false, false);
    for (id, _) in types {
        new_in_7_8_1 |= id == ids::USER_MARKER;
        // Added in 7.8.3 so that its logs can be distinguished from those of
        // 7.8.2.
        new_in_7_8_3 |= id == ids::HACK_BUG_T9003;
    }
    new_in_7_8_1 && !new_in_7_8_3
}

/// Where the payload of an event begins, and whether its stop codes are those
/// of GHC 7.8.2: what has to be kept of an event to decode it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Form(u8);

impl Form {
    const SHIFTED: u8 = 1 << 7;

    /// An event as today's systems write it.
    #[inline(always)]
    pub(crate) fn new(payload_at: usize) -> Self {
        Self(payload_at as u8)
    }

    /// The same with the stop codes of GHC 7.8.2.
    pub(crate) fn shifted(self) -> Self {
        Self(self.0 | Self::SHIFTED)
    }

    #[inline(always)]
    pub(crate) fn is_shifted(self) -> bool {
        self.0 & Self::SHIFTED != 0
    }

    #[inline(always)]
    pub(crate) fn payload_at(self) -> usize {
        usize::from(self.0 & !Self::SHIFTED)
    }

    /// Decodes the payload of an event of this form.
    #[inline(always)]
    pub(crate) fn decode(self, id: u16, payload: &[u8]) -> EventBody<'_> {
        let body = EventBody::decode(id, payload);
        match self.is_shifted() {
            false => body,
            true => unshifted(body),
        }
    }
}

/// The event with today's code.
#[cold]
fn unshifted(mut body: EventBody<'_>) -> EventBody<'_> {
    if let EventBody::StopThread { status, .. } = &mut body {
        *status = match status.0 {
            8 => StopStatus::MVAR_READ,
            code @ 9..=20 => StopStatus(code - 1),
            code => StopStatus(code),
        };
    }
    body
}

/// The event with the code of GHC 7.8.2.
pub(crate) fn shifted(mut body: EventBody<'_>) -> EventBody<'_> {
    if let EventBody::StopThread { status, .. } = &mut body {
        *status = match *status {
            StopStatus::MVAR_READ => StopStatus(8),
            StopStatus(code @ 8..=19) => StopStatus(code + 1),
            other => other,
        };
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_lead_back() {
        for code in 0..=40 {
            let body = EventBody::StopThread {
                thread: 1,
                status: StopStatus(code),
                info: None,
            };
            assert_eq!(shifted(unshifted(body)), body, "{code}");
        }
    }
}
