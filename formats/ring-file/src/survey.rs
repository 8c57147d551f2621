//! Finds the valid records of a file, even if some of its words are damaged, or change meanwhile.
//!
//! The words of overwritten records stay, so everything depends on where the claims end; and one damaged word can claim
//! an end that never was. So an end is accepted only if other words agree with it: records that fill the ring before
//! it, one that ends where its own record begins, and, if it is committed, a chunk in it.

use std::collections::{HashMap, HashSet};
use std::io;
use std::time::{Duration, Instant};

use eventlog_ring::{GRANULE, Stamp, StampState};

use crate::RingReader;

/// Number of ends that are examined closely. If damage leaves none of them right, nothing is taken from the file.
const CANDIDATES: usize = 64;
/// How long to wait before looking again.
const PAUSE: Duration = Duration::from_millis(2);

/// What the words of a file said.
#[derive(Clone, Debug, Default)]
pub struct Survey {
    /// Where the claims end.
    pub end: u64,
    /// The valid records, in the order of their positions. With damaged words some may overlap.
    pub records: Vec<Stamp>,
    /// Words that are impossible: for a record that is longer than the ring, or after the end of all claims.
    pub damaged: u64,
    /// Those of them that are after the end, so that they are not mistaken for claims that were made since.
    odd: HashSet<Word>,
}

/// Identifies a stamp.
type Word = (u64, u32, bool);

/// Granules that were claimed, but have no word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hole {
    /// Position of its first granule.
    pub position: u64,
    /// Position after its last granule.
    pub end: u64,
}

impl RingReader {
    /// Looks at all words. `whole` returns whether a committed record is a chunk. `patience` is how long to wait for
    /// records that are being written right now: zero if no program can be writing.
    ///
    /// # Errors
    /// Those of the system, and of `whole`.
    pub fn survey(
        &self,
        patience: Duration,
        mut whole: impl FnMut(&Stamp) -> io::Result<bool>,
    ) -> io::Result<Survey> {
        let mut survey = self.look(&mut whole)?;
        if !survey.odd.is_empty() && !patience.is_zero() {
            // They may be claims made just now. Those that are still odd after a while are damaged.
            std::thread::sleep(PAUSE);
            let before = survey.odd;
            survey = self.look(&mut whole)?;
            survey.odd.retain(|word| before.contains(word));
        }
        self.settle(&mut survey, patience)?;
        Ok(survey)
    }

    fn look(&self, whole: &mut impl FnMut(&Stamp) -> io::Result<bool>) -> io::Result<Survey> {
        let granules = self.layout().granules();
        let mut survey = Survey::default();
        // Only a few laps have more than leftover words. This keeps those of the others out of memory.
        let mut laps: HashMap<u64, u64> = HashMap::new();
        self.words(0..granules, |granule, word| {
            match self.stamp(granule, word) {
                Some(stamp) => {
                    *laps.entry(stamp.position / granules).or_default() += granules_of(&stamp)
                }
                None => survey.damaged += 1,
            }
        })?;
        let filled = |lap: u64| laps.get(&lap).map_or(0, |&sum| sum.min(granules));
        let pair = |lap: u64| filled(lap) + lap.checked_sub(1).map_or(0, filled);
        let most = laps.keys().map(|&lap| pair(lap)).max().unwrap_or(0);
        let newest = laps.keys().filter(|&&lap| pair(lap) >= most / 4).max();
        let oldest = newest.map_or(0, |lap| lap.saturating_sub(2));
        let mut stamps = Vec::new();
        self.words(0..granules, |granule, word| {
            let stamp = self.stamp(granule, word);
            stamps.extend(stamp.filter(|stamp| stamp.position / granules >= oldest));
        })?;
        stamps.sort_unstable_by_key(|stamp| stamp.position);
        survey.end = find_end(&stamps, granules, whole)?;
        let (end, start) = (survey.end, survey.end.saturating_sub(granules));
        survey.odd = stamps
            .iter()
            .filter(|stamp| stamp.end() > end)
            .map(word_of)
            .collect();
        survey.damaged += survey.odd.len() as u64;
        stamps.retain(|stamp| stamp.position >= start && stamp.end() <= end);
        survey.records = stamps;
        Ok(survey)
    }

    fn stamp(&self, granule: u64, word: u64) -> Option<Stamp> {
        let stamp = Stamp::read(word, granule as usize, self.layout().granules() as usize)?;
        let largest = self.layout().capacity.min(self.largest());
        (u64::from(stamp.len) <= largest).then_some(stamp)
    }

