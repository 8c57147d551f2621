//! The configuration of eventlog-live, read strictly: unknown keys and values are errors.

use super::processors::{Group, PROCESSORS, Processor};
use crate::collected::seconds;
use saphyr::{LoadableYamlNode, MarkedYaml, Scalar, YamlData};
use std::fmt;
use std::time::Duration;

/// How often something happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rate {
    /// Never.
    Never,
    /// Immediately.
    Always,
    /// Every N flush intervals.
    Flushes(u32),
    /// At this interval.
    Every(Duration),
}

impl Rate {
    /// `true`, `false`, `5x`, `1.5s`.
    fn of(text: &str) -> Option<Self> {
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if let Some(count) = text.strip_suffix('x').filter(|it| digits(it)) {
            return match count.parse().ok()? {
                0 => Some(Self::Never),
                count => Some(Self::Flushes(count)),
            };
        }
        let number = text.strip_suffix('s')?;
        let (whole, rest) = number.split_once('.').unwrap_or((number, "0"));
        if !digits(whole) || !digits(rest) {
            return None;
        }
        let every = Duration::try_from_secs_f64(number.parse().ok()?).ok()?;
        match every {
            Duration::ZERO => Some(Self::Never),
            every => Some(Self::Every(every)),
        }
    }

    /// The interval, if it has one.
    pub fn interval(self, flush: Duration) -> Option<Duration> {
        match self {
            Self::Never | Self::Always => None,
            Self::Flushes(count) => flush.checked_mul(count),
            Self::Every(every) => Some(every),
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Never => f.write_str("false"),
            Self::Always => f.write_str("true"),
            Self::Flushes(count) => write!(f, "{count}x"),
            Self::Every(every) => {
                let nanos = u64::try_from(every.as_nanos()).unwrap_or(u64::MAX);
                write!(f, "{}s", seconds(nanos))
            }
        }
    }
}

/// The settings of a processor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its name.
    pub name: String,
    /// Its description.
    pub description: String,
    /// How often values are taken.
    pub aggregate: Rate,
    /// How often they are sent; with [`Rate::Never`] it is not exported at all.
    pub export: Rate,
}

const AGGREGATE: Rate = Rate::Every(Duration::from_secs(1));
const EXPORT: Rate = Rate::Every(Duration::from_secs(30));

impl Setting {
    /// The default.
    fn usual(of: &Processor) -> Self {
        Self {
            name: of.name.to_owned(),
            description: of.description.to_owned(),
            aggregate: match of.group {
                Group::Metrics => AGGREGATE,
                _ => Rate::Never,
            },
            export: EXPORT,
        }
    }
}

/// What is exported, under which names, and how often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// In the order of [`PROCESSORS`].
    settings: Vec<Setting>,
}

impl Default for Config {
    /// All metrics and log records, and no spans.
    fn default() -> Self {
        let settings = PROCESSORS.iter().map(|of| Setting {
            export: if of.usual { EXPORT } else { Rate::Never },
            ..Setting::usual(of)
        });
        Self {
            settings: settings.collect(),
        }
    }
}

impl Config {
    /// Reads a configuration. It replaces all defaults: what it does not list is not exported.
    ///
    /// # Errors
    ///
    /// If it is not YAML, or has unknown keys or values.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let documents = MarkedYaml::load_from_str(text).map_err(|error| Fault {
            line: error.marker().line(),
            path: String::new(),
            what: format!("not valid YAML: {}", error.info()),
        })?;
        let mut config = Self::default();
        for setting in &mut config.settings {
            setting.export = Rate::Never;
        }
        let [document] = &documents[..] else {
            return Err(Fault {
                line: 1,
                path: String::new(),
                what: format!("{} YAML documents, and not one", documents.len()),
            });
        };
        let root = Node::root(document);
        for (key, node) in root.entries()? {
            match key {
                "processors" => config.groups(&node)?,
                // For anchors that are used more than once.
                "defaults" => {}
                _ => return Err(node.unknown(&["processors", "defaults"])),
            }
        }
        Ok(config)
    }

    fn groups(&mut self, node: &Node<'_>) -> Result<(), Fault> {
        for (key, node) in node.entries()? {
            let Some(group) = Group::ALL.into_iter().find(|group| group.key() == key) else {
                return Err(node.unknown(&Group::ALL.map(Group::key)));
            };
            for (key, node) in node.entries()? {
                let found = (PROCESSORS.iter().zip(&mut self.settings))
                    .find(|(of, _)| of.group == group && of.key == key);
                let Some((of, setting)) = found else {
                    let known = PROCESSORS.iter().filter(|of| of.group == group);
                    return Err(node.unknown(&known.map(|of| of.key).collect::<Vec<_>>()));
                };
                *setting = Setting::usual(of);
                for (key, node) in node.entries()? {
                    match key {
                        "name" => setting.name = node.name()?,
                        "description" => setting.description = node.text()?,
                        "aggregate" if group == Group::Metrics => {
                            setting.aggregate = node.rate()?
                        }
                        "export" => setting.export = node.rate()?,
                        _ if group == Group::Metrics => {
                            return Err(node.unknown(&[
                                "name",
                                "description",
                                "aggregate",
                                "export",
                            ]));
                        }
                        _ => return Err(node.unknown(&["name", "description", "export"])),
                    }
                }
            }
        }
        Ok(())
    }

    /// The settings of a processor.
    pub fn settings(&self) -> impl Iterator<Item = (&'static Processor, &Setting)> {
        PROCESSORS.iter().zip(&self.settings)
    }

    /// The settings of a processor that is exported.
    pub fn told(&self, group: Group, key: &str) -> Option<&Setting> {
        let mut all = self.settings();
        let (_, setting) = all.find(|(of, _)| of.group == group && of.key == key)?;
        (setting.export != Rate::Never).then_some(setting)
    }

    /// Adds all spans: the states of capabilities and threads.
    pub fn tell_threads(&mut self) {
        for (of, setting) in PROCESSORS.iter().zip(&mut self.settings) {
            if of.group == Group::Traces {
                setting.export = EXPORT;
            }
        }
    }

    /// The shortest interval at which values of metrics are taken. `flush`: that of the program.
    pub fn interval(&self, flush: Duration) -> Option<Duration> {
        let told = self
            .settings()
            .filter(|(of, setting)| of.group == Group::Metrics && setting.export != Rate::Never);
        told.filter_map(|(_, setting)| {
            let aggregate = setting.aggregate.interval(flush);
            aggregate.or_else(|| setting.export.interval(flush))
        })
        .min()
    }
}

