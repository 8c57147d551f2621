//! Limits of the system that more than one file tells of.

/// The longest path that a Unix socket address holds, without its NUL.
pub(crate) const SOCKET_PATH: usize =
    size_of::<libc::sockaddr_un>() - std::mem::offset_of!(libc::sockaddr_un, sun_path) - 1;
