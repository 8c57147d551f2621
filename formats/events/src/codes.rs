//! Numeric codes: kept as numbers, so that the codes of newer runtime systems
//! are preserved, and named where a name is known.

macro_rules! codes {
    ($(#[$doc:meta])* $Name:ident($int:ty) { $($(#[$vdoc:meta])* $CONST:ident = $code:literal $name:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $Name(pub $int);

        impl $Name {
            $($(#[$vdoc])* pub const $CONST: Self = Self($code);)*

            /// The machine name of this code, if it is known.
            pub fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($code => Some($name),)*
                    _ => None,
                }
            }
        }
    };
}

codes! {
    /// Why a thread stopped running.
    ///
    /// Codes 1 to 6 are the scheduler's own, later ones are the reason for
    /// which the thread is blocked, plus six.
    StopStatus(u16) {
        /// It needs a fresh allocation area.
        HEAP_OVERFLOW = 1 "heap_overflow",
        /// It needs more stack; `info` is the stack's size in words.
        STACK_OVERFLOW = 2 "stack_overflow",
        /// Its time slice is over.
        YIELDING = 3 "yielding",
        /// Blocked, reason unknown (not written by current systems).
        BLOCKED = 4 "blocked",
        /// It has finished.
        FINISHED = 5 "finished",
        /// It is making a foreign call.
        FOREIGN_CALL = 6 "foreign_call",
        /// Blocked on an `MVar`.
        MVAR = 7 "blocked_on_mvar",
        /// Blocked on a thunk under evaluation; `info` is its owner.
        BLACK_HOLE = 8 "blocked_on_black_hole",
        /// Blocked reading (non-threaded runtime).
        READ = 9 "blocked_on_read",
        /// Blocked writing (non-threaded runtime).
        WRITE = 10 "blocked_on_write",
        /// Blocked in a delay (non-threaded runtime).
        DELAY = 11 "blocked_on_delay",
        /// Blocked in a memory transaction.
        STM = 12 "blocked_on_stm",
        /// Blocked in an asynchronous operation (Windows).
        DO_PROC = 13 "blocked_on_do_proc",
        /// Blocked in a foreign call.
        CCALL = 16 "blocked_on_ccall",
        /// Blocked in an interruptible foreign call.
        CCALL_INTERRUPTIBLE = 17 "blocked_on_ccall_interruptible",
        /// Blocked throwing an exception to another thread.
        THROW_TO = 18 "blocked_on_throw_to",
        /// Migrating to another capability.
        MIGRATING = 19 "migrating",
        /// Blocked in a `readMVar`.
        MVAR_READ = 20 "blocked_on_mvar_read",
    }
}

codes! {
    /// What a capability set groups.
    CapsetType(u16) {
        /// Anything that the program defines.
        CUSTOM = 1 "custom",
        /// The capabilities of one operating system process.
        OS_PROCESS = 2 "os_process",
        /// Capabilities that share one clock.
        CLOCK_DOMAIN = 3 "clock_domain",
    }
}

codes! {
    /// What a heap profile is broken down by.
    Breakdown(u32) {
        /// By cost centre (`-hc`).
        COST_CENTRE = 1 "cost_centre",
        /// By module (`-hm`).
        MODULE = 2 "module",
        /// By closure description (`-hd`).
        CLOSURE_DESCRIPTION = 3 "closure_description",
        /// By type description (`-hy`).
        TYPE_DESCRIPTION = 4 "type_description",
        /// By retainer (`-hr`).
        RETAINER = 5 "retainer",
        /// By biography (`-hb`).
        BIOGRAPHY = 6 "biography",
        /// By closure type (`-hT`).
        CLOSURE_TYPE = 7 "closure_type",
        /// By info table (`-hi`).
        INFO_TABLE = 8 "info_table",
        /// By era (`-he`).
        ERA = 9 "era",
    }
}

/// The size of the blocks in a non-moving segment, in either of the two forms
/// that censuses have used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BlockSize {
    /// As an exponent of two (13-byte events).
    Log2(u8),
    /// In bytes (14-byte events).
    Bytes(u16),
}

impl BlockSize {
    /// The size in bytes; `None` if the exponent is too large.
    pub fn bytes(self) -> Option<u64> {
        match self {
            Self::Log2(exponent) => 1u64.checked_shl(exponent.into()),
            Self::Bytes(bytes) => Some(bytes.into()),
        }
    }
}
