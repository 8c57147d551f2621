//! What a file begins with that goes on in the middle of a stream.
//!
//! Behind the header it tells what holds at that place, then again the blocks
//! that a reader of it needs although they are in the file before: of
//! capabilities that are ahead of others. All of it lies between two notes, so
//! that whoever puts the files together can drop it: what is left is the
//! stream, byte for byte.

use eventlog_state::{Follower, Keep, State, transition};
use ghc_eventlog::notes::Note;
use ghc_eventlog::{BlockBuilder, Blocks, EventBody, Header, ids};

/// A place in a stream, between two blocks.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// In bytes from the header.
    pub offset: u64,
    /// When the last global block before it ends.
    pub global_end: u64,
}

/// What is followed of a stream that may be cut.
pub fn keep() -> Keep {
    Keep {
        info_tables: false,
        oddities: false,
        ..Keep::all()
    }
}

/// The beginning of a file that goes on at this place, to which `follower` has
/// come; `file` is the one before. `None` if the stream cannot be cut here.
pub fn prologue(
    follower: &mut Follower,
    header: &Header,
    place: Place,
    file: &str,
) -> Option<Vec<u8>> {
    let (state, window) = follower.cut()?;
    let at = follower.at();
    // Blocks of one capability must not go back, nor global ones, and those that
    // follow can end as early as the last one before.
    let global_at = at.min(place.global_end);
    let watermark = follower.merge().watermark();
    let reached = |cap| watermark.and_then(|it| it.of(Some(cap)));
    let cap_at = |cap| match reached(cap) {
        None | Some(0) => at,
        Some(reached) => at.min(reached),
    };
    let mut out = header.as_bytes().to_vec();
    let offset = place.offset;
    tell(header, global_at, Note::Prologue { offset, file }, &mut out);
    if is_incomplete(&state) {
        tell(header, global_at, Note::NotAllRepeated, &mut out);
    }
    let mut blocks = Blocks::default();
    // A heap sample that is open keeps its time. It is as far as the last block.
    let sample = state.samples().open().and_then(|it| it.begun().time);
    let sample = sample.map_or(global_at, |time| time.min(place.global_end));
    let mut dated = Vec::new();
    transition(None, &state, global_at, &mut |cap, raw| {
        if cap.is_none() {
            let time = match is_of_sample(raw) {
                true => sample,
                false => global_at,
            };
            redate(&mut dated, raw, time);
            blocks.push(None, time, &dated);
        }
    });
    write(&mut blocks, &mut out);
    transition(None, &state, at, &mut |cap, raw| {
        let Some(number) = cap else { return };
        // Its end is dated back, and so is what comes in between.
        let collection = state.cap(number).and_then(|cap| cap.collecting());
        let starts = raw.starts_with(&ids::GC_START.to_be_bytes());
        let time = match collection.filter(|_| starts) {
            Some(since) => since.min(cap_at(number)),
            None => cap_at(number),
        };
        redate(&mut dated, raw, time);
        blocks.push(cap, time, &dated);
    });
    write(&mut blocks, &mut out);
    window.write(&mut |bytes| out.extend_from_slice(bytes));
    let end = global_at.max(sample);
    tell(header, end, Note::PrologueEnd { offset }, &mut out);
    Some(out)
}

/// Whether an event is part of a heap sample.
fn is_of_sample(raw: &[u8]) -> bool {
    let of_sample = [
        ids::HEAP_PROF_SAMPLE_BEGIN,
        ids::HEAP_BIO_PROF_SAMPLE_BEGIN,
        ids::HEAP_PROF_SAMPLE_STRING,
        ids::HEAP_PROF_SAMPLE_COST_CENTRE,
    ];
    of_sample
        .iter()
        .any(|id| raw.starts_with(&id.to_be_bytes()))
}

/// Makes `dated` the same event at another time.
fn redate(dated: &mut Vec<u8>, raw: &[u8], time: u64) {
    dated.clear();
    dated.extend_from_slice(raw);
    if let Some(place) = dated.get_mut(2..10) {
        place.copy_from_slice(&time.to_be_bytes());
    }
}

fn write(blocks: &mut Blocks, out: &mut Vec<u8>) {
    // Memory does not fail.
    let _ = blocks.flush(out);
}

/// A note in a block of its own, unless the header does not allow it.
fn tell(header: &Header, time: u64, note: Note<'_>, out: &mut Vec<u8>) {
    let text = note.to_string();
    let message = text.as_str().into();
    let mut block = BlockBuilder::new(None);
    let body = EventBody::LogMsg { message };
    if block.push_body(header, time, &body).is_ok() {
        out.extend_from_slice(block.finish());
    }
}

/// Whether there was too much to keep all of it.
fn is_incomplete(state: &State) -> bool {
    let (threads, labels) = state.refused();
    let definitions = state.definitions();
    let symbols = definitions.symbols();
    let refused = [
        threads,
        labels,
        definitions.refused(),
        definitions.messages().refused(),
        symbols.refused_cost_centres(),
        symbols.refused_info_tables(),
    ];
    refused.iter().any(|&count| count > 0)
}
