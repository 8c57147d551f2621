//! What clients did not get, held against what they were told.

use super::chunks::{Capture, Chunks, Told};
use std::collections::BTreeMap;
use std::ops::AddAssign;

/// What a record in the ring takes is a multiple of this.
const GRANULE: u64 = 64;

/// What a visit, or several, could account for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Accounted {
    /// Whole chunks that came.
    pub came: usize,
    /// Those that are missing between them, and were told.
    pub missing: usize,
}

impl AddAssign for Accounted {
    fn add_assign(&mut self, other: Self) {
        self.came += other.came;
        self.missing += other.missing;
    }
}

/// From the first chunk of each producer that came, or is told as lost, to the last one
/// that came, what did not come is told as lost in this stream. The last of them may have
/// been told after the cut: a note goes to the next record with room for it, and that of
/// another producer may have taken it.
pub fn of_a_visit(
    chunks: &Chunks,
    capture: &Capture,
    producers: usize,
) -> Result<Accounted, String> {
    let told_by_now = capture.chunks.len().saturating_sub(producers + 4);
    let (mut missing, mut bytes) = (Vec::new(), 0);
    for producer in 0..producers {
        let sure = &capture.chunks[..told_by_now];
        let of_it = |(of, _): &&(usize, u64)| *of == producer;
        let (Some((_, first)), Some((_, last))) =
            (sure.iter().find(of_it), sure.iter().rev().find(of_it))
        else {
            continue;
        };
        let told = dated(capture).map(|told| Chunks::at(told.since));
        let told = told.filter(|(of, _)| *of == producer);
        let told = told.map(|(_, number)| number + 1).min();
        let first = told.map_or(*first, |told| told.min(*first));
        for number in capture.missing(chunks, producer, first..*last) {
            bytes += chunks.size(producer, number);
            missing.push((producer, number));
        }
    }
    let (told, told_bytes) = (capture.told_chunks(), capture.told_bytes());
    let what = || {
        let count = missing.len();
        format!("{count} chunks, {bytes} bytes are missing, {told} and {told_bytes} are told")
    };
    if let Some((producer, number)) = capture.unexplained(&missing) {
        let what = what();
        return Err(format!(
            "chunk {number} of producer {producer} is missing: {what}"
        ));
    }
    if missing.len() as u64 > told || bytes > told_bytes {
        return Err(what());
    }
    Ok(Accounted {
        came: capture.chunks.len(),
        missing: missing.len(),
    })
}

/// Of the only producer: no client is told of what was lost while another was served.
pub fn none_of_others(captures: &[Capture]) -> Result<(), String> {
    let span = |capture: &Capture| {
        let (first, last) = (capture.chunks.first()?, capture.chunks.last()?);
        Some((first.1, last.1))
    };
    let mut of_before = 0;
    let spans = captures.iter().filter_map(|c| Some((span(c)?, c)));
    for ((first, last), capture) in spans.collect::<BTreeMap<_, _>>() {
        for told in dated(capture) {
            if told.since <= of_before {
                return Err(format!(
                    "the client of {first} to {last} is told {told:?}, of before {of_before} ns"
                ));
            }
        }
        of_before = Chunks::time(0, last);
    }
    Ok(())
}

/// How many chunks after its place each loss of the only producer is told. It is told
/// there, or after chunks each of which left no room for the note: it filled the ring, of
/// `ring` bytes, to the granule. (Or before chunks that have filled the ring, no more than
/// once, between the moment when the poll thread saw it empty and took the loss: 0.)
pub fn delays(
    chunks: &Chunks,
    capture: &Capture,
    missing: &[(usize, u64)],
    ring: u64,
) -> Result<BTreeMap<usize, usize>, String> {
    let mut told: Vec<&Told> = dated(capture).collect();
    told.sort_by_key(|told| told.until);
    let mut delays = BTreeMap::new();
    for (_, number) in missing {
        let time = Chunks::time(0, *number);
        let place = capture.chunks.partition_point(|(_, came)| came < number);
        let by = told[told.partition_point(|told| told.until < time)].place;
        let wrong = |what| {
            Err(format!(
                "chunk {number}, before {place}, told at {by}: {what}"
            ))
        };
        if by < place {
            let between = capture.chunks[by..place].iter();
            let taken = between.map(|(_, number)| chunks.size(0, *number).div_ceil(GRANULE));
            if taken.sum::<u64>() > ring / GRANULE {
                return wrong("too early");
            }
        }
        let delay = by.saturating_sub(place);
        if !(place..by).all(|at| may_fill_the_ring(chunks, capture, at, ring)) {
            return wrong("there was room for the note");
        }
        *delays.entry(delay).or_default() += 1;
    }
    Ok(delays)
}

/// Whether the ring can have been full with the chunk at this place as the last one in it.
/// Nobody sees which chunks without bytes were in it, nor which notes.
fn may_fill_the_ring(chunks: &Chunks, capture: &Capture, at: usize, ring: u64) -> bool {
    let granules = ring / GRANULE;
    let (mut seen, mut unseen) = (0, 0);
    for place in (0..=at).rev() {
        let number = capture.chunks[place].1;
        seen += chunks.size(0, number).div_ceil(GRANULE);
        if seen > granules {
            return false;
        }
        let told = |place| capture.told.partition_point(|told| told.place < place);
        unseen += (told(place + 1) - told(place)) as u64;
        let before = place.checked_sub(1).map_or(0, |p| capture.chunks[p].1 + 1);
        unseen += (before..number).filter(|n| chunks.size(0, *n) == 0).count() as u64;
        if seen + unseen >= granules {
            return true;
        }
    }
    false
}

/// Chunks without bytes have no time.
fn dated(capture: &Capture) -> impl Iterator<Item = &Told> {
    capture.told.iter().filter(|told| told.until > 0)
}
