//! `eventlog metrics`: what a program does, for Prometheus and OpenTelemetry.

mod environment;
mod print;
mod push;
mod read;

use crate::errors;
use crate::output;
use crate::signals::Stop;
use crate::source::{self, FlushArgs};
use crate::units;
use anyhow::Result;
use clap::ValueEnum;
use eventlog_metrics::{
    About, Exposition, Options, Output, Own, Program, Records, Signal, eventlog_live,
};
use eventlog_source::{Source, Wait};
use print::Printer;
use read::Told;
use std::io::Write;
use std::net::ToSocketAddrs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// Heap, collections, capabilities, threads and spans for Prometheus and OpenTelemetry
///
/// Of a log that is complete, --print tells the values at its end. Of a program that runs it tells
/// them at each --interval of the program's own time.
///
/// Names, units and meanings of all metrics are in docs/metrics.md.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Args {
    /// FILE, a FIFO, - for standard input, unix:PATH, or tcp:HOST:PORT
    #[arg(value_parser = source::parser(), required = true)]
    sources: Vec<Source>,

    /// How long to wait for a program that is not up: 10s, 2m, forever. Without it: 30s to print,
    /// forever to serve or push
    #[arg(long, value_name = "TIME", value_parser = units::wait)]
    wait: Option<Wait>,

    /// Go on as a file grows, until the log is complete
    #[arg(long, short)]
    follow: bool,

    #[command(flatten)]
    flush: FlushArgs,

    /// Print the metrics
    #[arg(long, value_enum, value_name = "FORMAT")]
    print: Option<Format>,

    /// Serve them to Prometheus at HOST:PORT: /metrics, /metrics/SOURCE, /sd, /-/healthy, /-/ready
    #[arg(long, value_name = "ADDRESS")]
    prometheus: Option<String>,

    /// Push them to a receiver of OpenTelemetry's protocol: http://HOST:4318, or `env` for what
    /// OTEL_EXPORTER_OTLP_ENDPOINT and the like say
    #[arg(long, value_name = "URL")]
    otlp: Option<String>,

    /// What is pushed
    #[arg(
        long,
        value_enum,
        value_name = "SIGNALS",
        value_delimiter = ',',
        default_value = "metrics,logs,traces"
    )]
    signals: Vec<SignalArg>,

    /// With the traces, tell what threads do; that can be much
    #[arg(long)]
    threads: bool,

    /// Keep what waits for the receiver in this directory, where it survives the end of this
    /// process
    #[arg(long, value_name = "DIR")]
    queue: Option<PathBuf>,

    /// How much of each signal may wait; beyond that the oldest is given up
    #[arg(long, value_name = "BYTES", default_value = "64M", value_parser = units::some_bytes)]
    queue_bytes: u64,

    /// How long to try to send the rest when everything else is over
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = units::duration)]
    patience: Duration,

    /// At which times of the log the metrics are told: at each multiple of this. Without it: 10s
    /// of a program that runs, and only the end of a log that is printed
    #[arg(long, value_name = "TIME", value_parser = units::some_time)]
    interval: Option<Duration>,

    /// Under whose names
    #[arg(
        long,
        value_enum,
        value_name = "NAMES",
        default_value = "opentelemetry"
    )]
    names: Names,

    /// How many bands of the heap profile and names of spans are told apart
    #[arg(long, value_name = "N", default_value = "50")]
    most: usize,

    /// Tell the program's arguments, too; they may contain secrets
    #[arg(long)]
    command_args: bool,
}

/// How metrics are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// As Prometheus scrapes them
    Prometheus,
    /// The same as OpenMetrics has it
    Openmetrics,
    /// One JSON object a line
    Json,
    /// OpenTelemetry's protocol as JSON, one request a line
    OtlpJson,
}

/// What can be pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum SignalArg {
    /// Metrics
    Metrics,
    /// Messages, markers, losses
    Logs,
    /// The program's spans, and collections
    Traces,
}

impl From<SignalArg> for Signal {
    fn from(signal: SignalArg) -> Self {
        match signal {
            SignalArg::Metrics => Self::Metrics,
            SignalArg::Logs => Self::Logs,
            SignalArg::Traces => Self::Traces,
        }
    }
}

/// What metrics are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Names {
    /// As OpenTelemetry's rules have it
    Opentelemetry,
    /// As eventlog-live calls them
    EventlogLive,
}

const EXAMPLES: &str = "\
Examples:
  eventlog metrics program.eventlog --print prometheus
  eventlog metrics unix:/tmp/app.sock --print json --interval 1s
  eventlog metrics unix:/tmp/app.sock --prometheus 127.0.0.1:9464
  eventlog metrics unix:/tmp/app.sock --otlp http://127.0.0.1:4318 --queue /var/lib/eventlog

Environment:
  OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES   what the program is called, and more about it
  OTEL_EXPORTER_OTLP_*, OTEL_METRIC_EXPORT_INTERVAL, OTEL_METRICS_EXPORTER, OTEL_LOGS_EXPORTER,
  OTEL_TRACES_EXPORTER, OTEL_SDK_DISABLED       as their specification says

Exit codes: 0 done, 1 a log is faulty, 2 the command line is wrong, 3 cannot read or write, or not
all was sent.";

/// The interval of a program that runs.
const INTERVAL: Duration = Duration::from_secs(10);
/// How long a program that is to be printed is waited for.
const WAIT: Duration = Duration::from_secs(30);
/// How long to try to send the rest once somebody wants to stop.
const LAST_PATIENCE: Duration = Duration::from_secs(5);