/// As complete YAML.
impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "processors:")?;
        let mut before = None;
        for (of, setting) in self.settings() {
            if before.replace(of.group) != Some(of.group) {
                writeln!(f, "  {}:", of.group.key())?;
            }
            // JSON is YAML, so JSON's quoting works.
            let text = |text: &str| serde_json::Value::from(text).to_string();
            writeln!(f, "    {}:", of.key)?;
            writeln!(f, "      name: {}", text(&setting.name))?;
            writeln!(f, "      description: {}", text(&setting.description))?;
            if of.group == Group::Metrics {
                writeln!(f, "      aggregate: {}", setting.aggregate)?;
            }
            writeln!(f, "      export: {}", setting.export)?;
        }
        Ok(())
    }
}

/// An error in a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where: the line, from 1 on.
    pub line: usize,
    /// Where: the keys down to it, with dots between them.
    pub path: String,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: ", self.line)?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.what)
    }
}

impl std::error::Error for Fault {}

/// A value and its place.
struct Node<'a> {
    yaml: &'a MarkedYaml<'a>,
    /// Of its key.
    line: usize,
    path: String,
}

impl<'a> Node<'a> {
    fn root(yaml: &'a MarkedYaml<'a>) -> Self {
        Self {
            yaml,
            line: yaml.span.start.line(),
            path: String::new(),
        }
    }

    fn fault(&self, what: impl Into<String>) -> Fault {
        Fault {
            line: self.line,
            path: self.path.clone(),
            what: what.into(),
        }
    }

    fn unknown(&self, known: &[&str]) -> Fault {
        self.fault(format!("unknown key; there are {}", known.join(", ")))
    }

    /// The entries of a mapping. An empty value is an empty mapping.
    fn entries(&self) -> Result<Vec<(&'a str, Node<'a>)>, Fault> {
        let entries = match &self.yaml.data {
            YamlData::Mapping(entries) => entries,
            YamlData::Value(Scalar::Null) => return Ok(Vec::new()),
            _ => return Err(self.fault("this should be a mapping (`key: value`)")),
        };
        let mut all: Vec<(&'a str, Node<'a>)> = Vec::new();
        for (key, yaml) in entries {
            let YamlData::Value(Scalar::String(text)) = &key.data else {
                return Err(self.fault("a key that is not text"));
            };
            let path = match self.path.as_str() {
                "" => text.to_string(),
                above => format!("{above}.{text}"),
            };
            let line = key.span.start.line();
            let node = Node { yaml, line, path };
            if text == "<<" {
                // Merged keys: the mapping's own keys win.
                for (key, node) in node.entries()? {
                    if !all.iter().any(|(own, _)| *own == key) {
                        all.insert(0, (key, node));
                    }
                }
                continue;
            }
            match all.iter_mut().find(|(own, _)| own == text) {
                Some(of) => *of = (text, node),
                None => all.push((text, node)),
            }
        }
        Ok(all)
    }

    fn text(&self) -> Result<String, Fault> {
        match &self.yaml.data {
            YamlData::Value(Scalar::String(text)) => Ok(text.to_string()),
            _ => Err(self.fault("this should be text")),
        }
    }

    fn name(&self) -> Result<String, Fault> {
        match self.text()? {
            text if text.is_empty() => Err(self.fault("a name must not be empty")),
            text => Ok(text),
        }
    }

    fn rate(&self) -> Result<Rate, Fault> {
        let rate = match &self.yaml.data {
            YamlData::Value(Scalar::Boolean(true)) => Some(Rate::Always),
            YamlData::Value(Scalar::Boolean(false)) => Some(Rate::Never),
            YamlData::Value(Scalar::String(text)) => Rate::of(text),
            _ => None,
        };
        rate.ok_or_else(|| {
            self.fault(
                "this should be true, false, a time like 30s, or a number of flushes like 5x",
            )
        })
    }
}

#[cfg(test)]
mod tests;
