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

    /// Forgets leading rows whose number `field` is below `value`, as far as that is simple. That
    /// number must never shrink from one row to the next. The index of each other row becomes smaller
    /// by the number of forgotten rows.
    pub(crate) fn forget_below(&mut self, field: usize, value: u64) {
        let below = self.whole.partition_point(|(row, _)| row[field] < value);
        let groups = below.saturating_sub(1);
        let Some(&(_, bytes)) = self.whole.get(groups).filter(|_| groups > 0) else {
            return;
        };
        self.whole.drain(..groups);
        for (_, begin) in &mut self.whole {
            *begin -= bytes;
        }
        self.bytes.drain(..bytes);
        self.len -= groups * GROUP;
    }

    /// A cursor for reading several rows near each other.
    pub(crate) fn cursor(&self) -> Cursor<'_, N> {
        Cursor {
            rows: self,
            group: usize::MAX,
            at: 0,
            row: [0; N],
            next: None,
            input: &[],
        }
    }

    /// The bytes of the rows of a group after the first.
    fn rest_of(&self, group: usize) -> &[u8] {
        let begin = |group: usize| self.whole.get(group).map(|it| it.1);
        let (from, to) = (begin(group), begin(group + 1));
        &self.bytes[from.unwrap_or(self.bytes.len())..to.unwrap_or(self.bytes.len())]
    }
}

/// The row after this one, from the front of `input`.
fn next<const N: usize>(row: &[u64; N], input: &mut &[u8]) -> Option<[u64; N]> {
    if input.is_empty() {
        return None;
    }
    let mut row = *row;
    let mut changed = varint::take(input) as u32;
    while changed != 0 {
        let number = row.get_mut(changed.trailing_zeros() as usize)?;
        *number = number.wrapping_add(varint::unzigzag(varint::take(input)));
        changed &= changed - 1;
    }
    Some(row)
}

/// Reads rows. Only what is before a row in its group is decoded, and going forward in a group
/// goes on from there.
#[derive(Clone, Debug)]
pub(crate) struct Cursor<'a, const N: usize> {
    rows: &'a Checkpoints<N>,
    group: usize,
    /// The place in the group of `row`; `next` is the one after it, if there is one.
    at: usize,
    row: [u64; N],
    next: Option<[u64; N]>,
    input: &'a [u8],
}

impl<const N: usize> Cursor<'_, N> {
    fn enter(&mut self, group: usize) {
        if let Some((first, _)) = self.rows.whole.get(group) {
            (self.group, self.at, self.row) = (group, 0, *first);
            self.input = self.rows.rest_of(group);
            self.next = next(&self.row, &mut self.input);
        }
    }

    /// Goes to the next row of the group; false if there is none.
    fn advance(&mut self) -> bool {
        let Some(row) = self.next else { return false };
        (self.at, self.row) = (self.at + 1, row);
        self.next = next(&self.row, &mut self.input);
        true
    }

    pub(crate) fn get(&mut self, index: usize) -> Option<&[u64; N]> {
        if index >= self.rows.len {
            return None;
        }
        let (group, at) = (index / GROUP, index % GROUP);
        if at == 0 {
            return self.rows.whole.get(group).map(|(first, _)| first);
        }
        if group != self.group || at < self.at {
            self.enter(group);
        }
        while at > self.at + 1 && self.advance() {}
        match at == self.at {
            true => Some(&self.row),
            false => self.next.as_ref(),
        }
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
        if group != self.group || self.row[field] > value {
            self.enter(group);
        }
        while self.next.is_some_and(|next| next[field] <= value) && self.advance() {}
        Some(group * GROUP + self.at)
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
        let mut cursor = rows.cursor();
        for (index, row) in plain.iter().enumerate() {
            assert_eq!(cursor.get(index), Some(row));
        }
        assert_eq!(cursor.get(1000), None);
        // In any order, between searches.
        for _ in 0..3000 {
            let (index, value) = (next(1000) as usize, next(row[0] + 2));
            assert_eq!(cursor.get(index), plain.get(index));
            let wanted = plain.iter().rposition(|row| row[0] <= value);
            assert_eq!(cursor.last_not_above(0, value), wanted, "{value}");
            for near in index.saturating_sub(1)..index + 3 {
                assert_eq!(cursor.get(near), plain.get(near));
            }
        }
        let mut cursor = rows.cursor();
        for value in 0..row[0] + 2 {
            let wanted = plain.iter().rposition(|row| row[0] <= value);
            assert_eq!(cursor.last_not_above(0, value), wanted, "{value}");
        }
    }
}
