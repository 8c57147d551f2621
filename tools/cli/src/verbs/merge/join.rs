//! Parts of one recording, put together again.
//!
//! Each part after the first begins by repeating what the earlier ones contain. Where that is
//! marked, it is dropped, and what is left is the stream as it was, byte for byte. Otherwise events
//! are copied, without those that repeat what is known: what the runtime system repeats when a log
//! is started again, and what files of earlier versions repeat.

use super::survey::Survey;
use crate::errors::{self, Advise};
use crate::progress::Progress;
use anyhow::Result;
use eventlog_source::{Connection, Source};
use eventlog_state::{Keep, State, Turn};
use ghc_eventlog::{BlockBuilder, BlockEnds, Event, EventBody, Header, Item, ReadError, Reader};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The most bytes of a block that are held.
const LARGEST: usize = 8 << 20;

/// Whether the parts record where in one stream they are, and can be copied as they are.
pub fn is_marked(surveys: &[Survey]) -> bool {
    let [first, rest @ ..] = surveys else {
        return false;
    };
    // A block that breaks off declares more bytes than it has.
    let whole = |part: &Survey| !part.goes_on && part.block_end <= part.end;
    surveys.iter().all(whole)
        && rest.iter().all(|part| {
            let marked = part.prologue.is_some_and(|it| it.offset.is_some());
            marked && part.header.as_bytes() == first.header.as_bytes()
        })
}

/// Copies what the parts have of the stream; the first one whole. Returns how many events were left
/// out.
pub fn copy(paths: &[PathBuf], surveys: &[Survey], out: &mut impl Write) -> Result<u64> {
    let mut repeated = 0;
    // Where in the stream the previous part ends.
    let mut before: Option<(Option<u64>, &Path)> = None;
    for (path, survey) in paths.iter().zip(surveys) {
        let header = survey.header.as_bytes().len() as u64;
        let (begins, offset) = match survey.prologue {
            Some(prologue) => (prologue.end, prologue.offset),
            None => (survey.body, Some(header)),
        };
        let mut from = survey.body;
        if let Some((ended, other)) = before {
            from = begins;
            repeated += survey.prologue.map_or(0, |prologue| prologue.events);
            if let (Some(ended), Some(offset)) = (ended, offset) {
                follows(path, offset, other, ended);
            }
        }
        let shown = path.display();
        let cannot = format!("cannot read {shown}");
        let mut file = open(path)?;
        io::copy(&mut (&mut file).take(from), &mut io::sink()).advise(&cannot, "")?;
        let mut rest = file.take(survey.end - from);
        // Not io::copy, which would not report which of the two failed.
        let mut buffer = vec![0; 256 << 10];
        loop {
            let count = match rest.read(&mut buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                read => read.advise(&cannot, "")?,
            };
            if count == 0 {
                break;
            }
            out.write_all(&buffer[..count])?;
        }
        before = Some((offset.map(|at| at + survey.end - begins), path));
    }
    Ok(repeated)
}

/// Warns if a part does not continue where the previous one ends.
fn follows(path: &Path, begins: u64, before: &Path, ended: u64) {
    let (path, before) = (path.display(), before.display());
    match begins.checked_sub(ended) {
        Some(0) => {}
        Some(missing) => errors::warn(format_args!(
            "{missing} bytes of the stream are missing between {before} and {path}"
        )),
        None => errors::warn(format_args!(
            "{path} begins {} bytes of the stream before {before} ends: are the files in the \
             order in which they were recorded?",
            ended - begins
        )),
    }
}

fn open(path: &Path) -> Result<Connection> {
    let shown = path.display();
    let mut file = Connection::open(path).advise(format_args!("cannot open {shown}"), "")?;
    let size = Source::File(path.to_owned()).log_size();
    Progress::always("joining", size).watch(&mut file);
    Ok(file)
}

/// Puts the events of parts together.
pub struct Join {
    /// The state that the parts so far have defined.
    state: State,
    ends: BlockEnds,
    header: Arc<Header>,
    /// Events that were left out.
    pub repeated: u64,
    pub dropped: u64,
}

impl Join {
    pub fn new(header: &Arc<Header>) -> Self {
        let keep = Keep {
            info_tables: false,
            spans: false,
            oddities: false,
            ..Keep::all()
        };
        Self {
            state: State::new(header, keep),
            ends: BlockEnds::default(),
            header: Arc::clone(header),
            repeated: 0,
            dropped: 0,
        }
    }

    /// Copies a part, from that byte on. Returns the fault that ended it, if any.
    pub fn part(
        &mut self,
        path: &Path,
        from: u64,
        out: &mut impl Write,
    ) -> Result<Option<ghc_eventlog::Error>> {
        let mut reader = Reader::new(open(path)?);
        let mut block = BlockBuilder::new(None);
        let mut end = None;
        let mut all_repeated = false;
        let fault = loop {
            match reader.next_item() {
                Ok(Some(Item::Event(event))) => {
                    if event.offset < from || self.repeats(&event) {
                        self.repeated += 1;
                        all_repeated = block.is_empty();
                        continue;
                    }
                    all_repeated = false;
                    self.state.apply(&event, Turn::Early, &mut |_| {});
                    if end.is_none() && block.cap() != event.cap {
                        block.reset(event.cap);
                    }
                    if event.fits(&self.header) {
                        block.push(&event);
                    } else {
                        let pushed = block.push_body(&self.header, event.time, &event.body);
                        self.dropped += u64::from(pushed.is_err());
                    }
                    if block.len() >= LARGEST {
                        self.ends.write(&mut block, out)?;
                        block.reset(event.cap);
                    }
                }
                Ok(Some(Item::Block(next))) if next.offset < from => {}
                Ok(Some(Item::Block(next))) => {
                    // A marker that was only written for these events is not needed.
                    if !std::mem::take(&mut all_repeated) {
                        self.close(&mut block, end, out)?;
                    }
                    block.reset(next.cap);
                    end = Some((next.time, next.end));
                }
                Ok(Some(Item::Header)) => {
                    self.close(&mut block, end.take(), out)?;
                    block.reset(None);
                }
                Ok(Some(_)) => {}
                Ok(None) => break None,
                Err(ReadError::Format(fault)) => break Some(fault),
                Err(ReadError::Io(error)) => {
                    let shown = path.display();
                    return Err(error).advise(format_args!("cannot read {shown}"), "");
                }
            }
        };
        self.close(&mut block, end, out)?;
        let left = reader.ending().left;
        if left > 0 {
            let shown = path.display();
            errors::warn(format_args!(
                "{shown} ends with {left} bytes of an incomplete event"
            ));
        }
        Ok(fault)
    }

    /// Whether an event repeats what is known.
    fn repeats(&self, event: &Event<'_>) -> bool {
        match event.body {
            EventBody::CreateThread { thread } => self.state.thread(thread).is_some(),
            EventBody::RunThread { thread } => {
                let cap = event.cap.and_then(|cap| self.state.cap(cap));
                let running = cap.and_then(|cap| cap.running());
                running.is_some_and(|(other, _)| other == thread)
            }
            _ => self.state.definitions().repeats(event),
        }
    }

    fn close(
        &mut self,
        block: &mut BlockBuilder,
        times: Option<(u64, u64)>,
        out: &mut impl Write,
    ) -> Result<()> {
        if let Some((begin, end)) = times {
            block.cover(begin.min(end), end);
        } else if block.is_empty() {
            return Ok(());
        }
        Ok(self.ends.write(block, out)?)
    }
}
