//! Arguments that name a source, and how to open it.

use super::{find, share, text};
use crate::errors;
use crate::units;
use clap::ValueEnum;
use clap::builder::{OsStringValueParser, TypedValueParser};
use eventlog_source::control::Protocol;
use eventlog_source::{Connecting, Connection, Source, Wait};
use std::time::Duration;

/// Reads the name of a source, which need not be UTF-8 if it is a file.
pub fn parser() -> impl TypedValueParser<Value = Source> {
    OsStringValueParser::new().try_map(Source::try_from)
}

/// The source and how to open it: what verbs that read one log take.
#[derive(Clone, Debug, clap::Args)]
pub struct SourceArgs {
    /// FILE, a FIFO, - for standard input, unix:PATH, tcp:HOST:PORT, or the NAME of a program that
    /// `eventlog list` shows; without it, the one program that runs
    #[arg(value_name = "SOURCE", value_parser = parser())]
    pub given: Option<Source>,

    /// What is read, once it is found.
    #[arg(skip = Source::Stdin)]
    pub source: Source,

    /// How long to wait for a program that is not up yet: 10s, 2m, forever
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = units::wait)]
    pub wait: Wait,

    /// Go on as the file grows, until the log is complete
    #[arg(long, short)]
    pub follow: bool,

    #[command(flatten)]
    pub flush: FlushArgs,
}

/// How often the program is asked for its events.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub struct FlushArgs {
    /// Ask the program to flush its eventlog this often: 1s, 200ms. For one that does not do that
    /// by itself; it must take commands (see `eventlog control`)
    #[arg(long = "flush", value_name = "TIME", value_parser = flush_interval)]
    pub every: Option<Duration>,
}

/// Anything shorter would only keep the program busy.
const SHORTEST: Duration = Duration::from_millis(10);

fn flush_interval(text: &str) -> Result<Duration, String> {
    match units::duration(text)? {
        every if every < SHORTEST => Err("not more often than every 10ms".to_owned()),
        every => Ok(every),
    }
}

impl FlushArgs {
    /// Opens a source as it is described, and asks it for its events if that is wanted.
    pub fn connect(self, source: &Source, how: &Connecting) -> anyhow::Result<Connection> {
        let how = how.clone().flush(self.every);
        source.connect(&how).map_err(|error| match error {
            eventlog_source::Error::NotASocket { .. } => errors::usage(format_args!(
                "{source} is no socket: --flush asks programs at unix:PATH or tcp:HOST:PORT"
            )),
            other => text::failed(other),
        })
    }
}

impl SourceArgs {
    /// What was named, or found.
    pub fn of(source: Source, wait: Wait) -> Self {
        Self {
            given: Some(source.clone()),
            source,
            wait,
            follow: false,
            flush: FlushArgs::default(),
        }
    }

    /// Resolves the source. To be called before anything else.
    pub fn find(&mut self) -> anyhow::Result<()> {
        self.source = find::source(self.given.take())?;
        Ok(())
    }

    /// How it is opened. If `tick` is given, reads then fail with `WouldBlock` whenever nothing has
    /// arrived for that long.
    pub fn how(&self, tick: Option<Duration>) -> Connecting {
        Connecting::new()
            .wait(self.wait)
            .missing_ok(self.follow)
            .tick(tick)
            .programs(share::attach)
            .notices(|notice| text::tell(notice, true))
    }

    /// Opens it.
    pub fn connect(&self, tick: Option<Duration>) -> anyhow::Result<Connection> {
        self.flush.connect(&self.source, &self.how(tick))
    }
}

/// The wire protocol of commands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ProtocolArg {
    /// Frames with version and namespace: eventlog-socket since 0.1.1
    #[default]
    V0,
    /// The three commands of eventlog-socket before 0.1.1
    Gctl,
}

impl From<ProtocolArg> for Protocol {
    fn from(protocol: ProtocolArg) -> Self {
        match protocol {
            ProtocolArg::V0 => Self::V0,
            ProtocolArg::Gctl => Self::Gctl,
        }
    }
}