/// How the sources are read.
struct Sources {
    wait: Wait,
    follow: bool,
    flush: FlushArgs,
    /// Sockets are connected to again whenever the connection ends.
    reconnect: bool,
    /// How often what changes without events is told.
    tick: Option<Duration>,
    stop: Stop,
}

/// Tells metrics.
pub fn run(args: Args) -> Result<ExitCode> {
    if args.print.is_none() && args.prometheus.is_none() && args.otlp.is_none() {
        return Err(errors::usage(
            "say where the metrics are to go: --prometheus ADDRESS, --otlp URL or --print FORMAT",
        ));
    }
    if args.otlp.is_none() && args.queue.is_some() {
        return Err(errors::usage("--queue is for --otlp"));
    }
    let about = environment::about()?;
    let own = Arc::new(Own::new(args.otlp.is_some()));
    let signals: Vec<Signal> = args.signals.iter().copied().map(Signal::from).collect();
    let queue = (args.queue_bytes, args.queue.clone());
    let push = args.otlp.as_deref();
    let push = push.map(|url| push::Push::start(url, &signals, queue, &own));
    let mut push = push.transpose()?.flatten();
    let wants = |signal| {
        let printed = args.print == Some(Format::OtlpJson) && signals.contains(&signal);
        printed || push.as_ref().is_some_and(|push| push.wants(signal))
    };
    let records = Records {
        logs: wants(Signal::Logs),
        traces: wants(Signal::Traces),
        threads: args.threads && wants(Signal::Traces),
    };
    let usual = environment::interval()?.unwrap_or(INTERVAL);
    let stays = push.is_some() || args.prometheus.is_some();
    let stop = Stop::install()?;
    let sources = Sources {
        wait: args.wait.unwrap_or(match stays {
            true => Wait::Forever,
            false => Wait::For(WAIT),
        }),
        follow: args.follow,
        flush: args.flush,
        reconnect: stays,
        tick: push.is_some().then(|| args.interval.unwrap_or(usual)),
        stop: stop.clone(),
    };
    let needs_clock = matches!(args.print, Some(Format::Json | Format::OtlpJson));
    let mut all = Vec::new();
    let mut ends = Vec::new();
    for source in &args.sources {
        let runs = args.follow || source.is_socket();
        let default = (runs || push.is_some()).then_some(usual);
        let interval = args.interval.or(default);
        let (clock, programs) = match args.follow {
            true => (None, None),
            false => read::known(source),
        };
        let options = Options {
            about: About {
                command_args: args.command_args,
                source: source.to_string(),
                ..about.clone()
            },
            interval: interval.map(|interval| interval.as_nanos() as u64),
            records,
            need_clock: needs_clock || push.is_some(),
            clock,
            programs,
            most: args.most,
        };
        let name = source.to_string();
        let program = Arc::new(match runs {
            true => Program::that_runs(name, options, matches!(source, Source::Unix(_))),
            false => Program::of_log(name, options),
        });
        if interval.is_none() {
            ends.push(Arc::clone(&program));
        }
        all.push((source.clone(), program));
    }
    if let Some(at) = &args.prometheus {
        let addresses: Vec<_> = at
            .to_socket_addrs()
            .map_err(|why| errors::usage(format_args!("--prometheus {at}: {why}")))?
            .collect();
        let what = Exposition {
            programs: all.iter().map(|(_, program)| Arc::clone(program)).collect(),
            own: Arc::clone(&own),
            eventlog_live: args.names == Names::EventlogLive,
        };
        let address = eventlog_metrics::serve(&addresses, what)
            .map_err(|why| errors::io(format_args!("--prometheus {at}: {why}")))?;
        errors::note(format_args!("metrics are at http://{address}/metrics"));
    }
    let mut printer = args.print.map(|format| Printer::new(format, args.names));
    let names = args.names;
    let mut out = output::out();
    let programs: Vec<Arc<Program>> = all.iter().map(|(_, program)| Arc::clone(program)).collect();
    let mut tell = |told: Told| -> Result<()> {
        let stopped = || stop.is_set();
        match told {
            Told::Output { told, wait } => {
                if let Some(printer) = &mut printer {
                    printer.print(&told, &mut out)?;
                    out.flush()?;
                }
                let told = match (told, names) {
                    (Output::Metrics(collected), Names::EventlogLive) => {
                        Output::Metrics(eventlog_live::rename(&collected))
                    }
                    (told, _) => told,
                };
                if let Some(push) = &mut push {
                    push.take(&told, wait, &stopped);
                }
            }
            Told::Tick => {
                if let Some(push) = &mut push {
                    for collected in programs.iter().filter_map(|program| program.live()) {
                        push.metrics(&collected, false, &stopped);
                    }
                    push.metrics(&own.collect(), false, &stopped);
                }
            }
        }
        Ok(())
    };
    let mut code = read::all(&sources, all, &mut tell)?;
    if let Some(printer) = &mut printer {
        // One text for all of them: a name must not come twice.
        let ends = ends.iter().filter_map(|program| program.collect());
        printer.print_all(&ends.collect::<Vec<_>>(), &mut out)?;
        out.flush()?;
    }
    if let Some(push) = push {
        let patience = match stop.is_set() {
            true => args.patience.min(LAST_PATIENCE),
            false => args.patience,
        };
        // A second signal ends everything at once.
        let was_set = stop.is_set();
        let stopped = || stop.is_set() && !was_set;
        if !push.finish(patience, &stopped, &own) && code == ExitCode::SUCCESS {
            code = ExitCode::from(errors::IO);
        }
    }
    // The values at the end stay there to be scraped.
    while args.prometheus.is_some() && !stop.is_set() {
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(code)
}
