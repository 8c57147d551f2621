//! The header: which event types the log declares, and how long they are.

use crate::declaration::{TYPE_BEGIN, TYPE_END, marker_is_sound};
use crate::event_type::EventType;
use crate::ids::BLOCK_MARKER;
use crate::layout::{EVENT_HEAD, HEADER_SIGN, HEADER_TAIL, MARKER_LEN, MAX_HEADER};
use crate::names;
use crate::old;
use crate::sizes::SizeTable;
use std::borrow::Cow;
use std::fmt;

/// A complete header.
#[derive(Clone, PartialEq, Eq)]
pub struct Header {
    raw: Vec<u8>,
    types: Vec<EventType>,
    sizes: SizeTable,
}

impl Header {
    pub(crate) fn new(raw: Vec<u8>, mut types: Vec<EventType>) -> Self {
        if old::declares_wrong_sizes(types.iter().map(|kind| (kind.id, kind.size))) {
            for kind in &mut types {
                kind.size = old::corrected(kind.id, kind.size);
            }
        }
        let sizes = SizeTable::new(types.iter().map(|kind| (kind.id, kind.size)));
        Self { raw, types, sizes }
    }

    /// Makes a header that declares these types, in this order.
    ///
    /// `None` if it would be longer than [`MAX_HEADER`], or if it declares
    /// block markers in a way that no decoder understands.
    pub fn from_types(types: Vec<EventType>) -> Option<Self> {
        let mut raw = Vec::new();
        raw.extend_from_slice(HEADER_SIGN);
        for kind in &types {
            if !marker_is_sound(kind.id, kind.size) || kind.size == Some(0xffff) {
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
        raw.extend_from_slice(HEADER_TAIL);
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

    /// The declaration of one type. If it is declared twice, the last
    /// declaration counts.
    pub fn event_type(&self, id: u16) -> Option<&EventType> {
        self.types.iter().rfind(|kind| kind.id == id)
    }

    pub(crate) fn sizes(&self) -> &SizeTable {
        &self.sizes
    }

    /// The header for a log with the same events in blocks made by this crate:
    /// this one, unless it declares no block markers, or longer ones than this
    /// crate makes, or a type twice. Then it is a corrected copy.
    pub fn for_new_blocks(&self) -> Cow<'_, Self> {
        let mut types: Vec<EventType> = Vec::with_capacity(self.types.len());
        for kind in &self.types {
            // The last declaration counts, at the place of the first.
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
