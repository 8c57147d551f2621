//! The commands that have a fixed meaning: their numbers and names.

use core::fmt;

/// A number that stands for no command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownCommand(
    /// The number.
    pub u8,
);

impl fmt::Display for UnknownCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is no command {}", self.0)
    }
}

impl core::error::Error for UnknownCommand {}

// One table for numbers, names and documentation of each kind of command.
macro_rules! commands {
    (
        $(#[$about:meta])*
        $Kind:ident { $($Variant:ident = $id:literal, $name:literal, $meaning:literal;)* }
    ) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum $Kind {
            $(#[doc = $meaning] $Variant = $id,)*
        }

        impl $Kind {
            /// All of them, by number.
            pub const ALL: &[Self] = &[$(Self::$Variant),*];

            /// The number in a frame.
            pub const fn id(self) -> u8 {
                self as u8
            }

            /// The name for people: lower case words with hyphens.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$Variant => $name,)*
                }
            }
        }

        impl TryFrom<u8> for $Kind {
            type Error = UnknownCommand;

            fn try_from(id: u8) -> Result<Self, UnknownCommand> {
                match id {
                    $($id => Ok(Self::$Variant),)*
                    _ => Err(UnknownCommand(id)),
                }
            }
        }

        impl fmt::Display for $Kind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.name())
            }
        }
    };
}

commands! {
    /// The commands of the namespace [`BUILTIN_NAMESPACE`](crate::BUILTIN_NAMESPACE).
    Builtin {
        StartProfiling = 1, "start-profiling", "Take samples of cost centres (`+RTS -p`).";
        StopProfiling = 2, "stop-profiling", "Take no more of them.";
        StartHeapProfiling = 3, "start-heap-profiling", "Take samples of the heap (`+RTS -h…`).";
        StopHeapProfiling = 4, "stop-heap-profiling", "Take no more of them.";
        RequestHeapCensus = 5, "request-heap-census", "Take one sample of the heap, at the next collection.";
    }
}

commands! {
    /// The commands of the namespace [`RTS_NAMESPACE`](crate::RTS_NAMESPACE). The classes of events are those of
    /// `+RTS -l`, given in brackets, and that of capabilities.
    RtsCommand {
        Flush = 1, "flush", "Flush the buffers of the RTS.";
        Sync = 2, "sync", "Flush, then put a message into the stream: what was logged before is before it.";
        Dump = 3, "dump", "Flush into the file of the flight recorder, then put a message into it.";
        StartScheduler = 6, "start-scheduler", "Log the scheduler (`s`).";
        StopScheduler = 7, "stop-scheduler", "Log it no more.";
        StartGc = 8, "start-gc", "Log collections (`g`).";
        StopGc = 9, "stop-gc", "Log them no more.";
        StartNonmovingGc = 10, "start-nonmoving-gc", "Log the non-moving collector (`n`).";
        StopNonmovingGc = 11, "stop-nonmoving-gc", "Log it no more.";
        StartSparkSampled = 12, "start-spark-sampled", "Log samples of sparks (`p`).";
        StopSparkSampled = 13, "stop-spark-sampled", "Log them no more.";
        StartSparkFull = 14, "start-spark-full", "Log every spark (`f`).";
        StopSparkFull = 15, "stop-spark-full", "Log them no more.";
        StartUser = 16, "start-user", "Log the program's own messages and markers (`u`).";
        StopUser = 17, "stop-user", "Log them no more.";
        StartCapability = 18, "start-capability", "Log capabilities.";
        StopCapability = 19, "stop-capability", "Log them no more.";
    }
}

commands! {
    /// The commands of the older protocol. Each has its equal among the built-in ones.
    Older {
        StartHeapProfiling = 1, "start-heap-profiling", "[`Builtin::StartHeapProfiling`].";
        StopHeapProfiling = 2, "stop-heap-profiling", "[`Builtin::StopHeapProfiling`].";
        RequestHeapCensus = 3, "request-heap-census", "[`Builtin::RequestHeapCensus`].";
    }
}

impl Builtin {
    /// The same command in the older protocol, if it has one.
    pub const fn older(self) -> Option<Older> {
        match self {
            Self::StartHeapProfiling => Some(Older::StartHeapProfiling),
            Self::StopHeapProfiling => Some(Older::StopHeapProfiling),
            Self::RequestHeapCensus => Some(Older::RequestHeapCensus),
            Self::StartProfiling | Self::StopProfiling => None,
        }
    }
}

impl From<Older> for Builtin {
    fn from(older: Older) -> Self {
        match older {
            Older::StartHeapProfiling => Self::StartHeapProfiling,
            Older::StopHeapProfiling => Self::StopHeapProfiling,
            Older::RequestHeapCensus => Self::RequestHeapCensus,
        }
    }
}
