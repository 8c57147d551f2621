//! Unpacks logs that were compressed with gzip or zstd, as they are read.
//!
//! Whether a source is packed is determined by its first bytes, not by its name. Bytes are pushed
//! in as they arrive and taken out as far as they can be unpacked, so that a file which is still
//! being written can be followed. A compressed file that is cut off ends where its data end.

use flate2::write::MultiGzDecoder;
use std::fmt;
use std::io::{self, Write};
use zstd::stream::raw::{Decoder as ZstdDecoder, Operation};

/// How much of the source to read for one push. gzip packs at most about a thousand bytes into one,
/// so this bounds what one push can produce.
pub(crate) const PUSH: usize = 4 << 10;
/// Size of the buffer for what zstd unpacks at a time.
const ROOM: usize = 128 << 10;

const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
/// Skippable frames, with which some tools begin: 0x184D2A50 to 0x184D2A5F.
const ZSTD_SKIPPABLE: &[u8] = &[0x2a, 0x4d, 0x18];

/// How a source is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Packing {
    /// With gzip: `.gz`.
    Gzip,
    /// With Zstandard: `.zst`.
    Zstd,
}

impl fmt::Display for Packing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        })
    }
}

/// Whether a read error means that packed data are damaged: the source can be read, but not
/// unpacked any further.
pub fn is_damage(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::InvalidData
}

/// What the first bytes of a source show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sniffed {
    Plain,
    Packed(Packing),
    /// There are too few bytes.
    Undecided,
}

/// Looks at the first bytes of a source.
pub(crate) fn sniff(bytes: &[u8]) -> Sniffed {
    let skippable = matches!(bytes, [0x50..=0x5f, rest @ ..] if begins(rest, ZSTD_SKIPPABLE));
    if bytes.starts_with(GZIP) {
        Sniffed::Packed(Packing::Gzip)
    } else if bytes.len() >= 4 && (bytes.starts_with(ZSTD) || skippable) {
        Sniffed::Packed(Packing::Zstd)
    } else if begins(bytes, GZIP) || begins(bytes, ZSTD) || skippable {
        Sniffed::Undecided
    } else {
        Sniffed::Plain
    }
}

/// Whether the bytes match the magic number, as far as they go.
fn begins(bytes: &[u8], magic: &[u8]) -> bool {
    bytes.iter().zip(magic).all(|(a, b)| a == b)
}

/// Unpacks a source if it is packed.
pub(crate) struct Unpack {
    state: State,
    /// Unpacked bytes, and how many of them were taken.
    unpacked: Vec<u8>,
    taken: usize,
    fault: Option<io::Error>,
}

enum State {
    /// The first bytes, while they are too few.
    Undecided(Vec<u8>),
    Plain,
    Gzip(Box<MultiGzDecoder<Vec<u8>>>),
    /// With a buffer for its output.
    Zstd(ZstdDecoder<'static>, Box<[u8]>),
    /// Nothing more can be unpacked.
    Over,
}

impl Default for Unpack {
    fn default() -> Self {
        Self {
            state: State::Undecided(Vec::new()),
            unpacked: Vec::new(),
            taken: 0,
            fault: None,
        }
    }
}

impl Unpack {
    /// Whether everything pushed has been taken, and the rest can be read directly.
    pub(crate) fn is_plain(&self) -> bool {
        matches!(self.state, State::Plain) && self.taken == self.unpacked.len()
    }

    /// How it is packed, as far as that is known already.
    pub(crate) fn packing(&self) -> Option<Packing> {
        match self.state {
            State::Gzip(_) => Some(Packing::Gzip),
            State::Zstd(..) => Some(Packing::Zstd),
            State::Undecided(_) | State::Plain | State::Over => None,
        }
    }

    /// Takes bytes of the source.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        let begun = match &mut self.state {
            State::Undecided(begun) => {
                begun.extend_from_slice(bytes);
                std::mem::take(begun)
            }
            _ => return self.unpack(bytes),
        };
        self.state = match sniff(&begun) {
            Sniffed::Undecided => {
                self.state = State::Undecided(begun);
                return;
            }
            Sniffed::Plain => State::Plain,
            Sniffed::Packed(Packing::Gzip) => {
                State::Gzip(Box::new(MultiGzDecoder::new(Vec::new())))
            }
            Sniffed::Packed(Packing::Zstd) => match ZstdDecoder::new() {
                Ok(decoder) => State::Zstd(decoder, vec![0; ROOM].into()),
                Err(error) => {
                    self.fault = Some(error);
                    State::Over
                }
            },
        };
        self.unpack(&begun);
    }

    /// The source has ended, at least for now: if it is undecided, it is not a packed log.
    pub(crate) fn end(&mut self) {
        if let State::Undecided(begun) = &mut self.state
            && !begun.is_empty()
        {
            self.unpacked = std::mem::take(begun);
            self.state = State::Plain;
        }
    }

    /// Copies unpacked bytes into `buffer`; `None` if more must be pushed first.
    pub(crate) fn take(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        let left = &self.unpacked[self.taken..];
        if left.is_empty() {
            self.unpacked.clear();
            self.taken = 0;
            return self.fault.take().map_or(Ok(None), Err);
        }
        let count = left.len().min(buffer.len());
        buffer[..count].copy_from_slice(&left[..count]);
        self.taken += count;
        Ok(Some(count))
    }

    fn unpack(&mut self, bytes: &[u8]) {
        let (packing, result) = match &mut self.state {
            State::Undecided(_) | State::Over => return,
            State::Plain => {
                self.unpacked.extend_from_slice(bytes);
                return;
            }
            State::Gzip(decoder) => (Packing::Gzip, gunzip(decoder, bytes, &mut self.unpacked)),
            State::Zstd(decoder, room) => (
                Packing::Zstd,
                unzstd(decoder, room, bytes, &mut self.unpacked),
            ),
        };
        if let Err(error) = result {
            // Reported once everything before it has been taken.
            let message = format!("the {packing} data are damaged ({error})");
            self.fault = Some(io::Error::new(io::ErrorKind::InvalidData, message));
            self.state = State::Over;
        }
    }
}

