//! What was found, for people and for programs.

use crate::output;
use crate::printable::{self, printable};
use anstyle::{AnsiColor, Style};
use anyhow::Result;
use serde::Serialize;
use std::io::Write;

/// The result of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Nothing to do.
    Ok,
    /// Keeps the program from writing a log.
    Missing,
    /// It works; a change would make more possible.
    Advice,
    /// What was examined does not show it.
    Unknown,
}

impl State {
    fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Missing => "missing",
            Self::Advice => "advice",
            Self::Unknown => "unknown",
        }
    }

    fn style(self) -> Style {
        let colour = match self {
            Self::Ok => AnsiColor::Green,
            Self::Missing => AnsiColor::Red,
            Self::Advice => AnsiColor::Yellow,
            Self::Unknown => AnsiColor::Cyan,
        };
        output::style(Style::new().bold().fg_color(Some(colour.into())))
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    /// Its stable name.
    pub check: &'static str,
    pub state: State,
    pub found: String,
    /// What to do.
    pub advice: Option<String>,
    /// The flag to add, or the setting.
    pub add: Option<&'static str>,
}

impl Check {
    pub fn new(check: &'static str, state: State, found: impl Into<String>) -> Self {
        Self {
            check,
            state,
            found: found.into(),
            advice: None,
            add: None,
        }
    }

    pub fn ok(check: &'static str, found: impl Into<String>) -> Self {
        Self::new(check, State::Ok, found)
    }

    pub fn missing(check: &'static str, found: impl Into<String>) -> Self {
        Self::new(check, State::Missing, found)
    }

    pub fn advice(check: &'static str, found: impl Into<String>) -> Self {
        Self::new(check, State::Advice, found)
    }

    pub fn unknown(check: &'static str, found: impl Into<String>) -> Self {
        Self::new(check, State::Unknown, found)
    }

    /// What to do, in words.
    pub fn tell(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    /// The flag to add, or the setting.
    pub fn add(mut self, flag: &'static str) -> Self {
        self.add = Some(flag);
        self
    }
}

/// All that was found.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub target: String,
    /// `program` or `stream`.
    pub kind: &'static str,
    /// The version of GHC.
    pub ghc: Option<String>,
    /// The runtime system's own name for how it was built: `rts_thr_l`.
    pub way: Option<String>,
    pub checks: Vec<Check>,
}

impl Report {
    pub fn is_missing_something(&self) -> bool {
        self.checks.iter().any(|of| of.state == State::Missing)
    }

    pub fn json(&self, out: &mut impl Write) -> Result<()> {
        printable::write_json(&mut *out, self)?;
        writeln!(out)?;
        Ok(())
    }

    pub fn text(&self, out: &mut impl Write) -> Result<()> {
        let ghc = match &self.ghc {
            Some(version) => format!("GHC {version}"),
            None => "GHC of unknown version".to_owned(),
        };
        let way = self.way.as_deref().unwrap_or("unknown runtime system");
        writeln!(
            out,
            "{}: {}, {}",
            printable(&self.target),
            printable(&ghc),
            printable(way)
        )?;
        let width = self.checks.iter().map(|of| of.check.len()).max();
        let width = width.unwrap_or(0);
        for of in &self.checks {
            let style = of.state.style();
            writeln!(
                out,
                "  {style}{:<7}{style:#}  {:width$}  {}",
                of.state.name(),
                of.check,
                printable(&of.found)
            )?;
            let advice = of
                .advice
                .iter()
                .map(|advice| printable(advice).into_owned());
            let add = of.add.iter().map(|flag| format!("add: {flag}"));
            for line in advice.chain(add) {
                writeln!(out, "           {:width$}  {line}", "")?;
            }
        }
        Ok(())
    }
}
