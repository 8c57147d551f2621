//! Follows a live stream: the state up to where nothing is missing, and the bytes after that.

use crate::beginning::Beginning;
use crate::fact::Fact;
use crate::limits::Keep;
use crate::merge::{Merge, MergeOptions, Position, Step, Take, Window};
use crate::snapshot::Snapshot;
use crate::state::State;
use crate::turn::Turn;
use ghc_eventlog::{Encoded, Error, Header, Item};
use std::sync::Arc;

/// Follows a stream, and can bring other readers to the same place.
///
/// Capabilities deliver their blocks at different times. The state is that of the low watermark, up
/// to which nothing is missing; what has arrived after it is held as bytes. A reader that joins
/// late gets, in this order:
///
/// 1. the header, byte for byte;
/// 2. the [beginning](Self::beginning): the [`transition`](crate::transition())
///    from nothing to the state, then the [`Window`];
/// 3. the rest of the stream, byte for byte.
///
/// In the end it has the same information as a reader that was there from the beginning. A reader
/// that got all bytes up to some moment and then missed some gets the transition from the state
/// that [all of it](Self::delivered) made, as soon as the watermark [has passed](Self::has_passed)
/// the [`position`](Self::position) of that moment; then the window and the rest.
///
/// When more than [`max_bytes`](MergeOptions::max_bytes) are held, the state moves on regardless,
/// and `at` with it. What a capability that lags logs after that about an earlier time counts for a
/// late reader as of then, which cannot always be right; nor can events from an earlier time of a
/// capability that was not announced.
///
/// ```
/// use eventlog_state::{Follower, Keep, MergeOptions};
/// use ghc_eventlog::{BlockBuilder, EventBody, Header};
///
/// let header = Header::standard();
/// let mut follower = Follower::new(MergeOptions::default(), Keep::all());
/// follower.push_bytes(header.as_bytes(), &mut |_| {})?;
/// let mut block = BlockBuilder::new(None);
/// block.push_body(&header, 1, &EventBody::CapCreate { created_cap: 0 })?;
/// follower.push_bytes(block.finish(), &mut |_| {})?;
/// let mut block = BlockBuilder::new(Some(0));
/// block.push_body(&header, 5, &EventBody::CreateThread { thread: 1 })?;
/// follower.push_bytes(block.finish(), &mut |_| {})?;
///
/// let beginning = follower.beginning().expect("there is a header");
/// assert_eq!(follower.at(), 5);
/// assert_eq!(beginning.state().thread_count(), 1);
/// let mut late = header.as_bytes().to_vec();
/// beginning.write(&mut |bytes| late.extend_from_slice(bytes));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Follower {
    merge: Merge,
    keep: Keep,
    state: Option<State>,
    /// Nothing has arrived since the mark at the end.
    at_end: bool,
    /// The latest end of a global block.
    global_end: u64,
}

impl Follower {
    /// A follower of a stream that has not begun.
    pub fn new(options: MergeOptions, keep: Keep) -> Self {
        Self {
            merge: Merge::new(options),
            keep,
            state: None,
            at_end: false,
            global_end: 0,
        }
    }

