//! Writing a recording that is packed with zstd, so that it can be read wherever it breaks off.

use crate::files::{Packed, Packer};
use std::fs::File;
use std::io::{self, Write};
use std::time::{Duration, Instant};

/// The longest time that one frame covers. An incomplete frame may be lost if we are killed;
/// together with the interval at which the clock is read, that is less than a second.
const LONGEST: Duration = Duration::from_millis(800);

/// A file of zstd frames, one after the other.
pub struct Frames {
    /// `None` only after an error.
    out: Option<Out>,
    begun: Instant,
    packed: Packed,
}

enum Out {
    Between(Counted),
    Frame(Packer<Counted>),
}

/// A file, and how much was written to it.
struct Counted {
    file: File,
    bytes: u64,
}

impl Frames {
    /// Frames in this file; the bytes as they are if it is not to be packed.
    pub fn new(file: File, packed: Packed) -> Self {
        Self {
            out: Some(Out::Between(Counted { file, bytes: 0 })),
            begun: Instant::now(),
            packed,
        }
    }

    /// Bytes in the file.
    pub fn bytes(&self) -> u64 {
        match &self.out {
            Some(Out::Between(out)) => out.bytes,
            Some(Out::Frame(packer)) => packer.get_ref().bytes,
            None => 0,
        }
    }

    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut packer = match self.out.take() {
            Some(Out::Between(mut out)) if self.packed == Packed::No => {
                let written = out.write_all(bytes);
                self.out = Some(Out::Between(out));
                return written;
            }
            Some(Out::Between(out)) => {
                self.begun = Instant::now();
                Packer::new(self.packed, out)?
            }
            Some(Out::Frame(packer)) => packer,
            None => return Err(io::ErrorKind::BrokenPipe.into()),
        };
        packer.write_all(bytes)?;
        self.out = Some(Out::Frame(packer));
        self.look_at_the_clock()
    }

    /// Ends the frame if it is time to.
    pub fn look_at_the_clock(&mut self) -> io::Result<()> {
        if self.begun.elapsed() >= LONGEST {
            self.end_frame()
        } else {
            Ok(())
        }
    }

    /// From here on all that was written can be read.
    pub fn end_frame(&mut self) -> io::Result<()> {
        self.out = match self.out.take() {
            Some(Out::Frame(packer)) => Some(Out::Between(packer.finish()?)),
            other => other,
        };
        Ok(())
    }

    /// Ends the frame, and gives the file.
    pub fn end(&mut self) -> io::Result<&File> {
        self.end_frame()?;
        match &self.out {
            Some(Out::Between(out)) => Ok(&out.file),
            _ => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes)?;
        self.bytes += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
