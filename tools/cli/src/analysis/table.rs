//! Tables of text for people.

use crate::printable::printable;
use std::fmt::Display;
use std::io::{self, Write};

/// Rows of cells, aligned when written.
#[derive(Debug, Default)]
pub struct Table {
    rows: Vec<Vec<String>>,
    /// How many columns, from the left, hold words rather than numbers.
    words: usize,
}

impl Table {
    /// A table with this heading; the first `words` columns are aligned left.
    pub fn new(words: usize, heading: &[&str]) -> Self {
        let mut table = Self {
            rows: Vec::new(),
            words,
        };
        table.row(heading);
        table
    }

    pub fn row<T: Display>(&mut self, cells: &[T]) {
        let cells = cells
            .iter()
            .map(|cell| printable(&cell.to_string()).into_owned());
        self.rows.push(cells.collect());
    }

    /// Writes the table, every line after so many spaces.
    pub fn write(&self, out: &mut impl Write, indent: usize) -> io::Result<()> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns)
            .map(|at| {
                let cells = self.rows.iter().filter_map(|row| row.get(at));
                cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
            })
            .collect();
        for row in &self.rows {
            let mut line = " ".repeat(indent);
            for (at, (cell, &width)) in row.iter().zip(&widths).enumerate() {
                if at > 0 {
                    line.push_str("  ");
                }
                if at < self.words {
                    line.push_str(&format!("{cell:width$}"));
                } else {
                    line.push_str(&format!("{cell:>width$}"));
                }
            }
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    }
}
