//! The commands that have a fixed meaning: their numbers and names.

use core::fmt;

/// The number of no known command.
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
        StopProfiling = 2, "stop-profiling", "Stop taking samples of cost centres.";
        StartHeapProfiling = 3, "start-heap-profiling", "Take samples of the heap (`+RTS -h…`).";
        StopHeapProfiling = 4, "stop-heap-profiling", "Stop taking samples of the heap.";
        RequestHeapCensus = 5, "request-heap-census", "Take one sample of the heap, at the next collection.";
    }
}

commands! {
    /// The commands of the namespace [`RTS_NAMESPACE`](crate::RTS_NAMESPACE). The classes of events are those of
    /// `+RTS -l`, given in brackets, and that of capabilities.
    RtsCommand {
        Flush = 1, "flush", "Flush the buffers of the RTS.";
        Sync = 2, "sync", "Flush, then write a message to the stream: everything logged before is before it.";
        Dump = 3, "dump", "Flush into the file of the flight recorder, then write a message to it.";
        StartScheduler = 6, "start-scheduler", "Log the scheduler (`s`).";
        StopScheduler = 7, "stop-scheduler", "Stop logging the scheduler.";
        StartGc = 8, "start-gc", "Log collections (`g`).";
        StopGc = 9, "stop-gc", "Stop logging collections.";
        StartNonmovingGc = 10, "start-nonmoving-gc", "Log the non-moving collector (`n`).";
        StopNonmovingGc = 11, "stop-nonmoving-gc", "Stop logging the non-moving collector.";
        StartSparkSampled = 12, "start-spark-sampled", "Log samples of sparks (`p`).";
        StopSparkSampled = 13, "stop-spark-sampled", "Stop logging samples of sparks.";
        StartSparkFull = 14, "start-spark-full", "Log every spark (`f`).";
        StopSparkFull = 15, "stop-spark-full", "Stop logging every spark.";
        StartUser = 16, "start-user", "Log the program's own messages and markers (`u`).";
        StopUser = 17, "stop-user", "Stop logging messages and markers.";
        StartCapability = 18, "start-capability", "Log capabilities.";
        StopCapability = 19, "stop-capability", "Stop logging capabilities.";
    }
}

commands! {
    /// The commands of the older protocol. Each has an equivalent among the built-in ones.
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
