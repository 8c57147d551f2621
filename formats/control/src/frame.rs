//! Frames as they are sent over the wire.

use core::fmt;

use crate::{Builtin, Older, RtsCommand};

/// The first bytes of a frame: U+1E5CC in UTF-8.
pub const MAGIC: [u8; 4] = [0xf0, 0x9e, 0x97, 0x8c];
/// The version of the protocol, the byte after [`MAGIC`].
pub const VERSION: u8 = 0;
/// The first bytes of a frame of the older protocol.
pub const OLDER_MAGIC: [u8; 4] = *b"GCTL";
/// The namespace of [`Builtin`].
pub const BUILTIN_NAMESPACE: &str = "eventlog-socket";
/// The namespace of [`RtsCommand`].
pub const RTS_NAMESPACE: &str = "eventlog-socket-rts";
/// Bytes of the longest namespace.
pub const MAX_NAMESPACE: usize = 255;
/// Bytes of the longest frame: magic, version, length, namespace, command.
pub const MAX_FRAME: usize = MAGIC.len() + 1 + 1 + MAX_NAMESPACE + 1;

/// A namespace of this many bytes, which is not 1 to 255.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NamespaceLength(
    /// The number of bytes.
    pub usize,
);

impl fmt::Display for NamespaceLength {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a namespace has 1 to 255 bytes, not {}", self.0)
    }
}

impl core::error::Error for NamespaceLength {}

/// One command, ready to be sent: at most [`MAX_FRAME`] bytes, by value.
///
/// ```
/// use eventlog_control::{Frame, Older};
///
/// assert_eq!(Frame::command(b"my-app", 7)?.as_bytes(), b"\xf0\x9e\x97\x8c\x00\x06my-app\x07");
/// assert_eq!(Frame::older(Older::RequestHeapCensus).as_bytes(), b"GCTL\x03");
/// # Ok::<(), eventlog_control::NamespaceLength>(())
/// ```
#[derive(Clone)]
pub struct Frame {
    bytes: [u8; MAX_FRAME],
    length: usize,
}

impl Frame {
    /// A command of any namespace. Fails unless the namespace has 1 to 255 bytes.
    pub const fn command(namespace: &[u8], id: u8) -> Result<Self, NamespaceLength> {
        match namespace.len() {
            1..=MAX_NAMESPACE => Ok(Self::present(namespace, id)),
            length => Err(NamespaceLength(length)),
        }
    }

    /// A built-in command.
    pub const fn builtin(command: Builtin) -> Self {
        Self::present(BUILTIN_NAMESPACE.as_bytes(), command.id())
    }

    /// A command to the RTS.
    pub const fn rts(command: RtsCommand) -> Self {
        Self::present(RTS_NAMESPACE.as_bytes(), command.id())
    }

    /// A command of the older protocol.
    pub const fn older(command: Older) -> Self {
        Self::EMPTY.with(&OLDER_MAGIC).with(&[command.id()])
    }

    /// The bytes to send.
    pub const fn as_bytes(&self) -> &[u8] {
        self.bytes.split_at(self.length).0
    }

    const EMPTY: Self = Self {
        bytes: [0; MAX_FRAME],
        length: 0,
    };

    /// A frame of the current protocol. The namespace has been checked.
    const fn present(namespace: &[u8], id: u8) -> Self {
        Self::EMPTY
            .with(&MAGIC)
            .with(&[VERSION, namespace.len() as u8])
            .with(namespace)
            .with(&[id])
    }

    /// Appends bytes. The buffer has room for the longest frame.
    const fn with(mut self, part: &[u8]) -> Self {
        let (_, room) = self.bytes.split_at_mut(self.length);
        room.split_at_mut(part.len()).0.copy_from_slice(part);
        self.length += part.len();
        self
    }
}

impl AsRef<[u8]> for Frame {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl PartialEq for Frame {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Frame {}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Frame(\"{}\")", self.as_bytes().escape_ascii())
    }
}