    /// Takes an item of a decoder, and the decoder's current header; as [`Merge::push`]. The window
    /// then ends after this item.
    ///
    /// # Errors
    ///
    /// A fault in the bytes. It is final.
    pub fn push(
        &mut self,
        item: &Item<'_>,
        header: Option<&Arc<Header>>,
        see: &mut impl FnMut(Fact<'_>),
    ) -> Result<(), Error> {
        self.merge.push(item, header);
        self.fold(see)
    }

    /// Takes the next bytes of the stream; as [`Merge::push_bytes`].
    ///
    /// # Errors
    ///
    /// A fault in the bytes. It is final.
    pub fn push_bytes(
        &mut self,
        bytes: &[u8],
        see: &mut impl FnMut(Fact<'_>),
    ) -> Result<(), Error> {
        self.merge.push_bytes(bytes);
        self.fold(see)
    }

    /// Ends the stream: everything is taken into the state, and what is still going on ends for
    /// `see`, as [`State::finish`] reports it. The state stays as it is.
    ///
    /// # Errors
    ///
    /// A fault in the bytes. It is final.
    pub fn finish(&mut self, see: &mut impl FnMut(Fact<'_>)) -> Result<(), Error> {
        self.merge.flush();
        let result = self.fold(see);
        if let Some(state) = &self.state {
            state.clone().finish(see);
        }
        result
    }

    fn fold(&mut self, see: &mut impl FnMut(Fact<'_>)) -> Result<(), Error> {
        self.merge.drain_to(&mut Fold {
            keep: &self.keep,
            state: &mut self.state,
            at_end: &mut self.at_end,
            global_end: &mut self.global_end,
            see,
        })
    }

    /// The merge: which events are held, and up to when nothing is missing.
    pub fn merge(&self) -> &Merge {
        &self.merge
    }

    /// The state at [`at`](Self::at); `None` before the first header.
    pub fn state(&self) -> Option<&State> {
        self.state.as_ref()
    }

    /// The moment of the state. Everything that capabilities have logged up to then is in it, and
    /// nothing later. Events that belong to no capability are in it as soon as they have arrived.
    pub fn at(&self) -> u64 {
        self.merge.at()
    }

    /// Whether a file can begin here: not while a heap sample is open.
    pub fn may_cut(&self) -> bool {
        self.merge.may_cut() && self.state.as_ref().is_some_and(State::may_cut)
    }

    /// The state at [`at`](Self::at), and the bytes that have arrived and are not in it; `None`
    /// while there is no header, or the next one is incomplete, and after a fault.
    ///
    /// It does not matter whether the log [may be cut](Self::may_cut) here: the part of a heap
    /// sample that has arrived is in the state.
    pub fn cut(&mut self) -> Option<(Snapshot, Window)> {
        let state = self.state.as_mut().filter(|_| self.merge.may_cut())?;
        Some((state.snapshot(), self.merge.window(self.at_end)))
    }

    /// The beginning of a log that goes on here, after its header: for a reader that knows nothing.
    /// `None` if [`cut`](Self::cut) returns `None`.
    pub fn beginning(&mut self) -> Option<Beginning> {
        let at = self.at();
        let (state, window) = self.cut()?;
        let watermark = self.merge.watermark();
        let reached = |cap| watermark.and_then(|it| it.of(Some(cap)));
        let caps = state.caps().map(|(cap, _)| (cap, reached(cap)));
        let caps = caps.collect();
        Some(Beginning::new((state, window), (at, self.global_end), caps))
    }

    /// How far the stream has come, in whole blocks: the position of a reader that got everything
    /// so far.
    pub fn position(&self) -> Position {
        self.merge.position()
    }

    /// Whether the state contains everything that a reader has that got everything up to that
    /// position, and nothing that arrives later belongs before it: then that reader can be brought
    /// up to date. Never after another header.
    pub fn has_passed(&self, position: &Position) -> bool {
        self.merge.has_passed(position)
    }

    /// A copy, which shares what does not change. Given the same bytes, both get the same state: so
    /// it can be used later to get the state at any later place.
    #[must_use]
    pub fn checkpoint(&mut self) -> Self {
        if let Some(state) = &mut self.state {
            // Sealing makes copies share the threads.
            state.scheduler.threads.seal();
        }
        Self {
            merge: self.merge.clone(),
            keep: self.keep,
            state: self.state.clone(),
            at_end: self.at_end,
            global_end: self.global_end,
        }
    }

    /// Says that from now on this copy gets other events than its other copies, or the same ones
    /// differently. Must be called before these events, so that a
    /// [`transition`](crate::transition()) from its state to one of theirs contains everything that
    /// may differ.
    pub fn departs(&mut self) {
        if let Some(state) = &mut self.state {
            state.definitions.branch();
        }
    }

    /// The state that all whole blocks so far make up, whatever may be missing: the state of a
    /// reader that gets no more of the stream.
    pub fn delivered(&self) -> Option<Snapshot> {
        let mut state = self.state.clone()?;
        state.definitions.branch();
        let mut follower = Self {
            merge: self.merge.ended(),
            keep: self.keep,
            state: Some(state),
            at_end: self.at_end,
            global_end: self.global_end,
        };
        // A fault is reported by the push.
        let _ = follower.fold(&mut |_| {});
        follower.state.as_mut().map(State::snapshot)
    }
}

/// Takes what the merge passes on into the state.
struct Fold<'a, S> {
    keep: &'a Keep,
    state: &'a mut Option<State>,
    at_end: &'a mut bool,
    global_end: &'a mut u64,
    see: &'a mut S,
}

impl<S: FnMut(Fact<'_>)> Take for Fold<'_, S> {
    #[inline]
    fn event(&mut self, event: &Encoded<'_>, turn: Turn) {
        *self.at_end = false;
        if let Some(state) = self.state {
            state.apply_encoded(event, turn, self.see);
        }
    }

    fn step(&mut self, step: Step<'_>) {
        match step {
            Step::Event(event, turn) => self.event(&event.encoded(), turn),
            Step::Block(block) => {
                *self.at_end = false;
                if block.cap.is_none() {
                    *self.global_end = block.end.max(*self.global_end);
                }
                if let Some(state) = self.state {
                    state.block(block, self.see);
                }
            }
            Step::Session(header) => {
                (*self.at_end, *self.global_end) = (false, 0);
                if let Some(mut before) = self.state.replace(State::new(header, *self.keep)) {
                    before.finish(self.see);
                }
            }
            Step::End => *self.at_end = true,
            Step::Gap(_) => {}
        }
    }
}
