//! Where a reader begins.

/// Where a reader begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Start {
    /// As a client does: with the present state, unless nothing has arrived yet.
    #[default]
    Now,
    /// With the first byte of the session, if everything since then is still in the ring; if
    /// not, as [`Start::Now`].
    First,
}
