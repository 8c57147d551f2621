//! What a file begins with that goes on in the middle of a stream.
//!
//! Behind the header it tells what holds at that place, then again the blocks
//! that a reader of it needs although they are in the file before: of
//! capabilities that are ahead of others. All of it lies between two notes, so
//! that whoever puts the files together can drop it: what is left is the
//! stream, byte for byte.

use eventlog_state::{Follower, Keep};
use ghc_eventlog::notes::Note;
use ghc_eventlog::{BlockBuilder, EventBody, Header};

/// What is followed of a stream that may be cut.
pub fn keep() -> Keep {
    Keep {
        info_tables: false,
        oddities: false,
        ..Keep::all()
    }
}

/// The beginning of a file that goes on at this place of a stream, in bytes from
/// its header, to which `follower` has come; `file` is the one before. `None` if the stream cannot be cut here.
pub fn prologue(
    follower: &mut Follower,
    header: &Header,
    offset: u64,
    file: &str,
) -> Option<Vec<u8>> {
    let beginning = follower.beginning()?;
    let (begin, end) = (beginning.begins_at(), beginning.ends_at());
    let mut out = header.as_bytes().to_vec();
    tell(header, begin, Note::Prologue { offset, file }, &mut out);
    if beginning.state().is_incomplete() {
        tell(header, begin, Note::NotAllRepeated, &mut out);
    }
    beginning.write(&mut |bytes| out.extend_from_slice(bytes));
    tell(header, end, Note::PrologueEnd { offset }, &mut out);
    Some(out)
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
