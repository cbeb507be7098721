//! A string as it crosses: its UTF-16 units, written straight into the memory they stay in.

use std::ptr;

use napi::bindgen_prelude::{FromNapiValue, TypeName, ValidateNapiValue};
use napi::{ValueType, check_status, sys};

/// A string's units, lone surrogates included.
pub(super) struct Text(pub(super) Vec<u16>);

impl TypeName for Text {
    fn type_name() -> &'static str {
        "string"
    }

    fn value_type() -> ValueType {
        ValueType::String
    }
}

impl ValidateNapiValue for Text {}

impl FromNapiValue for Text {
    unsafe fn from_napi_value(env: sys::napi_env, value: sys::napi_value) -> napi::Result<Self> {
        let mut length = 0;
        // SAFETY: the caller gives a live value of this environment; without a buffer only the
        // length is written.
        let status =
            unsafe { sys::napi_get_value_string_utf16(env, value, ptr::null_mut(), 0, &raw mut length) };
        check_status!(status, "a string's length")?;
        let mut units: Vec<u16> = Vec::with_capacity(length + 1);
        let mut written = 0;
        // SAFETY: the buffer has room for the units and the NUL behind them, which is what Node is
        // told.
        let status = unsafe {
            sys::napi_get_value_string_utf16(env, value, units.as_mut_ptr(), length + 1, &raw mut written)
        };
        check_status!(status, "a string's units")?;
        // SAFETY: Node has written so many units, and no more than it was given room for.
        unsafe { units.set_len(written.min(length)) };
        Ok(Self(units))
    }
}
