//! Where [`Order`](crate::Order) keeps the bytes of the events that it holds.

/// Bytes of events, in pieces that are reused once all their events have been
/// taken.
#[derive(Debug, Default)]
pub(crate) struct Chunks {
    chunks: Vec<Chunk>,
    free: Vec<u32>,
    current: Option<u32>,
    /// The chunk of the event handed out last: it is freed when the next one is
    /// asked for.
    spent: Option<u32>,
    bytes: usize,
}

#[derive(Debug, Default)]
struct Chunk {
    bytes: Vec<u8>,
    events: u32,
}

/// Size at which a chunk is full, in bytes.
const CHUNK: usize = 64 * 1024;

impl Chunks {
    /// Copies the bytes of an event; returns their place.
    pub(crate) fn keep(&mut self, raw: &[u8]) -> (u32, u32) {
        let full = |chunk: &Chunk| !chunk.bytes.is_empty() && chunk.bytes.len() + raw.len() > CHUNK;
        let index = match self.current {
            Some(index) if !full(&self.chunks[index as usize]) => index,
            _ => {
                let index = self.free.pop().unwrap_or_else(|| {
                    self.chunks.push(Chunk::default());
                    self.chunks.len() as u32 - 1
                });
                self.current = Some(index);
                index
            }
        };
        let chunk = &mut self.chunks[index as usize];
        let at = chunk.bytes.len() as u32;
        let before = chunk.bytes.capacity();
        chunk.bytes.extend_from_slice(raw);
        self.bytes += chunk.bytes.capacity() - before;
        chunk.events += 1;
        (index, at)
    }

    /// The bytes of an event. They can be taken once.
    pub(crate) fn take(&mut self, (index, at): (u32, u32), length: u32) -> &[u8] {
        let chunk = &mut self.chunks[index as usize];
        chunk.events -= 1;
        if chunk.events == 0 {
            self.spent = Some(index);
        }
        &chunk.bytes[at as usize..][..length as usize]
    }

    /// Frees the chunk that the last [`take`](Self::take) emptied.
    pub(crate) fn release(&mut self) {
        let Some(index) = self.spent.take() else {
            return;
        };
        let chunk = &mut self.chunks[index as usize];
        if chunk.events > 0 {
            return;
        }
        self.bytes -= chunk.bytes.capacity();
        chunk.bytes = Vec::new();
        if self.current != Some(index) {
            self.free.push(index);
        }
    }

    /// Bytes allocated.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}
