//! What is needed to fold one event, besides the state and the event's contents.

use crate::fact::Fact;
use crate::limits::Keep;
use crate::losses::Losses;
use crate::oddity::{At, Odd, Oddity};
use crate::turn::Turn;
use ghc_eventlog::{Encoded, Event};

/// An event, and which parts of the result are needed.
//
// Small, with all data of the event behind a pointer: most of it is only for what rarely happens.
pub(crate) struct Context<'a, E> {
    pub(crate) event: &'a E,
    pub(crate) turn: Turn,
    pub(crate) keep: &'a Keep,
    pub(crate) losses: &'a Losses,
}

impl<E> Clone for Context<'_, E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E> Copy for Context<'_, E> {}

/// When and where an event happened.
pub(crate) trait Place {
    fn time(&self) -> u64;
    fn cap(&self) -> Option<u16>;
    fn offset(&self) -> u64;

    fn at(&self) -> At {
        At {
            offset: self.offset(),
            time: Some(self.time()),
            cap: self.cap(),
        }
    }
}

/// The place of a decoded event.
//
// A copy: events are large, and callers that pass one on need not copy all of it only as long as
// the compiler sees that its address is not kept.
pub(crate) struct Moment {
    time: u64,
    cap: Option<u16>,
    offset: u64,
}

impl Moment {
    #[inline(always)]
    pub(crate) fn of(event: &Event<'_>) -> Self {
        Self {
            time: event.time,
            cap: event.cap,
            offset: event.offset,
        }
    }
}

macro_rules! place {
    ($Type:ty) => {
        impl Place for $Type {
            #[inline(always)]
            fn time(&self) -> u64 {
                self.time
            }

            #[inline(always)]
            fn cap(&self) -> Option<u16> {
                self.cap
            }

            #[inline(always)]
            fn offset(&self) -> u64 {
                self.offset
            }
        }
    };
}
place!(Moment);
place!(Encoded<'_>);

impl<E: Place> Context<'_, E> {
    /// Whether events are not ordered by time here, or may not be.
    #[inline]
    pub(crate) fn is_late(&self) -> bool {
        self.turn.is_late()
    }

    /// Reports what is odd about the event.
    #[cold]
    pub(crate) fn odd(&self, odd: Odd, see: &mut impl FnMut(Fact<'_>)) {
        // The capabilities of a recovered log begin at different times: until the last of them
        // does, what they log about each other is incomplete.
        let whole_from = self.losses.whole_from;
        let partial = whole_from.is_some_and(|from| self.event.time() < from);
        if self.keep.oddities && !(partial && self.event.cap().is_some()) {
            let at = self.event.at();
            see(Fact::Odd(Oddity { at, odd }));
        }
    }
}
