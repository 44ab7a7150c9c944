//! The text that goes with a status: optional, owned by the caller.

use crate::entry;
use crate::failure::Failure;
use crate::size;
use crate::status::btz_status;
use crate::text;
use std::ffi::c_char;

/// Room for an error's text, which the caller owns and hands in where a call has an `error` parameter; NULL is allowed
/// there. Set struct_size with BTZ_ERROR_INIT or btz_error_init(). Written only when the call fails. A struct_size that
/// is too small is left alone: the status still says what happened. Since: 0.1
#[repr(C)]
#[derive(Clone, Copy)]
pub struct btz_error {
    /// sizeof(btz_error).
    pub struct_size: u32,
    /// The same as the status returned.
    pub code: btz_status,
    /// What is wrong and the cure, for people; UTF-8, NUL-terminated, cut to fit. May have several lines.
    pub message: [c_char; 1016],
}

size::sized!(btz_error = 1024);

/// Fills what the caller has room for.
pub(crate) unsafe fn report(error: *mut btz_error, failure: &Failure) {
    let mut filled = btz_error { struct_size: 0, code: failure.code, message: [0; 1016] };
    text::fill(&mut filled.message, &failure.message);
    // SAFETY: the contract: `error` is NULL or a struct of the size it says. A wrong size has no better place to go.
    let _ = unsafe { size::write_out(error, filled) };
}

/// The same as BTZ_ERROR_INIT, for languages without macros: zeroes struct_size bytes and sets the field.
/// Returns BTZ_OK, BTZ_ERR_NULL or BTZ_ERR_SIZE. Threads: any. Blocking: no. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn btz_error_init(error: *mut btz_error, struct_size: u32) -> btz_status {
    // SAFETY: the contract: NULL, or `struct_size` writable bytes.
    entry::plain(std::ptr::null_mut(), || unsafe { size::init(error, struct_size) })
}