fn gunzip(
    decoder: &mut MultiGzDecoder<Vec<u8>>,
    bytes: &[u8],
    unpacked: &mut Vec<u8>,
) -> io::Result<()> {
    let result = decoder.write_all(bytes).and_then(|()| decoder.flush());
    unpacked.append(decoder.get_mut());
    result
}

fn unzstd(
    decoder: &mut ZstdDecoder<'static>,
    room: &mut [u8],
    mut bytes: &[u8],
    unpacked: &mut Vec<u8>,
) -> io::Result<()> {
    loop {
        let status = decoder.run_on_buffers(bytes, room)?;
        unpacked.extend_from_slice(&room[..status.bytes_written]);
        bytes = &bytes[status.bytes_read..];
        // If the output is full, there may be more output without any input.
        if bytes.is_empty() && status.bytes_written < room.len() {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        zstd::stream::encode_all(bytes, 1).unwrap()
    }

    /// Pushes in small pieces; returns the output, and the fault.
    fn unpack(bytes: &[u8], piece: usize) -> (Vec<u8>, Option<io::Error>) {
        let (mut unpack, mut all, mut buffer) = (Unpack::default(), Vec::new(), [0; 1000]);
        let mut take = |unpack: &mut Unpack| {
            loop {
                match unpack.take(&mut buffer) {
                    Ok(Some(count)) => all.extend_from_slice(&buffer[..count]),
                    Ok(None) => return None,
                    Err(error) => return Some(error),
                }
            }
        };
        for piece in bytes.chunks(piece) {
            unpack.push(piece);
            if let Some(fault) = take(&mut unpack) {
                return (all, Some(fault));
            }
        }
        unpack.end();
        let fault = take(&mut unpack);
        (all, fault)
    }

    fn text() -> Vec<u8> {
        // Not too regular, so that it takes several blocks.
        (0..100_000u32)
            .flat_map(|n| (n.wrapping_mul(2_654_435_761) >> 12).to_be_bytes())
            .collect()
    }

    #[test]
    fn whatever_is_packed_comes_out_as_it_was() {
        let text = text();
        let (a, b) = text.split_at(170_000);
        for pack in [gzip, zstd] {
            let packed = [pack(a), pack(b"").to_vec(), pack(b)].concat();
            for piece in [7, PUSH, packed.len()] {
                let (all, fault) = unpack(&packed, piece);
                assert!(all == text && fault.is_none(), "{piece}: {fault:?}");
            }
        }
        let skippable = [
            &[0x53, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 9, 9],
            &zstd(&text)[..],
        ]
        .concat();
        assert!(unpack(&skippable, 3).0 == text);
    }

    #[test]
    fn what_is_not_packed_stays_as_it_is() {
        let plain: [&[u8]; 6] = [b"", b"hdrb", b"\x1f", b"\x28\xb5", b"\x28\xb5\x2f!", b"P"];
        for bytes in plain {
            let (all, fault) = unpack(bytes, 1);
            assert!(all == bytes && fault.is_none(), "{bytes:?}");
        }
    }

    #[test]
    fn what_breaks_off_ends_there_and_damage_is_told_after_what_came_before() {
        let text = text();
        for pack in [gzip, zstd] {
            let packed = pack(&text);
            let (all, fault) = unpack(&packed[..packed.len() / 2], PUSH);
            assert!(fault.is_none() && text.starts_with(&all), "{fault:?}");
            assert!(all.len() > text.len() / 10, "{}", all.len());
            let mut damaged = pack(&text[..1000]);
            damaged.extend_from_slice(b"no packed data");
            let (all, fault) = unpack(&damaged, PUSH);
            assert_eq!(all, &text[..1000]);
            assert_eq!(fault.expect("a fault").kind(), io::ErrorKind::InvalidData);
        }
    }
}
