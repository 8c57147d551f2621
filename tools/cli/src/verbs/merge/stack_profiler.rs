//! New numbers in the messages of ghc-stack-profiler.
//!
//! All numbers are big-endian. `FF CA` and `FF CB` are stacks: a capability and
//! a thread of four bytes each, how many entries there are (two bytes), and
//! these: `01` an info table, `02` a string, `03` a string and a place in the
//! source, eight bytes each. `FF CC` gives a string its number, `FF CD` a place:
//! line and column, four bytes each, and the string with the name of the file.

/// New numbers for old ones.
pub trait Numbers {
    fn cap(&self, cap: u16) -> u16;
    fn thread(&self, thread: u32) -> u32;
    /// Of an info table.
    fn address(&self, address: u64) -> u64;
    /// For a string or a place, which a program numbers itself.
    fn counted(&self, number: u64) -> u64;
}

/// Writes the message with new numbers; `None` if it is not of that protocol, or only in part.
pub fn renumber(numbers: &impl Numbers, message: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut copy = Copy {
        numbers,
        rest: message,
        out,
    };
    match copy.some(2)? {
        [0xff, 0xca | 0xcb] => copy.stack()?,
        [0xff, 0xcc] => {
            copy.number()?;
            copy.some(copy.rest.len())?;
        }
        [0xff, 0xcd] => {
            copy.number()?;
            copy.some(8)?;
            copy.number()?;
        }
        _ => return None,
    }
    copy.rest.is_empty().then_some(())
}

struct Copy<'a, 'o, N> {
    numbers: &'a N,
    rest: &'a [u8],
    out: &'o mut Vec<u8>,
}

impl<'a, N: Numbers> Copy<'a, '_, N> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    /// Bytes as they are.
    fn some(&mut self, count: usize) -> Option<&'a [u8]> {
        let taken = self.take(count)?;
        self.out.extend_from_slice(taken);
        Some(taken)
    }

    fn word(&mut self) -> Option<u32> {
        self.take(4)?.first_chunk().copied().map(u32::from_be_bytes)
    }

    /// The number of a string or a place.
    fn number(&mut self) -> Option<()> {
        let number = self.long()?;
        let number = self.numbers.counted(number).to_be_bytes();
        self.out.extend_from_slice(&number);
        Some(())
    }

    fn info_table(&mut self) -> Option<()> {
        let info = self.long()?;
        let info = self.numbers.address(info).to_be_bytes();
        self.out.extend_from_slice(&info);
        Some(())
    }

    fn long(&mut self) -> Option<u64> {
        self.take(8)?.first_chunk().copied().map(u64::from_be_bytes)
    }

    fn stack(&mut self) -> Option<()> {
        let cap = u16::try_from(self.word()?).ok()?;
        let thread = self.word()?;
        let thread = self.numbers.thread(thread);
        let cap = u32::from(self.numbers.cap(cap));
        self.out.extend_from_slice(&cap.to_be_bytes());
        self.out.extend_from_slice(&thread.to_be_bytes());
        let entries = self.some(2)?;
        for _ in 0..u16::from_be_bytes(*entries.first_chunk()?) {
            match self.some(1)? {
                [1] => self.info_table()?,
                [2] => self.number()?,
                [3] => {
                    self.number()?;
                    self.number()?;
                }
                _ => return None,
            }
        }
        Some(())
    }
}
