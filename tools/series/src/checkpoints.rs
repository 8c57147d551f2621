//! Rows of numbers that grow slowly, in little memory.

use crate::varint;

/// Rows per group; the first row of a group is stored in full.
const GROUP: usize = 32;

/// Rows of `N` numbers, at most 32, as differences from the row before.
#[derive(Clone, Debug)]
pub(crate) struct Checkpoints<const N: usize> {
    /// The first row of each group, and where the others begin.
    whole: Vec<([u64; N], usize)>,
    bytes: Vec<u8>,
    last: [u64; N],
    len: usize,
}

impl<const N: usize> Default for Checkpoints<N> {
    fn default() -> Self {
        Self {
            whole: Vec::new(),
            bytes: Vec::new(),
            last: [0; N],
            len: 0,
        }
    }
}

impl<const N: usize> Checkpoints<N> {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Bytes of memory.
    pub(crate) fn memory(&self) -> usize {
        self.whole.capacity() * size_of::<([u64; N], usize)>() + self.bytes.capacity()
    }

    pub(crate) fn push(&mut self, row: [u64; N]) {
        if self.len.is_multiple_of(GROUP) {
            self.whole.push((row, self.bytes.len()));
        } else {
            let mut changed = 0u32;
            for (at, (new, old)) in row.iter().zip(&self.last).enumerate() {
                changed |= u32::from(new != old) << at;
            }
            varint::push(&mut self.bytes, changed.into());
            for (new, old) in row.iter().zip(&self.last) {
                if new != old {
                    varint::push(&mut self.bytes, varint::zigzag(new.wrapping_sub(*old)));
                }
            }
        }
        self.last = row;
        self.len += 1;
    }

    pub(crate) fn get(&self, index: usize) -> Option<[u64; N]> {
        let mut rows = self.group(index / GROUP)?;
        rows.nth(index % GROUP)
    }

    /// A cursor for reading several rows near each other.
    pub(crate) fn cursor(&self) -> Cursor<'_, N> {
        Cursor {
            rows: self,
            group: usize::MAX,
            here: Vec::new(),
        }
    }

    /// The rows of a group.
    fn group(&self, group: usize) -> Option<impl Iterator<Item = [u64; N]>> {
        let (first, at) = self.whole.get(group)?;
        let end = self
            .whole
            .get(group + 1)
            .map_or(self.bytes.len(), |it| it.1);
        let mut input = &self.bytes[*at..end];
        let mut next = Some(*first);
        Some(std::iter::from_fn(move || {
            let row = next?;
            next = (!input.is_empty()).then(|| {
                let mut row = row;
                let changed = varint::take(&mut input);
                for (at, number) in row.iter_mut().enumerate() {
                    if changed & 1 << at != 0 {
                        let difference = varint::unzigzag(varint::take(&mut input));
                        *number = number.wrapping_add(difference);
                    }
                }
                row
            });
            Some(row)
        }))
    }
}

/// Reads rows, and caches the last group.
#[derive(Clone, Debug)]
pub(crate) struct Cursor<'a, const N: usize> {
    rows: &'a Checkpoints<N>,
    group: usize,
    here: Vec<[u64; N]>,
}

impl<const N: usize> Cursor<'_, N> {
    fn enter(&mut self, group: usize) -> &[[u64; N]] {
        if self.group != group {
            self.group = group;
            self.here.clear();
            self.here
                .extend(self.rows.group(group).into_iter().flatten());
        }
        &self.here
    }

    pub(crate) fn get(&mut self, index: usize) -> Option<&[u64; N]> {
        self.enter(index / GROUP).get(index % GROUP)
    }

    /// The index of the last row whose number `field` is not above `value`. That number
    /// must never shrink from one row to the next.
    pub(crate) fn last_not_above(&mut self, field: usize, value: u64) -> Option<usize> {
        let whole = &self.rows.whole;
        let group = match whole.get(self.group) {
            // Often it is in the same group as the last one.
            Some((row, _))
                if row[field] <= value
                    && whole
                        .get(self.group + 1)
                        .is_none_or(|(next, _)| next[field] > value) =>
            {
                self.group
            }
            _ => whole
                .partition_point(|(row, _)| row[field] <= value)
                .checked_sub(1)?,
        };
        let here = self.enter(group).partition_point(|row| row[field] <= value);
        Some(group * GROUP + here.max(1) - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back() {
        let mut seed = 3u64;
        let mut next = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) % below
        };
        let mut rows: Checkpoints<4> = Checkpoints::default();
        let mut plain: Vec<[u64; 4]> = Vec::new();
        let mut row = [0u64; 4];
        for step in 0..1000 {
            row[0] += next(3);
            row[1] = row[1].wrapping_sub(next(1000));
            row[2] = if next(9) == 0 {
                u64::MAX - next(3)
            } else {
                row[2]
            };
            row[3] = next(2);
            assert_eq!(rows.len(), step);
            rows.push(row);
            plain.push(row);
        }
        for (index, row) in plain.iter().enumerate() {
            assert_eq!(rows.get(index), Some(*row));
        }
        assert_eq!(rows.get(1000), None);
        let mut cursor = rows.cursor();
        for value in 0..row[0] + 2 {
            let wanted = plain.iter().rposition(|row| row[0] <= value);
            assert_eq!(cursor.last_not_above(0, value), wanted, "{value}");
        }
    }
}
