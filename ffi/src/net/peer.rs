//! Who is at the other end.

use std::os::fd::{AsRawFd, OwnedFd};

use crate::tuning::Control;

/// Whether commands of this client are obeyed. A TCP peer could be anybody: it has to
/// be asked for. Behind a Unix socket is whoever may open its file; that can be
/// changed by others, so the user is checked as well. Root may do anything to this
/// process anyhow.
pub(crate) fn may_command(socket: &OwnedFd, is_tcp: bool, control: Control) -> bool {
    match control {
        Control::Off => false,
        Control::On if is_tcp => true,
        Control::Unix if is_tcp => false,
        Control::Unix | Control::On => user_of(socket).is_some_and(|user| {
            // SAFETY: no arguments.
            let own = unsafe { libc::geteuid() };
            user == own || user == 0
        }),
    }
}

/// The user who connected, as the kernel noted it at that moment.
#[cfg(target_os = "linux")]
fn user_of(socket: &OwnedFd) -> Option<libc::uid_t> {
    let mut peer = libc::ucred {
        pid: 0,
        uid: libc::uid_t::MAX,
        gid: libc::gid_t::MAX,
    };
    let mut len = size_of_val(&peer) as libc::socklen_t;
    // SAFETY: an open descriptor, and room for the answer.
    let got = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut peer).cast(),
            &mut len,
        )
    };
    (got == 0).then_some(peer.uid)
}

#[cfg(not(target_os = "linux"))]
fn user_of(socket: &OwnedFd) -> Option<libc::uid_t> {
    let (mut user, mut group) = (libc::uid_t::MAX, libc::gid_t::MAX);
    // SAFETY: an open descriptor, and room for the answers.
    let got = unsafe { libc::getpeereid(socket.as_raw_fd(), &mut user, &mut group) };
    (got == 0).then_some(user)
}
