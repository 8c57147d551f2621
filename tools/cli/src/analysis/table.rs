//! Tables of text for people.

use crate::columns::{cut, width};
use crate::output;
use crate::printable::printable;
use std::fmt::Display;
use std::io::{self, Write};

/// Blanks between columns.
const GAP: usize = 2;
/// Words are not cut to fewer columns than this.
const NARROWEST: usize = 8;

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

    /// Writes the table, every line after `indent` spaces. On a terminal it is made
    /// to fit, if its words can be cut enough; elsewhere nothing is cut.
    pub fn write(&self, out: &mut impl Write, indent: usize) -> io::Result<()> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let mut widths: Vec<usize> = (0..columns)
            .map(|at| {
                let cells = self.rows.iter().filter_map(|row| row.get(at));
                cells.map(|cell| width(cell)).max().unwrap_or(0)
            })
            .collect();
        if let Some((_, room)) = output::terminal_size() {
            let gaps = GAP * columns.saturating_sub(1);
            self.fit(&mut widths, room.saturating_sub(indent + gaps));
        }
        for row in &self.rows {
            let mut line = " ".repeat(indent);
            for (at, (cell, &columns)) in row.iter().zip(&widths).enumerate() {
                if at > 0 {
                    line.push_str(&" ".repeat(GAP));
                }
                let cell = cut(cell, columns);
                let blanks = " ".repeat(columns.saturating_sub(width(&cell)));
                if at < self.words {
                    line.extend([&*cell, &blanks]);
                } else {
                    line.extend([&*blanks, &cell]);
                }
            }
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    }

    /// Narrows the widest columns of words until the table fits into `room`. Numbers are never cut.
    fn fit(&self, widths: &mut [usize], room: usize) {
        while widths.iter().sum::<usize>() > room {
            let words = widths.iter_mut().take(self.words);
            match words.max_by_key(|width| **width) {
                Some(widest) if *widest > NARROWEST => *widest -= 1,
                _ => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_aligned_by_the_columns_they_take() {
        let mut table = Table::new(1, &["name", "n"]);
        table.row(&["日本", "1"]);
        table.row(&["e\u{301}", "22"]);
        let mut text = Vec::new();
        table.write(&mut text, 1).expect("memory");
        let text = String::from_utf8(text).expect("UTF-8");
        assert_eq!(text, " name   n\n 日本   1\n e\u{301}     22\n");
    }

    #[test]
    fn words_give_way_to_numbers() {
        let table = Table::new(2, &["a"]);
        let mut widths = [100, 20, 10];
        table.fit(&mut widths, 60);
        assert_eq!(widths, [30, 20, 10]);
        table.fit(&mut widths, 0);
        assert_eq!(widths, [NARROWEST, NARROWEST, 10]);
    }
}
