//! `eventlog metrics`: what a program does, for Prometheus and OpenTelemetry.

mod environment;
mod found;
mod known;
mod making;
mod messages;
mod naming;
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
use eventlog_metrics::eventlog_live::schema;
use eventlog_metrics::{About, Exposition, Own, Records, Signal, Watched};
use eventlog_source::{Source, Wait};
use making::Making;
use messages::Told;
use naming::Naming;
use print::Printer;
use read::Finding;
use std::io::Write;
use std::net::ToSocketAddrs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// Heap, collections, capabilities, threads and spans for Prometheus and OpenTelemetry
///
/// For a complete log, --print prints the values at its end. For a running program it prints them at
/// each --interval of the program's own time.
///
/// Without a SOURCE, reads every program of this user that `eventlog list` shows, from its start to
/// its end; the last values of one that has ended can be scraped for a while.
///
/// Names, units and meanings of all metrics are in docs/metrics.md.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Args {
    /// FILE, a FIFO, - for standard input, unix:PATH, tcp:HOST:PORT, or the NAME of a program that
    /// `eventlog list` shows; without any, all programs that it shows, now and later
    #[arg(value_name = "SOURCE", value_parser = source::parser())]
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

    /// With the traces, push what threads do as well; that can be a lot
    #[arg(long)]
    threads: bool,

    /// Keep what waits for the receiver in this directory, where it survives the end of this
    /// process
    #[arg(long, value_name = "DIR")]
    queue: Option<PathBuf>,

    /// How much of each signal may wait; beyond that the oldest is dropped
    #[arg(long, value_name = "BYTES", default_value = "64M", value_parser = units::some_bytes)]
    queue_bytes: u64,

    /// How long to try to send the rest when everything else is over
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = units::duration)]
    patience: Duration,

    /// Report the metrics at each multiple of this time of the log. Without it: every 10s for a
    /// program that runs, and only at the end for a log that is printed
    #[arg(long, value_name = "TIME", value_parser = units::some_time)]
    interval: Option<Duration>,

    /// The names of the metrics; without it, those of OpenTelemetry
    #[arg(long, value_enum, value_name = "NAMES")]
    names: Option<Names>,

    /// What to report, under which names and how often: a configuration of eventlog-live (YAML)
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Print the configuration as it is understood, or the default of --names eventlog-live
    #[arg(long)]
    print_config: bool,

    /// Print a JSON schema of such configurations
    #[arg(long, conflicts_with = "print_config")]
    print_config_json_schema: bool,

    /// How many bands of the heap profile and names of spans are reported separately
    #[arg(long, value_name = "N", default_value = "50")]
    most: usize,

    /// Report the program's arguments, too; they may contain secrets
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

/// The names of metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Names {
    /// As OpenTelemetry's rules have it
    Opentelemetry,
    /// As eventlog-live calls them
    EventlogLive,
}

const EXAMPLES: &str = "\
Examples:
  eventlog metrics --prometheus 127.0.0.1:9464 --otlp http://127.0.0.1:4318
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
/// How long to wait for a program that is to be printed.
const WAIT: Duration = Duration::from_secs(30);
/// What changes without events is not reported more often, however short the interval is.
const LEAST_TICK: Duration = Duration::from_secs(1);
/// How much of each program is kept for other clients that read it through this process, which may
/// read many programs.
const RING: usize = 16 << 20;
/// How long to try to send the rest after a request to stop.
const LAST_PATIENCE: Duration = Duration::from_secs(5);

/// How the sources are read.
struct Sources {
    wait: Wait,
    follow: bool,
    flush: FlushArgs,
    /// Sockets are connected to again whenever the connection ends.
    reconnect: bool,
    /// How often what changes without events is reported.
    tick: Option<Duration>,
    stop: Stop,
}