    /// Looks again for records that were being written, or not even announced.
    fn settle(&self, survey: &mut Survey, patience: Duration) -> io::Result<()> {
        let granules = self.layout().granules();
        let until = Instant::now() + patience;
        loop {
            let mut open: Vec<Hole> = survey.holes(granules);
            open.extend(
                survey
                    .records
                    .iter()
                    .filter(|stamp| !stamp.is_settled())
                    .map(|stamp| Hole {
                        position: stamp.position,
                        end: stamp.end(),
                    }),
            );
            if open.is_empty() || Instant::now() >= until {
                return Ok(());
            }
            std::thread::sleep(PAUSE);
            for hole in open {
                let mut found = Vec::new();
                self.claims(hole.position..hole.end, |stamp| found.push(stamp))?;
                found.retain(|stamp| stamp.position < hole.end && stamp.end() <= hole.end);
                for stamp in found {
                    let at = survey
                        .records
                        .partition_point(|old| old.position < stamp.position);
                    match survey.records.get_mut(at) {
                        Some(old) if old.position == stamp.position => *old = stamp,
                        _ => survey.records.insert(at, stamp),
                    }
                }
            }
        }
    }

    /// Calls `take` with the stamps at these positions, if they are of the same lap or a later one.
    fn claims(
        &self,
        positions: std::ops::Range<u64>,
        mut take: impl FnMut(Stamp),
    ) -> io::Result<()> {
        let granules = self.layout().granules();
        let count = (positions.end - positions.start).min(granules);
        let first = positions.start % granules;
        let mut each = |range| {
            self.words(range, |granule, word| {
                if let Some(stamp) = self.stamp(granule, word)
                    && stamp.position >= positions.start
                {
                    take(stamp);
                }
            })
        };
        each(first..(first + count).min(granules))?;
        if first + count > granules {
            each(0..first + count - granules)?;
        }
        Ok(())
    }

    /// The lowest position that is still valid for records that were copied, up to the one that ends at `copied`, since
    /// the survey was made. Call it after copying: what is at this position or after it was whole when it was copied.
    ///
    /// # Errors
    /// Those of the system.
    pub fn overtaken(&self, survey: &Survey, copied: u64) -> io::Result<u64> {
        // Pairs with the Release fence of a writer between its announcement and its first byte: if we have copied such a
        // byte, we see the announcement.
        std::sync::atomic::fence(std::sync::atomic::Ordering::Acquire);
        let granules = self.layout().granules();
        let mut end = survey.end;
        // A producer that overwrites what was copied has claimed room after the end that we know.
        self.claims(survey.end..copied.max(survey.end) + granules, |stamp| {
            if !survey.odd.contains(&word_of(&stamp)) {
                end = end.max(stamp.end());
            }
        })?;
        Ok(end.saturating_sub(granules))
    }
}

impl Survey {
    /// Where words are missing between records.
    pub fn holes(&self, granules: u64) -> Vec<Hole> {
        let mut holes = Vec::new();
        let start = self.end.saturating_sub(granules);
        // Before the first record there may be the rest of one that was overwritten.
        let mut covered = match start {
            0 => 0,
            _ => self
                .records
                .first()
                .map_or(self.end, |first| first.position),
        };
        let ends = self
            .records
            .iter()
            .map(|stamp| (stamp.position, stamp.end()));
        for (position, end) in ends.chain([(self.end, self.end)]) {
            if position > covered {
                holes.push(Hole {
                    position: covered,
                    end: position,
                });
            }
            covered = covered.max(end);
        }
        holes
    }
}

fn word_of(stamp: &Stamp) -> Word {
    (stamp.position, stamp.len, stamp.is_settled())
}

fn granules_of(stamp: &Stamp) -> u64 {
    stamp.end() - stamp.position
}

/// The highest end that is plausible. The stamps must be in the order of their positions.
fn find_end(
    stamps: &[Stamp],
    granules: u64,
    whole: &mut impl FnMut(&Stamp) -> io::Result<bool>,
) -> io::Result<u64> {
    // covered[i]: granules of the stamps before the i-th, up to the next one each.
    let mut covered = vec![0; stamps.len() + 1];
    for (index, stamp) in stamps.iter().enumerate() {
        let next = stamps.get(index + 1).map_or(u64::MAX, |next| next.position);
        covered[index + 1] = covered[index] + stamp.end().min(next) - stamp.position;
    }
    let before = |index: usize| {
        let start = stamps[index].end().saturating_sub(granules);
        let first = stamps.partition_point(|stamp| stamp.position < start);
        covered[index + 1] - covered[first.min(index + 1)]
    };
    let most = (0..stamps.len()).map(before).max().unwrap_or(0);
    let mut order: Vec<usize> = (0..stamps.len())
        .filter(|&index| before(index) >= most / 2)
        .collect();
    order.sort_unstable_by_key(|&index| std::cmp::Reverse(stamps[index].end()));
    let ends: HashSet<u64> = stamps.iter().map(|stamp| stamp.end()).collect();
    // First those whose record has a predecessor, then those with at least a chunk in them.
    for linked in [true, false] {
        for &index in order.iter().take(CANDIDATES) {
            let stamp = &stamps[index];
            let follows = stamp.position == 0 || ends.contains(&stamp.position);
            let sound = match stamp.state {
                StampState::Committed => whole(stamp)?,
                _ => follows,
            };
            if sound && (follows || !linked) {
                return Ok(stamp.end());
            }
        }
    }
    Ok(order.first().map_or(0, |&index| stamps[index].end()))
}

impl Hole {
    /// Its size in bytes.
    pub fn bytes(&self) -> u64 {
        (self.end - self.position) * GRANULE as u64
    }
}
