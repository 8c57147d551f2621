//! Metrics of the exporter itself.

use crate::collected::{Attribute, Collected, Family, Point, Value};
use crate::resource::Resource;
use crate::table::{Metric, metrics};
use crate::watch::now;
use ghc_eventlog::WallClock;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

metrics! {
    /// The metrics of the exporter itself.
    OWN;
    /// Programs that are read now.
    PROGRAMS = "eventlog.exporter.programs" "{program}" UpDownCounter Program []
        "the exporter itself";
    /// Scrapes of all programs.
    SCRAPES = "eventlog.exporter.scrapes" "{scrape}" Counter Program []
        "the exporter itself";
    /// Data points, log records and spans that a receiver has accepted.
    SENT = "eventlog.exporter.sent" "{item}" Counter Program ["eventlog.exporter.signal"]
        "the exporter itself";
    /// Data points, log records and spans that were dropped.
    DROPPED = "eventlog.exporter.dropped" "{item}" Counter Program ["eventlog.exporter.signal", "eventlog.exporter.reason"]
        "the exporter itself";
    /// Requests that were sent again.
    RETRIES = "eventlog.exporter.retries" "{request}" Counter Program []
        "the exporter itself";
    /// Requests in the queue.
    QUEUE_COUNT = "eventlog.exporter.queue.requests" "{request}" UpDownCounter Program []
        "the exporter itself";
    /// Size of the requests in the queue.
    QUEUE_SIZE = "eventlog.exporter.queue.size" "By" UpDownCounter Program []
        "the exporter itself";
    /// Limit on the size of the queue.
    QUEUE_LIMIT = "eventlog.exporter.queue.limit" "By" UpDownCounter Program []
        "the exporter itself";
}

/// A kind of pushed data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Signal {
    /// Metrics.
    Metrics,
    /// Log records.
    Logs,
    /// Spans.
    Traces,
}

impl Signal {
    /// All values.
    pub const ALL: [Self; 3] = [Self::Metrics, Self::Logs, Self::Traces];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Metrics => "metrics",
            Self::Logs => "logs",
            Self::Traces => "traces",
        }
    }
}

/// Why something was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The queue was full.
    QueueFull,
    /// The receiver has refused it.
    Rejected,
    /// It is too large for the receiver, and cannot be split.
    TooLarge,
    /// The time limit at the end was over.
    Ended,
    /// It could not be read from the queue on disk.
    Unreadable,
}

impl Reason {
    /// All values.
    pub const ALL: [Self; 5] = [
        Self::QueueFull,
        Self::Rejected,
        Self::TooLarge,
        Self::Ended,
        Self::Unreadable,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::Rejected => "rejected",
            Self::TooLarge => "too_large",
            Self::Ended => "ended",
            Self::Unreadable => "unreadable",
        }
    }
}

/// Counters of the exporter. They are independent, so they are accessed with relaxed ordering.
#[derive(Debug)]
pub struct Own {
    started: u64,
    pushes: bool,
    programs: AtomicU64,
    scrapes: AtomicU64,
    sent: [AtomicU64; 3],
    dropped: [[AtomicU64; 5]; 3],
    retries: AtomicU64,
    queue: [AtomicU64; 3],
}

impl Own {
    /// All counters are 0. `pushes`: whether there is a queue to report.
    pub fn new(pushes: bool) -> Self {
        Self {
            started: now(),
            pushes,
            programs: AtomicU64::new(0),
            scrapes: AtomicU64::new(0),
            sent: Default::default(),
            dropped: Default::default(),
            retries: AtomicU64::new(0),
            queue: Default::default(),
        }
    }

    /// Sets how many programs are read now.
    pub fn programs(&self, count: usize) {
        self.programs.store(count as u64, Ordering::Relaxed);
    }

    pub(crate) fn scraped(&self) {
        self.scrapes.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn sent(&self, signal: Signal, items: u64) {
        self.sent[signal as usize].fetch_add(items, Ordering::Relaxed);
    }

    pub(crate) fn dropped(&self, signal: Signal, reason: Reason, items: u64) {
        self.dropped[signal as usize][reason as usize].fetch_add(items, Ordering::Relaxed);
    }

    pub(crate) fn retried(&self) {
        self.retries.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn queue(&self, requests: u64, bytes: u64, limit: u64) {
        for (own, now) in self.queue.iter().zip([requests, bytes, limit]) {
            own.store(now, Ordering::Relaxed);
        }
    }

    /// How many items a receiver has taken.
    pub fn total_sent(&self) -> u64 {
        self.sent
            .iter()
            .map(|sent| sent.load(Ordering::Relaxed))
            .sum()
    }

    /// How many items were dropped for this reason.
    pub fn total_dropped(&self, reason: Reason) -> u64 {
        let all = self.dropped.iter().map(|of| &of[reason as usize]);
        all.map(|dropped| dropped.load(Ordering::Relaxed)).sum()
    }

    /// The metrics now.
    pub fn collect(&self) -> Collected {
        let started = self.started;
        let seconds = started / 1_000_000_000;
        let clock = WallClock::new(0, seconds, (started % 1_000_000_000) as u32);
        let pid = i64::from(std::process::id());
        let host = crate::watch::host_name();
        let instance = format!("{host}:{pid}");
        let attributes = [
            ("service.name", "eventlog".into()),
            ("service.version", env!("CARGO_PKG_VERSION").into()),
            ("service.instance.id", instance.as_str().into()),
            ("host.name", host.as_str().into()),
            ("process.pid", Attribute::Int(pid)),
        ];
        let mut families: Vec<Family> = Vec::new();
        let mut add = |metric: &'static Metric, attributes: &[&'static str], value: &AtomicU64| {
            let names = metric.attributes.iter().copied();
            let values = attributes.iter().map(|&value| value.into());
            let point = Point {
                attributes: names.zip(values).collect(),
                value: Value::Int(value.load(Ordering::Relaxed)),
                start: 0,
            };
            match families.last_mut() {
                Some(family) if std::ptr::eq(family.metric, metric) => family.points.push(point),
                _ => families.push(Family {
                    metric,
                    points: vec![point],
                }),
            }
        };
        add(&PROGRAMS, &[], &self.programs);
        add(&SCRAPES, &[], &self.scrapes);
        if self.pushes {
            for signal in Signal::ALL {
                add(&SENT, &[signal.name()], &self.sent[signal as usize]);
            }
            for signal in Signal::ALL {
                for reason in Reason::ALL {
                    let dropped = &self.dropped[signal as usize][reason as usize];
                    add(&DROPPED, &[signal.name(), reason.name()], dropped);
                }
            }
            add(&RETRIES, &[], &self.retries);
            let metrics = [&QUEUE_COUNT, &QUEUE_SIZE, &QUEUE_LIMIT];
            for (metric, value) in metrics.into_iter().zip(&self.queue) {
                add(metric, &[], value);
            }
        }
        Collected {
            resource: Arc::new(Resource {
                attributes: attributes.map(|(key, value)| (key.into(), value)).into(),
            }),
            time: now().saturating_sub(started),
            clock: Some(clock),
            families,
        }
    }
}