/// Reports metrics.
pub fn run(args: Args) -> Result<ExitCode> {
    if args.print_config {
        let config = naming::config(args.config.as_deref())?;
        return print_text(&config.to_string());
    }
    if args.print_config_json_schema {
        let schema = serde_json::to_string_pretty(&schema())?;
        return print_text(&format!("{schema}\n"));
    }
    check(&args)?;
    let naming = Naming::of(
        args.names,
        args.config.as_deref(),
        args.threads,
        args.flush.every,
    )?;
    let own = Arc::new(Own::new(args.otlp.is_some()));
    let signals = args.signals.iter().copied().map(Signal::from);
    let signals: Vec<Signal> = signals.filter(|signal| naming.tells(*signal)).collect();
    let queue = (args.queue_bytes, args.queue.clone());
    let push = args.otlp.as_deref();
    let push = push.map(|url| push::Push::start(url, &signals, queue, &own));
    let mut push = push.transpose()?.flatten();
    let stop = Stop::install()?;
    let making = making(&args, &naming, &signals, push.as_ref())?;
    let stays = push.is_some() || args.prometheus.is_some();
    let sources = Sources {
        wait: args.wait.unwrap_or(match stays {
            true => Wait::Forever,
            false => Wait::For(WAIT),
        }),
        follow: args.follow,
        flush: args.flush,
        reconnect: stays,
        tick: (push.is_some()).then(|| making.interval.unwrap_or(making.usual).max(LEAST_TICK)),
        stop: stop.clone(),
    };
    source::keep_little(RING);
    let mut all = Vec::new();
    let mut ends = Vec::new();
    for given in &args.sources {
        let source = source::source(Some(given.clone()))?;
        let (program, only_end) = making.named(&source);
        if only_end {
            ends.push(Arc::clone(&program));
        }
        all.push((source, program));
    }
    let watched = Arc::new(match args.sources.is_empty() {
        true => Watched::that_come(),
        false => Watched::these(&all.iter().map(|(_, it)| Arc::clone(it)).collect::<Vec<_>>()),
    });
    if let Some(at) = &args.prometheus {
        serve(at, &watched, &own, &naming)?;
    }
    let mut printer = args
        .print
        .map(|format| Printer::new(format, naming.clone()));
    let mut out = output::out();
    let mut tell = |told: Told| -> Result<()> {
        let stopped = || stop.is_set();
        match told {
            Told::Output { told, wait } => {
                let told = naming.output(told);
                if let Some(printer) = &mut printer {
                    printer.print(&told, &mut out)?;
                    out.flush()?;
                }
                if let Some(push) = &mut push {
                    push.take(&told, wait, &stopped);
                }
            }
            Told::Tick => {
                if let Some(push) = &mut push {
                    let running = watched.running();
                    for collected in running.iter().filter_map(|program| program.live()) {
                        push.metrics(&collected, false, &stopped);
                    }
                    own.programs(running.len());
                    push.metrics(&own.collect(), false, &stopped);
                    push.forget();
                }
            }
        }
        Ok(())
    };
    let finding = Finding {
        making: &making,
        watched: &watched,
    };
    let finding = args.sources.is_empty().then_some(&finding);
    let mut code = read::all(&sources, all, finding, &mut tell)?;
    if let Some(printer) = &mut printer {
        // One text for all of them: a name must not occur twice.
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
    // The final values stay available to be scraped.
    while args.prometheus.is_some() && !stop.is_set() {
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(code)
}

fn print_text(text: &str) -> Result<ExitCode> {
    let mut out = output::out();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// Checks for options that do not fit together.
fn check(args: &Args) -> Result<()> {
    if args.print.is_none() && args.prometheus.is_none() && args.otlp.is_none() {
        return Err(errors::usage(
            "say where the metrics are to go: --prometheus ADDRESS, --otlp URL or --print FORMAT",
        ));
    }
    if args.otlp.is_none() && args.queue.is_some() {
        return Err(errors::usage("--queue is for --otlp"));
    }
    if args.sources.is_empty() && (args.follow || args.wait.is_some()) {
        return Err(errors::usage(
            "--follow and --wait are for a SOURCE that is named: all programs are read as they start \
             and end",
        ));
    }
    Ok(())
}

/// How programs are folded.
fn making(
    args: &Args,
    naming: &Naming,
    signals: &[Signal],
    push: Option<&push::Push>,
) -> Result<Making> {
    let wants = |signal| {
        let printed = args.print == Some(Format::OtlpJson) && signals.contains(&signal);
        printed || push.is_some_and(|push| push.wants(signal))
    };
    let needs_clock = matches!(args.print, Some(Format::Json | Format::OtlpJson));
    let its_threads = naming.eventlog_live.as_ref();
    let threads = its_threads.map_or(args.threads, |names| names.tells_threads());
    Ok(Making {
        about: About {
            command_args: args.command_args,
            ..environment::about()?
        },
        interval: args.interval,
        usual: naming
            .interval
            .or(environment::interval()?)
            .unwrap_or(INTERVAL),
        records: Records {
            logs: wants(Signal::Logs),
            traces: wants(Signal::Traces),
            threads: threads && wants(Signal::Traces),
            labels: wants(Signal::Logs) && naming.tells_labels(),
        },
        needs_clock: needs_clock || push.is_some(),
        most: args.most,
        follow: args.follow,
        pushes: push.is_some(),
    })
}

/// Lets others scrape.
fn serve(at: &str, watched: &Arc<Watched>, own: &Arc<Own>, naming: &Naming) -> Result<()> {
    let addresses: Vec<_> = at
        .to_socket_addrs()
        .map_err(|why| errors::usage(format_args!("--prometheus {at}: {why}")))?
        .collect();
    let what = Exposition {
        programs: Arc::clone(watched),
        own: Arc::clone(own),
        eventlog_live: naming.eventlog_live.clone(),
    };
    let address = eventlog_metrics::serve(&addresses, what)
        .map_err(|why| errors::io(format_args!("--prometheus {at}: {why}")))?;
    errors::note(format_args!("metrics are at http://{address}/metrics"));
    Ok(())
}
