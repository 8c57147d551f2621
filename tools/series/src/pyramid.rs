//! Values over time, at any resolution.

/// How many buckets of a level are joined in one of the next.
const FAN: u64 = 4;

/// A summary of a series over some time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bucket {
    /// The time of the first value.
    pub from: u64,
    /// The time of the last value.
    pub to: u64,
    /// The least value.
    pub min: f64,
    /// The largest value.
    pub max: f64,
    /// The sum of the values.
    pub sum: f64,
    /// The last value.
    pub last: f64,
    /// How many there were.
    pub count: u64,
}

impl Bucket {
    fn of(time: u64, value: f64) -> Self {
        Self {
            from: time,
            to: time,
            min: value,
            max: value,
            sum: value,
            last: value,
            count: 1,
        }
    }

    fn join(&mut self, other: &Self) {
        if other.to >= self.to {
            self.last = other.last;
        }
        self.from = self.from.min(other.from);
        self.to = self.to.max(other.to);
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.sum += other.sum;
        self.count += other.count;
    }
}

/// A series: smallest, largest, sum and count of the values in any time range, in
/// bounded memory.
///
/// Values are kept one by one while they are few. Each level above joins four buckets
/// of the one below; when there are too many, the finest level is dropped. So a peak is
/// never lost, however long the log is; only its exact time is.
///
/// ```
/// use eventlog_series::Pyramid;
///
/// let mut heap = Pyramid::default();
/// for time in 0..1_000_000 {
///     heap.push(time, if time == 777_777 { 50.0 } else { 1.0 });
/// }
/// let buckets = heap.buckets(0, 1_000_000, 100);
/// assert!(buckets.len() <= 100);
/// assert_eq!(buckets.iter().map(|bucket| bucket.count).sum::<u64>(), 1_000_000);
/// assert_eq!(buckets[77].max, 50.0);
/// ```
#[derive(Clone, Debug)]
pub struct Pyramid {
    /// Buckets in the order of time; all but the last join `width` values.
    finest: Vec<Bucket>,
    width: u64,
    /// Joined by fours, again and again.
    levels: Vec<Vec<Bucket>>,
    most: usize,
}

impl Default for Pyramid {
    /// At most 2^15 buckets of the finest level: about 2 MiB with the levels above.
    fn default() -> Self {
        Self::new(1 << 15)
    }
}

impl Pyramid {
    /// With at most this many buckets of the finest level; at least 16.
    pub fn new(most: usize) -> Self {
        Self {
            finest: Vec::new(),
            width: 1,
            levels: Vec::new(),
            most: most.max(16),
        }
    }

    /// Whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.finest.is_empty()
    }

    /// How many values a bucket of the finest level joins: 1 while they are kept one by
    /// one.
    pub fn width(&self) -> u64 {
        self.width
    }

    /// The latest value, and its time.
    pub fn last(&self) -> Option<(u64, f64)> {
        self.finest.last().map(|bucket| (bucket.to, bucket.last))
    }

    /// Adds a value. Times should not go back: an earlier time is treated as the latest
    /// one. NaN is ignored.
    pub fn push(&mut self, time: u64, value: f64) {
        if value.is_nan() {
            return;
        }
        let time = self.finest.last().map_or(time, |last| last.to.max(time));
        let width = self.width;
        match self.finest.last_mut() {
            Some(last) if last.count < width => last.join(&Bucket::of(time, value)),
            _ => {
                if self.finest.len() >= self.most {
                    self.drop_finest();
                    return self.push(time, value);
                }
                self.finest.push(Bucket::of(time, value));
            }
        }
        self.raise();
    }

    /// Completes the levels above the last full bucket.
    fn raise(&mut self) {
        let fan = FAN as usize;
        let full = self
            .finest
            .last()
            .is_some_and(|last| last.count == self.width);
        if !full || !self.finest.len().is_multiple_of(fan) {
            return;
        }
        let mut joined = join(&self.finest[self.finest.len() - fan..]);
        for level in 0.. {
            if self.levels.len() == level {
                self.levels.push(Vec::new());
            }
            let buckets = &mut self.levels[level];
            buckets.push(joined);
            if !buckets.len().is_multiple_of(fan) {
                return;
            }
            joined = join(&buckets[buckets.len() - fan..]);
        }
    }

    /// Drops the finest level: the one above replaces it.
    fn drop_finest(&mut self) {
        let fan = FAN as usize;
        let joined = self.finest.chunks(fan).map(join).collect();
        self.finest = joined;
        self.width *= FAN;
        if !self.levels.is_empty() {
            self.levels.remove(0);
        }
    }

    /// The series from `from` to `to` (exclusive), in at most `count` buckets: one for
    /// each of `count` equal parts of that time that has a value. While values are few
    /// enough, each is a bucket of its own.
    pub fn buckets(&self, from: u64, to: u64, count: usize) -> Vec<Bucket> {
        let mut out: Vec<Bucket> = Vec::new();
        if from >= to || count == 0 {
            return out;
        }
        // Buckets that cross the edge of a part count in the part where they begin.
        let first = self.finest.partition_point(|bucket| bucket.from < from);
        let end = self.finest.partition_point(|bucket| bucket.from < to);
        let here = &self.finest[first..end.max(first)];
        if here.len() <= count {
            return here.to_vec();
        }
        let part = |bucket: &Bucket| {
            let place = u128::from(bucket.from - from) * count as u128;
            (place / u128::from(to - from)) as u64
        };
        let mut at = first;
        let mut in_part = u64::MAX;
        while at < end {
            let wanted = part(&self.finest[at]);
            let (bucket, width) = self.largest(at, end, |bucket| part(bucket) == wanted);
            match out.last_mut() {
                Some(last) if wanted == in_part => last.join(bucket),
                _ => out.push(*bucket),
            }
            in_part = wanted;
            at += width;
        }
        out
    }

    /// The largest bucket that begins at the finest bucket `at`, does not go beyond
    /// `end`, and whose last finest bucket still belongs to it; and the number of finest
    /// buckets in it.
    fn largest(
        &self,
        at: usize,
        end: usize,
        belongs: impl Fn(&Bucket) -> bool,
    ) -> (&Bucket, usize) {
        let mut best = (&self.finest[at], 1);
        let mut width = 1;
        for level in &self.levels {
            width *= FAN as usize;
            if !at.is_multiple_of(width)
                || at + width > end
                || !belongs(&self.finest[at + width - 1])
            {
                break;
            }
            match level.get(at / width) {
                Some(bucket) => best = (bucket, width),
                None => break,
            }
        }
        best
    }
}

/// Joins buckets into one. There is at least one.
fn join(buckets: &[Bucket]) -> Bucket {
    let mut joined = buckets[0];
    buckets[1..].iter().for_each(|bucket| joined.join(bucket));
    joined
}
