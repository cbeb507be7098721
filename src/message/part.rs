//! The values beside a record: what is too large to be in it.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use super::text;

/// A value beside the record.
#[derive(Clone, Debug)]
pub enum Part {
    /// A string in UTF-8.
    Text(Bytes),
    /// A string in UTF-16.
    Wide(Wide),
    /// A `Buffer`.
    Bytes(Bytes),
}

/// A string in UTF-16, lone surrogates allowed: copied faster than it is converted, and encoded
/// without that where it can be. A clone shares the units.
#[derive(Clone, Debug)]
pub struct Wide {
    units: Arc<Vec<u16>>,
    utf8: OnceLock<Bytes>,
}

impl From<Vec<u16>> for Part {
    fn from(units: Vec<u16>) -> Self {
        Self::Wide(Wide { units: Arc::new(units), utf8: OnceLock::new() })
    }
}

impl Wide {
    pub(super) fn units(&self) -> &[u16] {
        &self.units
    }
}

impl Part {
    /// The value's octets; of a string, its UTF-8.
    pub(super) fn octets(&self) -> &[u8] {
        self.shared()
    }

    /// A share in the value's octets.
    pub(super) fn bytes(&self) -> Bytes {
        self.shared().clone()
    }

    /// The units of a string that came as UTF-16.
    pub(super) fn units(&self) -> Option<&[u16]> {
        match self {
            Self::Wide(wide) => Some(wide.units()),
            Self::Text(_) | Self::Bytes(_) => None,
        }
    }

    /// Octets the value takes while the message waits.
    pub(super) fn held(&self) -> usize {
        match self {
            Self::Wide(wide) => wide.units.len() * 2,
            Self::Text(bytes) | Self::Bytes(bytes) => bytes.len(),
        }
    }

    fn shared(&self) -> &Bytes {
        match self {
            Self::Wide(wide) => wide.utf8.get_or_init(|| text::from_utf16(&wide.units).into()),
            Self::Text(bytes) | Self::Bytes(bytes) => bytes,
        }
    }
}
