//! The macro behind the table of events in `body.rs`.
//!
//! One row of the table gives an event's number and the name of the constant
//! for it, the size of its payload in current logs, its machine name, and its
//! fields in wire order. The constants, the enum, its decoder, its encoder, the
//! visitor of fields and the table of names are all generated from it, so they
//! cannot disagree.

macro_rules! payload_size {
    (var) => {
        None
    };
    ($size:literal) => {
        Some($size)
    };
}

macro_rules! event_table {
    ($(
        $(#[doc = $doc:expr])*
        $Variant:ident $CONSTANT:ident = $id:literal, $size:tt, $name:literal
        $({ $( $(#[doc = $fdoc:expr])* $field:ident : $form:ident $ty:ty, )* })? ;
    )*
    @untyped $( $UNTYPED:ident = $raw_id:literal, $raw_name:literal; )*) => {
        /// The numbers, for `ids.rs`.
        pub(crate) mod constants {
            $( $(#[doc = $doc])* pub const $CONSTANT: u16 = $id; )*
            $(
                #[doc = concat!("`", $raw_name, "`: has no typed body.")]
                pub const $UNTYPED: u16 = $raw_id;
            )*
        }

        /// What happened: the typed payload of an event.
        ///
        /// Strings and lists are borrowed from the input. A payload longer
        /// than the known fields is decoded without its tail; one that is too
        /// short for them, or of an unknown type, is
        /// [`Unknown`](Self::Unknown).
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum EventBody<'a> {
            $(
                $(#[doc = $doc])*
                $Variant $({ $( $(#[doc = $fdoc])* $field: $ty, )* })?,
            )*
            /// An event of a type that this crate does not know, or whose
            /// payload is too short for the type.
            Unknown {
                /// Its type.
                id: u16,
                /// Its payload.
                payload: &'a [u8],
            },
        }

        impl<'a> EventBody<'a> {
            /// Decodes a payload into its type. Never fails: if it does not
            /// fit, the result is [`Unknown`](Self::Unknown).
            #[inline(always)]
            #[allow(unused_labels)]
            pub fn decode(id: u16, payload: &'a [u8]) -> Self {
                // Every arm returns by itself: the fields are then stored in
                // place at once, not by way of the largest variant.
                match id {
                    $( $id => 'short: {
                        #[allow(unused_mut, unused_variables)]
                        let mut cursor = Cursor(payload);
                        $($(
                            let Some($field) = wire::$form::get(&mut cursor) else {
                                break 'short;
                            };
                        )*)?
                        #[allow(unreachable_code)]
                        return Self::$Variant $({ $($field),* })?;
                    } )*
                    _ => {}
                }
                Self::Unknown { id, payload }
            }

            /// The number of this event's type.
            pub fn id(&self) -> u16 {
                match *self {
                    $( Self::$Variant { .. } => $id, )*
                    Self::Unknown { id, .. } => id,
                }
            }

            /// Appends the payload as it is stored in a log, without any
            /// length.
            pub fn encode_payload(&self, out: &mut Vec<u8>) {
                match *self {
                    $( Self::$Variant $({ $($field),* })? => {
                        $($( wire::$form::put($field, out); )*)?
                    } )*
                    Self::Unknown { payload, .. } => out.extend_from_slice(payload),
                }
            }

            /// Calls `visit` with the name and value of each field, in wire
            /// order. Fields that an older log does not have are left out.
            pub fn fields(&self, mut visit: impl FnMut(&'static str, Value<'a>)) {
                let _ = &mut visit;
                match *self {
                    $( Self::$Variant $({ $($field),* })? => {
                        $($( if let Some(value) = Field::value($field) {
                            visit(stringify!($field), value);
                        } )*)?
                    } )*
                    Self::Unknown { id, payload } => {
                        visit("id", Value::UInt(id.into()));
                        visit("payload", Value::Blob(payload));
                    }
                }
            }
        }

        /// Number, machine name and payload size (`None`: variable) of every
        /// typed event, in the order of the table.
        pub(crate) const TABLE: &[(u16, &str, Option<u16>)] =
            &[ $( ($id, $name, payload_size!($size)), )* ];

        /// Number and machine name of the types that have no typed body.
        pub(crate) const UNTYPED: &[(u16, &str)] = &[ $( ($raw_id, $raw_name), )* ];

        /// Number and constant of every type, to compare their names.
        #[cfg(test)]
        pub(crate) const CONSTANTS: &[(u16, &str)] = &[
            $( ($id, stringify!($CONSTANT)), )*
            $( ($raw_id, stringify!($UNTYPED)), )*
        ];

        /// The machine name of a typed event.
        pub(crate) fn name_of(id: u16) -> Option<&'static str> {
            match id {
                $( $id => Some($name), )*
                _ => None,
            }
        }
    };
}
