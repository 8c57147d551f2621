//! Log records and spans under the names of eventlog-live.

use super::EventlogLive;
use crate::collected::{Attribute, Attributes};
use crate::record::{Batch, LogRecord, SpanKey, SpanRecord};

impl EventlogLive {
    /// The records that eventlog-live has, under its names. Others are left out.
    #[must_use]
    pub fn records(&self, batch: &Batch) -> Batch {
        Batch {
            logs: batch.logs.iter().filter_map(|it| self.log(it)).collect(),
            spans: batch.spans.iter().flat_map(|it| self.spans(it)).collect(),
            ..batch.clone()
        }
    }

    fn log(&self, record: &LogRecord) -> Option<LogRecord> {
        let (event, kind) = match record.event {
            "ghc.user.message" => (self.messages?, Some("UserMessage")),
            "ghc.user.marker" => (self.markers?, Some("UserMarker")),
            "ghc.thread.label" => (self.labels?, Some("ThreadLabel")),
            _ => (self.own?, None),
        };
        let mut attributes: Attributes = Vec::new();
        if let Some(kind) = kind {
            attributes.push(("kind", kind.into()));
            let key = match kind {
                "ThreadLabel" => ("thread.id", "thread"),
                _ => ("ghc.capability.id", "evCap"),
            };
            let value = of(&record.attributes, key.0);
            attributes.extend(value.map(|value| (key.1, value.clone())));
        }
        Some(LogRecord {
            event,
            attributes,
            ..record.clone()
        })
    }

    fn spans(&self, record: &SpanRecord) -> Vec<SpanRecord> {
        let cap = of(&record.attributes, "ghc.capability.id");
        let cap = || cap.map(|cap| ("capability", cap.clone()));
        let named = |name: String, attributes: Attributes| SpanRecord {
            key: SpanKey {
                name: name.into(),
                ..record.key.clone()
            },
            attributes,
            ..record.clone()
        };
        let mut all = Vec::new();
        if record.key.kind == "collection" {
            all.extend(self.usage.as_ref().map(|name| {
                let attributes = cap().into_iter().chain([("user", "GC".into())]);
                let it = named(format!("{name} GC"), attributes.collect());
                SpanRecord {
                    root: it.key.clone(),
                    ..it
                }
            }));
        }
        if record.key.kind != "thread" {
            return all;
        }
        let thread = of(&record.attributes, "thread.id").map(Attribute::to_string);
        let thread: Attribute = thread.unwrap_or_default().as_str().into();
        let state = &*record.key.name;
        if state == "running" {
            all.extend(self.usage.as_ref().map(|name| {
                let attributes = cap().into_iter().chain([("user", thread.clone())]);
                named(format!("{name} Mutator"), attributes.collect())
            }));
        }
        let more = match state {
            "running" => cap(),
            "foreign_call" => Some(("status", status(state).into())),
            _ => {
                let reason = of(&record.attributes, "ghc.thread.block.reason");
                reason.map(|reason| ("status", status(&reason.to_string()).into()))
            }
        };
        let what = match state {
            "running" => "Running",
            _ => "Blocked",
        };
        // It has no span for a thread that is ready.
        if state != "runnable" && more.is_some() {
            all.extend(self.states.as_ref().map(|name| {
                let attributes = [("thread", thread)].into_iter().chain(more);
                named(format!("{name} {what}"), attributes.collect())
            }));
        }
        all
    }
}

fn of<'a>(attributes: &'a Attributes, key: &str) -> Option<&'a Attribute> {
    let mut all = attributes.iter();
    all.find(|(own, _)| *own == key).map(|(_, value)| value)
}

/// The name of a reason in Haskell's decoder.
fn status(reason: &str) -> &str {
    match reason {
        "blocked" => "ThreadBlocked",
        "foreign_call" => "ForeignCall",
        "blocked_on_mvar" => "BlockedOnMVar",
        "blocked_on_mvar_read" => "BlockedOnMVarRead",
        "blocked_on_black_hole" => "BlockedOnBlackHole",
        "blocked_on_read" => "BlockedOnRead",
        "blocked_on_write" => "BlockedOnWrite",
        "blocked_on_delay" => "BlockedOnDelay",
        "blocked_on_stm" => "BlockedOnSTM",
        "blocked_on_do_proc" => "BlockedOnDoProc",
        "blocked_on_ccall" => "BlockedOnCCall",
        "blocked_on_ccall_interruptible" => "BlockedOnCCall_Interruptible",
        "blocked_on_throw_to" => "BlockedOnMsgThrowTo",
        other => other,
    }
}
