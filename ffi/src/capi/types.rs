//! The structs of the C API, and what they mean in Rust.

use std::ffi::{CStr, c_char, c_int};
use std::time::Duration;

use static_assertions::const_assert_eq;

use crate::lifecycle::{self, SocketOptions};
use crate::memory::copied;
use crate::net::listener::Address;
use crate::status::{Error, Result};
use crate::tuning::{Control, Overflow, Tuning};

/// `EventlogSocketAddr`. The tag is a number: C may put any into it.
#[repr(C)]
#[derive(Debug)]
pub struct EventlogSocketAddr {
    pub(crate) tag: c_int,
    pub(crate) strings: [*mut c_char; 2],
}

pub(crate) const TAG_UNIX: c_int = 0;
pub(crate) const TAG_INET: c_int = 1;
pub(crate) const TAG_NONE: c_int = 2;

/// `EventlogSocketOpts`. `wait` is read as a byte: C may put any into it.
#[repr(C)]
#[derive(Debug)]
pub struct EventlogSocketOpts {
    pub(crate) wait: u8,
    pub(crate) sndbuf: c_int,
    pub(crate) linger: c_int,
}

/// `EventlogSocketTuning`.
#[repr(C)]
#[derive(Debug)]
pub struct EventlogSocketTuning {
    buffer_size: u64,
    overflow: c_int,
    block_timeout_ms: u32,
    exit_timeout_ms: u32,
    flush_interval_ms: u32,
    control: c_int,
}

const OVERFLOW_DROP: c_int = 0;
const OVERFLOW_BLOCK: c_int = 1;

const CONTROL_UNIX: c_int = 0;
const CONTROL_ON: c_int = 1;
const CONTROL_OFF: c_int = 2;

// The union of the C struct holds one or two pointers.
const_assert_eq!(size_of::<EventlogSocketAddr>(), 3 * size_of::<usize>());
const_assert_eq!(
    std::mem::offset_of!(EventlogSocketAddr, strings),
    size_of::<usize>()
);
const_assert_eq!(size_of::<EventlogSocketOpts>(), 12);
const_assert_eq!(std::mem::offset_of!(EventlogSocketOpts, sndbuf), 4);
const_assert_eq!(std::mem::offset_of!(EventlogSocketOpts, linger), 8);
const_assert_eq!(size_of::<EventlogSocketTuning>(), 32);

/// # Safety
/// `text` is NULL or a string that ends in NUL.
pub(crate) unsafe fn bytes(text: *const c_char) -> Result<Option<Vec<u8>>> {
    if text.is_null() {
        return Ok(None);
    }
    // SAFETY: by the contract of this function.
    let text = unsafe { CStr::from_ptr(text) };
    Ok(Some(copied(text.to_bytes())?))
}

impl EventlogSocketAddr {
    /// None for no socket.
    ///
    /// # Safety
    /// The strings that the tag asks for are NULL or end in NUL.
    pub(crate) unsafe fn read(&self) -> Result<Option<Address>> {
        let invalid = Error::Sys(libc::EINVAL);
        match self.tag {
            // SAFETY: by the contract of this function.
            TAG_UNIX => match unsafe { bytes(self.strings[0]) }? {
                Some(path) => Ok(Some(Address::Unix(path))),
                None => Err(invalid),
            },
            TAG_INET => {
                // SAFETY: by the contract of this function.
                let (host, port) = unsafe { (bytes(self.strings[0])?, bytes(self.strings[1])?) };
                Ok(Some(Address::Inet {
                    host: host.unwrap_or_default(),
                    port: port.ok_or(invalid)?,
                }))
            }
            TAG_NONE => Ok(None),
            _ => Err(invalid),
        }
    }
}

impl EventlogSocketOpts {
    pub(crate) const DEFAULT: EventlogSocketOpts = EventlogSocketOpts {
        wait: 0,
        sndbuf: 0,
        linger: 0,
    };

    pub(crate) fn socket_options(&self) -> SocketOptions {
        SocketOptions {
            sndbuf: self.sndbuf,
            linger: self.linger,
        }
    }
}

impl EventlogSocketTuning {
    pub(crate) fn defaults() -> EventlogSocketTuning {
        let tuning = lifecycle::default_tuning();
        let millis = |time: Duration| u32::try_from(time.as_millis()).unwrap_or(u32::MAX);
        EventlogSocketTuning {
            buffer_size: tuning.buffer_size as u64,
            overflow: OVERFLOW_DROP,
            block_timeout_ms: 0,
            exit_timeout_ms: millis(tuning.exit_timeout),
            flush_interval_ms: tuning.flush_interval.map_or(0, millis),
            control: match tuning.control {
                Control::Unix => CONTROL_UNIX,
                Control::On => CONTROL_ON,
                Control::Off => CONTROL_OFF,
            },
        }
    }

    pub(crate) fn read(&self) -> Result<Tuning> {
        let millis = |ms: u32| Duration::from_millis(ms.into());
        let limit = millis(self.block_timeout_ms);
        let overflow = match self.overflow {
            OVERFLOW_DROP => Overflow::Drop,
            OVERFLOW_BLOCK => Overflow::Block(Some(limit).filter(|limit| !limit.is_zero())),
            _ => return Err(Error::Sys(libc::EINVAL)),
        };
        let control = match self.control {
            CONTROL_UNIX => Control::Unix,
            CONTROL_ON => Control::On,
            CONTROL_OFF => Control::Off,
            _ => return Err(Error::Sys(libc::EINVAL)),
        };
        Tuning::from_code(
            self.buffer_size,
            overflow,
            millis(self.exit_timeout_ms),
            millis(self.flush_interval_ms),
            control,
        )
        .ok_or(Error::Sys(libc::EINVAL))
    }
}
