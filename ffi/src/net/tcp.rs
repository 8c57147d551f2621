//! The TCP socket.

use std::ffi::c_int;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use super::BACKLOG;
use crate::last_problem::{Cause, Part};
use crate::memory::c_string;
use crate::status::{Error, Result};
use crate::system;

/// What `getaddrinfo` returned, until it is freed.
struct AddrInfo(*mut libc::addrinfo);

impl AddrInfo {
    fn iter(&self) -> impl Iterator<Item = &libc::addrinfo> {
        // SAFETY: elements of the list that getaddrinfo returned, which lives as
        // long as `self`; the last one points to NULL.
        std::iter::successors(unsafe { self.0.as_ref() }, |address| unsafe {
            address.ai_next.as_ref()
        })
    }
}

impl Drop for AddrInfo {
    fn drop(&mut self) {
        // SAFETY: what getaddrinfo returned, freed once.
        unsafe { libc::freeaddrinfo(self.0) }
    }
}

/// Listen on the first address of `host` that can be bound; an empty host means
/// every interface. Returns the port, too.
pub(crate) fn listen(host: &[u8], port: &[u8]) -> Result<(OwnedFd, u16)> {
    let found = resolve(host, port)?;
    let everywhere = host.is_empty();
    // The wildcard of IPv6 takes IPv4, too.
    let is_first = |address: &&libc::addrinfo| everywhere && address.ai_family == libc::AF_INET6;
    let (first, others) = (found.iter(), found.iter());
    let addresses = first.filter(is_first);
    let addresses = addresses.chain(others.filter(|address| !is_first(address)));
    let mut last = libc::EADDRNOTAVAIL;
    for address in addresses {
        match listen_at(address, everywhere) {
            Ok(listening) => return Ok(listening),
            Err(error) => last = error.raw_os_error().unwrap_or(libc::EINVAL),
        }
    }
    let (part, text) = match last {
        libc::EADDRINUSE | libc::EACCES => (Part::Port, port),
        _ => (Part::Host, host),
    };
    Err(Error::inet(part, text, Cause::Sys(last)))
}

/// The C library takes the last 16 bits of any number, and signs and spaces.
fn may_be_port(text: &[u8]) -> bool {
    if text.iter().any(u8::is_ascii_alphabetic) {
        // The name of a service, perhaps.
        return true;
    }
    let number = str::from_utf8(text).ok();
    text.iter().all(u8::is_ascii_digit) && number.is_some_and(|text| text.parse::<u16>().is_ok())
}

fn resolve(host: &[u8], port: &[u8]) -> Result<AddrInfo> {
    let no_port = |cause| Error::inet(Part::Port, port, cause);
    if port.is_empty() {
        return Err(no_port(Cause::Sys(libc::EINVAL)));
    }
    if !may_be_port(port) {
        return Err(no_port(Cause::Gai(libc::EAI_SERVICE)));
    }
    // First without a host, so that it is known which of the two is wrong.
    let everywhere = look_up(b"", port)?.map_err(no_port)?;
    if host.is_empty() {
        return Ok(everywhere);
    }
    look_up(host, port)?.map_err(|cause| Error::inet(Part::Host, host, cause))
}

fn look_up(host: &[u8], port: &[u8]) -> Result<Result<AddrInfo, Cause>> {
    let text = |bytes: &[u8]| c_string(bytes)?.ok_or(Error::Sys(libc::EINVAL));
    let (host, port) = (text(host)?, text(port)?);
    let host_ptr = if host.is_empty() {
        std::ptr::null()
    } else {
        host.as_ptr()
    };
    // SAFETY: all zeroes are a value of this C struct.
    let mut hints: libc::addrinfo = unsafe { std::mem::zeroed() };
    hints.ai_family = libc::AF_UNSPEC;
    hints.ai_socktype = libc::SOCK_STREAM;
    hints.ai_flags = libc::AI_PASSIVE;
    let mut found = std::ptr::null_mut();
    // SAFETY: strings that end in NUL (or NULL for the host), initialised hints,
    // and a place for the result.
    let code = unsafe { libc::getaddrinfo(host_ptr, port.as_ptr(), &hints, &mut found) };
    let errno = || io::Error::last_os_error().raw_os_error();
    Ok(match code {
        0 => Ok(AddrInfo(found)),
        libc::EAI_SYSTEM => Err(Cause::Sys(errno().unwrap_or(libc::EINVAL))),
        code => Err(Cause::Gai(code)),
    })
}

