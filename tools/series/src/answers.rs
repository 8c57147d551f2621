//! What the index says of a row at any time.

use crate::cap_row::CapRow;
use crate::read_at::ReadAt;
use crate::row::{Interval, Row};
use crate::rows::Rows;
use crate::thread_row::ThreadRow;
use crate::tile::{PIXELS, Shows, Tile, span};
use std::io;

impl Rows {
    /// Up to when the state of the row is known. After that it is unknown.
    pub fn until(&self, row: Row) -> u64 {
        match row {
            Row::Cap(number) => self.caps.get(&number).map_or(0, |cap| cap.until),
            Row::Thread(thread) => self.thread_row(thread).until(),
            Row::Threads => {
                let spoke = self.caps.values().filter(|cap| cap.spoke);
                spoke.map(|cap| cap.until).min().unwrap_or(0)
            }
        }
    }

    /// Up to when the row will not change any more, whatever blocks are added.
    ///
    /// If capabilities are not announced (GHC 9.0 does so at exit) nothing is final:
    /// there may be one that passed on a thread long ago.
    pub fn final_until(&self, row: Row) -> u64 {
        if self.is_over {
            return u64::MAX;
        }
        match self.announced.is_empty() {
            true => 0,
            false => self.until(row).min(self.delivered_by_all()),
        }
    }

    fn cap_row(&self, number: u16) -> Option<CapRow<'_>> {
        let spoke = self.caps.values().filter(|cap| cap.spoke).count();
        let alone = spoke.max(self.announced.len()) <= 1;
        let cap = self.caps.get(&number).filter(|cap| cap.spoke)?;
        Some(CapRow {
            header: &self.header,
            number,
            cap,
            alone,
        })
    }

    fn thread_row(&self, thread: u32) -> ThreadRow<'_> {
        ThreadRow {
            lives: self.threads.lived(thread),
            arena: &self.threads.arena,
            caps: &self.caps,
            kept_from: self.kept_from,
        }
    }

    /// Sums by state at moments, which are in the order of time; the last one is `unknown`
    /// where that is told.
    fn sums(
        &self,
        log: &(impl ReadAt + ?Sized),
        row: Row,
        edges: &[u64],
    ) -> io::Result<Vec<[u64; 8]>> {
        let edges: Vec<u64> = edges.iter().map(|it| *it.max(&self.kept_from)).collect();
        let edges = &edges[..];
        match row {
            Row::Cap(number) => match self.cap_row(number) {
                Some(cap) => cap.sums(log, edges),
                None => Ok(vec![[0; 8]; edges.len()]),
            },
            Row::Thread(thread) => Ok(self.thread_row(thread).sums(edges)),
            Row::Threads => {
                let until = self.until(row);
                let edges: Vec<u64> = edges.iter().map(|edge| *edge.min(&until)).collect();
                let mut sums = vec![[0u64; 8]; edges.len()];
                let numbers: Vec<u16> = self.caps().collect();
                for cap in numbers.iter().filter_map(|number| self.cap_row(*number)) {
                    for (sum, more) in sums.iter_mut().zip(cap.thread_sums(log, &edges)?) {
                        for (sum, more) in sum.iter_mut().zip(more) {
                            *sum = sum.wrapping_add(more);
                        }
                    }
                }
                Ok(sums)
            }
        }
    }

    /// How long each known state of the row ([`Row::states`], without the last) lasted
    /// between these times.
    ///
    /// # Errors
    ///
    /// Those of reading the log.
    pub fn spent(
        &self,
        log: &(impl ReadAt + ?Sized),
        row: Row,
        from: u64,
        to: u64,
    ) -> io::Result<Vec<u64>> {
        let sums = self.sums(log, row, &[from, to.max(from)])?;
        let states = 0..row.known_states();
        Ok(states
            .map(|state| sums[1][state].wrapping_sub(sums[0][state]))
            .collect())
    }

    /// A tile of a row: intervals if they are few and cheap to decode, otherwise shares.
    ///
    /// # Errors
    ///
    /// Those of reading the log.
    pub fn tile(
        &self,
        log: &(impl ReadAt + ?Sized),
        row: Row,
        z: u8,
        index: u64,
    ) -> io::Result<Tile> {
        let (from, to) = span(z, index);
        let is_final = to <= self.final_until(row);
        let known = from.max(self.kept_from);
        let intervals = match row {
            _ if known >= to => Some(Vec::new()),
            Row::Cap(number) => match self.cap_row(number) {
                Some(cap) => cap.few_intervals(log, known, to)?,
                None => Some(Vec::new()),
            },
            Row::Thread(thread) => self.thread_row(thread).few_intervals(known, to),
            Row::Threads => None,
        };
        let shows = match intervals {
            Some(intervals) if intervals.is_empty() => Shows::Unknown,
            Some(intervals) => Shows::Intervals(intervals),
            None => self.shares(log, row, from, to)?,
        };
        Ok(Tile { shows, is_final })
    }

    fn shares(
        &self,
        log: &(impl ReadAt + ?Sized),
        row: Row,
        from: u64,
        to: u64,
    ) -> io::Result<Shows> {
        let pixel = ((to - from) / PIXELS as u64).max(1);
        let edge = |edge: u64| from.saturating_add(pixel.saturating_mul(edge));
        let edges: Vec<u64> = (0..=PIXELS as u64).map(edge).collect();
        let sums = self.sums(log, row, &edges)?;
        let until = self.until(row);
        let whole = |at: usize| match row {
            // Shares are of the threads alive in the pixel; if only a part of the pixel
            // is known, the same number is assumed for all of it.
            Row::Threads => {
                let (low, high) = (edges[at], edges[at + 1]);
                let known = until.clamp(low, high);
                let known = known.saturating_sub(self.kept_from.clamp(low, high));
                let spent = |state: usize| sums[at + 1][state].wrapping_sub(sums[at][state]);
                let spent: u128 = (0..8).map(|state| u128::from(spent(state))).sum();
                match known {
                    0 => 0,
                    known => spent * u128::from(high - low) / u128::from(known),
                }
            }
            _ => u128::from(edges[at + 1] - edges[at]),
        };
        Ok(crate::tile::shares(row, &sums, whole))
    }

    /// The interval of a row at a time; `None` if it is unknown, and for
    /// [`Row::Threads`].
    ///
    /// # Errors
    ///
    /// Those of reading the log.
    pub fn at(
        &self,
        log: &(impl ReadAt + ?Sized),
        row: Row,
        time: u64,
    ) -> io::Result<Option<Interval>> {
        match row {
            _ if time < self.kept_from => Ok(None),
            Row::Cap(number) => match self.cap_row(number) {
                Some(cap) => cap.at(log, time),
                None => Ok(None),
            },
            Row::Thread(thread) => Ok(self.thread_row(thread).at(time)),
            Row::Threads => Ok(None),
        }
    }
}
