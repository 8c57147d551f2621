//! An experiment: cases that are run in turn, round after round, so that changes of the machine's
//! speed affect all of them; and the results, as a table and as CSV.

use std::fmt::Write as _;
use std::fs;
use std::time::Instant;

use crate::scale::{Rounds, Scale};
use crate::stats::median;

/// The labels of one case (by columns) and the figures of its runs (by metrics).
#[derive(Debug)]
pub struct Row {
    /// One for each of [`Results::labels`].
    pub labels: Vec<String>,
    /// One for each run, each with one value for each of [`Results::metrics`].
    pub runs: Vec<Vec<f64>>,
}

/// The results of an experiment.
#[derive(Debug)]
pub struct Results {
    /// The name of the CSV file.
    pub name: &'static str,
    /// Columns that distinguish the cases.
    pub labels: &'static [&'static str],
    /// Columns of figures.
    pub metrics: &'static [&'static str],
    /// The cases.
    pub rows: Vec<Row>,
}

impl Row {
    /// The median over the runs.
    pub fn median(&self, metric: usize) -> f64 {
        median(self.runs.iter().map(|run| run[metric]))
    }
}

/// Runs each of `cases` (its labels, and the case) in each round, every second round backwards. A
/// case that fails is reported, and has no figures.
pub fn experiment<C>(
    name: &'static str,
    labels: &'static [&'static str],
    metrics: &'static [&'static str],
    cases: Vec<(Vec<String>, C)>,
    rounds: Rounds,
    mut run: impl FnMut(&C) -> Result<Vec<f64>, String>,
) -> Results {
    let mut rows: Vec<Row> = Vec::new();
    let mut inputs = Vec::new();
    for (labels, case) in cases {
        rows.push(Row {
            labels,
            runs: Vec::new(),
        });
        inputs.push(case);
    }
    let start = Instant::now();
    let mut done = 0;
    while done < rounds.most {
        let each = start.elapsed() / u32::try_from(done.max(1)).unwrap_or(1);
        if done > 0 && start.elapsed() + each > rounds.time {
            break;
        }
        let mut order: Vec<usize> = (0..inputs.len()).collect();
        if done % 2 == 1 {
            order.reverse();
        }
        for index in order {
            match run(&inputs[index]) {
                Ok(figures) => rows[index].runs.push(figures),
                Err(why) => eprintln!("{name}: {}: {why}", rows[index].labels.join(" ")),
            }
        }
        done += 1;
    }
    eprintln!(
        "{name}: {} cases, {done} rounds, {:.0} s",
        rows.len(),
        start.elapsed().as_secs_f64()
    );
    Results {
        name,
        labels,
        metrics,
        rows,
    }
}

impl Results {
    /// Write the medians to `NAME.csv`, with the number of runs.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write_csv(&self) -> Result<(), String> {
        let mut text = format!(
            "{},runs,{}\n",
            self.labels.join(","),
            self.metrics.join(",")
        );
        for row in &self.rows {
            let _ = write!(text, "{},{}", row.labels.join(","), row.runs.len());
            for metric in 0..self.metrics.len() {
                let _ = write!(text, ",{}", row.median(metric));
            }
            text.push('\n');
        }
        write(&format!("{}.csv", self.name), &text)
    }

    /// The rows with these labels (`""`: any) as a table, with these of the columns, in
    /// this order. What is the same in all rows is not shown.
    pub fn table(&self, wanted: &[&str], columns: &[&str]) -> String {
        let rows: Vec<&Row> = self.rows.iter().filter(|row| row.is(wanted)).collect();
        let labels: Vec<usize> = (0..self.labels.len())
            .filter(|label| wanted.get(*label).is_none_or(|wanted| wanted.is_empty()))
            .collect();
        let metrics: Vec<usize> = columns.iter().map(|column| self.metric(column)).collect();
        let mut head: Vec<&str> = labels.iter().map(|label| self.labels[*label]).collect();
        head.extend(columns);
        let body = rows.iter().map(|row| {
            let mut line: Vec<String> = labels.iter().map(|l| row.labels[*l].clone()).collect();
            line.extend(metrics.iter().map(|metric| human(row.median(*metric))));
            line
        });
        markdown(&head, labels.len(), body)
    }

    /// The position of a metric. Panics if there is none: the names are in the source.
    pub fn metric(&self, name: &str) -> usize {
        let found = self.metrics.iter().position(|metric| *metric == name);
        found.unwrap_or_else(|| panic!("no metric {name}"))
    }

    /// The median of this metric in the first row with these labels.
    pub fn median(&self, labels: &[&str], metric: &str) -> f64 {
        let metric = self.metric(metric);
        let row = self.rows.iter().find(|row| row.is(labels));
        row.map_or(f64::NAN, |row| row.median(metric))
    }
}

impl Row {
    fn is(&self, wanted: &[&str]) -> bool {
        let mut pairs = wanted.iter().zip(&self.labels);
        pairs.all(|(wanted, label)| wanted.is_empty() || *wanted == label.as_str())
    }
}

/// A table in Markdown; the first `words` columns are not figures.
pub fn markdown(
    head: &[&str],
    words: usize,
    body: impl IntoIterator<Item = Vec<String>>,
) -> String {
    let mut text = format!("| {} |\n|", head.join(" | "));
    for column in 0..head.len() {
        text.push_str(if column < words { " --- |" } else { " ---: |" });
    }
    text.push('\n');
    for line in body {
        let _ = writeln!(text, "| {} |", line.join(" | "));
    }
    text
}

/// Short enough for a table: 0.42, 7.1, 4212, 31 k, 4.0 M.
pub fn human(value: f64) -> String {
    let size = value.abs();
    match size {
        _ if value.is_nan() => "-".into(),
        _ if value == 0.0 => "0".into(),
        _ if size < 1.0 => format!("{value:.2}"),
        _ if size < 100.0 => format!("{value:.1}"),
        _ if size < 1e4 => format!("{value:.0}"),
        _ if size < 1e6 => format!("{:.0} k", value / 1e3),
        _ if size < 1e8 => format!("{:.1} M", value / 1e6),
        _ => format!("{:.0} M", value / 1e6),
    }
}

/// 64 B, 8 KiB, 2 MiB.
pub fn bytes(size: u64) -> String {
    match size {
        _ if size >= 1 << 20 => format!("{} MiB", size >> 20),
        _ if size >= 1 << 10 => format!("{} KiB", size >> 10),
        _ => format!("{size} B"),
    }
}

/// A text with tables, for people: printed, and written to `NAME.md`.
#[derive(Debug, Default)]
pub struct Text(String);

impl Text {
    /// Adds a paragraph or a table.
    pub fn add(&mut self, part: impl AsRef<str>) {
        self.0.push_str(part.as_ref().trim_end());
        self.0.push_str("\n\n");
    }

    /// Print and write it.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn publish(self, name: &str) -> Result<(), String> {
        print!("{}", self.0);
        write(&format!("{name}.md"), &self.0)
    }
}

fn write(name: &str, text: &str) -> Result<(), String> {
    let directory = Scale::from_args()?.results();
    let path = directory.join(name);
    fs::create_dir_all(&directory)
        .and_then(|()| fs::write(&path, text))
        .map_err(|error| format!("{}: {error}", path.display()))
}
