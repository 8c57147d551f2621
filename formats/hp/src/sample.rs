//! A sample of the heap.

/// What was in the heap at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    time: u64,
    /// The labels, one after the other.
    labels: String,
    /// Where each label ends in there, and its value.
    bands: Vec<(usize, u64)>,
}

/// One line of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Band<'a> {
    /// What it is; bytes that are not UTF-8 are replaced.
    pub label: &'a str,
    /// Its size in bytes.
    pub value: u64,
}

impl<'a> Band<'a> {
    /// The number before the label, and the rest: for a cost centre stack, or a set of retainers.
    pub fn numbered(&self) -> Option<(u64, &'a str)> {
        let (number, label) = self.label.strip_prefix('(')?.split_once(')')?;
        let digits = !number.starts_with('+');
        Some((number.parse().ok().filter(|_| digits)?, label))
    }
}

impl Sample {
    /// When it was taken: nanoseconds since the program was started, not counting the time spent in
    /// garbage collections.
    pub fn time(&self) -> u64 {
        self.time
    }

    /// Its bands, in the order of the file.
    pub fn bands(&self) -> impl ExactSizeIterator<Item = Band<'_>> {
        let mut from = 0;
        self.bands.iter().map(move |&(to, value)| {
            let label = &self.labels[from..to];
            from = to;
            Band { label, value }
        })
    }

    /// How many bands there are.
    pub fn len(&self) -> usize {
        self.bands.len()
    }

    /// Whether it has no bands, like the first and the last sample of a file.
    pub fn is_empty(&self) -> bool {
        self.bands.is_empty()
    }

    /// The sum of all bands.
    pub fn total(&self) -> u64 {
        let values = self.bands.iter().map(|(_, value)| *value);
        values.fold(0, u64::saturating_add)
    }

    /// Begins another sample, in the same memory.
    pub(crate) fn begin(&mut self, time: u64) {
        self.time = time;
        self.labels.clear();
        self.bands.clear();
    }

    pub(crate) fn push(&mut self, label: &[u8], value: u64) {
        self.labels.push_str(&String::from_utf8_lossy(label));
        self.bands.push((self.labels.len(), value));
    }

    /// Bytes of all labels.
    pub(crate) fn text(&self) -> usize {
        self.labels.len()
    }
}
