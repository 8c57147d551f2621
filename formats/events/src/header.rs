//! The header: which event types the log declares, and how long they are.

use crate::event_type::{DATA_END, EVENT_HEAD, EventType, MARKER_LEN};
use crate::ids::{BLOCK_MARKER, IPE, STOP_THREAD};
use crate::names;
use crate::old;
use std::borrow::Cow;
use std::fmt;

/// The longest header that is accepted. Real ones have about 3 KiB.
pub const MAX_HEADER: usize = 1 << 20;

pub(crate) const HEADER_BEGIN: &[u8; 4] = b"hdrb";
pub(crate) const HEADER_END: &[u8; 4] = b"hdre";
pub(crate) const TYPES_BEGIN: &[u8; 4] = b"hetb";
pub(crate) const TYPES_END: &[u8; 4] = b"hete";
pub(crate) const TYPE_BEGIN: &[u8; 4] = b"etb\0";
pub(crate) const TYPE_END: &[u8; 4] = b"ete\0";
pub(crate) const DATA_BEGIN: &[u8; 4] = b"datb";

/// A complete header.
#[derive(Clone, PartialEq, Eq)]
pub struct Header {
    raw: Vec<u8>,
    types: Vec<EventType>,
    sizes: SizeTable,
}

impl Header {
    pub(crate) fn new(raw: Vec<u8>, mut types: Vec<EventType>) -> Self {
        old::correct_sizes(&mut types);
        let sizes = SizeTable::new(&types);
        Self { raw, types, sizes }
    }

    /// Makes a header that declares these types, in this order.
    ///
    /// `None` if it would be longer than [`MAX_HEADER`], or if it declares
    /// block markers in a way that no decoder understands.
    pub fn from_types(types: Vec<EventType>) -> Option<Self> {
        let mut raw = Vec::new();
        raw.extend_from_slice(HEADER_BEGIN);
        raw.extend_from_slice(TYPES_BEGIN);
        for kind in &types {
            if !marker_is_sound(kind) || kind.size == Some(0xffff) {
                return None;
            }
            raw.extend_from_slice(TYPE_BEGIN);
            raw.extend_from_slice(&kind.id.to_be_bytes());
            raw.extend_from_slice(&kind.size.unwrap_or(0xffff).to_be_bytes());
            for bytes in [kind.description.as_bytes(), &kind.extra] {
                raw.extend_from_slice(&u32::try_from(bytes.len()).ok()?.to_be_bytes());
                raw.extend_from_slice(bytes);
            }
            raw.extend_from_slice(TYPE_END);
        }
        raw.extend_from_slice(TYPES_END);
        raw.extend_from_slice(HEADER_END);
        raw.extend_from_slice(DATA_BEGIN);
        (raw.len() <= MAX_HEADER).then(|| Self::new(raw, types))
    }

    /// A header that declares every type that this crate knows, with the
    /// sizes of current logs.
    pub fn standard() -> Self {
        let types = names::declared().map(|(id, name, size)| EventType {
            id,
            size,
            description: name.replace('_', " "),
            extra: Vec::new(),
        });
        Self::from_types(types.collect()).expect("the known types fit a header")
    }

    /// The bytes of the header, from `hdrb` to `datb`, as they were read.
    pub fn as_bytes(&self) -> &[u8] {
        &self.raw
    }

    /// The declared types, in the order of the header.
    pub fn types(&self) -> &[EventType] {
        &self.types
    }

    /// The declaration of one type. Where it is declared twice the last counts.
    pub fn event_type(&self, id: u16) -> Option<&EventType> {
        self.types.iter().rfind(|kind| kind.id == id)
    }

    pub(crate) fn sizes(&self) -> &SizeTable {
        &self.sizes
    }

    /// The header to begin a log with that has the same events in blocks made
    /// by this crate: this one, unless it declares no block markers, or longer
    /// ones than it makes, or a type twice. Then it says the same without that.
    pub fn for_new_blocks(&self) -> Cow<'_, Self> {
        let mut types: Vec<EventType> = Vec::with_capacity(self.types.len());
        for kind in &self.types {
            // The last declaration counts, in the place of the first.
            match types.iter_mut().find(|known| known.id == kind.id) {
                Some(known) => *known = kind.clone(),
                None => types.push(kind.clone()),
            }
        }
        let payload = Some((MARKER_LEN - EVENT_HEAD) as u16);
        let twice = types.len() < self.types.len();
        let marker = match types.iter_mut().find(|kind| kind.id == BLOCK_MARKER) {
            Some(marker) => std::mem::replace(&mut marker.size, payload) == payload,
            None => {
                types.push(EventType {
                    id: BLOCK_MARKER,
                    size: payload,
                    description: "Block marker".to_owned(),
                    extra: Vec::new(),
                });
                false
            }
        };
        match Self::from_types(types) {
            Some(header) if twice || !marker => Cow::Owned(header),
            _ => Cow::Borrowed(self),
        }
    }
}

impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Header")
            .field("bytes", &self.raw.len())
            .field("types", &self.types)
            .finish()
    }
}

/// Block markers must have the fields that delimit a block.
pub(crate) fn marker_is_sound(kind: &EventType) -> bool {
    kind.id != BLOCK_MARKER
        || kind
            .size
            .is_some_and(|size| usize::from(size) + 10 >= MARKER_LEN)
}

/// Payload sizes by type number: one load decides how an event is delimited.
///
/// Types of 256 and more are kept apart, so that a header cannot make the
/// table large by declaring a single high number, and so that the look-up
/// needs but one byte and no bounds check: it is the longest link in the chain
/// from one event to the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SizeTable {
    low: [u32; 256],
    high: Vec<(u16, u32)>,
    /// Of types with the mark [`Size::SHIFTED`].
    shifted: Option<u16>,
}

impl Default for SizeTable {
    fn default() -> Self {
        Self {
            low: [Size::UNDECLARED.0; 256],
            high: Vec::new(),
            shifted: None,
        }
    }
}

/// How events of a type are delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size(u32);

impl Size {
    /// The type is not declared.
    pub(crate) const UNDECLARED: Self = Self(u32::MAX);
    /// Each event tells its own length.
    pub(crate) const VARIABLE: Self = Self(u32::MAX - 1);
    /// By a rule of its own: block markers and info tables.
    pub(crate) const SPECIAL: Self = Self(u32::MAX - 2);
    /// All have the same size, kept apart because the stop codes in them are
    /// those of GHC 7.8.2: the fast way through a log need not know of it.
    pub(crate) const SHIFTED: Self = Self(u32::MAX - 3);

    /// The size, of a type whose events all have the same.
    #[inline(always)]
    pub(crate) fn fixed(self) -> Option<usize> {
        (self.0 <= 0xffff).then_some(self.0 as usize)
    }
}

impl SizeTable {
    fn new(types: &[EventType]) -> Self {
        let mut low = [Size::UNDECLARED.0; 256];
        let mut high = Vec::new();
        let mut shifted = None;
        let shifts = old::shifts_stop_codes(types);
        for kind in types {
            let size = match (kind.id, kind.size) {
                (DATA_END, _) => continue,
                (BLOCK_MARKER, _) | (IPE, None) => Size::SPECIAL.0,
                (_, None) => Size::VARIABLE.0,
                (STOP_THREAD, Some(size)) if shifts => {
                    shifted = Some(size);
                    Size::SHIFTED.0
                }
                (_, Some(size)) => size.into(),
            };
            match low.get_mut(usize::from(kind.id)) {
                Some(slot) => *slot = size,
                None => high.push((kind.id, size)),
            }
        }
        // Stable, so that the last of several declarations is the last.
        high.sort_by_key(|&(id, _)| id);
        Self { low, high, shifted }
    }

    /// The bytes of all payloads of this size, if they have the same.
    pub(crate) fn fixed(&self, size: Size) -> Option<usize> {
        match size == Size::SHIFTED {
            true => self.shifted.map(usize::from),
            false => size.fixed(),
        }
    }

    /// Whether stop codes are those of GHC 7.8.2.
    pub(crate) fn shifts_stop_codes(&self) -> bool {
        self.shifted.is_some()
    }

    /// Of a type below 256.
    #[inline(always)]
    pub(crate) fn low(&self, id: u8) -> Size {
        Size(self.low[usize::from(id)])
    }

    pub(crate) fn get(&self, id: u16) -> Size {
        if let Ok(id) = u8::try_from(id) {
            return self.low(id);
        }
        let after = self.high.partition_point(|&(other, _)| other <= id);
        match after.checked_sub(1).map(|at| self.high[at]) {
            Some((found, size)) if found == id => Size(size),
            _ => Size::UNDECLARED,
        }
    }

    /// Whether an item of this type may begin here.
    pub(crate) fn declares(&self, id: u16) -> bool {
        id == DATA_END || self.get(id) != Size::UNDECLARED
    }
}