fn listen_at(address: &libc::addrinfo, everywhere: bool) -> io::Result<(OwnedFd, u16)> {
    let socket = super::socket(address.ai_family)?;
    if everywhere && address.ai_family == libc::AF_INET6 {
        super::set_option(&socket, libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, 0)?;
    }
    // A restarted program must not wait for the old connections to time out.
    super::set_option(&socket, libc::SOL_SOCKET, libc::SO_REUSEADDR, 1)?;
    // SAFETY: an open socket, and an address of the length given.
    let bound = unsafe { libc::bind(socket.as_raw_fd(), address.ai_addr, address.ai_addrlen) };
    if bound < 0 {
        return Err(io::Error::last_os_error());
    }
    super::listen(&socket, BACKLOG)?;
    let port = local_port(&socket)?;
    Ok((socket, port))
}

fn local_port(socket: &OwnedFd) -> io::Result<u16> {
    // SAFETY: all zeroes are a value of this C struct.
    let mut address: libc::sockaddr_storage = unsafe { std::mem::zeroed() };
    let mut len = size_of_val(&address) as libc::socklen_t;
    // SAFETY: an open socket, and room for any address.
    let named =
        unsafe { libc::getsockname(socket.as_raw_fd(), (&raw mut address).cast(), &mut len) };
    if named < 0 {
        return Err(io::Error::last_os_error());
    }
    let port = match c_int::from(address.ss_family) {
        // SAFETY: the family says which kind of address it is.
        libc::AF_INET => unsafe { (*(&raw const address).cast::<libc::sockaddr_in>()).sin_port },
        // SAFETY: as above.
        libc::AF_INET6 => unsafe { (*(&raw const address).cast::<libc::sockaddr_in6>()).sin6_port },
        _ => 0,
    };
    Ok(u16::from_be(port))
}

/// What a connection for a stream wants: no waiting for full segments, and a
/// peer that has vanished noticed within a minute.
pub(crate) fn prepare_client(client: &OwnedFd) {
    super::set_best_effort(client, libc::IPPROTO_TCP, libc::TCP_NODELAY, 1);
    super::set_best_effort(client, libc::SOL_SOCKET, libc::SO_KEEPALIVE, 1);
    // While the stream is quiet the system asks after 10, 20 and 30 s, and gives up after
    // 40. TCP_USER_TIMEOUT would do the same for a stream that is not quiet, but would end
    // a peer that is there and has closed its window, too: hence `silence`.
    for &(option, value) in system::KEEP_ALIVE {
        super::set_best_effort(client, libc::IPPROTO_TCP, option, value);
    }
}

/// How long the peer has acknowledged nothing, while it has been sent something that it may
/// take. `None` if it has everything, or may take no more (its window is closed: then the
/// system goes on asking, and a peer that is there keeps answering), or if the system does
/// not say.
#[cfg(target_os = "linux")]
pub(crate) fn silence(client: &impl AsRawFd) -> Option<Duration> {
    // `struct tcp_info` of Linux, which grows at its end: of libc's own the last one that is
    // needed here is not a part.
    const UNACKNOWLEDGED: usize = 24;
    const SINCE_ACKNOWLEDGED_MS: usize = 56;
    const WINDOW: usize = 228;
    let mut info = [0u32; 64];
    let mut len = size_of_val(&info) as libc::socklen_t;
    // SAFETY: an open descriptor, and room for as much as is said.
    let got = unsafe {
        libc::getsockopt(
            client.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            info.as_mut_ptr().cast(),
            &mut len,
        )
    };
    // Since Linux 5.4.
    if got < 0 || (len as usize) < WINDOW + size_of::<u32>() {
        return None;
    }
    let field = |offset: usize| info[offset / size_of::<u32>()];
    let waits = field(UNACKNOWLEDGED) > 0 && field(WINDOW) > 0;
    waits.then(|| Duration::from_millis(field(SINCE_ACKNOWLEDGED_MS).into()))
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn silence(_client: &impl AsRawFd) -> Option<Duration> {
    None
}
