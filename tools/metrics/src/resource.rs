//! The identity of a program.

use crate::attribute::{Attribute, Attributes};
use eventlog_state::Programs;
use ghc_eventlog::WallClock;
use std::sync::Arc;
use uuid::Uuid;

/// The attributes that identify a program, by OpenTelemetry's conventions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resource {
    /// Its attributes, those of the user included.
    pub attributes: Vec<(Arc<str>, Attribute)>,
}

/// What is known of a program from outside its log.
#[derive(Clone, Debug, Default)]
pub struct About {
    /// `service.name`, whatever the log says (`OTEL_SERVICE_NAME`).
    pub service_name: Option<String>,
    /// Attributes of the user (`OTEL_RESOURCE_ATTRIBUTES`), which win.
    pub attributes: Vec<(String, String)>,
    /// The name of the machine.
    pub host: Option<String>,
    /// Export all arguments of the program. They may contain secrets.
    pub command_args: bool,
    /// The name of the source, for a program whose log does not identify it.
    pub source: String,
}

/// Distinguishes instances: two programs have different ones, one program always the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pid: u32,
    /// Its start, in nanoseconds of Unix time.
    start: i128,
    uuid: Uuid,
}

/// A program logs its start time again whenever a log begins, with slightly different
/// values.
const SAME_START: u128 = 1_000_000_000;

impl Identity {
    /// The instance of the program that wrote the log, if the log has enough data. `before`:
    /// that of the earlier log.
    pub(crate) fn of(
        programs: &Programs,
        clock: Option<WallClock>,
        host: &str,
        before: Option<Self>,
    ) -> Option<Self> {
        let pid = programs.first()?.pid?;
        let start = clock?.at(0).unix_nanos();
        let same = |before: &Self| before.pid == pid && before.start.abs_diff(start) < SAME_START;
        if let Some(before) = before.filter(same) {
            return Some(before);
        }
        let name = format!("{host}\n{pid}\n{}", start.div_euclid(1_000_000_000));
        let space = Uuid::new_v5(&Uuid::NAMESPACE_URL, b"tag:eventlog-socket,2026:program");
        let uuid = Uuid::new_v5(&space, name.as_bytes());
        Some(Self { pid, start, uuid })
    }
}

impl Resource {
    /// The program that wrote the log.
    pub(crate) fn of(programs: &Programs, about: &About, identity: Option<Identity>) -> Self {
        let program = programs.first();
        let mut own: Attributes = Vec::new();
        let name = program.and_then(|program| program.name());
        let name = about.service_name.as_deref().or(name);
        own.push(("service.name", name.unwrap_or("unknown_service:ghc").into()));
        let instance = match identity {
            Some(identity) => identity.uuid.to_string(),
            // Nothing else identifies it.
            None => about.source.clone(),
        };
        own.push(("service.instance.id", instance.as_str().into()));
        if let Some(host) = &about.host {
            own.push(("host.name", host.as_str().into()));
        }
        if let Some(program) = program {
            if let Some(pid) = program.pid {
                own.push(("process.pid", Attribute::Int(pid.into())));
            }
            if let Some(ppid) = program.ppid {
                own.push(("process.parent_pid", Attribute::Int(ppid.into())));
            }
            if let Some(name) = program.name() {
                own.push(("process.executable.name", name.into()));
            }
            if about.command_args && !program.args.is_empty() {
                let args: Vec<&str> = program.args.iter().map(|arg| &**arg).collect();
                own.push(("process.command_args", args.join(" ").as_str().into()));
            }
            own.push(("process.runtime.name", "ghc".into()));
            // "GHC-9.10.3 rts_thr"
            let mut words = program.rts.as_deref().unwrap_or("").split_whitespace();
            if let Some(version) = words.next() {
                let version = version.strip_prefix("GHC-").unwrap_or(version);
                own.push(("process.runtime.version", version.into()));
            }
            if let Some(way) = words.next() {
                own.push(("ghc.rts.way", way.into()));
            }
        }
        let mut attributes: Vec<(Arc<str>, Attribute)> = own
            .into_iter()
            .map(|(key, value)| (key.into(), value))
            .collect();
        for (key, value) in &about.attributes {
            // As OpenTelemetry specifies: OTEL_SERVICE_NAME takes precedence over the
            // other variable.
            if key == "service.name" && about.service_name.is_some() {
                continue;
            }
            let value = Attribute::from(value.as_str());
            match attributes.iter_mut().find(|(own, _)| **own == **key) {
                Some((_, own)) => *own = value,
                None => attributes.push((key.as_str().into(), value)),
            }
        }
        Self { attributes }
    }

    /// An attribute.
    pub fn get(&self, key: &str) -> Option<&Attribute> {
        let mut all = self.attributes.iter();
        all.find(|(own, _)| &**own == key).map(|(_, value)| value)
    }

    /// The label `job` of Prometheus.
    pub fn job(&self) -> String {
        let name = self.get("service.name").map(Attribute::to_string);
        match (self.get("service.namespace"), name) {
            (Some(space), Some(name)) => format!("{space}/{name}"),
            (_, name) => name.unwrap_or_default(),
        }
    }

    /// The label `instance` of Prometheus.
    pub fn instance(&self) -> String {
        self.get("service.instance.id")
            .map(Attribute::to_string)
            .unwrap_or_default()
    }
}
