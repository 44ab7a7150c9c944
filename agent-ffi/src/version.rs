//! Versions: of the library, and of the ABI.

use crate::failure::{Failure, Outcome};
use crate::status::BTZ_ERR_ABI;
use std::ffi::{CStr, c_char};

/// The major version of the ABI that this header describes: the number in the library's SONAME. Since: 0.1
pub const BTZ_ABI_MAJOR: u32 = 0;
/// The minor version of the ABI that this header describes: grows with every addition. Since: 0.1
pub const BTZ_ABI_MINOR: u32 = 3;
/// What to pass as `abi`: major * 65536 + minor. A library serves callers of the same major version and of no higher
/// minor version than its own. Since: 0.1
pub const BTZ_ABI_VERSION: u32 = 3;

const _: () = assert!(BTZ_ABI_VERSION == BTZ_ABI_MAJOR * 65_536 + BTZ_ABI_MINOR);

const VERSION: &CStr = match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
    Ok(version) => version,
    Err(_) => panic!("the package's version contains a NUL"),
};

/// The BTZ_ABI_VERSION that the loaded library serves. Never fails. Threads: any. Blocking: no. Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn btz_abi_version() -> u32 {
    BTZ_ABI_VERSION
}

/// The library's own version, such as "0.1.0". Static text: never freed. Never fails. Threads: any. Blocking: no.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn btz_version() -> *const c_char {
    VERSION.as_ptr()
}

/// Whether this library serves a caller that was compiled against that version.
pub(crate) fn check_abi(abi: u32) -> Outcome {
    if abi >> 16 == BTZ_ABI_MAJOR && abi & 0xffff <= BTZ_ABI_MINOR && abi != 0 {
        return Ok(());
    }
    Err(Failure::new(
        BTZ_ERR_ABI,
        format!(
            "the caller was compiled against ABI {}.{}, this is {BTZ_ABI_MAJOR}.{BTZ_ABI_MINOR}; pass BTZ_ABI_VERSION, \
             and install the library the header came with",
            abi >> 16,
            abi & 0xffff
        ),
    ))
}
