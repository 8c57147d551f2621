//! A heap profile as text (`.hp`): its samples, as they are written.

use crate::fold::heap::{Heap, Key};
use ghc_eventlog::Breakdown;
use ghc_hp::{Error, Item, Parser};
use serde::Serialize;

/// The first bytes of every such file.
pub(crate) const MAGIC: &[u8; 5] = b"JOB \"";

/// What the first lines of a file contain, as in the list of sessions.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct About {
    /// The program; if it was built with profiling, also its arguments.
    pub(crate) job: String,
    /// When it was started. The file has no time zone, and no seconds.
    pub(crate) date: String,
    pub(crate) sample_unit: String,
    pub(crate) value_unit: String,
    /// Complete samples that have arrived.
    pub(crate) samples: u64,
}

/// The samples of a file.
#[derive(Debug, Default)]
pub(crate) struct HeapFile {
    parser: Parser,
    samples: Samples,
    bytes: u64,
}

#[derive(Debug, Default)]
struct Samples {
    heap: Heap,
    /// The number of samples in the file.
    count: u64,
    /// The time of the last sample, if it had no bands.
    empty: Option<u64>,
    /// The times of the first and the last sample.
    times: Option<(u64, u64)>,
}

impl Samples {
    /// The runtime system begins and ends a file with a sample without bands, which measures
    /// nothing. Others can be empty because a filter leaves nothing over.
    fn add(&mut self, sample: &ghc_hp::Sample) {
        let time = sample.time();
        let (first, last) = self.times.unwrap_or((time, time));
        self.times = Some((first.min(time), last.max(time)));
        self.count += 1;
        if let Some(before) = self.empty.take() {
            self.heap.add(before, std::iter::empty());
        }
        match sample.is_empty() {
            false => {
                let key = |label: &str| Key::Name(label.as_bytes().into());
                let bands = sample.bands();
                self.heap
                    .add(time, bands.map(|band| (key(band.label), band.value)));
            }
            true if self.count > 1 => self.empty = Some(time),
            true => {}
        }
    }
}

impl HeapFile {
    /// Adds the next bytes.
    ///
    /// # Errors
    ///
    /// If they cannot be part of such a file. Everything before is kept, and nothing after it.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.bytes += bytes.len() as u64;
        let samples = &mut self.samples;
        let pushed = self.parser.push(bytes, &mut |item| {
            if let Item::Sample(sample) = item {
                samples.add(sample);
            }
        });
        let breakdown = self.breakdown();
        self.samples.heap.broken_down(breakdown);
        pushed
    }

    /// The samples.
    pub(crate) fn heap(&self) -> &Heap {
        &self.samples.heap
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The times of the first and the last sample.
    pub(crate) fn times(&self) -> (u64, u64) {
        self.samples.times.unwrap_or_default()
    }

    /// Whether the file ends in the middle of a sample or a line.
    pub(crate) fn is_cut_off(&self) -> bool {
        !self.parser.is_between()
    }

    pub(crate) fn about(&self) -> About {
        let header = self.parser.header();
        About {
            job: header.job.clone(),
            date: header.date.clone(),
            sample_unit: header.sample_unit.clone(),
            value_unit: header.value_unit.clone(),
            samples: self.samples.count,
        }
    }

    fn breakdown(&self) -> Option<Breakdown> {
        let breakdown = match self.parser.header().breakdown() {
            Some('c') => Breakdown::COST_CENTRE,
            Some('m') => Breakdown::MODULE,
            Some('d') => Breakdown::CLOSURE_DESCRIPTION,
            Some('y') => Breakdown::TYPE_DESCRIPTION,
            Some('r') => Breakdown::RETAINER,
            Some('b') => Breakdown::BIOGRAPHY,
            Some('T') => Breakdown::CLOSURE_TYPE,
            Some('i') => Breakdown::INFO_TABLE,
            Some('e') => Breakdown::ERA,
            Some(_) => return None,
            // A program without profiling does not write its flags. It can profile by closure
            // type, and by info table, whose bands are addresses.
            None => match self.samples.heap.any_name()? {
                name if name.starts_with(b"0x") => Breakdown::INFO_TABLE,
                _ => Breakdown::CLOSURE_TYPE,
            },
        };
        Some(breakdown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "JOB \"demo\"\nDATE \"Mon Nov 30 09:10 2026\"\n\
        SAMPLE_UNIT \"seconds\"\nVALUE_UNIT \"bytes\"\n";

    fn sample(time: &str, bands: &str) -> String {
        format!("BEGIN_SAMPLE {time}\n{bands}END_SAMPLE {time}\n")
    }

    fn times(file: &HeapFile) -> Vec<u64> {
        file.heap().samples().iter().map(|it| it.time).collect()
    }

    #[test]
    fn the_empty_samples_around_a_profile_are_none_and_those_inside_are() {
        let mut file = HeapFile::default();
        file.push((HEAD.to_owned() + &sample("0.00", "")).as_bytes())
            .unwrap();
        assert_eq!((times(&file), file.breakdown()), (vec![], None));
        file.push(sample("1.00", "CONS\t7\n").as_bytes()).unwrap();
        file.push(sample("2.00", "").as_bytes()).unwrap();
        assert_eq!(times(&file), [1_000_000_000]);
        file.push(sample("3.00", "CONS\t9\n").as_bytes()).unwrap();
        file.push(sample("4.00", "").as_bytes()).unwrap();
        assert_eq!(times(&file), [1, 2, 3].map(|s| s * 1_000_000_000));
        assert_eq!(file.times(), (0, 4_000_000_000));
        assert_eq!(file.about().samples, 5);
        assert_eq!(file.breakdown(), Some(Breakdown::CLOSURE_TYPE));
    }

    #[test]
    fn addresses_are_info_tables() {
        let mut file = HeapFile::default();
        file.push((HEAD.to_owned() + &sample("1.00", "0x4a3b28\t7\n")).as_bytes())
            .unwrap();
        assert_eq!(file.heap().breakdown(), Some(Breakdown::INFO_TABLE));
    }
}
