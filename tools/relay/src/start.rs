//! Where a reader begins.

/// Where a reader begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Start {
    /// As a client does: with the state as it is now, unless nothing has come yet.
    #[default]
    Now,
    /// With the first byte of the session, if all since then is still in the ring; if not, now.
    First,
}
